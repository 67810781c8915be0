//! Webhook events: listed, read for a replay, and ended after their retention time.

use super::{
    Page, Store,
    changes::Change,
    codec,
    engine::{StoreError, Transaction},
    keys,
    records::{self, load},
};
use crate::model::{ChannelId, EventId, Mark, Millis, OrgId, Outcome, WebhookEvent};

/// Rejected webhooks listed for one channel at most; the oldest makes room.
const REJECTED_MAX: u16 = 500;
/// Events ended in one step of the sweep.
const SWEEP_STEP: usize = 500;

impl Store {
    /// Lists a webhook that was not genuine. Not waited for: a flood of forgeries must not make
    /// anyone wait for the disk.
    pub fn list_rejected(&self, org: OrgId, record: &WebhookEvent) -> Result<(), StoreError> {
        let slot = self.rejected.next_slot(&record.channel, REJECTED_MAX);
        let key = keys::rejected(org, &record.channel, slot);
        // Dropping the handle does not take the commit back.
        drop(
            self.engine
                .transact(|tx| tx.put(&key, codec::encode(record)))?,
        );
        Ok(())
    }

    /// The webhooks of a channel, newest first.
    pub fn webhook_events(
        &self,
        org: OrgId,
        channel: &ChannelId,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<Page<WebhookEvent, EventId>, StoreError> {
        let older = |id: EventId| before.is_none_or(|before| id < before);
        let mut events = Vec::new();
        for entry in self.scan_prefix(&keys::rejected_of(org, channel), None, false) {
            let (key, bytes) = entry?;
            let record: WebhookEvent = codec::decode(&key, &bytes)?;
            if older(record.id) {
                events.push(record);
            }
        }
        let prefix = keys::events_of(org, channel);
        let before = before.map(|id| *id.as_bytes());
        for entry in self.scan_prefix(&prefix, before, true).take(limit + 1) {
            let (key, bytes) = entry?;
            events.push(codec::decode(&key, &bytes)?);
        }
        events.sort_by_key(|event: &WebhookEvent| std::cmp::Reverse(event.id));
        Ok(Page::cut(events, limit, |event| event.id))
    }

    /// A verified webhook by its id.
    pub fn webhook_event(
        &self,
        org: OrgId,
        channel: &ChannelId,
        id: EventId,
    ) -> Result<Option<WebhookEvent>, StoreError> {
        self.record(&keys::event(org, channel, id))
    }

    /// The webhooks of a channel that wait to be replayed by the daemon, oldest first.
    pub fn pending_events(
        &self,
        org: OrgId,
        channel: &ChannelId,
        limit: usize,
    ) -> Result<Vec<WebhookEvent>, StoreError> {
        let mut events = Vec::new();
        for entry in self
            .scan_prefix(&keys::pending_of(org, channel), None, false)
            .take(limit)
        {
            let (key, _) = entry?;
            let id = EventId::from_bytes(keys::trailing_id(&key).unwrap_or_default());
            events.extend(self.webhook_event(org, channel, id)?);
        }
        Ok(events)
    }

    /// Ends events older than `before_ms` with the dedupe marks of their messages: both are
    /// bounded in time. Returns how many were ended.
    pub async fn sweep_events(
        &self,
        org: OrgId,
        channel: &ChannelId,
        before_ms: Millis,
    ) -> Result<usize, StoreError> {
        let mut ended = 0;
        loop {
            let step = self.sweep_step(org, channel, before_ms).await?;
            ended += step;
            if step < SWEEP_STEP {
                return Ok(ended);
            }
        }
    }

    async fn sweep_step(
        &self,
        org: OrgId,
        channel: &ChannelId,
        before_ms: Millis,
    ) -> Result<usize, StoreError> {
        let prefix = keys::events_of(org, channel);
        let pending = self.engine.transact(|tx| {
            let mut ended = 0;
            for (key, bytes) in tx.scan(&prefix, SWEEP_STEP)? {
                let record: WebhookEvent = codec::decode(&key, &bytes)?;
                if record.received_at_ms >= before_ms {
                    break;
                }
                ended += 1;
                tx.delete(&key)?;
                for mark in locators(org, &record) {
                    tx.delete(&mark)?;
                }
            }
            Ok::<_, StoreError>(ended)
        })?;
        Ok(pending.await?.0)
    }

    /// Marks a stored event as what a new run through the adapter made of it, where that run
    /// brought nothing to store.
    pub async fn mark_event(
        &self,
        org: OrgId,
        channel: &ChannelId,
        id: EventId,
        outcome: Outcome,
        reason: Option<String>,
    ) -> Result<(), StoreError> {
        let key = keys::event(org, channel, id);
        let pending = self.engine.transact(|tx| {
            if let Some(mut record) = load::<WebhookEvent>(tx, &key)? {
                record.outcome = outcome;
                record.reason = reason;
                tx.replace(&key, codec::encode(&record));
            }
            Ok::<_, StoreError>(())
        })?;
        pending.await?;
        Ok(())
    }
}

/// The locators of what a webhook brought, in the order of its marks.
pub(super) fn locators(org: OrgId, record: &WebhookEvent) -> Vec<Vec<u8>> {
    let marks = record.marks.iter();
    let locator = |mark: &Mark| {
        let owner = mark.channel.as_ref().unwrap_or(&record.channel);
        keys::external(org, owner, &mark.id)
    };
    marks.map(locator).collect()
}

/// Lists the webhook; one that waits for a replay is marked, one that was replayed no longer is.
pub(super) fn write(
    tx: &mut Transaction<'_>,
    org: OrgId,
    record: &WebhookEvent,
    is_replay: bool,
) -> Result<(), StoreError> {
    let key = keys::event(org, &record.channel, record.id);
    let mark = keys::pending(org, &record.channel, record.id);
    if is_replay {
        tx.replace(&key, codec::encode(record));
        tx.delete(&mark)?;
        return Ok(());
    }
    tx.insert(&key, codec::encode(record));
    if record.outcome == Outcome::Pending {
        tx.insert(&mark, []);
        records::note(
            tx,
            &Change::Pending {
                org,
                channel: record.channel.clone(),
                event: record.id,
            },
        );
    }
    Ok(())
}
