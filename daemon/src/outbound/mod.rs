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
mod outbox;
mod reconcile;
mod skew;
mod transport;

pub use accept::{AcceptError, SendRequest, Sender, accept};
pub use attempt::callback_url;
use attempt::outbound_message;
pub use backoff::{Backoff, Next};
pub(crate) use drive::no_memory;
pub use drive::{DriveError, drive};
pub use outbox::{Outbox, OutboxContext};
pub use reconcile::Reconciler;
pub use skew::ProviderClock;
pub use transport::Transport;
