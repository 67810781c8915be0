//! The gateway as its operator sees it: the demo asks the API, by the admin socket, what became of
//! its traffic.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::super::{
    admin::{Admin, Query},
    failure::Failure,
    list::every,
};

/// Longest wait for something that should come about.
const SOON: Duration = Duration::from_secs(15);
/// How often it is looked for.
const STEP: Duration = Duration::from_millis(15);
/// Items per page.
const PAGE: u32 = 100;

/// The daemon's API.
#[derive(Debug, Clone)]
pub(super) struct Gateway {
    admin: Admin,
}

impl Gateway {
    /// The API of the daemon in `folder`.
    pub(super) fn new(folder: &Path) -> Result<Self, Failure> {
        let admin = Admin::new(folder.join("admin.sock"))?;
        Ok(Self { admin })
    }

    /// A channel.
    pub(super) async fn channel(&self, id: &str) -> Result<Value, Failure> {
        Ok(self.admin.get(&["channels", id], &Query::default()).await?)
    }

    /// The address to paste at the provider.
    pub(super) async fn webhook_url(&self, channel: &str) -> Result<String, Failure> {
        let channel = self.channel(channel).await?;
        let url = channel["webhook_url"].as_str();
        let url = url.ok_or_else(|| Failure::said("the API names no webhook_url"))?;
        Ok(url.to_owned())
    }

    /// The contacts with an identifier.
    pub(super) async fn contacts(&self, identifier: &str) -> Result<Vec<Value>, Failure> {
        let query = Query::default().with("identifier", Some(identifier));
        every(&self.admin, &["contacts"], query, PAGE).await
    }

    /// A contact's timeline, newest first.
    pub(super) async fn timeline(&self, contact: &str) -> Result<Vec<Value>, Failure> {
        let path = ["contacts", contact, "timeline"];
        every(&self.admin, &path, Query::default(), PAGE).await
    }

    /// `merge` or `unmerge`: makes another contact a part of one, and takes it back.
    pub(super) async fn join(
        &self,
        contact: &str,
        verb: &str,
        other: &str,
    ) -> Result<Value, Failure> {
        let body = json!({"contact": other});
        let path = ["contacts", contact, verb];
        let query = Query::default();
        Ok(self.admin.call(&path, &query, Some(&body), &[]).await?)
    }

    /// All messages with the person of an identifier, newest first.
    pub(super) async fn messages_with(&self, identifier: &str) -> Result<Vec<Value>, Failure> {
        self.messages_of(&self.contacts(identifier).await?).await
    }

    /// How many messages of people are stored, counted over all timelines.
    pub(super) async fn inbound_total(&self) -> Result<usize, Failure> {
        let contacts = every(&self.admin, &["contacts"], Query::default(), PAGE).await?;
        Ok(inbound(&self.messages_of(&contacts).await?))
    }

    async fn messages_of(&self, contacts: &[Value]) -> Result<Vec<Value>, Failure> {
        let mut messages = Vec::new();
        for contact in contacts {
            let id = contact["id"].as_str().unwrap_or_default();
            messages.extend(self.timeline(id).await?);
        }
        Ok(messages)
    }

    /// How many webhooks had an outcome.
    pub(super) async fn webhooks(&self, outcome: &str) -> Result<usize, Failure> {
        let events = every(&self.admin, &["webhook-events"], Query::default(), PAGE).await?;
        Ok(events
            .iter()
            .filter(|event| event["outcome"] == outcome)
            .count())
    }

    /// The turns of a conversation, each as the number of its messages.
    pub(super) async fn turns(&self, thread: &str) -> Result<Vec<usize>, Failure> {
        let turns = every(
            &self.admin,
            &["threads", thread, "turns"],
            Query::default(),
            PAGE,
        )
        .await?;
        let length = |turn: &Value| turn["messages"].as_array().map_or(0, Vec::len);
        Ok(turns.iter().map(length).collect())
    }

    /// Hands a reply to the outbox; gives the message's id.
    pub(super) async fn send(
        &self,
        channel: &str,
        to: &str,
        text: &str,
    ) -> Result<String, Failure> {
        let body = json!({"channel": channel, "to": to, "content": {"text": text}});
        let query = Query::default();
        let accepted = self
            .admin
            .call(&["messages"], &query, Some(&body), &[])
            .await?;
        let id = accepted["id"].as_str();
        let id = id.ok_or_else(|| Failure::said("the API accepted a message without an id"))?;
        Ok(id.to_owned())
    }

    /// A message.
    pub(super) async fn message(&self, id: &str) -> Result<Value, Failure> {
        Ok(self.admin.get(&["messages", id], &Query::default()).await?)
    }

    /// Waits until a message has a status, or no longer; gives the message as it is then.
    pub(super) async fn message_until(&self, id: &str, status: &str) -> Result<Value, Failure> {
        let started = Instant::now();
        loop {
            let message = self.message(id).await?;
            if message["status"] == status || started.elapsed() > SOON {
                return Ok(message);
            }
            tokio::time::sleep(STEP).await;
        }
    }

    /// Has the configuration read anew.
    pub(super) async fn reload(&self) -> Result<Value, super::super::admin::AdminError> {
        self.admin.post(&["reload"]).await
    }

    /// A token for the API.
    pub(super) async fn token(&self) -> Result<String, Failure> {
        let body = json!({"name": "demo", "role": "admin"});
        let query = Query::default();
        let made = self
            .admin
            .call(&["tokens"], &query, Some(&body), &[])
            .await?;
        Ok(made["token"].as_str().unwrap_or_default().to_owned())
    }
}

/// How many of some messages came from people.
pub(super) fn inbound(messages: &[Value]) -> usize {
    let from_people = |message: &&Value| message["direction"] == "inbound";
    messages.iter().filter(from_people).count()
}

/// Waits until `count` gives `expected`, or no longer; gives what was counted last.
pub(super) async fn settle(
    expected: usize,
    count: impl AsyncFn() -> Result<usize, Failure>,
) -> Result<usize, Failure> {
    let started = Instant::now();
    loop {
        let counted = count().await?;
        if counted == expected || started.elapsed() > SOON {
            return Ok(counted);
        }
        tokio::time::sleep(STEP).await;
    }
}
