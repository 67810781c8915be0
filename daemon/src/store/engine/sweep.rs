//! A sweep: one scan over the whole index while commits go on, that ends with an exact tally.
//!
//! The scan goes in slices, each under the apply lock. The index thread reports every write of a key that
//! the scan has passed already, so the tally at the end is that of the moment of its end, though the scan was
//! at no single moment. Verification compares the tally with the counts; a snapshot writes what passes by.

use std::collections::HashMap;

use super::index::{Kind, Seen};
use super::record::kind_of;

/// How far a scan is, and what it has counted.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// The last key passed; empty at the start.
    pub(super) at: Vec<u8>,
    pub(super) tally: HashMap<Kind, i64>,
}

impl Sweep {
    /// The scan passed a key.
    pub(super) fn pass(&mut self, key: &[u8]) {
        *self.tally.entry(kind_of(key)).or_default() += 1;
        self.at.clear();
        self.at.extend_from_slice(key);
    }

    /// A group wrote a key.
    pub(super) fn saw(&mut self, seen: &Seen<'_>) {
        if seen.key <= self.at.as_slice() && seen.was_there != seen.is_there {
            let delta = if seen.is_there { 1 } else { -1 };
            *self.tally.entry(kind_of(seen.key)).or_default() += delta;
        }
    }
}
