//! The layout of the one tree. Every key is the organization's number (4 bytes, big-endian), a
//! kind byte, and what the table says:
//!
//! | kind | after it | value |
//! |---|---|---|
//! | `M` | message id | message, unless it is in the queue; what came together lies together |
//! | `x` | channel, provider's id | id of the message: locator and dedupe mark in one |
//! | `t` | thread | thread |
//! | `c` | contact | contact |
//! | `n` | identifier, space | contact, open thread |
//! | `h` | contact, thread | nothing: the threads of a contact |
//! | `o` | message id | outbox item, and its message for as long as it is in the queue |
//! | `q` | channel, contact, lane | line: what waits for that contact, in order |
//! | `g` | message id, its first | ids from the middle of a long line |
//! | `j` | channel, contact, lane, message id | nothing: what came back into a line behind it |
//! | `f` | channel, time, message id | nothing: sends scheduled for later |
//! | `d` | channel, lane, due time, message id | nothing: what may be leased |
//! | `b` | channel, message id | lease: the attempt under way |
//! | `a` | channel, message id | nothing: sent, and no final report yet |
//! | `s` | state, message id | nothing: items that want attention |
//! | `k` | hash of an idempotency key | hash of the request, message id |
//! | `w` | channel, provider's id | reports that came before their message was known |
//! | `e` | channel, event id | webhook event |
//! | `r` | channel, slot | rejected webhook event: a ring |
//! | `p` | channel, event id | nothing: events that the daemon replays |
//! | `u` | thread, first sequence | turn |
//! | `y` | channel | an operator's switch |
//! | `C` | identifier, space, scope | consent of an identity for a sender |
//! | `S` | channel | the address that it sends from: the scope of consent |
//! | `l` | slug (organization 0) | the organization's number |
//! | `z` | token id (organization 0) | API token |
//! | `U` | user id (organization 0) | user |
//! | `Y` | SHA-256 of its secret (organization 0) | session |
//! | `$` | channel, empty for the whole organization | what was accepted today |
//! | `H` | channel, slot | entry of the history of a channel's health: a ring |
//! | `T` | channel | when a message last came in, where silence is watched for |
//! | `K` | channel | canaries: how many were sent, which one is out |
//! | `N` | notification id | notification |
//! | `G` | channel, kind | id of the notification that is not acknowledged yet |
//! | `W` | identifier, space, our address | reply window of an identity |
//! | `L` | identifier, space, our address, message id | nothing: held until that person writes |
//! | `R` | channel, message id | nothing: refused for the window by a report, policy not asked yet |
//! | `P` | channel, template's id, language | template |
//! | `J` | channel | when its templates were last listed |
//! | `B` | SHA-256 | what is known of a file |
//! | `F` | channel, due time, message id | attachments of a message that are to be fetched |
//! | `X` | empty (organization 0) | that the store was restored: from which moment, when |
//! | `A` | sequence | entry of the audit with its hash; 0 is where the chain begins |
//! | `E` | `j` contact, `m` hash, `c` hash | erasure; mark of an erased message; opt-out of an erased person |
//! | `D` | nothing (organization 0) | the format of all records, and how far a migration is |
//! | `v` | name | a saved position, the clock, the number of the next thread, a channel's gap |
//!
//! The letter `m` was of messages by thread and sequence: a store that has any is of another layout and is not
//! opened.

mod backup;
mod media;
mod names;
mod outside;
mod privacy;
mod system;
mod users;

use sha2::{Digest, Sha256};
use trunkline_plugin_api::Identity;

use crate::model::{
    ChannelId, ContactId, EventId, MessageId, Millis, NoticeKind, NotificationId, OrgId,
    OutboxItem, Priority, ThreadId,
};

pub(crate) use backup::*;
pub(crate) use media::{MEDIA, media, media_job, media_jobs_of, media_shard};
pub(crate) use names::kind_name;
pub(crate) use outside::*;
pub(crate) use privacy::*;
pub(crate) use system::{format, organization, saved, token};
pub(crate) use users::*;

/// Texts from outside that are longer are represented by their hash, so that keys stay short.
const TEXT_BYTES_MAX: usize = 160;

/// The kind byte of messages.
pub(crate) const MESSAGE: u8 = b'M';
/// The kind byte that messages had in an earlier layout.
pub(crate) const MESSAGE_BY_PLACE: u8 = b'm';
/// The kind byte of contacts.
pub(crate) const CONTACT: u8 = b'c';
/// The kind byte of threads.
pub(crate) const THREAD: u8 = b't';
/// The kind byte of items that want attention.
pub(crate) const ATTENTION: u8 = b's';
/// The kind byte of outbox items.
pub(crate) const OUTBOX: u8 = b'o';
/// The kind byte of consent.
pub(crate) const CONSENT: u8 = b'C';

/// The kind byte of idempotency keys.
pub(crate) const IDEMPOTENCY: u8 = b'k';
/// The kind byte of notifications.
pub(crate) const NOTIFICATION: u8 = b'N';
/// The kind byte of what leads to notifications that are not acknowledged.
pub(crate) const OPEN_NOTIFICATION: u8 = b'G';
/// Builds one key.
struct Key(Vec<u8>);

