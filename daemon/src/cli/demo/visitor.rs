//! A visitor of the chat's page whose browser has no WebSocket: event stream one way, posts the other.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::super::failure::Failure;

/// Longest wait for an answer, and for a frame that should come.
const SOON: Duration = Duration::from_secs(15);

/// Somebody with a token.
pub(in crate::cli) struct Visitor {
    client: Client,
    base: String,
    token: String,
}

/// How a post was answered.
pub(in crate::cli) struct Posted {
    /// HTTP status.
    pub(in crate::cli) status: u16,
    /// The frame in the answer.
    pub(super) frame: Value,
    /// From sending it to having the whole answer.
    pub(super) elapsed: Duration,
}

impl Visitor {
    /// Opens the chat of a channel for the first time.
    pub(in crate::cli) async fn arrive(public: SocketAddr, channel: &str) -> Result<Self, Failure> {
        let mut visitor = Self {
            client: client()?,
            base: format!("http://{public}/chat/{channel}"),
            token: String::new(),
        };
        let given = visitor.post_to("session", &json!({})).await?;
        let token = given.frame["token"].as_str();
        let token = token.ok_or_else(|| Failure::said("the chat gives no token to a visitor"))?;
        token.clone_into(&mut visitor.token);
        Ok(visitor)
    }

    /// Writes a line.
    pub(in crate::cli) async fn write(&self, name: &str, text: &str) -> Result<Posted, Failure> {
        let frame = json!({"type": "message", "client": "1", "text": text, "name": name});
        self.post_to("messages", &frame).await
    }

    /// Says that a message of ours was `delivered`, or `read`.
    pub(super) async fn mark(&self, what: &str, message: &str) -> Result<Posted, Failure> {
        let frame = json!({"type": what, "messages": [message]});
        self.post_to("messages", &frame).await
    }

    /// The text of a message as the page shows it; none where it does not come.
    pub(super) async fn shown(&self, message: &str) -> Result<Option<String>, Failure> {
        let read = tokio::time::timeout(SOON, self.read_until(message)).await;
        read.unwrap_or(Ok(None))
    }

    async fn read_until(&self, message: &str) -> Result<Option<String>, Failure> {
        let request = self.request(Method::GET, "events");
        let mut answer = request.send().await.context("the chat's event stream")?;
        let mut text = Vec::new();
        while let Some(piece) = answer.chunk().await.context("the chat's event stream")? {
            text.extend_from_slice(&piece);
            let whole = String::from_utf8_lossy(&text);
            if let Some(found) = frames(&whole).find(|frame| frame["id"] == message) {
                return Ok(found["text"].as_str().map(str::to_owned));
            }
        }
        Ok(None)
    }

    async fn post_to(&self, place: &str, frame: &Value) -> Result<Posted, Failure> {
        let started = Instant::now();
        let request = self.request(Method::POST, place).timeout(SOON);
        let request = request.header("content-type", "application/json");
        let answer = request.body(frame.to_string()).send().await;
        let answer = answer.context("the chat does not answer")?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.context("the chat does not answer")?;
        Ok(Posted {
            status,
            frame: serde_json::from_slice(&body).unwrap_or_default(),
            elapsed: started.elapsed(),
        })
    }

    fn request(&self, method: Method, place: &str) -> reqwest::RequestBuilder {
        let request = self
            .client
            .request(method, format!("{}/{place}", self.base));
        if self.token.is_empty() {
            return request;
        }
        request.header("authorization", format!("Bearer {}", self.token))
    }
}

/// How a page of the public listener is answered.
pub(super) async fn page_status(url: &str) -> Result<u16, Failure> {
    let answer = client()?.get(url).timeout(SOON).send().await;
    let answer = answer.with_context(|| format!("{url} does not answer"))?;
    Ok(answer.status().as_u16())
}

/// Only this machine is talked to, so no proxy is in between.
fn client() -> Result<Client, Failure> {
    let client = Client::builder().no_proxy().build();
    Ok(client.context("can't make an HTTP client")?)
}

/// The whole frames in a stretch of an event stream.
fn frames(text: &str) -> impl Iterator<Item = Value> + '_ {
    let end = text.rfind("\n\n").unwrap_or(0);
    let lines = text[..end].lines();
    lines.filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_frame_is_none_yet() {
        let stream = "data: {\"id\":\"1\"}\n\ndata: {\"id\":\"2\"}\n\n";
        assert_eq!(frames(stream).count(), 2);
        assert_eq!(frames(&stream[..stream.len() - 1]).count(), 1);
        assert_eq!(frames("data: {\"id\":\"1\"}").count(), 0);
    }
}
