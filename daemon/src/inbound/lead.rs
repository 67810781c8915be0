//! A stranger's message from a form of ours: no provider brought it, and nothing proves whose address
//! it names. It takes the same commit as a webhook.

use std::{sync::Arc, time::Instant};

use serde_json::{Map, Value};
use trunkline_plugin_api::{Content, Event, Identity, InboundMessage, Sender};

use super::Ingress;
use crate::{
    channel::Channel,
    model::WebhookEvent,
    store::{Inbound, InboundResult, Routed, StoreError},
};

/// How leads are listed among the webhooks, in place of a method.
const METHOD: &str = "FORM";

/// A filled-in form.
#[derive(Debug, Clone)]
pub struct Lead {
    /// The form's own id: the same form is stored once.
    pub id: String,
    /// The address by which the person can be answered on the channel.
    pub from: Identity,
    /// Their name, where given.
    pub name: Option<String>,
    /// What they wrote.
    pub text: String,
    /// Everything else that is worth keeping.
    pub metadata: Map<String, Value>,
}

impl Ingress {
    /// Stores a lead on a channel: contact, thread and message. Returns when it is durable.
    pub async fn take_lead(
        &self,
        channel: &Arc<Channel>,
        lead: Lead,
    ) -> Result<InboundResult, StoreError> {
        let began = Instant::now();
        let message = InboundMessage {
            id: lead.id,
            sender: Sender {
                identity: lead.from,
                name: lead.name,
                ..Sender::default()
            },
            content: Content::text(lead.text),
            metadata: lead.metadata,
            ..InboundMessage::default()
        };
        let (id, now) = (self.store().new_event_id(), self.store().now());
        let record = WebhookEvent {
            // Nothing proves whose address it names.
            signature_valid: false,
            ..WebhookEvent::new(id, channel.id.clone(), now, METHOD)
        };
        let routed = Routed {
            channel: channel.reference(),
            event: Event::Message(message),
            reading: None,
        };
        let inbound = Inbound {
            org: channel.org,
            record,
            events: vec![routed],
            policy: self.policy(),
            began,
            is_replay: false,
        };
        let result = self.store().commit_inbound(inbound).await?;
        self.count_fetched(channel, &result);
        Ok(result)
    }
}
