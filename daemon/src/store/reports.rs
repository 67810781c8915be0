//! Delivery reports: found their message, waiting for it, or repeated.

use serde::{Deserialize, Serialize};
use trunkline_plugin_api::StatusReport;

use super::{
    Page, Store,
    changes::Change,
    codec, consent,
    engine::{StoreError, Transaction},
    erasure, keys, queue,
    records::{self, load},
    windows,
};
use crate::model::{
    ChannelId, Failure, HistoryEntry, Message, MessageId, Millis, OrgId, PartRef, Report, Source,
    Status, record,
};

/// Reports kept for a message that is not known yet.
const WAITING_MAX: usize = 32;

/// What a report did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The message's state changed.
    Changed,
    /// Only its history did.
    Noted,
    /// The same report was there already; it was counted.
    Repeated,
    /// No such message yet; the report waits for it.
    Waiting,
}

/// A report that came before its message was known.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) report: StatusReport,
    pub(super) source: Source,
    pub(super) at_ms: Millis,
}

impl Store {
    /// Applies reports that polling brought.
    pub async fn apply_reports(
        &self,
        org: OrgId,
        channel: &ChannelId,
        reports: Vec<StatusReport>,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let pending = self.engine.transact(|tx| {
            for report in reports {
                apply(tx, org, channel, report, Source::Poll, now)?;
            }
            Ok::<_, StoreError>(())
        })?;
        pending.await?;
        Ok(())
    }

    /// Ends reports that have waited for their message since before a time: it will not come any
    /// more. Returns how many messages' reports were ended.
    pub async fn sweep_waiting(
        &self,
        org: OrgId,
        channel: &ChannelId,
        before_ms: Millis,
    ) -> Result<usize, StoreError> {
        let mut stale = Vec::new();
        for entry in self.scan_prefix(&keys::waiting_of(org, channel), None, false) {
            let (key, bytes) = entry?;
            let waiting: Vec<Waiting> = codec::decode(&key, &bytes)?;
            if waiting.iter().all(|report| report.at_ms < before_ms) {
                stale.push(key);
            }
        }
        let ended = stale.len();
        if ended == 0 {
            return Ok(0);
        }
        let pending = self.engine.transact(|tx| {
            for key in &stale {
                tx.delete(key)?;
            }
            Ok::<_, StoreError>(())
        })?;
        pending.await?;
        Ok(ended)
    }

