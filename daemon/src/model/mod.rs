//! Plain types: what the gateway keeps and moves. No I/O, no clock, no store.

mod channel;
mod consent;
mod contact;
mod event;
mod health;
mod ids;
mod keywords;
mod mask;
mod message;
mod notice;
mod notification;
mod outbox;
mod part;
mod reaction;
mod status;
mod thread;
mod token;

pub use channel::{Health, HealthStatus, Toggle};
pub use consent::{
    ConsentEntry, ConsentProof, ConsentSource, ConsentState, EVERY_SENDER, forbidding,
};
pub use contact::{Contact, ContactIdentity};
pub use event::{Mark, Outcome, WebhookEvent};
pub use health::{CanaryRecord, HealthEntry, HealthEntryKind, Outstanding};
pub use ids::{
    ChannelId, ContactId, EventId, MessageId, NotificationId, OrgId, ParseIdError, Place, SEQ_MAX,
    ThreadId, TokenId,
};
pub use keywords::{KEYWORD_CHARS_MAX, Keyword, Keywords, normal_keyword};
pub use mask::{mask_identifier, mask_url};
pub use message::{Author, AuthorKind, Direction, Failure, Message, Report};
pub use notice::{Notice, NoticeKind};
pub use notification::{NoticeGroup, Notification};
pub use outbox::{OutboxItem, OutboxState, Priority};
pub use part::{MessagePart, PartRef, whole};
pub use reaction::{MessageReaction, react};
pub use status::{HistoryEntry, Source, Status, record};
pub use thread::{Thread, ThreadState, TurnRecord};
pub use token::{ApiToken, Role};

/// Milliseconds since the Unix epoch, UTC.
pub type Millis = i64;
