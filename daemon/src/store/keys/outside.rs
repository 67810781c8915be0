//! Keys of reply windows and of what waits for them, and of catalogues of templates.

use trunkline_plugin_api::Identity;

use super::Key;
use crate::model::{ChannelId, MessageId, OrgId};

/// The kind byte of items held until a person writes.
pub(crate) const WINDOW_HELD: u8 = b'L';
/// The kind byte of messages refused for the reply window by a report.
pub(crate) const WINDOW_REFUSAL: u8 = b'R';
/// The kind byte of catalogues of templates.
pub(crate) const CATALOGUE: u8 = b'J';

/// The reply window of one identity to one of our addresses.
pub(crate) fn window(org: OrgId, identity: &Identity, scope: &str) -> Vec<u8> {
    Key::new(org, b'W')
        .text(&identity.identifier)
        .text(&identity.space)
        .text(scope)
        .0
}

/// What is held until one identity writes to one of our addresses, in the order of acceptance.
pub(crate) fn window_held_of(org: OrgId, identity: &Identity, scope: &str) -> Vec<u8> {
    Key::new(org, WINDOW_HELD)
        .text(&identity.identifier)
        .text(&identity.space)
        .text(scope)
        .0
}

pub(crate) fn window_held(org: OrgId, identity: &Identity, scope: &str, id: MessageId) -> Vec<u8> {
    Key(window_held_of(org, identity, scope))
        .bytes(id.as_bytes())
        .0
}

/// Messages of a channel that reports refused for the reply window.
pub(crate) fn window_refusals_of(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, WINDOW_REFUSAL).channel(channel).0
}

pub(crate) fn window_refusal(org: OrgId, channel: &ChannelId, id: MessageId) -> Vec<u8> {
    Key(window_refusals_of(org, channel)).bytes(id.as_bytes()).0
}

/// The templates of a channel.
pub(crate) fn templates_of(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, b'P').channel(channel).0
}

pub(crate) fn template(
    org: OrgId,
    channel: &ChannelId,
    id: &str,
    language: Option<&str>,
) -> Vec<u8> {
    Key(templates_of(org, channel))
        .text(id)
        .text(language.unwrap_or_default())
        .0
}

/// When the templates of a channel were last listed.
pub(crate) fn templates_refreshed(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, CATALOGUE).channel(channel).0
}