    /// Messages of a channel that the provider has, since `since_ms` at the earliest, and that have
    /// no final report yet: those behind `after`, oldest first. Older ones are no longer asked about.
    pub async fn awaiting_reports(
        &self,
        org: OrgId,
        channel: &ChannelId,
        since_ms: Millis,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Page<Message, MessageId>, StoreError> {
        let prefix = keys::awaiting_of(org, channel);
        let mut page = Page::default();
        let mut past = Vec::new();
        for entry in self.scan_prefix(&prefix, after.map(|id| *id.as_bytes()), false) {
            let (key, _) = entry?;
            if page.items.len() == limit {
                page.next = page.items.last().map(|message: &Message| message.id);
                break;
            }
            let id = MessageId::from_bytes(keys::trailing_id(&key).unwrap_or_default());
            match self.message(org, id)? {
                Some(message) if message.sent_at_ms() >= since_ms => page.items.push(message),
                _ => past.push(key),
            }
        }
        if !past.is_empty() {
            let pending = self.engine.transact(|tx| {
                for key in &past {
                    tx.delete(key)?;
                }
                Ok::<_, StoreError>(())
            })?;
            pending.await?;
        }
        Ok(page)
    }
}

/// Applies one report, or lets it wait for its message.
pub(crate) fn apply(
    tx: &mut Transaction<'_>,
    org: OrgId,
    channel: &ChannelId,
    report: StatusReport,
    source: Source,
    now_ms: Millis,
) -> Result<Applied, StoreError> {
    match find(tx, org, channel, &report)? {
        Found::Message(mut message, None) => {
            let noted = note_given_up(&mut message, report, source, now_ms);
            records::save_message(tx, org, &message)?;
            Ok(noted)
        }
        Found::Message(mut message, Some(part)) => {
            let applied = apply_to(tx, org, &mut message, part, report, source, now_ms)?;
            records::save_message(tx, org, &message)?;
            Ok(applied)
        }
        Found::Gone => Ok(Applied::Repeated),
        Found::Nothing => wait(tx, org, channel, report, source, now_ms),
    }
}

/// What a report is for.
enum Found {
    /// This message, and this part of it.
    Message(Box<Message>, Option<usize>),
    /// A message that was here and was removed: nobody waits for the report.
    Gone,
    /// Nothing that is known yet.
    Nothing,
}

/// The message that a report is for and which part of it: by the provider's id, or by ours where
/// the callback has it. No part where the id is that of an earlier send of the message.
fn find(
    tx: &mut Transaction<'_>,
    org: OrgId,
    channel: &ChannelId,
    report: &StatusReport,
) -> Result<Found, StoreError> {
    if let Some(id) = records::find_external(tx, org, channel, &report.external_id)? {
        let Some(message) = records::find_message(tx, org, id)? else {
            return Ok(Found::Gone);
        };
        let is_its = message.external_id.as_ref() == Some(&report.external_id);
        let part = message.part_of(&report.external_id);
        let part = part.or(is_its.then_some(0));
        return Ok(Found::Message(Box::new(message), part));
    }
    let locator = keys::external(org, channel, &report.external_id);
    if erasure::is_erased(tx, org, &locator)? {
        return Ok(Found::Gone);
    }
    let Some(reference) = report.reference.as_deref().and_then(PartRef::parse) else {
        return Ok(Found::Nothing);
    };
    let message = records::find_message(tx, org, reference.message)?;
    let is_its = |message: &Message| {
        message.channel == *channel && reference.part < message.parts.len().max(1)
    };
    Ok(message.filter(is_its).map_or(Found::Nothing, |message| {
        Found::Message(Box::new(message), Some(reference.part))
    }))
}

/// Keeps a report on a send that the provider refused, of a message that went again since.
fn note_given_up(
    message: &mut Message,
    report: StatusReport,
    source: Source,
    at_ms: Millis,
) -> Applied {
    let entries = message.history.len();
    let entry = HistoryEntry {
        status: Status::from(report.status),
        at_ms,
        source,
        code: report.code,
        detail: report.detail,
        part: None,
        count: 1,
    };
    record(&mut message.history, entry);
    if message.history.len() > entries {
        Applied::Noted
    } else {
        Applied::Repeated
    }
}

/// Applies a report to its message, which the caller saves.
pub(crate) fn apply_to(
    tx: &mut Transaction<'_>,
    org: OrgId,
    message: &mut Message,
    part: usize,
    report: StatusReport,
    source: Source,
    now_ms: Millis,
) -> Result<Applied, StoreError> {
    learn_external_id(tx, org, message, part, &report.external_id)?;
    let entries = message.history.len();
    let part_before = message.parts.get(part).map(|part| part.status);
    let changed = message.apply_to(
        part,
        Report {
            status: Status::from(report.status),
            at_ms: now_ms,
            source,
            code: report.code,
            detail: report.detail,
            error: report.error.map(Failure::from),
        },
    );
    if changed {
        if let Some(failure) = &message.error {
            consent::learn(tx, org, message, failure, now_ms)?;
            windows::learn_later(tx, org, message, failure, now_ms)?;
        }
        note_status(tx, org, message);
        if message.status.is_final() {
            tx.delete(keys::awaiting(org, &message.channel, message.id))?;
        }
    }
    if changed || message.parts.get(part).map(|part| part.status) != part_before {
        queue::settle(tx, org, message)?;
    }
    Ok(match (changed, message.history.len() > entries) {
        (true, _) => Applied::Changed,
        (false, true) => Applied::Noted,
        (false, false) => Applied::Repeated,
    })
}

/// Notes for the followers that a message's state changed.
pub(crate) fn note_status(tx: &mut Transaction<'_>, org: OrgId, message: &Message) {
    let change = Change::Status {
        org,
        message: message.id,
        status: message.status,
    };
    records::note(tx, &change);
}

/// Gives a part of a sent message its provider's id, so that later reports find it.
pub(crate) fn learn_external_id(
    tx: &mut Transaction<'_>,
    org: OrgId,
    message: &mut Message,
    part: usize,
    external_id: &str,
) -> Result<(), StoreError> {
    if message.external_id_of(part).is_some() || external_id.is_empty() {
        return Ok(());
    }
    let key = keys::external(org, &message.channel, external_id);
    tx.put(&key, message.id.as_bytes())?;
    message.set_external_id(part, external_id);
    Ok(())
}

fn wait(
    tx: &mut Transaction<'_>,
    org: OrgId,
    channel: &ChannelId,
    report: StatusReport,
    source: Source,
    at_ms: Millis,
) -> Result<Applied, StoreError> {
    let key = keys::waiting(org, channel, &report.external_id);
    let mut waiting: Vec<Waiting> = load(tx, &key)?.unwrap_or_default();
    let same =
        |known: &Waiting| known.report.status == report.status && known.report.code == report.code;
    if waiting.iter().any(same) {
        return Ok(Applied::Repeated);
    }
    if waiting.len() < WAITING_MAX {
        waiting.push(Waiting {
            report,
            source,
            at_ms,
        });
        tx.put(&key, codec::encode(&waiting))?;
    }
    Ok(Applied::Waiting)
}

/// Applies what waited for a message whose provider's id has just become known.
pub(crate) fn apply_waiting(
    tx: &mut Transaction<'_>,
    org: OrgId,
    message: &mut Message,
    part: usize,
) -> Result<(), StoreError> {
    let Some(external_id) = message.external_id_of(part).map(str::to_owned) else {
        return Ok(());
    };
    let key = keys::waiting(org, &message.channel, &external_id);
    let Some(waiting) = load::<Vec<Waiting>>(tx, &key)? else {
        return Ok(());
    };
    for Waiting {
        report,
        source,
        at_ms,
    } in waiting
    {
        apply_to(tx, org, message, part, report, source, at_ms)?;
    }
    tx.delete(&key)?;
    Ok(())
}
