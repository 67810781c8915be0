//! Reply windows: when each person last wrote to each of our addresses.
//!
//! ```text
//! message in ─ on channels with a window ─> window (identity, our address): heard ─> held items go on
//! refused by the provider (63016, 131047) ─> the same record: refused
//!         ├─ in answer to the call ─> plan_finish: failed, held, or as a template
//!         └─ by a later report ────> message failed, marked ─> the outbox asks the channel's policy
//! ```

use trunkline_plugin_api::{ErrorClass, Identity};

use super::{
    Store, codec, consent,
    engine::{StoreError, Transaction},
    keys,
    outbox::report,
    queue, queued,
    records::{self, load},
};
use crate::model::{
    Failure, HistoryEntry, Message, MessageId, Millis, OrgId, OutboxState, Report, Source, Status,
    Window, WindowRule, WindowState,
};

/// The code of history entries about the window.
pub(super) const WINDOW_CLOSED: &str = "window_closed";
/// Items released together.
const BATCH: usize = 1_000;

/// Who wrote, on a channel with a reply window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadWindow {
    /// Our address that they wrote to.
    pub scope: String,
    /// By every identity that the provider vouches for.
    pub identities: Vec<Identity>,
    /// When, as the provider says.
    pub sent_at_ms: Option<Millis>,
}

impl Store {
    /// What is known of one person's window to one of our addresses.
    pub fn window(&self, org: OrgId, who: &Identity, scope: &str) -> Result<Window, StoreError> {
        let window = self.record(&keys::window(org, who, scope))?;
        Ok(window.unwrap_or_default())
    }

    /// A person's window now.
    pub fn window_state(
        &self,
        org: OrgId,
        who: &Identity,
        rule: &WindowRule,
    ) -> Result<WindowState, StoreError> {
        let window = self.window(org, who, &rule.scope)?;
        Ok(window.state(rule.length_ms, self.now()))
    }

    /// Notes that a person wrote, and puts what was held for them back in line. True where
    /// something was.
    pub(super) fn hear_window(
        &self,
        tx: &mut Transaction<'_>,
        org: OrgId,
        read: &ReadWindow,
        at_ms: Millis,
    ) -> Result<bool, StoreError> {
        // A provider's clock that runs ahead must not open the window for longer.
        let heard_at_ms = read.sent_at_ms.map_or(at_ms, |sent| sent.min(at_ms));
        let is_held = self.engine.count(org.0, keys::WINDOW_HELD) > 0;
        let mut released = false;
        for identity in &read.identities {
            let key = keys::window(org, identity, &read.scope);
            let mut window: Window = load(tx, &key)?.unwrap_or_default();
            window.hear(heard_at_ms);
            tx.put(&key, codec::encode(&window))?;
            if is_held {
                released |= release(tx, org, identity, &read.scope, at_ms)?;
            }
        }
        Ok(released)
    }
}

/// True for the failure of a message that was refused because the window was closed.
pub(super) fn is_window_closed(failure: &Failure) -> bool {
    failure.class == ErrorClass::WindowClosed
}

pub(super) fn known(
    tx: &mut Transaction<'_>,
    org: OrgId,
    who: &Identity,
    scope: &str,
) -> Result<Window, StoreError> {
    Ok(load(tx, &keys::window(org, who, scope))?.unwrap_or_default())
}

/// Learns from a failure that the window of the message's recipient is closed, as of the time at
/// which the provider got it.
pub(super) fn learn(
    tx: &mut Transaction<'_>,
    org: OrgId,
    message: &Message,
    failure: &Failure,
    refused_at_ms: Millis,
) -> Result<(), StoreError> {
    if !is_window_closed(failure) {
        return Ok(());
    }
    let scope = consent::scope_of(tx, org, &message.channel)?;
    let key = keys::window(org, &message.peer, &scope);
    let mut window: Window = load(tx, &key)?.unwrap_or_default();
    window.refuse(refused_at_ms);
    tx.put(&key, codec::encode(&window))
}

/// The same from a later report; marks a free-form message for the channel's policy.
pub(super) fn learn_later(
    tx: &mut Transaction<'_>,
    org: OrgId,
    message: &Message,
    failure: &Failure,
    now_ms: Millis,
) -> Result<(), StoreError> {
    // The person may have written since it was sent. When a message that went again was sent is not
    // known any more; that it was refused again counts from now, so that it goes round in no circle.
    let is_window = |entry: &HistoryEntry| entry.code.as_deref() == Some(WINDOW_CLOSED);
    let went_again = message.history.iter().any(is_window);
    let refused_at_ms = if went_again {
        now_ms
    } else {
        message.sent_at_ms()
    };
    learn(tx, org, message, failure, refused_at_ms)?;
    if is_window_closed(failure) && message.content.template.is_none() {
        tx.put(keys::window_refusal(org, &message.channel, message.id), [])?;
    }
    Ok(())
}

/// Puts what was held for a person back in line, in the order in which it was accepted.
fn release(
    tx: &mut Transaction<'_>,
    org: OrgId,
    who: &Identity,
    scope: &str,
    now: Millis,
) -> Result<bool, StoreError> {
    let mut released = false;
    for (key, _) in tx.scan(&keys::window_held_of(org, who, scope), BATCH)? {
        tx.remove(&key);
        let id = MessageId::from_bytes(keys::trailing_id(&key).unwrap_or_default());
        let Some((mut item, mut message)) = queued::both(tx, org, id)? else {
            continue;
        };
        if item.state != OutboxState::Held {
            continue;
        }
        let freed = Report {
            code: Some("window_open".into()),
            detail: Some("the person has written: it goes on".into()),
            ..report(Status::Queued, Source::Accept, now)
        };
        message.apply_to(message.next_part(), freed);
        records::save_message(tx, org, &message)?;
        (item.due_ms, item.error, item.attempts) = (now, None, 0);
        queue::set_state(tx, org, &mut item, OutboxState::Queued)?;
        queue::join_line(tx, org, &item)?;
        released = true;
    }
    Ok(released)
}
