//! Asks providers what became of messages whose callbacks did not come.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::oneshot;
use tracing::{debug, warn};
use trunkline_plugin_api::{Capability, Sent};

use super::HealthBoard;
use crate::{
    channel::Channel,
    config::Settings,
    model::{Message, Millis},
    outbound::{DriveError, Reconciler, Transport, drive, no_memory},
    store::Store,
};

/// Messages asked about in one round.
const ROUND_MAX: usize = 500;

/// Polls one channel.
#[derive(Clone)]
pub struct Poller {
    store: Store,
    transport: Transport,
    board: Arc<HealthBoard>,
    settings: Settings,
}

impl Poller {
    /// A poller over `store`.
    pub fn new(
        store: Store,
        transport: Transport,
        board: Arc<HealthBoard>,
        settings: Settings,
    ) -> Self {
        Self {
            store,
            transport,
            board,
            settings,
        }
    }

    /// Polls a channel on the interval until `stop` is dropped or fires. Ends at once where its
    /// adapter can't be asked.
    pub async fn watch(self, channel: Arc<Channel>, mut stop: oneshot::Receiver<()>) {
        let can_poll = channel.plugin.as_ref().is_some_and(|plugin| {
            plugin
                .manifest()
                .capabilities
                .contains(&Capability::DeliveryStatus)
        });
        if !can_poll {
            return;
        }
        loop {
            tokio::select! {
                _ = &mut stop => return,
                () = tokio::time::sleep(self.settings.load().delivery.interval) => {}
            }
            if self.board.lets_send(&channel.id) && channel.down_reason().is_none() {
                self.round(&channel).await;
                self.look_up_uncertain(&channel).await;
            }
        }
    }

    /// Asks about every message of the window whose state is not final, oldest first.
    async fn round(&self, channel: &Channel) {
        let window_ms = Millis::try_from(self.settings.load().delivery.window.as_millis())
            .unwrap_or(Millis::MAX);
        let since = self.store.now().saturating_sub(window_ms);
        let awaiting = self
            .store
            .awaiting_reports(channel.org, &channel.id, since, ROUND_MAX)
            .await;
        let awaiting = match awaiting {
            Ok(awaiting) => awaiting,
            Err(error) => {
                warn!(channel = %channel.id, %error, "the messages to ask about could not be read");
                return;
            }
        };
        debug!(channel = %channel.id, messages = awaiting.len(), "asking the provider about sent messages");
        for message in awaiting {
            if let Err(error) = self.ask(channel, &message).await {
                debug!(channel = %channel.id, message = %message.id, %error, "the provider did not tell");
            }
        }
    }

    /// Looks up sends of unknown outcome again: the provider may know more by now.
    async fn look_up_uncertain(&self, channel: &Channel) {
        let reconciler = Reconciler {
            store: self.store.clone(),
            transport: self.transport.clone(),
            settings: self.settings.clone(),
        };
        let uncertain = self
            .store
            .outbox(channel.org, Some("uncertain"), None, ROUND_MAX);
        for item in uncertain.map(|page| page.items).unwrap_or_default() {
            if item.channel == channel.id {
                reconciler.settle(channel, item.message).await;
            }
        }
    }

    async fn ask(&self, channel: &Channel, message: &Message) -> Result<(), DriveError> {
        let Some(external_id) = message.external_id.clone() else {
            return Ok(());
        };
        let sent = Sent {
            id: message.id.to_string(),
            external_id,
            to: message.peer.clone(),
            sent_at_ms: message.created_at_ms,
        };
        let sent = Arc::new(sent);
        let reports = drive(
            channel,
            &self.transport,
            "delivery_status",
            Value::Null,
            || self.store.now(),
            move |instance, turn| instance.delivery_status(&sent, turn),
            no_memory,
        )
        .await?;
        self.store
            .apply_reports(channel.org, &channel.id, reports)
            .await?;
        Ok(())
    }
}
