//! What owners should know without having to look.

use serde::{Deserialize, Serialize};

use super::{ChannelId, OrgId};

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Webhooks whose signature does not prove their sender.
    SignatureMismatch,
    /// A channel's health changed.
    HealthChanged,
    /// Messages were given up.
    DeadLetter,
    /// Sends of unknown outcome wait for a person.
    UncertainSend,
    /// A limit holds messages back or marks them.
    LimitReached,
    /// A plugin misbehaved.
    PluginFault,
    /// A channel has been quiet for longer than it should.
    SilentChannel,
    /// A loop-back message did not come back.
    CanaryLost,
    /// Two machines seem to answer each other.
    EchoLoop,
    /// What came in during a downtime could not be fetched.
    BackfillFailed,
    /// A message template may no longer be sent.
    TemplateStatus,
    /// A channel runs on its configuration from before the last reload.
    ConfigurationReturned,
    /// The certificate of the public listener ends soon, or a new one can't be used.
    Certificate,
    /// There is no room for more, on the disk or in the store of media.
    StoreFull,
}

impl NoticeKind {
    /// The kind as it is written in JSON, metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignatureMismatch => "signature_mismatch",
            Self::HealthChanged => "health_changed",
            Self::DeadLetter => "dead_letter",
            Self::UncertainSend => "uncertain_send",
            Self::LimitReached => "limit_reached",
            Self::PluginFault => "plugin_fault",
            Self::SilentChannel => "silent_channel",
            Self::CanaryLost => "canary_lost",
            Self::EchoLoop => "echo_loop",
            Self::BackfillFailed => "backfill_failed",
            Self::ConfigurationReturned => "configuration_returned",
            Self::TemplateStatus => "template_status",
            Self::Certificate => "certificate",
            Self::StoreFull => "store_full",
        }
    }
}

/// Something that owners should know. Notices of one kind on one channel are one group until it is
/// acknowledged. Its words hold no message text, no secret and no unmasked address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whose.
    pub org: OrgId,
    /// On which channel, where it is about one.
    pub channel: Option<ChannelId>,
    /// About what.
    pub kind: NoticeKind,
    /// What happened and what to do.
    pub words: String,
}
