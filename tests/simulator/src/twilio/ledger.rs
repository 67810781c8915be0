//! The ledger: every message the provider has, in the order it got them.

use super::account::random_sid;
use super::create::Draft;
use super::inbound::InboundSms;
use super::segments::segments;
use jiff::Timestamp;
use std::collections::HashMap;
use std::fmt;

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From a phone to the account.
    Inbound,
    /// Created through the API.
    OutboundApi,
}

/// Twilio's status of a message (Message resource, status values). Compares with its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusWord {
    /// Waits for `SendAt`.
    Scheduled,
    /// Taken by a Messaging Service, sender not chosen yet.
    Accepted,
    /// Waits for its turn at the sender.
    Queued,
    /// On its way to the carrier.
    Sending,
    /// The carrier has it.
    Sent,
    /// The carrier confirmed delivery.
    Delivered,
    /// The recipient opened it.
    Read,
    /// The carrier reported that it was not delivered.
    Undelivered,
    /// It could not be sent.
    Failed,
    /// A scheduled message that was taken back.
    Canceled,
    /// An inbound message, fully processed.
    Received,
}

impl StatusWord {
    /// The word as Twilio writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Accepted => "accepted",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Received => "received",
        }
    }

    /// How far along the message is. What Twilio itself knows never goes back.
    fn rank(self) -> u8 {
        match self {
            Self::Scheduled => 0,
            Self::Accepted => 1,
            Self::Queued => 2,
            Self::Sending => 3,
            Self::Sent => 4,
            Self::Undelivered | Self::Failed | Self::Canceled => 5,
            Self::Delivered => 6,
            Self::Read | Self::Received => 7,
        }
    }
}

impl fmt::Display for StatusWord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl PartialEq<str> for StatusWord {
    fn eq(&self, word: &str) -> bool {
        self.as_str() == word
    }
}

impl PartialEq<&str> for StatusWord {
    fn eq(&self, word: &&str) -> bool {
        self.as_str() == *word
    }
}

/// One message at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerMessage {
    /// `SM…`, or `MM…` with media.
    pub sid: String,
    /// Inbound or through the API.
    pub direction: Direction,
    /// Recipient's address as it was given.
    pub to: String,
    /// Sender's address; the service's choice where a Messaging Service sends.
    pub from: String,
    /// The text, byte for byte; empty where there is none.
    pub body: String,
    /// Media addresses in order.
    pub media: Vec<String>,
    /// Where status callbacks go.
    pub status_callback: Option<String>,
    /// The Messaging Service, where one was named.
    pub messaging_service_sid: Option<String>,
    /// The template, where one was named.
    pub content_sid: Option<String>,
    /// The template's values, JSON in a string.
    pub content_variables: Option<String>,
    /// When it was accepted or received.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
    /// When it went to the carrier.
    pub sent_at: Option<Timestamp>,
    /// Its status now.
    pub status: StatusWord,
    /// Why it failed.
    pub error_code: Option<u32>,
}

impl LedgerMessage {
    /// Segments of its text, by the carriers' rules.
    pub fn segments(&self) -> usize {
        segments(&self.body)
    }

    /// An incoming message.
    pub(super) fn inbound(sms: &InboundSms, at: Timestamp) -> Self {
        Self {
            sid: sms.message_sid.clone(),
            direction: Direction::Inbound,
            to: sms.to.clone(),
            from: sms.from.clone(),
            body: sms.body.clone(),
            media: sms.media.iter().map(|(url, _)| url.clone()).collect(),
            status_callback: None,
            messaging_service_sid: None,
            content_sid: None,
            content_variables: None,
            created_at: at,
            updated_at: at,
            sent_at: Some(at),
            status: StatusWord::Received,
            error_code: None,
        }
    }

    /// A message accepted by Create. `sender` is the number it goes out from.
    pub(super) fn outbound(draft: Draft, sender: String) -> Self {
        let now = Timestamp::now();
        let status = match (&draft.messaging_service_sid, draft.scheduled) {
            (_, true) => StatusWord::Scheduled,
            (Some(_), false) => StatusWord::Accepted,
            (None, false) => StatusWord::Queued,
        };
        let prefix = if draft.media.is_empty() { "SM" } else { "MM" };
        Self {
            sid: random_sid(prefix),
            direction: Direction::OutboundApi,
            to: draft.to,
            from: sender,
            body: draft.body,
            media: draft.media,
            status_callback: draft.status_callback,
            messaging_service_sid: draft.messaging_service_sid,
            content_sid: draft.content_sid,
            content_variables: draft.content_variables,
            created_at: now,
            updated_at: now,
            sent_at: None,
            status,
            error_code: None,
        }
    }
}

/// All messages, found by position or id.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    messages: Vec<LedgerMessage>,
    places: HashMap<String, usize>,
    outbound: usize,
}

impl Ledger {
    /// Adds a message; false if its id is known already.
    pub(super) fn insert(&mut self, message: LedgerMessage) -> bool {
        if self.places.contains_key(&message.sid) {
            return false;
        }
        if message.direction == Direction::OutboundApi {
            self.outbound += 1;
        }
        self.places.insert(message.sid.clone(), self.messages.len());
        self.messages.push(message);
        true
    }

    /// All messages, oldest first.
    pub(super) fn all(&self) -> &[LedgerMessage] {
        &self.messages
    }

    /// One message.
    pub(super) fn get(&self, sid: &str) -> Option<&LedgerMessage> {
        self.place(sid).map(|place| &self.messages[place])
    }

    /// The position of one message.
    pub(super) fn place(&self, sid: &str) -> Option<usize> {
        self.places.get(sid).copied()
    }

    /// How many were created through the API.
    pub(super) fn outbound_count(&self) -> usize {
        self.outbound
    }

    /// Moves a message forward; a status behind the present one changes nothing. False if unknown.
    pub(super) fn apply(&mut self, sid: &str, status: StatusWord, error_code: Option<u32>) -> bool {
        let Some(place) = self.place(sid) else {
            return false;
        };
        let message = &mut self.messages[place];
        if status.rank() < message.status.rank() {
            return true;
        }
        let now = Timestamp::now();
        message.status = status;
        message.updated_at = now;
        message.error_code = error_code;
        if status.rank() >= StatusWord::Sent.rank() && status != StatusWord::Canceled {
            message.sent_at.get_or_insert(now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_never_goes_back() {
        let mut ledger = Ledger::default();
        let mut message = LedgerMessage::inbound(
            &InboundSms::text("+15005550101", "+15550100", "x"),
            Timestamp::now(),
        );
        message.status = StatusWord::Queued;
        message.direction = Direction::OutboundApi;
        let sid = message.sid.clone();
        assert!(ledger.insert(message.clone()));
        assert!(!ledger.insert(message), "an id is taken once");
        assert_eq!(ledger.outbound_count(), 1);
        for (status, shown) in [
            (StatusWord::Sent, "sent"),
            (StatusWord::Failed, "failed"),
            (StatusWord::Delivered, "delivered"),
            (StatusWord::Sent, "delivered"),
            (StatusWord::Read, "read"),
        ] {
            assert!(ledger.apply(&sid, status, None));
            assert_eq!(ledger.get(&sid).unwrap().status, shown);
        }
        assert!(!ledger.apply("SM0", StatusWord::Sent, None));
    }
}
