//! What JSON types can't say about a plugin's answer.

use trunkline_plugin_api::{Event, Facts, Media, Received};

/// The input part that holds a body.
const BODY_PART: u32 = 1;

/// Checks a webhook's result against the length of its body.
pub(super) fn received(received: &Received, body_len: usize) -> Result<(), String> {
    let status = received.response.status;
    if !(200..600).contains(&status) {
        return Err(format!("{status} is no HTTP status to answer with"));
    }
    events(&received.events, body_len)
}

/// Checks that attachments inside the body are inside the body.
pub(super) fn events(events: &[Event], body_len: usize) -> Result<(), String> {
    for event in events {
        if let Event::Message(message) = event {
            for media in &message.content.media {
                inside(media, body_len)?;
            }
        }
    }
    Ok(())
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
pub(super) fn facts(facts: &Facts) -> Result<(), String> {
    if facts.media.is_empty() {
        return Err("the facts name no medium".into());
    }
    if facts.space.is_empty() {
        return Err("the facts name no identity space".into());
    }
    Ok(())
}
