//! What types can't say of a line: bounds, and what must fit together.

use super::lines::{ConsentLine, ContactLine, MediaLine, MessageLine, ThreadLine};
use crate::model::{ChannelId, Millis};

/// How far the clock that made an id may be ahead of ours.
const AHEAD_MS: Millis = 24 * 60 * 60 * 1000;
/// Addresses of one contact, as when contacts are merged.
const IDENTITIES_MAX: usize = 200;
/// Merges kept of one contact.
const MERGES_MAX: usize = 1_000;
/// Bytes of an address or a sender.
const ADDRESS_BYTES_MAX: usize = 1_024;
/// The highest number of a thread: there is room behind it.
const THREAD_NUMBER_MAX: u64 = 1 << 39;
/// Characters of a slug or a channel's id.
const NAME_CHARS_MAX: usize = 64;
/// Characters of a name or type of a file.
const FILE_CHARS_MAX: usize = 255;

type Checked = Result<(), String>;

/// An organization's slug.
pub(super) fn slug(slug: &str) -> Checked {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if slug.is_empty() || slug.len() > NAME_CHARS_MAX || !slug.chars().all(fits) {
        return Err(format!(
            "organization: 1 to {NAME_CHARS_MAX} lower-case letters, digits and -"
        ));
    }
    Ok(())
}

/// A contact.
pub(super) fn contact(line: &ContactLine, now_ms: Millis) -> Checked {
    time_of("id", line.id.as_bytes(), now_ms)?;
    if line.identities.len() > IDENTITIES_MAX {
        return Err(format!("identities: more than {IDENTITIES_MAX}"));
    }
    for (at, known) in line.identities.iter().enumerate() {
        address(&format!("identities[{at}].identifier"), &known.identifier)?;
        address(&format!("identities[{at}].space"), &known.space)?;
    }
    if line.merged.len() > MERGES_MAX || line.apart.len() > MERGES_MAX {
        return Err(format!("merged: more than {MERGES_MAX}"));
    }
    if line.merged_into == Some(line.id) {
        return Err("merged_into: it is the contact itself".into());
    }
    Ok(())
}

/// A thread.
pub(super) fn thread(line: &ThreadLine, now_ms: Millis) -> Checked {
    time_of("id", line.id.as_bytes(), now_ms)?;
    channel("last_channel", &line.last_channel)?;
    match line.id.number() {
        0 => Err("id: it holds no number of a thread".into()),
        number if number > THREAD_NUMBER_MAX => Err("id: the thread's number is too high".into()),
        _ => Ok(()),
    }
}

/// A message.
pub(super) fn message(line: &MessageLine, now_ms: Millis) -> Checked {
    time_of("id", line.id.as_bytes(), now_ms)?;
    channel("channel", &line.channel)?;
    address("peer.identifier", &line.peer.identifier)?;
    address("peer.space", &line.peer.space)?;
    let place = line.id.place();
    if place.thread != line.thread.number() {
        return Err("id: it holds another thread's number than thread".into());
    }
    if place.seq == 0 {
        return Err("id: it holds no place in its thread".into());
    }
    for (at, media) in line.content.media.iter().enumerate() {
        let named = media.source.sha256.as_ref();
        if named.is_some_and(|name| name.parse::<crate::model::MediaHash>().is_err()) {
            return Err(format!(
                "content.media[{at}].sha256: no SHA-256 in lower-case hex"
            ));
        }
    }
    Ok(())
}

/// An entry of the ledger of consent.
pub(super) fn consent(line: &ConsentLine) -> Checked {
    address("identifier", &line.identifier)?;
    address("space", &line.space)?;
    address("scope", &line.scope)
}

/// A file.
pub(super) fn media(line: &MediaLine) -> Checked {
    let name = line.name.as_deref().unwrap_or_default();
    let unfit =
        |text: &str| text.chars().count() > FILE_CHARS_MAX || text.contains(char::is_control);
    if unfit(name) {
        return Err(format!(
            "name: at most {FILE_CHARS_MAX} characters, no controls"
        ));
    }
    if unfit(&line.content_type) || !line.content_type.is_ascii() {
        return Err("content_type: no MIME type".into());
    }
    Ok(())
}

fn address(field: &str, text: &str) -> Checked {
    if text.is_empty() || text.len() > ADDRESS_BYTES_MAX || text.contains('\0') {
        return Err(format!(
            "{field}: 1 to {ADDRESS_BYTES_MAX} bytes, none of them zero"
        ));
    }
    Ok(())
}

fn channel(field: &str, id: &ChannelId) -> Checked {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let id = id.as_str();
    if id.is_empty() || id.len() > NAME_CHARS_MAX || !id.chars().all(fits) {
        return Err(format!("{field}: no id of a channel"));
    }
    Ok(())
}

/// An id of the future would stand before everything that is yet to come.
fn time_of(field: &str, id: &[u8; 16], now_ms: Millis) -> Checked {
    if id[6] >> 4 != 7 {
        return Err(format!("{field}: no UUID of version 7"));
    }
    let mut at = [0; 8];
    at[2..].copy_from_slice(&id[..6]);
    let at = Millis::try_from(u64::from_be_bytes(at)).unwrap_or(Millis::MAX);
    if at > now_ms.saturating_add(AHEAD_MS) {
        return Err(format!("{field}: it is of the future"));
    }
    Ok(())
}
