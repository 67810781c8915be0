//! The way of a message in.
//!
//! ```text
//! request ─> Ingress ── adapter.receive ─> genuine? ─> threader: route events ─> one commit ─> answer
//!                │ no: listed, counted, refused               │ failed? kept as pending
//!                                                             └─> Replayer runs it again
//! committed changes ─> Coalescer ─> turns
//! ```

mod bursts;
mod coalescer;
mod ingress;
mod rejects;
mod replay;
mod sightings;
mod threader;

pub use bursts::Quiet;
pub use coalescer::Coalescer;
pub use ingress::{Answer, Ingress};
pub use rejects::{REQUEST_BYTES_MAX, Rejected, Rejects};
pub use replay::{ReplayError, Replayed, Replayer};
pub use sightings::{Sighting, Sightings};
