//! The admin API as a program would use it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::{Reply, Request};
use crate::wait::{SOON, eventually};

/// An answer of the API.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The body as JSON; null where it is empty.
    pub json: Value,
    /// The answer as it came.
    pub reply: Reply,
}

impl Answer {
    fn new(reply: Reply) -> Self {
        let json = serde_json::from_slice(&reply.body).unwrap_or_default();
        Self {
            status: reply.status,
            json,
            reply,
        }
    }

    /// The items of a list.
    pub fn items(&self) -> &[Value] {
        self.json["items"]
            .as_array()
            .unwrap_or_else(|| panic!("not a list: {self:?}"))
    }
}

/// The API of one daemon with one token.
#[derive(Debug, Clone)]
pub struct Api {
    address: SocketAddr,
    token: String,
}

impl Api {
    /// The API at an address; an empty token sends none.
    pub fn new(address: SocketAddr, token: &str) -> Self {
        Self {
            address,
            token: token.to_owned(),
        }
    }

    /// The same API with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self::new(self.address, token)
    }

    /// The token it sends.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Sends a request with the token and gives the answer, whatever it is.
    pub async fn send(&self, mut request: Request) -> Answer {
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let sent = tokio::time::timeout(SOON, request.send(self.address)).await;
        let reply = sent.unwrap_or_else(|_| panic!("no answer to {request:?}"));
        Answer::new(reply.unwrap_or_else(|why| panic!("{why} at {request:?}")))
    }

    /// `GET`, whatever the answer.
    pub async fn get_any(&self, path: &str) -> Answer {
        self.send(Request::new("GET", path)).await
    }

    /// `GET` that must answer 200.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.get_any(path).await;
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.reply.text());
        answer.json
    }

    /// `POST` of a JSON body, whatever the answer.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = Request::new("POST", path).body("application/json", body.to_string());
        self.send(request).await
    }

    /// Every item of a list over all its pages.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = match &cursor {
                None => format!("{path}{joint}limit=100"),
                Some(cursor) => format!("{path}{joint}limit=100&cursor={}", encode(cursor)),
            };
            let page = self.get(&page).await;
            let page_items = page["items"].as_array().expect("a list has items");
            items.extend(page_items.iter().cloned());
            match page["next"].as_str() {
                Some(next) if !page_items.is_empty() => cursor = Some(next.to_owned()),
                _ => return items,
            }
        }
    }

    /// The sum of a metric over all its labels, where it is a whole number.
    pub async fn metric(&self, name: &str) -> u64 {
        let answer = self.get_any("/metrics").await;
        let text = answer.reply.text();
        let lines = text.lines().filter_map(|line| line.strip_prefix(name));
        let values = lines.filter(|rest| rest.starts_with(['{', ' ']));
        values
            .filter_map(|rest| rest.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    }

    /// A channel.
    pub async fn channel(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/channels/{id}")).await
    }

    /// Waits for a channel's health.
    pub async fn wait_health(&self, id: &str, status: &str) -> Value {
        eventually(&format!("{id} is {status}"), SOON, || async {
            let channel = self.channel(id).await;
            (channel["health"]["status"] == status).then_some(channel)
        })
        .await
    }

    /// The history of a channel's health, oldest first.
    pub async fn health_history(&self, id: &str) -> Vec<Value> {
        self.all(&format!("/api/v1/channels/{id}/health")).await
    }

    /// The notifications of one kind that nobody has acknowledged.
    pub async fn open_notifications(&self, kind: &str) -> Vec<Value> {
        let all = self.all("/api/v1/notifications?acknowledged=false").await;
        all.into_iter().filter(|one| one["kind"] == kind).collect()
    }

    /// Waits for the one open notification of a kind that `matches`.
    pub async fn wait_notification(&self, kind: &str, matches: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("a notification of {kind}"), SOON, || async {
            let mut open = self.open_notifications(kind).await;
            assert!(open.len() < 2, "more than one: {open:?}");
            open.pop().filter(|one| matches(one))
        })
        .await
    }

    /// The contacts that have an identifier, in any space.
    pub async fn contacts(&self, identifier: &str) -> Vec<Value> {
        self.all(&format!(
            "/api/v1/contacts?identifier={}",
            encode(identifier)
        ))
        .await
    }

    /// All messages with the person of an identifier, newest first; none where it is unknown.
    pub async fn timeline(&self, identifier: &str) -> Vec<Value> {
        let mut messages = Vec::new();
        for contact in self.contacts(identifier).await {
            let id = contact["id"].as_str().expect("a contact has an id");
            messages.extend(self.all(&format!("/api/v1/contacts/{id}/timeline")).await);
        }
        messages
    }

    /// Sends text and gives the accepted message's id.
    pub async fn send_text(&self, channel: &str, to: &str, text: &str) -> String {
        let body = serde_json::json!({"channel": channel, "to": to, "content": {"text": text}});
        let answer = self.post("/api/v1/messages", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.reply.text());
        answer.json["id"]
            .as_str()
            .expect("an accepted send has an id")
            .to_owned()
    }

    /// A message.
    pub async fn message(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/messages/{id}")).await
    }

    /// Waits until a message has a status.
    pub async fn wait_status(&self, id: &str, status: &str) -> Value {
        let started = Instant::now();
        loop {
            let message = self.message(id).await;
            if message["status"] == status {
                return message;
            }
            assert!(
                started.elapsed() < SOON,
                "still not {status} after {SOON:?}: {message}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The outbox item of a message, where there is one.
    pub async fn outbox_item(&self, message: &str) -> Option<Value> {
        let items = self.all("/api/v1/outbox").await;
        items.into_iter().find(|item| item["message"] == message)
    }
}

/// Percent-encodes a query value.
pub fn encode(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}
