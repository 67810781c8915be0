//! The sink: verifies Standard Webhooks signatures as the reference libraries do, keeps what came.

use super::Webhook;
use super::signature::standard_signature;
use crate::behaviour::{Plan, Script};
use crate::recorded::RecordedRequest;
use crate::reply::{Incoming, Reply};
use jiff::Timestamp;
use std::collections::HashMap;

/// How far a timestamp may be off, both ways, in seconds (the reference libraries' tolerance).
const TOLERANCE_S: i64 = 300;

/// One POST to the sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// `webhook-id`; empty where it was missing.
    pub id: String,
    /// The body as it came.
    pub body: Vec<u8>,
    /// An earlier valid POST of this id was accepted already.
    pub duplicate: bool,
    /// Signature, timestamp and form are right.
    pub valid: bool,
    /// It was taken, whether or not the answer said so.
    pub accepted: bool,
    /// What was wrong with it.
    pub problem: Option<String>,
}

impl Received {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What the sink knows.
pub(super) struct Sink {
    pub(super) secret: String,
    pub(super) script: Script,
    pub(super) received: Vec<Received>,
    /// Bodies of valid POSTs by id, and whether one was accepted.
    known: HashMap<String, (Vec<u8>, bool)>,
}

impl Sink {
    pub(super) fn new(secret: String) -> Self {
        Self {
            secret,
            script: Script::default(),
            received: Vec::new(),
            known: HashMap::new(),
        }
    }

    /// Judges a POST, keeps it, and says what happens to it if it is valid.
    fn take(&mut self, incoming: &Incoming) -> (Option<String>, Option<Plan>) {
        let problem = self.problem(incoming, Timestamp::now().as_second());
        let plan = problem.is_none().then(|| self.script.next());
        let accepted = plan.as_ref().is_some_and(|plan| plan.accepted);
        self.keep(incoming, problem.clone(), accepted);
        (problem, plan)
    }

    /// What is wrong with a POST: unsigned, altered, too old, or another body under a known id.
    fn problem(&self, incoming: &Incoming, now_s: i64) -> Option<String> {
        let header = |name| incoming.header(name).filter(|value| !value.is_empty());
        let Some(id) = header("webhook-id") else {
            return Some("`webhook-id` is missing".to_owned());
        };
        if id.contains('.') {
            return Some("`webhook-id` has a dot".to_owned());
        }
        let Some(timestamp) = header("webhook-timestamp").and_then(|text| text.parse().ok()) else {
            return Some("`webhook-timestamp` is no number of seconds".to_owned());
        };
        let off = now_s.abs_diff(timestamp);
        if off > TOLERANCE_S.unsigned_abs() {
            return Some(format!("`webhook-timestamp` is {off} s off"));
        }
        let expected = standard_signature(&self.secret, id, timestamp, &incoming.body).ok();
        let signatures = header("webhook-signature").unwrap_or("");
        if !signatures
            .split(' ')
            .any(|entry| Some(entry) == expected.as_deref())
        {
            return Some("no entry of `webhook-signature` is right".to_owned());
        }
        if serde_json::from_slice::<serde_json::Value>(&incoming.body).is_err() {
            return Some("the body is not JSON".to_owned());
        }
        let content_type = header("content-type").unwrap_or("");
        if content_type.split(';').next() != Some("application/json") {
            return Some(format!("content type `{content_type}` is not JSON"));
        }
        match self.known.get(id) {
            Some((body, _)) if *body != incoming.body => {
                Some("another body under a known `webhook-id`".to_owned())
            }
            _ => None,
        }
    }

