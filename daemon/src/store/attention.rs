//! The outbox as people see it: listed, retried, discarded; one by one or by a filter.

use serde_json::Value;
use trunkline_plugin_api::ErrorClass;

use super::{
    Page, Store, codec,
    engine::{Pending, StoreError, Transaction},
    keys,
    outbox::report,
    queue, queued, records, reports,
};
use crate::model::{
    ChannelId, Message, MessageId, Millis, OrgId, OutboxItem, OutboxState, Report, Source, Status,
};

/// Items looked at for one page at most: a filter that few items pass gives short pages.
const LOOKED_AT_MAX: usize = 10_000;
/// Items decided on together.
const BATCH: usize = 256;

/// Which items are meant; an empty filter means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboxFilter {
    /// Of this state as written in JSON: `queued`, `retrying`, `held`, `uncertain`, `dead`.
    pub state: Option<String>,
    /// On this channel.
    pub channel: Option<ChannelId>,
    /// Whose last error has this class.
    pub class: Option<ErrorClass>,
    /// Whose last error has this code, ours or the provider's.
    pub code: Option<String>,
    /// The channels that hold their sends now: what waits for one of them is `held`.
    pub holding: Vec<ChannelId>,
}

impl OutboxFilter {
    /// The items of one channel that are in one state.
    pub fn of(channel: &ChannelId, state: OutboxState) -> Self {
        Self {
            state: Some(state.as_str().into()),
            channel: Some(channel.clone()),
            ..Self::default()
        }
    }

    /// Where all items that it means are listed.
    fn prefix(&self, org: OrgId) -> Vec<u8> {
        let listed = match self.state.as_deref() {
            Some(state @ ("dead" | "uncertain")) => Some(state),
            Some(state @ ("held" | "retrying")) if self.holding.is_empty() => Some(state),
            _ => None,
        };
        match listed {
            Some(state) => keys::attention_of(org, state),
            None => keys::kind(org, keys::OUTBOX),
        }
    }

    fn matches(&self, item: &OutboxItem) -> bool {
        let error = item.error.as_ref();
        let is_code = |code: &String| {
            error.is_some_and(|error| {
                error.code == *code || error.provider_code.as_deref() == Some(code)
            })
        };
        self.state
            .as_deref()
            .is_none_or(|state| state == item.state_shown(self.holding.contains(&item.channel)))
            && self
                .channel
                .as_ref()
                .is_none_or(|channel| *channel == item.channel)
            && self
                .class
                .is_none_or(|class| error.is_some_and(|error| error.class == class))
            && self.code.as_ref().is_none_or(is_code)
    }
}

/// What came of a person's decision on an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Done.
    Done,
    /// No such item.
    NotFound,
    /// Its call is under way.
    NotNow(OutboxState),
}

/// What a person decides about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send it (again), with a new budget of attempts.
    Retry,
    /// Give it up for good.
    Discard,
}

