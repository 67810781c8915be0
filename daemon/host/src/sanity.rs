//! What JSON types can't say about a plugin's answer.

use trunkline_plugin_api::{Body, Event, Facts, Media, MediaRef, Piece, Received, Request};

/// The input part that holds a body.
const BODY_PART: u32 = 1;
const SHA256_HEX_LEN: usize = 64;

/// Checks a webhook's result against the length of its body.
pub fn received(received: &Received, body_len: usize) -> Result<(), String> {
    let status = received.response.status;
    if !(200..600).contains(&status) {
        return Err(format!("{status} is no HTTP status to answer with"));
    }
    events(&received.events, body_len)
}

/// Checks that attachments inside the body are inside the body.
pub fn events(events: &[Event], body_len: usize) -> Result<(), String> {
    for event in events {
        if let Event::Message(message) = event {
            for media in &message.content.media {
                inside(media, body_len)?;
            }
        }
    }
    Ok(())
}

/// Checks that a request's pieces are as long as the bytes that came with them, and that its files are
/// named as files of the daemon are. Whose they are is seen when they are opened.
pub fn request(request: &Request) -> Result<(), String> {
    let body = match request {
        Request::Http(request) => &request.body,
        Request::Smtp(request) => &request.data,
        Request::Digest(request) => &request.body,
        Request::Push(_) => return Ok(()),
    };
    match body {
        Body::Empty | Body::Bytes { .. } => Ok(()),
        Body::Media { media } => names_file(media),
        Body::Pieces { bytes, pieces } => {
            let mut len = 0_u64;
            for piece in pieces {
                match piece {
                    Piece::Bytes { len: more } => len = len.saturating_add(*more),
                    Piece::Media { media, .. } => names_file(media)?,
                }
            }
            if len == bytes.len() as u64 {
                return Ok(());
            }
            let found = bytes.len();
            Err(format!(
                "the pieces of a body have {len} bytes, but {found} came with them"
            ))
        }
    }
}

fn names_file(media: &MediaRef) -> Result<(), String> {
    let name = media.sha256.as_deref().unwrap_or_default();
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if name.len() == SHA256_HEX_LEN && name.bytes().all(is_hex) {
        return Ok(());
    }
    Err("a body names no file: a SHA-256 has 64 lower-case hex digits".into())
}

fn inside(media: &Media, body_len: usize) -> Result<(), String> {
    let Some(range) = media.source.range else {
        return Ok(());
    };
    let end = range.offset.checked_add(range.len);
    if range.part == BODY_PART && end.is_some_and(|end| end <= body_len as u64) {
        return Ok(());
    }
    Err(format!(
        "an attachment of {} bytes at {} of part {} is not inside the body of {body_len} bytes",
        range.len, range.offset, range.part
    ))
}

/// Checks what routing and health rest on.
pub fn facts(facts: &Facts) -> Result<(), String> {
    if facts.media.is_empty() {
        return Err("the facts name no medium".into());
    }
    if facts.space.is_empty() {
        return Err("the facts name no identity space".into());
    }
    Ok(())
}