    /// Keeps a POST; `accepted` is whether it takes effect.
    fn keep(&mut self, incoming: &Incoming, problem: Option<String>, accepted: bool) {
        let id = incoming.header("webhook-id").unwrap_or("").to_owned();
        let body = incoming.body.to_vec();
        let valid = problem.is_none();
        let mut duplicate = false;
        if valid {
            let known = self.known.entry(id.clone());
            let (_, taken) = known.or_insert_with(|| (body.clone(), false));
            duplicate = *taken;
            *taken |= accepted;
        }
        self.received.push(Received {
            id,
            body,
            duplicate,
            valid,
            accepted: accepted && valid,
            problem,
        });
    }
}

impl Webhook {
    /// Answers one request to the sink.
    pub(crate) async fn serve(&self, incoming: Incoming) -> Reply {
        match incoming.method.as_str() {
            "POST" => {}
            "HEAD" | "GET" => return Reply::text(200, ""),
            _ => return Reply::text(405, "POST only"),
        }
        let (problem, plan) = self.inner.sink.lock().take(&incoming);
        self.inner.requests.push(|| RecordedRequest {
            method: incoming.method,
            path: incoming.path,
            headers: incoming.headers,
            params: Vec::new(),
            problem: problem.clone(),
        });
        match plan {
            None => Reply::text(401, problem.unwrap_or_default()),
            Some(plan) => {
                let answer = plan.accepted.then(|| Reply::text(200, ""));
                Reply::finish(plan, answer, |fault| {
                    Reply::text(fault.status, fault.message)
                })
                .await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_225_600;
    const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn post(id: &str, timestamp: i64, body: &str) -> Incoming {
        let signature = standard_signature(SECRET, id, timestamp, body.as_bytes()).unwrap();
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature),
        ];
        Incoming {
            method: "POST".to_owned(),
            path: Webhook::SINK_PATH.to_owned(),
            query: String::new(),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
            body: body.to_owned().into(),
        }
    }

    fn with(mut incoming: Incoming, name: &str, value: &str) -> Incoming {
        incoming.headers.retain(|(key, _)| key != name);
        incoming.headers.push((name.to_owned(), value.to_owned()));
        incoming
    }

    #[test]
    fn the_sink_is_strict() {
        let sink = Sink::new(SECRET.to_owned());
        let good = || post("msg_1", NOW, "{}");
        let signature = good().header("webhook-signature").unwrap().to_owned();
        let rotated = format!("v1,AAAA v1a,xyz {signature}");
        let mut altered = good();
        altered.body = "{ }".into();
        let table = [
            (good(), None),
            (with(good(), "webhook-signature", &rotated), None),
            (post("msg_1", NOW - 300, "{}"), None),
            (post("msg_1", NOW - 301, "{}"), Some("301 s off")),
            (post("msg_1", NOW + 301, "{}"), Some("301 s off")),
            (post("msg.1", NOW, "{}"), Some("has a dot")),
            (post("msg_1", NOW, "{"), Some("not JSON")),
            (altered, Some("webhook-signature")),
            (with(good(), "webhook-id", ""), Some("missing")),
            (
                with(good(), "webhook-id", "msg_2"),
                Some("webhook-signature"),
            ),
            (with(good(), "webhook-timestamp", "soon"), Some("no number")),
            (with(good(), "webhook-signature", "v1,"), Some("no entry")),
            (
                with(good(), "webhook-signature", &signature[..20]),
                Some("no entry"),
            ),
            (
                with(good(), "content-type", "text/plain"),
                Some("content type"),
            ),
        ];
        for (incoming, expected) in table {
            let problem = sink.problem(&incoming, NOW);
            match expected {
                None => assert_eq!(problem, None),
                Some(words) => assert!(
                    problem.clone().is_some_and(|p| p.contains(words)),
                    "{problem:?}"
                ),
            }
        }
    }

    #[test]
    fn only_an_accepted_post_makes_the_next_a_duplicate() {
        let mut sink = Sink::new(SECRET.to_owned());
        let incoming = post("msg_1", NOW, "{}");
        sink.keep(&incoming, None, false);
        sink.keep(&incoming, None, true);
        sink.keep(&incoming, None, true);
        sink.keep(&incoming, Some("forged".to_owned()), true);
        let seen: Vec<(bool, bool)> = sink
            .received
            .iter()
            .map(|r| (r.duplicate, r.accepted))
            .collect();
        assert_eq!(
            seen,
            [(false, false), (false, true), (true, true), (false, false)]
        );
        let other = post("msg_1", NOW, "[]");
        let problem = sink.problem(&other, NOW);
        assert!(problem.is_some_and(|problem| problem.contains("another body")));
    }
}
