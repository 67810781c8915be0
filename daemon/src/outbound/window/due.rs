//! Messages in the queue and outside their reply window.

use tracing::{info, warn};

use super::{failure, outside_queued};
use crate::{
    channel::Channel,
    model::{Message, Millis, OutboxItem, WindowRule},
    outbound::OutboxContext,
    store::{Outside, Store, StoreError},
};

/// Time between two looks at what waits for a window, in milliseconds.
const EVERY_MS: Millis = 500;

/// Of what is due what may go as it is: the window may have closed since it was accepted.
pub(in crate::outbound) async fn inside(
    channel: &Channel,
    store: &Store,
    due: Vec<(OutboxItem, Message)>,
) -> Vec<(OutboxItem, Message)> {
    let Some(rule) = channel.window() else {
        return due;
    };
    let mut inside = Vec::with_capacity(due.len());
    for (item, message) in due {
        match keep_inside(store, channel, &rule, &message).await {
            Ok(true) => {}
            Ok(false) => inside.push((item, message)),
            Err(error) => {
                warn!(event = "window_not_read", channel = %channel.id, message = %item.message, %error, "the reply window could not be looked at; the send waits");
            }
        }
    }
    inside
}

/// Does with a message that is due what becomes of it outside the window. True where it may not go
/// now as it is.
async fn keep_inside(
    store: &Store,
    channel: &Channel,
    rule: &WindowRule,
    message: &Message,
) -> Result<bool, StoreError> {
    if message.content.template.is_some() {
        return Ok(false);
    }
    let state = store.window_state(channel.org, &message.peer, rule)?;
    if state.open {
        return Ok(false);
    }
    let outside = outside_queued(store, channel, message, &state);
    store
        .keep_inside(channel.org, message.id, rule, outside)
        .await
}

/// Looks now and then at messages that were refused late for their window, and at those held for
/// too long.
#[derive(Default)]
pub(in crate::outbound) struct Settler {
    next_ms: Millis,
}

impl Settler {
    /// Looks, where it is time.
    pub(in crate::outbound) async fn settle(
        &mut self,
        channel: &Channel,
        context: &OutboxContext,
        now: Millis,
    ) {
        if now < self.next_ms {
            return;
        }
        self.next_ms = now + EVERY_MS;
        let age_max = context.settings.load().outbound.age_max;
        let age_max_ms = Millis::try_from(age_max.as_millis()).unwrap_or(Millis::MAX);
        let oldest_ms = now.saturating_sub(age_max_ms);
        if let Err(error) = settle(&context.store, channel, oldest_ms).await {
            warn!(event = "window_not_settled", channel = %channel.id, %error, "messages outside their reply window could not be settled");
        }
    }
}

async fn settle(store: &Store, channel: &Channel, oldest_ms: Millis) -> Result<(), StoreError> {
    // A channel that never had a window, or has none any more, keeps what was refused failed.
    let rule = channel.window().unwrap_or_else(|| WindowRule {
        scope: channel.consent_scope().to_owned(),
        length_ms: 0,
    });
    for id in store.window_refusals(channel.org, &channel.id)? {
        let Some(message) = store.message(channel.org, id)? else {
            continue;
        };
        let state = store.window_state(channel.org, &message.peer, &rule)?;
        let outside = if message.sent_at_ms() < oldest_ms || rule.length_ms == 0 {
            Outside::Fail(failure("the message does not go again".into()))
        } else {
            outside_queued(store, channel, &message, &state)
        };
        store
            .settle_refusal(channel.org, id, &rule, outside)
            .await?;
    }
    let expired = store
        .expire_held(channel.org, &channel.id, oldest_ms)
        .await?;
    if expired > 0 {
        info!(event = "window_expired", channel = %channel.id, expired, "messages held for a reply window were given up: they are too old");
    }
    Ok(())
}
