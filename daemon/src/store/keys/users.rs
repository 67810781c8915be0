//! Keys of people who sign in.

use super::Key;
use crate::model::{OrgId, UserId};

/// The kind byte of users.
pub(crate) const USER: u8 = b'U';
/// The kind byte of sessions.
pub(crate) const SESSION: u8 = b'Y';

pub(crate) fn user(id: UserId) -> Vec<u8> {
    Key::new(OrgId::SYSTEM, USER).bytes(id.as_bytes()).0
}

/// A session, by the hash of its secret.
pub(crate) fn session(hash: &[u8; 32]) -> Vec<u8> {
    Key::new(OrgId::SYSTEM, SESSION).bytes(hash).0
}
