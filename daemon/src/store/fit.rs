//! Messages that are too large for one record.

use super::codec;
use crate::model::Message;

/// Bytes of a message's record; the engine takes a little more.
const MESSAGE_BYTES_MAX: usize = 100 * 1024;
/// Bytes of text kept of a message that is larger.
const TEXT_BYTES_KEPT: usize = 32 * 1024;
/// Attachments kept of a message that is larger.
const MEDIA_KEPT: usize = 10;

/// Cuts a message that is too large for one record: its text keeps its beginning, the whole stays
/// with the webhook event's raw body.
pub(super) fn fit(message: &mut Message) {
    if is_small(message) {
        return;
    }
    let len = codec::encode(message).len();
    if len <= MESSAGE_BYTES_MAX {
        return;
    }
    let content = &mut message.content;
    content.html = None;
    content.contacts.clear();
    content.media.truncate(MEDIA_KEPT);
    for text in [&mut content.text, &mut content.subject]
        .into_iter()
        .flatten()
    {
        let mut ends = (0..=TEXT_BYTES_KEPT.min(text.len())).rev();
        let kept = ends.find(|at| text.is_char_boundary(*at));
        text.truncate(kept.unwrap_or(0));
    }
    message.metadata.clear();
    message.metadata.insert("cut_from_bytes".into(), len.into());
}

/// True for plain texts, of which it is clear without encoding them: nearly all messages.
fn is_small(message: &Message) -> bool {
    let content = &message.content;
    let is_plain = content.media.is_empty()
        && content.contacts.is_empty()
        && content.interactive.is_none()
        && content.location.is_none()
        && content.template.is_none()
        && message.metadata.is_empty();
    let ids = [
        &message.external_id,
        &message.reply_to,
        &message.author.name,
    ];
    let texts = [&content.text, &content.html, &content.subject];
    let texts = texts.into_iter().chain(ids).flatten().map(String::len);
    let bytes = texts.sum::<usize>() + message.peer.identifier.len();
    is_plain && bytes <= TEXT_BYTES_KEPT
}
