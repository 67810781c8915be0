//! What becomes of free-form messages outside the reply window: failed, held, or sent as a template.
//!
//! A held item is out of line and listed by whom it waits for; the mark goes when it is released,
//! and is passed over where a person decided on the item meanwhile.

use serde_json::Value;
use trunkline_plugin_api::{ErrorClass, TemplateCall};

use super::{
    Store,
    engine::{StoreError, Transaction},
    keys,
    outbox::report,
    queue, queued, records, reports,
    windows::{WINDOW_CLOSED, is_window_closed, known},
};
use crate::model::{
    ChannelId, Failure, Message, MessageId, Millis, OrgId, OutboxItem, OutboxState, Priority,
    Report, Source, Status, WindowRule,
};

/// Items looked at together.
const BATCH: usize = 1_000;

/// What becomes of a free-form message outside the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outside {
    /// It fails.
    Fail(Failure),
    /// It waits until the person writes.
    Hold(Failure),
    /// This template goes in its place.
    Send(TemplateCall),
}

impl Store {
    /// Does with a due item what becomes of it outside the window. False where the window is open
    /// after all, or the item is no longer due.
    pub async fn keep_inside(
        &self,
        org: OrgId,
        id: MessageId,
        rule: &WindowRule,
        outside: Outside,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let pending = self.engine.transact(|tx| {
            let Some((mut item, mut message)) = queued::both(tx, org, id)? else {
                return Ok(false);
            };
            let waits = matches!(item.state, OutboxState::Queued | OutboxState::Retrying);
            let window = known(tx, org, &message.peer, &rule.scope)?;
            if !waits || window.state(rule.length_ms, now).open {
                return Ok(false);
            }
            outside.apply(tx, org, &rule.scope, &mut item, &mut message, now)?;
            records::save_message(tx, org, &message)?;
            Ok::<_, StoreError>(true)
        })?;
        Ok(pending.await?.0)
    }

    /// Messages of a channel that the provider refused later for their window, and for which the
    /// channel's policy was not asked yet.
    pub fn window_refusals(
        &self,
        org: OrgId,
        channel: &ChannelId,
    ) -> Result<Vec<MessageId>, StoreError> {
        if self.engine.count(org.0, keys::WINDOW_REFUSAL) == 0 {
            return Ok(Vec::new());
        }
        let marks = self.scan_prefix(&keys::window_refusals_of(org, channel), None, false);
        marks
            .take(BATCH)
            .map(|mark| {
                let (key, _) = mark?;
                let id = keys::trailing_id(&key).unwrap_or_default();
                Ok(MessageId::from_bytes(id))
            })
            .collect()
    }

    /// Does with a message what becomes of it after the provider refused it later for its window.
    /// One that can go again is in the queue when this returns; where the person has written since,
    /// it goes as it is.
    pub async fn settle_refusal(
        &self,
        org: OrgId,
        id: MessageId,
        rule: &WindowRule,
        outside: Outside,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let pending = self.engine.transact(|tx| {
            let Some(mut message) = records::find_message(tx, org, id)? else {
                return Ok(());
            };
            tx.delete(keys::window_refusal(org, &message.channel, id))?;
            let is_refused = message.status == Status::Failed
                && message.error.as_ref().is_some_and(is_window_closed);
            if !is_refused || queued::item(tx, org, id)?.is_some() {
                return Ok(());
            }
            let window = known(tx, org, &message.peer, &rule.scope)?;
            let is_open = window.state(rule.length_ms, now).open;
            if !is_open && matches!(outside, Outside::Fail(_)) {
                return Ok(());
            }
            let mut item = requeued(&mut message, now);
            // From now on it is in the queue, with its item.
            tx.delete(keys::message(org, id))?;
            queue::enqueue(tx, org, &item, &message)?;
            if !is_open {
                outside.apply(tx, org, &rule.scope, &mut item, &mut message, now)?;
            }
            reports::note_status(tx, org, &message);
            records::save_message(tx, org, &message)?;
            Ok::<_, StoreError>(())
        })?;
        pending.await?;
        Ok(())
    }

