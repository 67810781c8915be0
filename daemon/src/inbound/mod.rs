//! The way of a message in.
//!
//! ```text
//! request ─> Ingress ── adapter.receive ─> genuine? ─> threader: route events ─> one commit ─> answer
//!                │ no: listed, counted, refused               │ failed? kept as pending
//!                                                             └─> Replayer runs it again
//! form ─> Ingress ─> the same commit
//! provider's list ─> Backfiller: what is not here yet ─> the same commit
//! committed changes ─> Coalescer ─> turns
//! ```

mod backfill;
mod bursts;
mod coalescer;
mod downtime;
mod ingress;
mod lead;
mod listing;
mod reader;
mod rejects;
mod replay;
mod sightings;
mod threader;

pub use backfill::{BackfillError, Backfiller, Filled};
pub use bursts::Quiet;
pub use coalescer::Coalescer;
pub use downtime::Downtime;
pub use ingress::{Answer, Ingress};
pub use lead::Lead;
pub use listing::Patience;
pub use rejects::{REQUEST_BYTES_MAX, Rejected, Rejects};
pub use replay::{ReplayError, Replayed, Replayer};
pub use sightings::{Sighting, Sightings};
