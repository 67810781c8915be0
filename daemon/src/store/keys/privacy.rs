//! Keys of the audit and of erasures.

use super::Key;
use crate::model::{ContactId, OrgId};

/// The kind byte of the audit.
pub(crate) const AUDIT: u8 = b'A';
/// The kind byte of erasures and of what must outlive them.
pub(crate) const ERASURE: u8 = b'E';
/// The kind byte of rejected webhook events.
pub(crate) const REJECTED: u8 = b'r';
/// The kind byte of reports that wait for their message.
pub(crate) const WAITING: u8 = b'w';
/// The kind byte of locators.
pub(crate) const EXTERNAL: u8 = b'x';
/// The kind byte of the history of health.
pub(crate) const HEALTH: u8 = b'H';

/// An entry of the audit; 0 is where the chain begins once older entries have ended.
pub(crate) fn audit(org: OrgId, sequence: u64) -> Vec<u8> {
    Key::new(org, AUDIT).bytes(&sequence.to_be_bytes()).0
}

/// All erasures of an organization.
pub(crate) fn erasures(org: OrgId) -> Vec<u8> {
    Key::new(org, ERASURE).bytes(b"j").0
}

pub(crate) fn erasure(org: OrgId, contact: ContactId) -> Vec<u8> {
    Key(erasures(org)).bytes(contact.as_bytes()).0
}

/// All marks of erased messages.
pub(crate) fn erased_marks(org: OrgId) -> Vec<u8> {
    Key::new(org, ERASURE).bytes(b"m").0
}

/// The mark of an erased message, by a keyed hash of its locator.
pub(crate) fn erased_mark(org: OrgId, hash: &[u8]) -> Vec<u8> {
    Key(erased_marks(org)).bytes(hash).0
}

/// The opt-out of an erased person, by a keyed hash of identity and scope.
pub(crate) fn erased_consent(org: OrgId, hash: &[u8]) -> Vec<u8> {
    Key::new(org, ERASURE).bytes(b"c").bytes(hash).0
}

/// All reply windows of an identity.
pub(crate) fn windows_of(org: OrgId, identity: &trunkline_plugin_api::Identity) -> Vec<u8> {
    Key::new(org, b'W')
        .text(&identity.identifier)
        .text(&identity.space)
        .0
}

/// Everything held until an identity writes to whichever address of ours.
pub(crate) fn window_held_for(org: OrgId, identity: &trunkline_plugin_api::Identity) -> Vec<u8> {
    Key::new(org, super::WINDOW_HELD)
        .text(&identity.identifier)
        .text(&identity.space)
        .0
}
