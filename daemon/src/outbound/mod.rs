//! The way of a message out.
//!
//! ```text
//! accept (gate: day's caps, two machines; text: segments, parts) ─> durable queue ─┐
//! ┌────────────────────────────────────────────────────────────────────────────────┘
//! └> durable queue ─> Outbox (one for each channel): due? health lets it? ─> lease
//!    attempt: drive the adapter's steps ─ each call by Transport, its cursor saved before
//!        receipt ─> sent │ transient, throttled ─> backoff │ refused ─> failed │ unknown ─> uncertain
//! ```

mod accept;
mod address;
mod attachments;
mod attempt;
mod backoff;
mod bucket;
mod drive;
mod gate;
mod link;
mod marks;
mod observe;
mod outbox;
mod pace;
mod preview;
mod reconcile;
pub mod segments;
mod sessions;
mod skew;
mod slots;
mod text;
mod transport;
mod window;

pub(crate) use accept::address as normal_address;
pub use accept::{AcceptError, SendRequest, Sender, accept};
use attempt::outbound_message;
pub use backoff::{Backoff, Next};
pub(crate) use drive::no_memory;
pub use drive::{DriveError, drive};
pub use gate::Gate;
pub use link::MediaLinks;
pub use marks::mark_read;
use outbox::concurrency;
pub use outbox::{Accounts, Outbox, OutboxContext};
pub use pace::Pace;
pub use preview::{Preview, preview};
pub use reconcile::Reconciler;
pub use sessions::{Frame, JoinError, Presence, Sessions, Subscription};
pub use skew::ProviderClock;
pub use text::{Length, TextError, TextPlan, TextPolicy, plan_text};
pub(crate) use transport::BodyStream;
pub use transport::{Intake, Transport, Trust};
pub use window::{TemplateOutlook, WindowOutlook};
