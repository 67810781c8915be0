//! What backups look at, and what a restore leaves.

use super::Key;
use crate::model::OrgId;

/// The kind byte of what is noted of a restore.
pub(crate) const RESTORATION: u8 = b'X';
/// The kind byte of webhook events.
pub(crate) const EVENT: u8 = b'e';

/// What is noted of a restore.
pub(crate) fn restoration() -> Vec<u8> {
    Key::new(OrgId::SYSTEM, RESTORATION).0
}
