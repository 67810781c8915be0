//! The test kit against adapters that behave and adapters that don't.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU32, Ordering},
};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use trunkline_plugin_api::{
    Adapter, AdapterError, Capability, Content, ErrorClass, Event, Facts, HttpRequest, Identity,
    InboundMessage, Manifest, Medium, OpenContext, OutboundMessage, Probe, Receipt, Received,
    Reply, Request, Response, Secret, Sender, Step, TransportKind, Turn, Verdict, WebhookRequest,
    sign,
    testkit::{self, Exchange, Fixtures, Inbound, Kit, Tampering},
};

/// What is wrong with a [`Sample`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Flaw {
    #[default]
    None,
    Impure,
    LeaksInReason,
    LeaksInHeader,
    LeaksInCursor,
    ForgetsToVerify,
    PanicsOnStrangeBytes,
    PanicsAfterRestart,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    secret: Secret,
    #[serde(default)]
    flaw: Flaw,
}

/// Signs the body with HMAC-SHA256, sends by one call.
struct Sample {
    config: Config,
    calls: AtomicU32,
}

impl Adapter for Sample {
    type Config = Config;

    fn manifest() -> Manifest {
        let capabilities = [Capability::Receive, Capability::Send, Capability::Probe];
        Manifest::new("Sample", [Medium::Webhook], capabilities)
    }

    fn open(config: Config, _: OpenContext) -> Result<(Self, Facts), AdapterError> {
        let calls = AtomicU32::new(0);
        let facts = Facts::new(Medium::Webhook, "webhook");
        Ok((Self { config, calls }, facts))
    }

    fn receive(&self, request: &WebhookRequest) -> Received {
        let want = sign::hex(&sign::hmac_sha256(
            self.config.secret.expose().as_bytes(),
            &request.body,
        ));
        let right = request
            .header("x-signature")
            .is_some_and(|given| sign::equal(given.as_bytes(), want.as_bytes()));
        let verifies = !matches!(
            self.config.flaw,
            Flaw::ForgetsToVerify | Flaw::PanicsOnStrangeBytes
        );
        if !right && verifies {
            let mut reason = "the signature does not match".to_owned();
            if self.config.flaw == Flaw::LeaksInReason {
                reason += self.config.secret.expose();
            }
            return Received::refused(Verdict::Mismatch, 401, reason);
        }
        let text = match self.config.flaw {
            Flaw::PanicsOnStrangeBytes => String::from_utf8(request.body.to_vec()).expect("UTF-8"),
            Flaw::Impure => self.calls.fetch_add(1, Ordering::Relaxed).to_string(),
            _ => String::from_utf8_lossy(&request.body).into_owned(),
        };
        let response = Response::with_body(200, "text/plain", "thanks");
        Received::authentic(response, vec![Event::Message(written(&text))])
    }

    fn send(&self, message: &OutboundMessage, turn: Turn) -> Step<Receipt> {
        let secret = self.config.secret.expose();
        let flaw = self.config.flaw;
        match turn.reply {
            None if turn.cursor.is_null() || flaw != Flaw::PanicsAfterRestart => {
                let text = message.content.text.clone().unwrap_or_default();
                let call = HttpRequest::new("POST", "https://api.example.org/send").body(text);
                let call = if flaw == Flaw::LeaksInHeader {
                    call.header("authorization", secret)
                } else {
                    call.sensitive_header("authorization", secret)
                };
                let cursor = if flaw == Flaw::LeaksInCursor {
                    json!(secret)
                } else {
                    json!("sent")
                };
                Step::call(call, cursor)
            }
            None => panic!("nobody expected a restart"),
            Some(Reply::Http(reply)) if reply.status == 202 => Step::done(Receipt {
                external_id: String::from_utf8_lossy(&reply.body).into_owned(),
                ..Receipt::default()
            }),
            Some(Reply::Error(error)) => Step::fail(error.to_adapter_error()),
            Some(_) => Step::fail(AdapterError::new(ErrorClass::Bug, "odd", "an odd reply")),
        }
    }

    fn probe(&self, _: Turn) -> Step<Probe> {
        Step::unsupported("probe")
    }
}

fn written(text: &str) -> InboundMessage {
    InboundMessage {
        id: "1".into(),
        sender: Sender {
            identity: Identity {
                space: "webhook".into(),
                identifier: "ada".into(),
            },
            ..Sender::default()
        },
        content: Content::text(text),
        ..InboundMessage::default()
    }
}

const SECRET: &str = "whsec_0123456789";

