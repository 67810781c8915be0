//! Plain types: what the gateway keeps and moves. No I/O, no clock, no store.

mod audit;
mod channel;
mod consent;
mod contact;
mod erasure;
mod event;
mod health;
mod ids;
mod keywords;
mod link;
mod mask;
mod media;
mod message;
mod notice;
mod notification;
mod outbox;
mod part;
mod reaction;
mod status;
mod template;
mod thread;
mod token;
mod user;
mod window;

pub use audit::{Actor, ActorKind, AuditEntry};
pub use channel::{Health, HealthStatus, Toggle};
pub use consent::{
    ConsentEntry, ConsentProof, ConsentSource, ConsentState, EVERY_SENDER, forbidding,
};
pub use contact::{Apart, Contact, ContactIdentity, Merged};
pub use erasure::{ErasedCounts, Erasure, Needles};
pub use event::{ERASED, Mark, Outcome, WebhookEvent};
pub use health::{CanaryRecord, HealthEntry, HealthEntryKind, Outstanding};
pub use ids::{
    ChannelId, ContactId, EventId, MessageId, NotificationId, OrgId, ParseIdError, Place, SEQ_MAX,
    ThreadId, TokenId, UserId,
};
pub use keywords::{KEYWORD_CHARS_MAX, Keyword, Keywords, normal_keyword};
pub use link::contact_link;
pub use mask::{mask_identifier, mask_url};
pub use media::{MediaFailure, MediaHash, MediaJob, MediaRecord, ParseHashError};
pub use message::{Author, AuthorKind, Direction, Failure, Message, Report};
pub use notice::{Notice, NoticeKind};
pub use notification::{NoticeGroup, Notification};
pub use outbox::{OutboxItem, OutboxState, Priority, RESTORED};
pub use part::{MessagePart, PartRef, whole};
pub use reaction::{MessageReaction, react};
pub use status::{HistoryEntry, Source, Status, record};
pub use template::{
    Approval, Catalogue, CatalogueEntry, TemplateChange, TemplateError, is_sendable, is_trouble,
    rendered,
};
pub use thread::{Thread, ThreadState, TurnRecord};
pub use token::{ApiToken, Role};
pub use user::{
    PASSWORD_CHARS_MAX, Session, USER_NAME_CHARS_MAX, User, check_password, check_user_name,
};
pub use window::{Window, WindowRule, WindowState};

/// Milliseconds since the Unix epoch, UTC.
pub type Millis = i64;
