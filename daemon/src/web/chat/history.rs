//! What a page has missed, read from the visitor's timeline.

use serde_json::Value;
use trunkline_plugin_api::Identity;

use super::{frame, token::Visitor};
use crate::{
    channel::Channel,
    model::{Direction, Message, MessageId, Status},
    store::{Store, StoreError},
};

/// Messages that a page is given at most, the newest.
const SHOWN_MAX: usize = 300;
/// Bytes of them.
const BYTES_MAX: usize = 1 << 20;
/// Messages of the timeline that are looked at for them: it may hold other channels' too.
const SCANNED_MAX: usize = 2_000;
/// Messages read at once.
const PAGE: usize = 100;
/// Messages before the last one that the page has, among which one may be that it never got: what was
/// queued before and sent later.
const LOOK_BACK: usize = 100;

/// The frames of a visitor's conversation on a channel: all messages after `after`, and those before it
/// that never reached a page; oldest first. Nothing but what this visitor wrote on this channel and what
/// went to them by it. Blocks.
pub(super) fn missed(
    store: &Store,
    channel: &Channel,
    visitor: &Visitor,
    after: Option<MessageId>,
    link: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Value>, StoreError> {
    let messages = collect(store, channel, visitor, after)?;
    let mut frames = Vec::new();
    let mut bytes = 0;
    // A read mark covers what was written before it.
    let mut is_read = false;
    for message in &messages {
        is_read |= message.was_read();
        for frame in frame::of_message(message, is_read, &link).into_iter().rev() {
            bytes += frame.to_string().len();
            if bytes > BYTES_MAX {
                frames.reverse();
                return Ok(frames);
            }
            frames.push(frame);
        }
    }
    frames.reverse();
    Ok(frames)
}

/// Newest first.
fn collect(
    store: &Store,
    channel: &Channel,
    visitor: &Visitor,
    after: Option<MessageId>,
) -> Result<Vec<Message>, StoreError> {
    let Some(space) = channel.facts.as_ref().map(|facts| facts.space.as_str()) else {
        return Ok(Vec::new());
    };
    let identity = Identity::new(space, visitor.as_str());
    let contacts = store.contacts_with(channel.org, visitor.as_str())?;
    let contact = contacts.iter().find(|contact| {
        let mut known = contact.identities.iter();
        known.any(|known| known.identity == identity)
    });
    let Some(contact) = contact else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    let (mut before, mut scanned, mut looked_back) = (None, 0, 0);
    loop {
        let page = store.timeline(channel.org, contact.id, before, PAGE)?;
        scanned += page.items.len();
        for message in page.items {
            let message = store.as_it_goes(channel.org, message)?;
            let is_old = after.is_some_and(|after| message.id <= after);
            looked_back += usize::from(is_old);
            let is_theirs = message.channel == channel.id && message.peer == identity;
            if is_theirs && (!is_old || is_missing(&message)) {
                found.push(message);
            }
            if found.len() >= SHOWN_MAX || looked_back >= LOOK_BACK {
                return Ok(found);
            }
        }
        before = page.next;
        if before.is_none() || scanned >= SCANNED_MAX {
            return Ok(found);
        }
    }
}

/// Sent, and no page has said that it got it.
fn is_missing(message: &Message) -> bool {
    message.direction == Direction::Outbound
        && (message.status == Status::Sent || !message.parts.is_empty())
}
