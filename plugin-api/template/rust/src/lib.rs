//! An adapter for Trunkline. It speaks the protocol of "Acme", which `trunkline simulator` plays:
//! put your provider's in its place. Every call is a pure function: no I/O, no clock, no state.
#![forbid(unsafe_code)]

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use trunkline_plugin_api::{prelude::*, sign};

// The one export; the id is what `adapter = "..."` names in the configuration.
trunkline_plugin_api::export_adapter!(Acme, id = "acme");

/// `[channel.X.config]`. The comments become the form's help; a `Secret` is never shown.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acme {
    /// Signs webhooks and authorises calls.
    token: Secret,
    /// Where the API is, without a slash at its end.
    api_base: String,
}

impl Acme {
    /// `bearer` marks its header: it is never logged, never saved, never sent to another host.
    fn call(&self, method: &str, path: &str) -> HttpRequest {
        HttpRequest::new(method, format!("{}{path}", self.api_base)).bearer(&self.token)
    }
}

/// The class decides what the daemon does: holds the queue, gives up, slows down, tries again.
fn refused(reply: &HttpReply, now_ms: Timestamp) -> AdapterError {
    let (class, words) = match reply.status {
        401 => (ErrorClass::Credentials, "Acme refuses the token"),
        400 => (ErrorClass::Recipient, "Acme can't reach this number"),
        429 => (ErrorClass::Throttled, "Acme asks for a slower pace"),
        500..=599 => (ErrorClass::Transient, "Acme took nothing, and may later"),
        _ => (ErrorClass::Bug, "Acme documents no such answer"),
    };
    let error = AdapterError::new(class, format!("http_{}", reply.status), words);
    error.with_retry_after(reply.retry_after_ms(now_ms))
}

impl Adapter for Acme {
    type Config = Self;

    fn manifest() -> Manifest {
        let calls = [Capability::Receive, Capability::Send, Capability::Probe];
        Manifest::new("Acme", [Medium::Sms], calls)
    }

    fn open(config: Self, _: OpenContext) -> Result<(Self, Facts), AdapterError> {
        let mut facts = Facts::new(Medium::Sms, "phone"); // people are known by their number
        (facts.can_receive, facts.can_send) = (true, true);
        Ok((config, facts))
    }

    fn receive(&self, request: &WebhookRequest) -> Received {
        // Proof first: over the bytes as they came, compared in constant time.
        let mac = sign::hmac_sha256(self.token.expose().as_bytes(), &request.body);
        let given = request.header("x-acme-signature").unwrap_or_default();
        if !sign::equal(given.as_bytes(), sign::hex(&mac).as_bytes()) {
            return Received::refused(Verdict::Mismatch, 401, "x-acme-signature is wrong");
        }
        let read: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let members = ["id", "from", "text"].map(|name| read[name].as_str());
        let [Some(id), Some(from), Some(text)] = members else {
            // Genuine, but not understood: kept for a replay, answered so that it comes once.
            return Received::unparsed(Response::status(200), "no texts id, from and text");
        };
        // The id is the provider's: a webhook that comes again is known by it.
        let message = InboundMessage::text(id, Identity::new("phone", from), text);
        Received::authentic(Response::status(200), vec![Event::Message(message)])
    }

    fn send(&self, message: &OutboundMessage, turn: Turn) -> Step<Receipt> {
        match turn.http() {
            // First turn: ask for a call. The cursor, never null, is saved before it is made.
            None if turn.cursor.is_null() => {
                let (to, text) = (&message.to.identifier, &message.content.text);
                let body = json!({"to": to, "text": text, "reference": message.id});
                Step::call(self.call("POST", "/messages").json(&body), json!("asked"))
            }
            // A restart between the call and its reply: the message may be on its way.
            None => Step::fail(AdapterError::unknown_outcome()),
            Some(Err(error)) => Step::fail(error), // no answer: surely not sent, or perhaps
            Some(Ok(reply)) if reply.status == 201 => Step::sent(reply.json()["id"].as_str()),
            Some(Ok(reply)) => Step::fail(refused(reply, turn.now_ms)),
        }
    }

    fn probe(&self, turn: Turn) -> Step<Probe> {
        match turn.http() {
            None => Step::call(self.call("GET", "/account"), json!("asked")),
            Some(Ok(reply)) if reply.status == 200 => Step::done(Probe::new(ProbeState::Healthy)),
            Some(Ok(reply)) => Step::fail(refused(reply, turn.now_ms)),
            Some(Err(error)) => Step::fail(error),
        }
    }
}
