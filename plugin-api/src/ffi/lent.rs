//! Bytes of the host that are read in place.

use super::Bytes;

/// The host's bytes, for the length of one call. It has no lifetime, so that the types of the
/// interface need none: whoever makes one sees to it that it ends before the call does.
pub(crate) struct Lent(Bytes);

// SAFETY: the bytes are only ever read, by any number of threads, while whoever lent them waits.
unsafe impl Send for Lent {}
// SAFETY: as above; nothing in it changes.
unsafe impl Sync for Lent {}

impl Lent {
    /// Lends bytes.
    ///
    /// # Safety
    /// The bytes live and stay as they are until this value is dropped.
    pub(super) unsafe fn new(bytes: &[u8]) -> Self {
        Self(Bytes::of(bytes))
    }

    /// The bytes, for as long as this value is borrowed.
    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: made from a slice that by the condition of `new` outlives `self`.
        unsafe { super::borrow(self.0) }
    }
}
