//! Keys of what belongs to the installation, and of its organizations.

use super::Key;
use crate::model::OrgId;

pub(crate) fn organization(slug: &str) -> Vec<u8> {
    Key::new(OrgId::SYSTEM, b'l').text(slug).0
}

pub(crate) fn token(id: crate::model::TokenId) -> Vec<u8> {
    Key::new(OrgId::SYSTEM, b'z').bytes(id.as_bytes()).0
}

/// What the store says of its format.
pub(crate) fn format() -> Vec<u8> {
    Key::new(OrgId::SYSTEM, b'D').0
}

pub(crate) fn saved(name: &str) -> Vec<u8> {
    Key::new(OrgId::SYSTEM, b'v').text(name).0
}
