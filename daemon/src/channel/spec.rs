//! What a channel is made of before it runs, and why it can't.

use std::sync::Arc;

use trunkline_host::{Instance, Plugin};
use trunkline_plugin_api::{Facts, Front};

use crate::{
    config,
    model::{ChannelId, OrgId},
};

/// Why a channel could not be opened, for a reason that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unopened {
    /// The machine could start no process for its plugin.
    Shortage,
    /// Its plugin misbehaved: a panic, garbage, the end of its process.
    Fault,
    /// Its plugin did not come back; a thread was left behind.
    Hang,
}

/// What a channel is made of; fixed while it runs.
pub struct ChannelSpec {
    /// Its id.
    pub id: ChannelId,
    /// Whose it is.
    pub org: OrgId,
    /// Its configuration.
    pub config: Arc<config::Channel>,
    /// The plugin that serves it; none where it is missing or refused.
    pub plugin: Option<Arc<Plugin>>,
    /// What the adapter says of this configuration; none where it could not be opened.
    pub facts: Option<Facts>,
    /// The opened adapter, or why there is none.
    pub instance: Result<Instance, String>,
    /// Why it could not be opened, where another try may bring more.
    pub unopened: Option<Unopened>,
}

impl ChannelSpec {
    /// Whether what comes in is to come by a webhook.
    pub fn has_webhook(&self) -> bool {
        self.facts.as_ref().is_some_and(comes_by_webhook)
    }

    /// As [`super::Channel::consent_scope`].
    pub fn consent_scope(&self) -> &str {
        scope(self.facts.as_ref(), &self.id)
    }
}

/// There is a secret to prove webhooks with, and the channel is not served at the chat's door, where the
/// daemon itself vouches for visitors.
pub(super) fn comes_by_webhook(facts: &Facts) -> bool {
    facts.can_receive && !facts.fronts.contains(&Front::Chat)
}

/// The scope of consent: the address that messages come from, else the channel's id.
pub(super) fn scope<'a>(facts: Option<&'a Facts>, id: &'a ChannelId) -> &'a str {
    let address = facts.and_then(|facts| facts.addresses.first());
    address.map_or(id.as_str(), String::as_str)
}