impl Store {
    /// Items in the queue, oldest first. A page may hold fewer than `limit` and still have a next.
    pub fn outbox(
        &self,
        org: OrgId,
        filter: &OutboxFilter,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Page<OutboxItem, MessageId>, StoreError> {
        let prefix = filter.prefix(org);
        let mut page = Page::default();
        let mut last = None;
        let entries = self.scan_prefix(&prefix, after.map(|id| *id.as_bytes()), false);
        for (looked_at, entry) in entries.enumerate() {
            if page.items.len() == limit || looked_at == LOOKED_AT_MAX {
                page.next = last;
                break;
            }
            let (key, _) = entry?;
            let Some(id) = keys::trailing_id(&key).map(MessageId::from_bytes) else {
                continue;
            };
            last = Some(id);
            let item = self.queued_item(org, id)?;
            page.items.extend(item.filter(|item| filter.matches(item)));
        }
        Ok(page)
    }

    /// An item in the queue with its message.
    pub fn outbox_entry(
        &self,
        org: OrgId,
        id: MessageId,
    ) -> Result<Option<(OutboxItem, Message)>, StoreError> {
        self.queued(org, id)
    }

    /// The message that a provider's id belongs to.
    pub fn holder(
        &self,
        org: OrgId,
        channel: &ChannelId,
        external_id: &str,
    ) -> Result<Option<MessageId>, StoreError> {
        let key = keys::external(org, channel, external_id);
        let Some(bytes) = self.engine.get(&key)? else {
            return Ok(None);
        };
        let id = MessageId::from_bytes(codec::fixed(&key, &bytes)?);
        Ok(self.message(org, id)?.map(|message| message.id))
    }

    /// Carries out a person's decision on one item. Retrying a message that was split resumes at
    /// its first part that the provider does not have; discarding one of unknown outcome leaves it
    /// `uncertain` in its thread, any other is `failed`.
    pub async fn decide(
        &self,
        org: OrgId,
        id: MessageId,
        verdict: Verdict,
    ) -> Result<Decision, StoreError> {
        Ok(self.plan_decision(org, id, verdict)?.await?.0)
    }

    /// Carries out a person's decision on every item that a filter means. Returns how many there
    /// were. Items whose call is under way are left alone.
    pub async fn decide_all(
        &self,
        org: OrgId,
        filter: &OutboxFilter,
        verdict: Verdict,
    ) -> Result<usize, StoreError> {
        let mut decided = 0;
        let mut after = None;
        loop {
            let page = self.outbox(org, filter, after, BATCH)?;
            let plans: Result<Vec<_>, _> = page
                .items
                .iter()
                .map(|item| self.plan_decision(org, item.message, verdict))
                .collect();
            for pending in plans? {
                decided += usize::from(pending.await?.0 == Decision::Done);
            }
            after = page.next;
            if after.is_none() {
                return Ok(decided);
            }
        }
    }

    fn plan_decision(
        &self,
        org: OrgId,
        id: MessageId,
        verdict: Verdict,
    ) -> Result<Pending<Decision>, StoreError> {
        let now = self.now();
        self.engine.transact(|tx| {
            let Some((mut item, mut message)) = queued::both(tx, org, id)? else {
                return Ok(Decision::NotFound);
            };
            if item.state == OutboxState::Leased {
                return Ok(Decision::NotNow(item.state));
            }
            match verdict {
                Verdict::Retry => {
                    item.attempts = 0;
                    item.accepted_at_ms = now;
                    again(tx, org, &mut item, &mut message, Source::Operator, now)?;
                }
                Verdict::Discard => {
                    let status = match message.status {
                        Status::Uncertain => Status::Uncertain,
                        _ => Status::Failed,
                    };
                    let report = Report {
                        detail: Some("discarded by an operator".into()),
                        ..report(status, Source::Operator, now)
                    };
                    message.apply_to(message.next_part(), report);
                    queue::remove(tx, org, &item)?;
                }
            }
            reports::note_status(tx, org, &message);
            records::save_message(tx, org, &message)?;
            Ok(Decision::Done)
        })
    }

    /// Puts a message of unknown outcome back in line, on its old budget of attempts: the provider
    /// surely does not have it, or the channel's policy is to send again.
    pub async fn send_again(&self, org: OrgId, id: MessageId) -> Result<(), StoreError> {
        let now = self.now();
        let pending = self.engine.transact(|tx| {
            let Some((mut item, mut message)) = queued::both(tx, org, id)? else {
                return Ok(());
            };
            if item.state == OutboxState::Uncertain {
                again(tx, org, &mut item, &mut message, Source::Poll, now)?;
                reports::note_status(tx, org, &message);
                records::save_message(tx, org, &message)?;
            }
            Ok::<_, StoreError>(())
        })?;
        pending.await?;
        Ok(())
    }
}

fn again(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &mut OutboxItem,
    message: &mut Message,
    source: Source,
    now: Millis,
) -> Result<(), StoreError> {
    message.requeue(report(Status::Queued, source, now));
    if !item.state.is_out_of_line() {
        queue::leave_line(tx, org, item)?;
    }
    item.scheduled = false;
    item.due_ms = now;
    item.cursor = Value::Null;
    queue::set_state(tx, org, item, OutboxState::Queued)?;
    queue::join_line(tx, org, item)
}