fn signed(body: &str) -> WebhookRequest {
    let mut request = testkit::post("https://example.org/w", "text/plain", body);
    let signature = sign::hex(&sign::hmac_sha256(SECRET.as_bytes(), body.as_bytes()));
    request.headers.push(("x-signature".into(), signature));
    request
}

fn fixtures() -> Fixtures {
    let hello = testkit::message("webhook", "ada", "hello");
    let call = HttpRequest::new("POST", "https://api.example.org/send")
        .sensitive_header("authorization", SECRET)
        .body("hello");
    let timed_out = testkit::transport(TransportKind::TimeoutAfterSend);
    let ambiguous = AdapterError::new(
        ErrorClass::Ambiguous,
        "timeout_after_send",
        "no answer from the provider: scripted",
    );
    Fixtures {
        inbound: vec![Inbound {
            name: "a text",
            request: signed("Grüße"),
            want: Received::authentic(
                Response::with_body(200, "text/plain", "thanks"),
                vec![Event::Message(written("Grüße"))],
            ),
        }],
        sends: vec![
            Exchange {
                name: "taken",
                message: hello.clone(),
                replies: vec![testkit::reply(202, "abc")],
                requests: vec![Request::Http(call.clone())],
                outcome: Ok(Receipt {
                    external_id: "abc".into(),
                    ..Receipt::default()
                }),
            },
            Exchange {
                name: "no answer",
                message: hello,
                replies: vec![timed_out],
                requests: vec![Request::Http(call)],
                outcome: Err(ambiguous),
            },
        ],
        tampering: Tampering::Refused,
    }
}

#[test]
fn a_sound_adapter_passes() {
    testkit::check::<Sample>(json!({ "secret": SECRET }), &fixtures());
}

#[test]
fn every_flaw_is_found() {
    let flaws = [
        ("impure", "not pure"),
        ("leaks_in_reason", "shows a secret"),
        ("leaks_in_header", "not marked sensitive"),
        ("leaks_in_cursor", "cursor shows a secret"),
        ("forgets_to_verify", "taken as genuine"),
        ("panics_after_restart", "nobody expected a restart"),
    ];
    for (flaw, words) in flaws {
        let config = json!({ "secret": SECRET, "flaw": flaw });
        let found = failure(|| testkit::check::<Sample>(config, &fixtures()));
        assert!(found.contains(words), "{flaw}: {found}");
    }
}

#[test]
fn changed_bodies_reach_the_parser() {
    let config = json!({ "secret": SECRET, "flaw": "panics_on_strange_bytes" });
    let kit = Kit::<Sample>::open(config);
    let found = failure(|| kit.fuzz(&signed("plain")));
    assert!(found.contains("UTF-8"), "{found}");
}

#[test]
fn wrong_scripts_are_told() {
    let kit = Kit::<Sample>::open(json!({ "secret": SECRET }));
    let hello = testkit::message("webhook", "ada", "hello");
    let few = failure(|| drop(kit.send(&hello, [])));
    assert!(
        few.contains("asks for request 1, no reply is left"),
        "{few}"
    );
    let replies = [testkit::reply(202, "a"), testkit::reply(202, "b")];
    let many = failure(|| drop(kit.send(&hello, replies)));
    assert!(many.contains("ended with replies left"), "{many}");
}

#[test]
fn a_restart_begins_at_the_cursor() {
    let kit = Kit::<Sample>::open(json!({ "secret": SECRET }));
    let hello = testkit::message("webhook", "ada", "hello");
    let fresh = kit.send(&hello, [testkit::reply(202, "a")]);
    assert_eq!(fresh.cursors, [json!("sent")]);
    let again = kit.send_from(&hello, fresh.cursors[0].clone(), [testkit::reply(202, "a")]);
    assert_eq!(
        again.requests, fresh.requests,
        "this provider takes a repeated call for one"
    );
}

#[test]
fn a_refused_configuration_never_quotes_its_secret() {
    let refused = Kit::<Sample>::refused(json!({ "secret": 12_345_678 }));
    assert_eq!(refused.class, ErrorClass::Config);
    assert!(!refused.message.contains("12345678"), "{refused}");
    assert!(refused.message.contains("expected a string"), "{refused}");
}

#[test]
fn the_manifest_is_completed() {
    let manifest = Kit::<Sample>::manifest();
    assert_eq!(manifest.id, "under_test");
    assert_eq!(manifest.config_schema["required"], json!(["secret"]));
}

/// The words of a panic; fails where there is none.
fn failure(run: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(run)).expect_err("should have been found");
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| {
        payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
    })
    .unwrap_or_default()
}