    /// Fails items of a channel that have been held for their window since before a time. Gives how
    /// many there were.
    pub async fn expire_held(
        &self,
        org: OrgId,
        channel: &ChannelId,
        before_ms: Millis,
    ) -> Result<usize, StoreError> {
        if self.engine.count(org.0, keys::WINDOW_HELD) == 0 {
            return Ok(0);
        }
        let mut old = Vec::new();
        for mark in self.scan_prefix(&keys::kind(org, keys::WINDOW_HELD), None, false) {
            let (key, _) = mark?;
            let id = MessageId::from_bytes(keys::trailing_id(&key).unwrap_or_default());
            let item = self.queued_item(org, id)?;
            let is_old = |item: &OutboxItem| {
                item.state != OutboxState::Held
                    || (item.channel == *channel && item.accepted_at_ms < before_ms)
            };
            if item.as_ref().is_none_or(is_old) {
                old.push((key, id));
            }
            if old.len() == BATCH {
                break;
            }
        }
        if old.is_empty() {
            return Ok(0);
        }
        let now = self.now();
        let pending = self.engine.transact(|tx| {
            let mut expired = 0;
            for (key, id) in &old {
                tx.delete(key)?;
                expired += usize::from(expire(tx, org, *id, before_ms, now)?);
            }
            Ok::<_, StoreError>(expired)
        })?;
        Ok(pending.await?.0)
    }
}

impl Outside {
    /// Does it with an item that is in line, leased or not; the caller saves the message.
    pub(super) fn apply(
        self,
        tx: &mut Transaction<'_>,
        org: OrgId,
        scope: &str,
        item: &mut OutboxItem,
        message: &mut Message,
        now: Millis,
    ) -> Result<(), StoreError> {
        match self {
            Self::Fail(failure) => {
                let failed = Report {
                    detail: Some(failure.message.clone()),
                    error: Some(failure),
                    ..about_window(Status::Failed, now)
                };
                message.apply_to(message.next_part(), failed);
                queue::give_up(tx, org, item, message, OutboxState::Dead)?;
                reports::note_status(tx, org, message);
            }
            Self::Hold(failure) => {
                let held = Report {
                    detail: Some(failure.message.clone()),
                    ..about_window(Status::Queued, now)
                };
                message.apply_to(message.next_part(), held);
                item.error = Some(failure);
                item.cursor = Value::Null;
                queue::give_up(tx, org, item, message, OutboxState::Held)?;
                tx.put(keys::window_held(org, &message.peer, scope, message.id), [])?;
            }
            Self::Send(call) => {
                message.replace_by(call, now);
                item.cursor = Value::Null;
                queue::reschedule(tx, org, item, OutboxState::Queued, now)?;
            }
        }
        Ok(())
    }
}

impl Message {
    /// Sends a template in place of the text, which stays as it was written.
    fn replace_by(&mut self, call: TemplateCall, now: Millis) {
        let words = format!("outside the reply window: goes as template {}", call.name);
        self.content.template = Some(call);
        self.parts.clear();
        self.apply(Report {
            detail: Some(words),
            ..about_window(Status::Queued, now)
        });
    }
}

fn about_window(status: Status, now: Millis) -> Report {
    Report {
        code: Some(WINDOW_CLOSED.into()),
        ..report(status, Source::Accept, now)
    }
}

/// Takes a refused message back to the queue. The provider's ids of what it refused are forgotten:
/// their late reports are no longer about this message. Its lane is not known any more; what is
/// refused like this is the odd one out, so it goes with the answers.
fn requeued(message: &mut Message, now: Millis) -> OutboxItem {
    let accepted_at_ms = message.sent_at_ms();
    message.requeue(about_window(Status::Queued, now));
    message.external_id = None;
    for part in &mut message.parts {
        if part.status == Status::Queued {
            part.external_id = None;
        }
    }
    if let Some(first) = message.parts.first() {
        message.external_id.clone_from(&first.external_id);
    }
    OutboxItem {
        message: message.id,
        channel: message.channel.clone(),
        contact: message.contact,
        priority: Priority::Reply,
        state: OutboxState::Queued,
        attempts: 0,
        accepted_at_ms,
        due_ms: now,
        scheduled: false,
        called: false,
        cursor: Value::Null,
        error: None,
        answers_keyword: false,
    }
}

/// Fails an item that was held for too long. True where it was.
fn expire(
    tx: &mut Transaction<'_>,
    org: OrgId,
    id: MessageId,
    before_ms: Millis,
    now: Millis,
) -> Result<bool, StoreError> {
    let Some((mut item, mut message)) = queued::both(tx, org, id)? else {
        return Ok(false);
    };
    if item.state != OutboxState::Held || item.accepted_at_ms >= before_ms {
        return Ok(false);
    }
    let failure = Failure {
        class: ErrorClass::WindowClosed,
        code: WINDOW_CLOSED.into(),
        message: "the recipient did not write while the message was held for their reply window"
            .into(),
        provider_code: None,
    };
    let failed = Report {
        detail: Some(failure.message.clone()),
        error: Some(failure),
        ..about_window(Status::Failed, now)
    };
    message.apply_to(message.next_part(), failed);
    queue::give_up(tx, org, &mut item, &message, OutboxState::Dead)?;
    reports::note_status(tx, org, &message);
    records::save_message(tx, org, &message)?;
    Ok(true)
}
