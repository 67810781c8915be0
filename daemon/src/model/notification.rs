//! What owners are told, as it is kept: notices of one kind on one channel are one notification
//! until somebody acknowledges it.

use serde::{Deserialize, Serialize};

use super::{ChannelId, Millis, NoticeKind, NotificationId, OrgId};

/// A group of notices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// On which channel, where it is about one.
    pub channel: Option<ChannelId>,
    /// About what.
    pub kind: NoticeKind,
    /// The words of the latest notice.
    pub words: String,
    /// How many notices there were.
    pub count: u64,
    /// When the first one came.
    pub first_at_ms: Millis,
    /// When the latest one came.
    pub last_at_ms: Millis,
    /// When somebody took note.
    #[serde(default)]
    pub acknowledged_at_ms: Option<Millis>,
    /// Who did.
    #[serde(default)]
    pub acknowledged_by: Option<String>,
}

/// Notices of one kind on one channel that are to be added to their notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeGroup {
    /// Whose.
    pub org: OrgId,
    /// On which channel, where it is about one.
    pub channel: Option<ChannelId>,
    /// About what.
    pub kind: NoticeKind,
    /// The words of the latest one.
    pub words: String,
    /// How many.
    pub count: u64,
    /// When the first one came.
    pub first_at_ms: Millis,
    /// When the latest one came.
    pub last_at_ms: Millis,
}

impl NoticeGroup {
    /// The notification that these notices begin.
    pub fn begin(self, id: NotificationId) -> Notification {
        Notification {
            id,
            channel: self.channel,
            kind: self.kind,
            words: self.words,
            count: self.count,
            first_at_ms: self.first_at_ms,
            last_at_ms: self.last_at_ms,
            acknowledged_at_ms: None,
            acknowledged_by: None,
        }
    }

    /// Adds these notices to the notification that is open for them.
    pub fn join(self, open: &mut Notification) {
        open.count = open.count.saturating_add(self.count);
        open.last_at_ms = open.last_at_ms.max(self.last_at_ms);
        open.words = self.words;
    }
}
