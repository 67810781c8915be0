//! A whole adapter: webhooks with a signed body in, one HTTP call out.
//!
//! As a crate of its own it needs `crate-type = ["cdylib"]` and this crate as a dependency.

#![forbid(unsafe_code)]

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use trunkline_plugin_api::{
    Adapter, AdapterError, Capability, Content, ErrorClass, Event, Facts, HttpRequest, Identity,
    InboundMessage, Manifest, Medium, OpenContext, OutboundMessage, Probe, ProbeState, Receipt,
    Received, Reply, Response, Secret, Sender, Step, Turn, Verdict, WebhookRequest, export_adapter,
    sign,
};

export_adapter!(Acme, id = "acme");

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Acme {
    /// Signs webhooks and authorises calls.
    token: Secret,
    /// Where the API is.
    api_base: String,
}

/// What Acme posts.
#[derive(Deserialize)]
struct Incoming {
    id: String,
    from: String,
    text: String,
}

impl Adapter for Acme {
    type Config = Self;

    fn manifest() -> Manifest {
        let capabilities = [Capability::Receive, Capability::Send, Capability::Probe];
        Manifest::new("Acme", [Medium::Sms], capabilities)
    }

    fn open(config: Self, _: OpenContext) -> Result<(Self, Facts), AdapterError> {
        let mut facts = Facts::new(Medium::Sms, "phone");
        (facts.can_receive, facts.can_send) = (true, true);
        Ok((config, facts))
    }

    fn receive(&self, request: &WebhookRequest) -> Received {
        let mac = sign::hmac_sha256(self.token.expose().as_bytes(), &request.body);
        let given = request.header("x-acme-signature").unwrap_or_default();
        if !sign::equal(given.as_bytes(), sign::hex(&mac).as_bytes()) {
            return Received::refused(Verdict::Mismatch, 401, "x-acme-signature does not match");
        }
        let Ok(incoming) = serde_json::from_slice::<Incoming>(&request.body) else {
            return Received::unparsed(Response::status(200), "not the JSON that Acme documents");
        };
        let message = InboundMessage {
            id: incoming.id,
            sender: Sender {
                identity: Identity::new("phone", incoming.from),
                ..Sender::default()
            },
            content: Content::text(incoming.text),
            ..InboundMessage::default()
        };
        Received::authentic(Response::status(200), vec![Event::Message(message)])
    }

    fn send(&self, message: &OutboundMessage, turn: Turn) -> Step<Receipt> {
        match turn.reply {
            None if turn.cursor.is_null() => {
                let body = json!({"to": message.to.identifier, "text": message.content.text});
                let call = HttpRequest::new("POST", format!("{}/messages", self.api_base))
                    .sensitive_header("authorization", format!("Bearer {}", self.token.expose()))
                    .body(body.to_string());
                Step::call(call, json!("asked"))
            }
            Some(Reply::Http(reply)) if reply.status == 201 => Step::done(Receipt {
                external_id: String::from_utf8_lossy(&reply.body).into_owned(),
                ..Receipt::default()
            }),
            Some(Reply::Error(error)) => Step::fail(error.to_adapter_error()),
            // A restart between request and reply, or an answer that is not documented.
            _ => Step::fail(AdapterError::new(
                ErrorClass::Ambiguous,
                "odd",
                "no clear answer",
            )),
        }
    }

    fn probe(&self, _: Turn) -> Step<Probe> {
        Step::done(Probe::new(ProbeState::Healthy))
    }
}
