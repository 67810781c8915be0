//! Asks providers what became of messages whose callbacks did not come.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::sync::oneshot;
use tracing::{debug, warn};
use trunkline_plugin_api::{Capability, ErrorClass, Sent};

use crate::{
    channel::Channel,
    model::{Message, MessageId, Millis, OutboxState},
    outbound::{DriveError, OutboxContext, Reconciler, drive, no_memory},
    store::OutboxFilter,
};

/// Messages asked about in one round; the next round goes on behind them.
const ROUND_MAX: usize = 500;
/// Questions at once: few, since sends go first.
const QUESTIONS_AT_ONCE: usize = 4;

/// Polls one channel.
#[derive(Clone)]
pub struct Poller {
    context: OutboxContext,
}

/// What one question brought.
enum Told {
    /// An answer, or none.
    Something,
    /// The provider wants no more questions now.
    Enough,
}

impl Poller {
    /// A poller over the same store and provider as an outbox.
    pub fn new(context: OutboxContext) -> Self {
        Self { context }
    }

    /// Polls a channel on the interval until `stop` is dropped or fires.
    pub async fn watch(self, channel: Arc<Channel>, mut stop: oneshot::Receiver<()>) {
        let (mut behind, mut behind_uncertain) = (None, None);
        loop {
            tokio::select! {
                _ = &mut stop => return,
                () = tokio::time::sleep(self.context.settings.load().delivery.interval) => {}
            }
            let may_ask = self.context.health.lets_send(&channel.id);
            if !may_ask || channel.down_reason().is_some() {
                continue;
            }
            if channel.can(Capability::DeliveryStatus) {
                behind = self.round(&channel, behind).await;
            }
            behind_uncertain = self.look_up_uncertain(&channel, behind_uncertain).await;
        }
    }

    /// Asks about messages of the window whose state is not final, those behind `after`. Gives
    /// where the next round begins.
    async fn round(&self, channel: &Channel, after: Option<MessageId>) -> Option<MessageId> {
        let OutboxContext {
            store, settings, ..
        } = &self.context;
        let window = settings.load().delivery.window;
        let window_ms = Millis::try_from(window.as_millis()).unwrap_or(Millis::MAX);
        let since = store.now().saturating_sub(window_ms);
        let awaiting = store
            .awaiting_reports(channel.org, &channel.id, since, after, ROUND_MAX)
            .await;
        let page = match awaiting {
            Ok(page) => page,
            Err(error) => {
                warn!(event = "poll_not_read", channel = %channel.id, %error, "the messages to ask about could not be read");
                return after;
            }
        };
        debug!(channel = %channel.id, messages = page.items.len(), "asking the provider about sent messages");
        let questions = page.items.iter().flat_map(unanswered);
        let mut answers = stream::iter(questions)
            .map(|sent| self.ask(channel, sent))
            .buffer_unordered(QUESTIONS_AT_ONCE);
        while let Some(told) = answers.next().await {
            if matches!(told, Told::Enough) {
                debug!(channel = %channel.id, "the provider wants fewer questions; the rest waits for the next round");
                return after;
            }
        }
        page.next
    }

    /// Looks up sends of unknown outcome again, those behind `after`: the provider may know more by
    /// now. Gives where the next round begins.
    async fn look_up_uncertain(
        &self,
        channel: &Channel,
        after: Option<MessageId>,
    ) -> Option<MessageId> {
        let reconciler = Reconciler::new(&self.context);
        let filter = OutboxFilter::of(&channel.id, OutboxState::Uncertain);
        let store = &self.context.store;
        let page = match store.outbox(channel.org, &filter, after, ROUND_MAX) {
            Ok(page) => page,
            Err(error) => {
                warn!(event = "uncertain_not_read", channel = %channel.id, %error, "the sends of unknown outcome could not be read");
                return after;
            }
        };
        for item in page.items {
            reconciler.settle(channel, item.message).await;
        }
        page.next
    }

    async fn ask(&self, channel: &Channel, sent: Sent) -> Told {
        match self.try_ask(channel, sent.clone()).await {
            Ok(()) => Told::Something,
            Err(error) => {
                debug!(channel = %channel.id, message = %sent.id, %error, "the provider did not tell");
                match error.into_adapter_error().class {
                    ErrorClass::Throttled | ErrorClass::Credentials => Told::Enough,
                    _ => Told::Something,
                }
            }
        }
    }

    async fn try_ask(&self, channel: &Channel, sent: Sent) -> Result<(), DriveError> {
        let store = &self.context.store;
        let sent = Arc::new(sent);
        let reports = drive(
            channel,
            &self.context.transport,
            "delivery_status",
            Value::Null,
            || store.wall(),
            move |instance, turn| instance.delivery_status(&sent, turn),
            no_memory,
        )
        .await?;
        store
            .apply_reports(channel.org, &channel.id, reports)
            .await?;
        Ok(())
    }
}

/// What to ask about a message: itself, or each of its parts that has no final state.
fn unanswered(message: &Message) -> Vec<Sent> {
    let ids: Vec<String> = if message.parts.is_empty() {
        message.external_id.iter().cloned().collect()
    } else {
        let open = message.parts.iter().filter(|part| !part.status.is_final());
        open.filter_map(|part| part.external_id.clone()).collect()
    };
    let sent = |external_id| Sent {
        id: message.id.to_string(),
        external_id,
        to: message.peer.clone(),
        sent_at_ms: message.created_at_ms,
    };
    ids.into_iter().map(sent).collect()
}