impl Key {
    fn new(org: OrgId, kind: u8) -> Self {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&org.0.to_be_bytes());
        bytes.push(kind);
        Self(bytes)
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A text followed by a zero byte. Texts with zero bytes or of great length are hashed.
    fn text(mut self, text: &str) -> Self {
        if text.len() > TEXT_BYTES_MAX || text.contains('\0') {
            self.0.push(0x01);
            self.0.extend_from_slice(&Sha256::digest(text.as_bytes()));
        } else {
            self.0.extend_from_slice(text.as_bytes());
        }
        self.0.push(0);
        self
    }

    fn channel(self, channel: &ChannelId) -> Self {
        self.text(channel.as_str())
    }
}

/// All keys of one kind.
pub(crate) fn kind(org: OrgId, kind: u8) -> Vec<u8> {
    Key::new(org, kind).0
}

pub(crate) fn message(org: OrgId, id: MessageId) -> Vec<u8> {
    Key::new(org, MESSAGE).bytes(id.as_bytes()).0
}

/// The number that the next thread of an organization gets.
pub(crate) fn next_thread(org: OrgId) -> Vec<u8> {
    Key::new(org, b'v').text("next thread").0
}

/// Where the time begins of which a channel's provider has not been asked yet.
pub(crate) fn gap(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, b'v').text("gap").channel(channel).0
}

pub(crate) fn external(org: OrgId, channel: &ChannelId, external_id: &str) -> Vec<u8> {
    Key::new(org, b'x').channel(channel).text(external_id).0
}

pub(crate) fn thread(org: OrgId, id: ThreadId) -> Vec<u8> {
    Key::new(org, THREAD).bytes(id.as_bytes()).0
}

pub(crate) fn contact(org: OrgId, id: ContactId) -> Vec<u8> {
    Key::new(org, CONTACT).bytes(id.as_bytes()).0
}

/// All identities with this identifier, whatever their space.
pub(crate) fn identifier(org: OrgId, identifier: &str) -> Vec<u8> {
    Key::new(org, b'n').text(identifier).0
}

pub(crate) fn identity(org: OrgId, identity: &Identity) -> Vec<u8> {
    Key::new(org, b'n')
        .text(&identity.identifier)
        .text(&identity.space)
        .0
}

pub(crate) fn contact_threads(org: OrgId, contact: ContactId) -> Vec<u8> {
    Key::new(org, b'h').bytes(contact.as_bytes()).0
}

pub(crate) fn contact_thread(org: OrgId, contact: ContactId, thread: ThreadId) -> Vec<u8> {
    Key::new(org, b'h')
        .bytes(contact.as_bytes())
        .bytes(thread.as_bytes())
        .0
}

pub(crate) fn outbox(org: OrgId, id: MessageId) -> Vec<u8> {
    Key::new(org, OUTBOX).bytes(id.as_bytes()).0
}

/// The line that an item stands in: of one contact on one channel and lane.
pub(crate) fn line(org: OrgId, item: &OutboxItem) -> Vec<u8> {
    of_line(Key::new(org, b'q'), item).0
}

/// Ids from the middle of a line, by the first of them.
pub(crate) fn line_chunk(org: OrgId, first: MessageId) -> Vec<u8> {
    Key::new(org, b'g').bytes(first.as_bytes()).0
}

/// What came back into an item's line.
pub(crate) fn returned_of(org: OrgId, item: &OutboxItem) -> Vec<u8> {
    of_line(Key::new(org, b'j'), item).0
}

pub(crate) fn returned(org: OrgId, item: &OutboxItem, id: MessageId) -> Vec<u8> {
    Key(returned_of(org, item)).bytes(id.as_bytes()).0
}

fn of_line(key: Key, item: &OutboxItem) -> Key {
    key.channel(&item.channel)
        .bytes(item.contact.as_bytes())
        .bytes(&[item.priority.lane()])
}

/// Everything of one lane that may be leased, by due time.
pub(crate) fn due_lane(org: OrgId, channel: &ChannelId, lane: Priority) -> Vec<u8> {
    Key::new(org, b'd').channel(channel).bytes(&[lane.lane()]).0
}

pub(crate) fn due(org: OrgId, item: &OutboxItem) -> Vec<u8> {
    Key(due_lane(org, &item.channel, item.priority))
        .bytes(&time(item.due_ms))
        .bytes(item.message.as_bytes())
        .0
}

/// Everything scheduled on a channel, by its time.
pub(crate) fn scheduled_of(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, b'f').channel(channel).0
}

pub(crate) fn scheduled(org: OrgId, channel: &ChannelId, due_ms: Millis, id: MessageId) -> Vec<u8> {
    Key(scheduled_of(org, channel))
        .bytes(&time(due_ms))
        .bytes(id.as_bytes())
        .0
}

/// A time that sorts: 8 bytes, big-endian.
fn time(at_ms: Millis) -> [u8; 8] {
    u64::try_from(at_ms).unwrap_or(0).to_be_bytes()
}

