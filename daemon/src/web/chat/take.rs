//! Takes a visitor's frame: what they say goes the way of every message, through the adapter into one
//! durable commit, and is acknowledged only after it.

use std::{net::IpAddr, sync::Arc};

use serde_json::{Value, json};
use trunkline_plugin_api::{Front, Response, WebhookRequest};

use super::{
    door::Door,
    frame::{self, ClientFrame, Written},
    refusal::Refusal,
    token::Visitor,
};
use crate::{
    channel::Channel,
    inbound::Answer,
    model::{Direction, Message, PartRef, Status},
    outbound::Frame,
};

/// A visitor at the door of a channel.
pub(super) struct Guest<'a> {
    pub(super) door: &'a Door,
    pub(super) channel: &'a Arc<Channel>,
    pub(super) visitor: &'a Visitor,
    pub(super) address: IpAddr,
}

impl Guest<'_> {
    /// Takes one frame. Gives the frame to answer with, where there is one to give.
    pub(super) async fn take(&self, frame: ClientFrame) -> Result<Option<Value>, Refusal> {
        let limits = &self.door.limits;
        limits.frame(&self.channel.id, self.visitor, self.address)?;
        match frame {
            ClientFrame::Message(written) => self.message(written).await.map(Some),
            ClientFrame::Delivered { messages } => {
                self.marks("delivered", &messages, Status::Delivered)
                    .await?;
                Ok(None)
            }
            ClientFrame::Read { messages } => {
                self.marks("read", &messages, Status::Read).await?;
                Ok(None)
            }
            ClientFrame::Typing { on } => {
                let sessions = self.door.gateway.sessions();
                sessions.note_typing(&self.channel.id, self.visitor.as_str(), on);
                Ok(None)
            }
            ClientFrame::Hello { .. } | ClientFrame::Beat => Ok(None),
        }
    }

    async fn message(&self, mut written: Written) -> Result<Value, Refusal> {
        written.check()?;
        self.check_uploads(&mut written).await?;
        let client = written.client.clone();
        let mut frame = json!(written);
        frame["type"] = "message".into();
        let answer = self.hand_in(&frame).await?;
        let sessions = self.door.gateway.sessions();
        sessions.note_typing(&self.channel.id, self.visitor.as_str(), false);
        let mut accepted = json!({"type": "accepted", "client": client});
        if let Some(message) = self.stored(&answer) {
            accepted["id"] = message.id.to_string().into();
            accepted["at"] = message.created_at_ms.into();
            self.tell_other_pages(&message);
        }
        Ok(accepted)
    }

    /// Refuses attachments that this visitor has not uploaded here. What is said of the others is what
    /// the gateway knows of them.
    async fn check_uploads(&self, written: &mut Written) -> Result<(), Refusal> {
        if written.media.is_empty() {
            return Ok(());
        }
        let (id, key) = (&self.channel.id, self.door.key().await?);
        for file in &mut written.media {
            if !key.vouched(id, self.visitor, &file.sha256, &file.proof) {
                return Err(Refusal::invalid("an attachment was not uploaded here"));
            }
            if !self.door.files.complete(self.channel.org, file) {
                let words = "an attachment is no longer here; upload it again";
                return Err(Refusal::invalid(words));
            }
        }
        Ok(())
    }

    /// The visitor's other pages show it too.
    fn tell_other_pages(&self, message: &Message) {
        let link = |sha256: &str| self.door.files.link(self.channel.org, sha256);
        for frame in frame::of_message(message, message.was_read(), link) {
            let frame = Frame::from(frame.to_string());
            let sessions = self.door.gateway.sessions();
            sessions.push(&self.channel.id, self.visitor.as_str(), &frame);
        }
    }

    /// The message that the adapter's answer names.
    fn stored(&self, answer: &Response) -> Option<Message> {
        let answer: Value = serde_json::from_slice(&answer.body).ok()?;
        let store = &self.door.gateway.store;
        let id = answer.get("id")?.as_str()?;
        let (org, channel) = (self.channel.org, &self.channel.id);
        store
            .message_by_external_id(org, channel, id)
            .ok()
            .flatten()
    }

    /// Marks on messages of ours: those that are new, and about messages to this visitor.
    async fn marks(&self, kind: &str, ids: &[String], status: Status) -> Result<(), Refusal> {
        let known = ids.iter().filter(|id| self.is_news(id, status));
        let known: Vec<&String> = known.collect();
        if known.is_empty() {
            return Ok(());
        }
        let frame = json!({"type": kind, "messages": known});
        self.hand_in(&frame).await.map(|_| ())
    }

    fn is_news(&self, id: &str, status: Status) -> bool {
        let Some(reference) = PartRef::parse(id) else {
            return false;
        };
        let store = &self.door.gateway.store;
        let found = store.message(self.channel.org, reference.message);
        let Ok(Some(message)) = found else {
            return false;
        };
        let part = message.parts.get(reference.part);
        let now = match part {
            Some(part) if reference.split => part.status,
            _ => message.status,
        };
        message.direction == Direction::Outbound
            && message.channel == self.channel.id
            && message.peer.identifier == self.visitor.as_str()
            && now.after(status, message.medium) != now
    }

    /// Gives a frame to the adapter, and waits until what it means is durable.
    async fn hand_in(&self, frame: &Value) -> Result<Response, Refusal> {
        let gateway = &self.door.gateway;
        let path = format!("/chat/{}", self.channel.id);
        let request = WebhookRequest {
            method: Front::Chat.method().to_owned(),
            url: gateway.settings.load().server.public_url.join(&path),
            headers: vec![
                ("content-type".into(), "application/json".into()),
                ("x-chat-visitor".into(), self.visitor.as_str().into()),
            ],
            received_at_ms: gateway.store.wall(),
            body: frame.to_string().into(),
        };
        let id = gateway.store.new_event_id();
        match gateway.ingress.take(self.channel, id, request).await {
            Answer::Adapter(response) if response.status < 300 => Ok(response),
            Answer::Adapter(_) => Err(Refusal::invalid("the channel does not take this")),
            Answer::Unavailable => Err(Refusal::unavailable()),
        }
    }
}
