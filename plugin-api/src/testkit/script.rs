//! Step machines run against scripted replies.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Kit, RANDOM, assert_hidden, decoded};
use crate::{
    Adapter, AdapterError, Event, Lookup, Media, MediaRef, OutboundMessage, Probe, Receipt,
    ReceivedRef, Reply, Request, Sent, StatusReport, Step, Template, Timestamp, Turn, wire::Call,
};

/// What a step machine did.
#[derive(Debug, Clone, PartialEq)]
pub struct Run<T> {
    /// What it asked for, in order.
    pub requests: Vec<Request>,
    /// The cursor that went with each request.
    pub cursors: Vec<Value>,
    /// How it ended.
    pub outcome: Result<T, AdapterError>,
}

impl<A: Adapter> Kit<A> {
    /// Sends a message. Each request takes the next reply; too few or too many replies end the
    /// test, and so it is for every call below.
    pub fn send(
        &self,
        message: &OutboundMessage,
        replies: impl IntoIterator<Item = Reply>,
    ) -> Run<Receipt> {
        self.run("send", replies, |turn| Call::send(message, turn))
    }

    /// Goes on with a message after a restart: with the saved cursor and without a reply.
    pub fn send_from(
        &self,
        message: &OutboundMessage,
        cursor: Value,
        replies: impl IntoIterator<Item = Reply>,
    ) -> Run<Receipt> {
        self.run_from("send", cursor, replies, |turn| Call::send(message, turn))
    }

    /// Checks the provider.
    pub fn probe(&self, replies: impl IntoIterator<Item = Reply>) -> Run<Probe> {
        self.run("probe", replies, |turn| Call::probe(turn))
    }

    /// Asks for the state of a message sent earlier.
    pub fn delivery_status(
        &self,
        sent: &Sent,
        replies: impl IntoIterator<Item = Reply>,
    ) -> Run<Vec<StatusReport>> {
        self.run("delivery_status", replies, |turn| {
            Call::delivery_status(sent, turn)
        })
    }

    /// Looks up a send of unknown outcome.
    pub fn find_sent(
        &self,
        message: &OutboundMessage,
        replies: impl IntoIterator<Item = Reply>,
    ) -> Run<Lookup> {
        self.run("find_sent", replies, |turn| Call::find_sent(message, turn))
    }

    /// Lists what came in since a time.
    pub fn list_inbound(
        &self,
        since_ms: Timestamp,
        replies: impl IntoIterator<Item = Reply>,
    ) -> Run<Vec<Event>> {
        self.run("list_inbound", replies, |turn| {
            Call::list_inbound(since_ms, turn)
        })
    }

    /// Lists templates.
    pub fn templates(&self, replies: impl IntoIterator<Item = Reply>) -> Run<Vec<Template>> {
        self.run("templates", replies, |turn| Call::templates(turn))
    }

    /// Fetches an attachment.
    pub fn fetch_media(
        &self,
        media: &MediaRef,
        replies: impl IntoIterator<Item = Reply>,
    ) -> Run<Media> {
        self.run("fetch_media", replies, |turn| {
            Call::fetch_media(media, turn)
        })
    }

    /// Marks a message as read.
    pub fn mark_read(
        &self,
        message: &ReceivedRef,
        replies: impl IntoIterator<Item = Reply>,
    ) -> Run<()> {
        self.run("mark_read", replies, |turn| Call::mark_read(message, turn))
    }

    /// Completes a webhook that only announced what came in.
    pub fn complete(
        &self,
        follow_up: &Value,
        replies: impl IntoIterator<Item = Reply>,
    ) -> Run<Vec<Event>> {
        self.run("complete", replies, |turn| Call::complete(follow_up, turn))
    }

    fn run<T: DeserializeOwned>(
        &self,
        name: &str,
        replies: impl IntoIterator<Item = Reply>,
        call: impl for<'t> Fn(&'t Turn) -> Call<'t>,
    ) -> Run<T> {
        self.run_from(name, Value::Null, replies, call)
    }

    fn run_from<T: DeserializeOwned>(
        &self,
        name: &str,
        cursor: Value,
        replies: impl IntoIterator<Item = Reply>,
        call: impl for<'t> Fn(&'t Turn) -> Call<'t>,
    ) -> Run<T> {
        let mut replies = replies.into_iter();
        let (mut requests, mut cursors) = (Vec::new(), Vec::new());
        let mut turn = Turn {
            cursor,
            now_ms: self.now_ms,
            random: RANDOM.into(),
            ..Turn::default()
        };
        let outcome = loop {
            match self.step(name, &call(&turn)) {
                Step::Done { result } => break Ok(result),
                Step::Fail { error } => break Err(error),
                Step::Call { request, cursor } => {
                    turn.cursor = cursor.clone();
                    turn.reply = None;
                    // A restart between request and reply: any answer will do, a panic will not.
                    self.step::<T>(name, &call(&turn));
                    turn.reply = Some(replies.next().unwrap_or_else(|| {
                        let number = requests.len() + 1;
                        panic!("{name} asks for request {number}, no reply is left: {request:?}")
                    }));
                    requests.push(request);
                    cursors.push(cursor);
                }
            }
        };
        let left = replies.count();
        assert_eq!(
            left,
            0,
            "{name} ended with replies left; it gave {}",
            ending(&outcome)
        );
        Run {
            requests,
            cursors,
            outcome,
        }
    }

    fn step<T: DeserializeOwned>(&self, name: &str, call: &Call<'_>) -> Step<T> {
        let step: Step<T> = decoded(&self.pure(call));
        match &step {
            Step::Done { .. } => {}
            Step::Fail { error } => {
                let words = format!("{error:?}");
                assert_hidden(&self.secrets, &format!("{name}'s error"), &words);
            }
            Step::Call { request, cursor } => {
                let cursor = cursor.to_string();
                assert_hidden(&self.secrets, &format!("{name}'s cursor"), &cursor);
                self.assert_marked(name, request);
            }
        }
        step
    }

    /// Headers that show a secret must be marked: the others are logged.
    fn assert_marked(&self, name: &str, request: &Request) {
        let Request::Http(request) = request else {
            return;
        };
        for header in request.headers.iter().filter(|header| !header.sensitive) {
            let place = format!(
                "{name}'s header {}, which is not marked sensitive,",
                header.name
            );
            assert_hidden(&self.secrets, &place, &header.value);
        }
    }
}

fn ending<T>(outcome: &Result<T, AdapterError>) -> String {
    match outcome {
        Ok(_) => "a result".into(),
        Err(error) => format!("an error: {error}"),
    }
}
