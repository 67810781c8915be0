//! The outbox as people see it: listed by state, retried, discarded.

use super::{
    Page, Store, codec,
    engine::{StoreError, Transaction},
    keys,
    outbox::report,
    queue, records, reports,
};
use crate::model::{
    ChannelId, Message, MessageId, OrgId, OutboxItem, OutboxState, Report, Source, Status,
};

/// What came of a person's decision on an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Done.
    Done,
    /// No such item.
    NotFound,
    /// Its call is under way, or it waits for nothing but its turn.
    NotNow(OutboxState),
}

impl Store {
    /// Items in the queue, oldest first; of one state where `state` is given (`queued`,
    /// `retrying`, `held`, `uncertain`, `dead`).
    pub fn outbox(
        &self,
        org: OrgId,
        state: Option<&str>,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Page<OutboxItem, MessageId>, StoreError> {
        let prefix = match state {
            Some(state) if state != "queued" => keys::attention_of(org, state),
            _ => keys::kind(org, keys::OUTBOX),
        };
        let mut page = Page::default();
        for entry in self.scan_prefix(&prefix, after.map(|id| *id.as_bytes()), false) {
            let (key, _) = entry?;
            let Some(id) = keys::trailing_id(&key).map(MessageId::from_bytes) else {
                continue;
            };
            let item_key = keys::outbox(org, id);
            let Some(bytes) = self.engine.get(&item_key)? else {
                continue;
            };
            let item: OutboxItem = codec::decode(&item_key, &bytes)?;
            if state.is_some_and(|state| state != item.state.as_str()) {
                continue;
            }
            if page.items.len() == limit {
                page.next = page.items.last().map(|item: &OutboxItem| item.message);
                break;
            }
            page.items.push(item);
        }
        Ok(page)
    }

    /// An item in the queue with its message.
    pub fn outbox_entry(
        &self,
        org: OrgId,
        id: MessageId,
    ) -> Result<Option<(OutboxItem, Message)>, StoreError> {
        let item: Option<OutboxItem> = self.record(&keys::outbox(org, id))?;
        Ok(item.zip(self.message(org, id)?))
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
        let place = keys::read_place(codec::fixed(&key, &bytes)?);
        let message: Option<Message> = self.record(&keys::message(org, place))?;
        Ok(message.map(|message| message.id))
    }

    /// Puts an item that was given up (or whose outcome is unknown) back in line, by the word of
    /// `source`.
    pub async fn retry(
        &self,
        org: OrgId,
        id: MessageId,
        source: Source,
    ) -> Result<Decision, StoreError> {
        self.decide(org, id, move |tx, item, message, now| {
            message.status = Status::Queued;
            message.error = None;
            message.apply(report(Status::Queued, source, now));
            item.attempts = 0;
            item.accepted_at_ms = now;
            item.due_ms = now;
            item.cursor = serde_json::Value::Null;
            queue::set_state(tx, org, item, OutboxState::Queued)?;
            queue::join_line(tx, org, item)
        })
        .await
    }

    /// Gives an item up for good. A message of unknown outcome stays `uncertain` in its thread,
    /// any other is `failed`.
    pub async fn discard(&self, org: OrgId, id: MessageId) -> Result<Decision, StoreError> {
        self.decide(org, id, |tx, item, message, now| {
            let status = match message.status {
                Status::Uncertain => Status::Uncertain,
                _ => Status::Failed,
            };
            message.apply(Report {
                detail: Some("discarded by an operator".into()),
                ..report(status, Source::Operator, now)
            });
            queue::remove(tx, org, item)
        })
        .await
    }

    async fn decide(
        &self,
        org: OrgId,
        id: MessageId,
        plan: impl FnOnce(
            &mut Transaction<'_>,
            &mut OutboxItem,
            &mut Message,
            i64,
        ) -> Result<(), StoreError>,
    ) -> Result<Decision, StoreError> {
        let now = self.now();
        let pending = self.engine.transact(|tx| {
            let (Some(mut item), Some(mut message)) = (
                queue::item(tx, org, id)?,
                records::find_message(tx, org, id)?,
            ) else {
                return Ok(Decision::NotFound);
            };
            if item.state == OutboxState::Leased {
                return Ok(Decision::NotNow(item.state));
            }
            plan(tx, &mut item, &mut message, now)?;
            reports::note_status(tx, org, &message);
            records::save_message(tx, org, &message);
            Ok::<_, StoreError>(Decision::Done)
        })?;
        Ok(pending.await?.0)
    }
}