pub(crate) fn leases(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, b'b').channel(channel).0
}

pub(crate) fn lease(org: OrgId, channel: &ChannelId, id: MessageId) -> Vec<u8> {
    Key::new(org, b'b').channel(channel).bytes(id.as_bytes()).0
}

/// Everything sent on a channel that has no final report yet.
pub(crate) fn awaiting_of(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, b'a').channel(channel).0
}

pub(crate) fn awaiting(org: OrgId, channel: &ChannelId, id: MessageId) -> Vec<u8> {
    Key::new(org, b'a').channel(channel).bytes(id.as_bytes()).0
}

pub(crate) fn attention_of(org: OrgId, state: &str) -> Vec<u8> {
    Key::new(org, ATTENTION).text(state).0
}

pub(crate) fn attention(org: OrgId, state: &str, id: MessageId) -> Vec<u8> {
    Key::new(org, ATTENTION).text(state).bytes(id.as_bytes()).0
}

pub(crate) fn idempotency(org: OrgId, key: &str) -> Vec<u8> {
    Key::new(org, IDEMPOTENCY)
        .bytes(&Sha256::digest(key.as_bytes()))
        .0
}

/// All reports of a channel that wait for their message.
pub(crate) fn waiting_of(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, b'w').channel(channel).0
}

pub(crate) fn waiting(org: OrgId, channel: &ChannelId, external_id: &str) -> Vec<u8> {
    Key::new(org, b'w').channel(channel).text(external_id).0
}

pub(crate) fn events_of(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, b'e').channel(channel).0
}

pub(crate) fn event(org: OrgId, channel: &ChannelId, id: EventId) -> Vec<u8> {
    Key::new(org, b'e').channel(channel).bytes(id.as_bytes()).0
}

pub(crate) fn rejected_of(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, b'r').channel(channel).0
}

pub(crate) fn rejected(org: OrgId, channel: &ChannelId, slot: u16) -> Vec<u8> {
    Key::new(org, b'r')
        .channel(channel)
        .bytes(&slot.to_be_bytes())
        .0
}

pub(crate) fn pending_of(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, b'p').channel(channel).0
}

pub(crate) fn pending(org: OrgId, channel: &ChannelId, id: EventId) -> Vec<u8> {
    Key::new(org, b'p').channel(channel).bytes(id.as_bytes()).0
}

pub(crate) fn turns_of(org: OrgId, thread: ThreadId) -> Vec<u8> {
    Key::new(org, b'u').bytes(thread.as_bytes()).0
}

pub(crate) fn turn(org: OrgId, thread: ThreadId, first_seq: u64) -> Vec<u8> {
    Key::new(org, b'u')
        .bytes(thread.as_bytes())
        .bytes(&first_seq.to_be_bytes())
        .0
}

/// What a channel accepted today; without one, all channels of the organization.
pub(crate) fn spent(org: OrgId, channel: Option<&ChannelId>) -> Vec<u8> {
    let channel = channel.map_or("", ChannelId::as_str);
    Key::new(org, b'$').text(channel).0
}

/// Consent of all identities with this identifier, whatever their space.
pub(crate) fn consents_with(org: OrgId, identifier: &str) -> Vec<u8> {
    Key::new(org, CONSENT).text(identifier).0
}

/// Consent of one identity for all senders.
pub(crate) fn consents_of(org: OrgId, identity: &Identity) -> Vec<u8> {
    Key::new(org, CONSENT)
        .text(&identity.identifier)
        .text(&identity.space)
        .0
}

pub(crate) fn consent(org: OrgId, identity: &Identity, scope: &str) -> Vec<u8> {
    Key::new(org, CONSENT)
        .text(&identity.identifier)
        .text(&identity.space)
        .text(scope)
        .0
}

/// The address that a channel sends from.
pub(crate) fn sender(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, b'S').channel(channel).0
}

pub(crate) fn toggle(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, b'y').channel(channel).0
}

/// The history of a channel's health.
pub(crate) fn health_of(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, b'H').channel(channel).0
}

pub(crate) fn health(org: OrgId, channel: &ChannelId, slot: u16) -> Vec<u8> {
    Key::new(org, b'H')
        .channel(channel)
        .bytes(&slot.to_be_bytes())
        .0
}

pub(crate) fn traffic(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, b'T').channel(channel).0
}

pub(crate) fn canary(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, b'K').channel(channel).0
}

pub(crate) fn notification(org: OrgId, id: NotificationId) -> Vec<u8> {
    Key::new(org, NOTIFICATION).bytes(id.as_bytes()).0
}

/// The notification that takes notices of one kind on one channel.
pub(crate) fn open_notification(
    org: OrgId,
    channel: Option<&ChannelId>,
    kind: NoticeKind,
) -> Vec<u8> {
    Key::new(org, OPEN_NOTIFICATION)
        .text(channel.map_or("", ChannelId::as_str))
        .text(kind.as_str())
        .0
}

/// The last 16 bytes of a key, where it ends with an id.
pub(crate) fn trailing_id(key: &[u8]) -> Option<[u8; 16]> {
    key.last_chunk::<16>().copied()
}
