//! The status lattice: what a message's state is, given everything that was ever reported.
//!
//! ```text
//! queued ──> sent ──> delivered ──> read
//!    └─ uncertain ┘
//!    └──────> failed   final, unless a later delivered or read proves it wrong
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trunkline_plugin_api::{Medium, ReportedStatus};

use super::Millis;

/// Reports kept for one message at most; a provider that sends more varieties is cut off here.
const HISTORY_MAX: usize = 64;

/// The state of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Inbound: it is here.
    Received,
    /// Outbound: waiting in our queue.
    Queued,
    /// The provider may or may not have it.
    Uncertain,
    /// The provider has it.
    Sent,
    /// It reached the recipient.
    Delivered,
    /// The recipient opened it.
    Read,
    /// It will not arrive.
    Failed,
}

impl Status {
    /// The status as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Queued => "queued",
            Self::Uncertain => "uncertain",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
        }
    }

    /// True where nothing more is expected, so that polling may stop.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Delivered | Self::Read | Self::Failed | Self::Received
        )
    }

    /// True where the provider surely has it.
    pub fn is_with_provider(self) -> bool {
        matches!(self, Self::Sent | Self::Delivered | Self::Read)
    }

    fn rank(self) -> u8 {
        match self {
            Self::Received | Self::Queued => 0,
            Self::Uncertain => 1,
            Self::Sent => 2,
            Self::Failed => 3,
            Self::Delivered => 4,
            Self::Read => 5,
        }
    }

    /// The state after one more report, whatever the order of reports.
    ///
    /// `failed` outranks `sent` and is outranked by proof of delivery, except for e-mail, where
    /// `delivered` only means that the next server took it: there a bounce wins.
    #[must_use]
    pub fn after(self, reported: Self, medium: Medium) -> Self {
        if self == Self::Received {
            return self;
        }
        let bounces = medium == Medium::Email;
        match (self, reported) {
            (_, Self::Failed) | (Self::Failed, _) if bounces => Self::Failed,
            _ if reported.rank() > self.rank() => reported,
            _ => self,
        }
    }
}

impl From<ReportedStatus> for Status {
    fn from(reported: ReportedStatus) -> Self {
        match reported {
            ReportedStatus::Sent => Self::Sent,
            ReportedStatus::Delivered => Self::Delivered,
            ReportedStatus::Read => Self::Read,
            ReportedStatus::Failed => Self::Failed,
        }
    }
}

/// Who said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The gateway, when it took the message.
    Accept,
    /// The provider's answer to the send.
    Receipt,
    /// The provider's webhook.
    Callback,
    /// The delivery poller.
    Poll,
    /// A person.
    Operator,
}

/// One report on a message. Equal reports are one entry with a count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// What was reported.
    pub status: Status,
    /// When it was first reported to us.
    #[serde(rename = "at")]
    pub at_ms: Millis,
    /// By whom.
    pub source: Source,
    /// The provider's own word or code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The part it is about, from 0, where the message was split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
    /// How often it was reported.
    #[serde(default = "once")]
    pub count: u32,
}

fn once() -> u32 {
    1
}

/// Adds a report to a history: an entry of its own for each (status, code, source), counted when
/// it comes again.
pub fn record(history: &mut Vec<HistoryEntry>, entry: HistoryEntry) {
    let same = |known: &&mut HistoryEntry| {
        known.status == entry.status
            && known.code == entry.code
            && known.source == entry.source
            && known.part == entry.part
    };
    let room = history.len() < HISTORY_MAX;
    match history.iter_mut().find(same) {
        Some(known) => known.count = known.count.saturating_add(entry.count),
        None if room => history.push(entry),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reported() -> impl Strategy<Value = Status> {
        prop_oneof![
            Just(Status::Sent),
            Just(Status::Delivered),
            Just(Status::Read),
            Just(Status::Failed),
            Just(Status::Uncertain),
        ]
    }

    fn medium() -> impl Strategy<Value = Medium> {
        prop_oneof![
            Just(Medium::Sms),
            Just(Medium::Whatsapp),
            Just(Medium::Email)
        ]
    }

    fn end(reports: &[Status], medium: Medium) -> Status {
        reports
            .iter()
            .fold(Status::Queued, |state, report| state.after(*report, medium))
    }

    proptest! {
        #[test]
        fn order_and_repetition_do_not_matter(
            mut reports in prop::collection::vec(reported(), 0..8),
            medium in medium(),
            turn in any::<u8>(),
        ) {
            let expected = end(&reports, medium);
            reports.extend(reports.clone());
            if !reports.is_empty() {
                let by = usize::from(turn) % reports.len();
                reports.rotate_left(by);
            }
            reports.reverse();
            prop_assert_eq!(end(&reports, medium), expected);
        }

        #[test]
        fn a_state_is_never_left_for_a_lower_one(
            reports in prop::collection::vec(reported(), 0..8),
            next in reported(),
            medium in medium(),
        ) {
            let state = end(&reports, medium);
            let after = state.after(next, medium);
            let bounced = medium == Medium::Email && after == Status::Failed;
            prop_assert!(bounced || after.rank() >= state.rank());
        }
    }

    #[test]
    fn the_cases_in_words() {
        let sms = Medium::Sms;
        let table = [
            (
                &[Status::Delivered, Status::Sent][..],
                sms,
                Status::Delivered,
            ),
            (&[Status::Failed, Status::Sent], sms, Status::Failed),
            (&[Status::Failed, Status::Delivered], sms, Status::Delivered),
            (&[Status::Delivered, Status::Failed], sms, Status::Delivered),
            (
                &[Status::Delivered, Status::Failed],
                Medium::Email,
                Status::Failed,
            ),
            (
                &[Status::Failed, Status::Read],
                Medium::Email,
                Status::Failed,
            ),
            (&[Status::Uncertain, Status::Sent], sms, Status::Sent),
            (&[Status::Sent, Status::Uncertain], sms, Status::Sent),
        ];
        for (reports, medium, expected) in table {
            assert_eq!(end(reports, medium), expected, "{reports:?} on {medium:?}");
        }
    }

    #[test]
    fn equal_reports_are_counted_and_a_history_is_bounded() {
        let entry = |code: usize| HistoryEntry {
            status: Status::Sent,
            at_ms: 1,
            source: Source::Callback,
            code: Some(code.to_string()),
            detail: None,
            part: None,
            count: 1,
        };
        let mut history = Vec::new();
        record(&mut history, entry(1));
        record(&mut history, entry(1));
        assert_eq!((history.len(), history[0].count), (1, 2));
        (0..1000).for_each(|code| record(&mut history, entry(code)));
        assert_eq!(history.len(), HISTORY_MAX);
    }
}
