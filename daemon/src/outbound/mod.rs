//! The way of a message out.
//!
//! ```text
//! accept ─> durable queue ─> Outbox (one for each channel): due? health lets it? ─> lease
//!    attempt: drive the adapter's steps ─ each call by Transport, its cursor saved before
//!        receipt ─> sent │ transient, throttled ─> backoff │ refused ─> failed │ unknown ─> uncertain
//! ```

mod accept;
mod address;
mod attempt;
mod backoff;
mod drive;
mod observe;
mod outbox;
mod pace;
mod reconcile;
mod slots;
mod transport;

pub use accept::{AcceptError, SendRequest, Sender, accept};
use attempt::outbound_message;
pub use backoff::{Backoff, Next};
pub(crate) use drive::no_memory;
pub use drive::{DriveError, drive};
use outbox::concurrency;
pub use outbox::{Accounts, Outbox, OutboxContext};
pub use pace::Pace;
pub use reconcile::Reconciler;
pub use transport::Transport;
