//! What an adapter's own tests are made of. No network, no clock, no plugin to load: the calls
//! run through the same bytes as those of a loaded plugin.
//!
//! ```text
//! check::<Twilio>(config, &Fixtures { inbound, sends, .. })      the table, and everything below
//! Kit::<Twilio>::open(config)
//!     .receive(&request)                webhook in  → Received out
//!     .send(&message, [reply, ...])     message and scripted replies in → exact requests out
//!     .fuzz(&request)                   changed and cut webhooks never panic
//!     .threads(&requests)               many threads on one channel agree
//! ```
//!
//! Cases in files ([`case`]) are the same table for the plugin's own file; a [`Folder`] writes them.
//!
//! Each call is made twice and must give the same bytes, and no secret of the configuration may
//! show in what is logged or stored. Everything that is wrong ends the test with a panic in words.

pub mod case;
mod fixtures;
pub mod mutation;
mod record;
mod script;

use std::thread;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use fixtures::{
    Exchange, Fixtures, Inbound, Tampering, check, form, json_reply, message, post, reply,
    transport,
};
pub use record::{Channel, Folder};
pub use script::Run;

use crate::{
    Adapter, AdapterError, Facts, Manifest, OpenContext, Received, Timestamp, WebhookRequest,
    wire::{self, Answer, Call, Carries, Code, OpenInput, Opened},
};

/// The time in every test unless it says otherwise: 2026-01-01T00:00:00Z.
pub const NOW_MS: Timestamp = 1_767_225_600_000;
/// The random bytes in every test.
pub const RANDOM: &str = "000102030405060708090a0b0c0d0e0f";
/// Secrets shorter than this are not looked for: they show up by chance.
const SECRET_CHARS_MIN: usize = 6;

/// One opened channel under test.
#[derive(Debug)]
pub struct Kit<A> {
    adapter: A,
    /// What the adapter said when it was opened.
    pub facts: Facts,
    /// The time that turns carry.
    pub now_ms: Timestamp,
    secrets: Vec<String>,
}

impl<A: Adapter> Kit<A> {
    /// Opens a channel with this configuration section.
    pub fn open(config: Value) -> Self {
        let secrets = secrets::<A>(&config);
        match wire::open::<A>(&open_input(config)) {
            Ok((adapter, answer)) => {
                let opened: Opened = decoded(&answer);
                Self {
                    adapter,
                    facts: opened.facts,
                    now_ms: NOW_MS,
                    secrets,
                }
            }
            Err(answer) => panic!("the configuration was refused: {}", text(&answer.json)),
        }
    }

    /// The error of a configuration that must be refused; it may not quote a secret.
    pub fn refused(config: Value) -> AdapterError {
        let secrets = secrets::<A>(&config);
        let Err(answer) = wire::open::<A>(&open_input(config)) else {
            panic!("the configuration was taken");
        };
        assert_hidden(&secrets, "the refusal", &text(&answer.json));
        assert_eq!(answer.code, Code::Error, "{}", text(&answer.json));
        serde_json::from_slice(&answer.json).expect("an AdapterError")
    }

    /// The adapter's description as `export_adapter!` completes it.
    pub fn manifest() -> Manifest {
        manifest::<A>()
    }

    /// Verifies and reads one webhook.
    pub fn receive(&self, request: &WebhookRequest) -> Received {
        let answer = self.pure(&Call::receive(request));
        assert_hidden(&self.secrets, "receive's result", &text(&answer.json));
        assert_hidden(&self.secrets, "receive's response", &text(&answer.raw));
        decoded(&answer)
    }

    /// Changes and cuts a webhook in many ways: `receive` must not panic, and must stay pure.
    pub fn fuzz(&self, request: &WebhookRequest) {
        for changed in mutation::of_webhook(request) {
            self.receive(&changed);
        }
    }

    /// Changes the signed parts of a webhook: what still passes must mean the same as before.
    pub fn tamper(&self, request: &WebhookRequest) {
        let genuine = self.receive(request);
        assert!(genuine.verdict.is_authentic(), "{:?}", genuine.reason);
        for changed in mutation::of_body(request) {
            let received = self.receive(&changed);
            let harmless = !received.verdict.is_authentic() || received == genuine;
            assert!(
                harmless,
                "a changed body was taken as genuine:\n{:?}",
                text(&changed.body)
            );
        }
    }

    /// Receives the same webhooks on many threads at once: all must agree.
    pub fn threads(&self, requests: &[WebhookRequest]) {
        let alone: Vec<Received> = requests.iter().map(|each| self.receive(each)).collect();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        for (request, want) in requests.iter().zip(&alone) {
                            assert_eq!(&self.receive(request), want, "another thread's answer");
                        }
                    }
                });
            }
        });
    }

    /// Makes a call that no version knows, and calls with input that is none.
    pub fn misuse(&self) {
        let answer = wire::answer(&self.adapter, u32::MAX, &[b"{}"]);
        assert_eq!(answer.code, Code::Unsupported);
        for op in wire::Op::ALL {
            for parts in [&[][..], &[&b"not JSON"[..]], &[b"[]", b"raw"]] {
                let answer = wire::answer(&self.adapter, op.number(), parts);
                assert_eq!(answer.code, Code::BadInput, "{}: {parts:?}", op.as_str());
            }
        }
    }

    /// Makes a call twice: an adapter is a pure function of its inputs.
    fn pure(&self, call: &Call<'_>) -> Answer {
        let parts = [call.json.as_slice(), call.raw];
        let first = wire::answer(&self.adapter, call.op.number(), &parts);
        let second = wire::answer(&self.adapter, call.op.number(), &parts);
        assert!(
            first == second,
            "{} is not pure; it gave\n{}\nand then\n{}",
            call.op.as_str(),
            text(&first.json),
            text(&second.json)
        );
        first
    }
}

fn manifest<A: Adapter>() -> Manifest {
    decoded(&wire::describe::<A>("under_test", "0.0.0"))
}

fn open_input(config: Value) -> Vec<u8> {
    let context = OpenContext {
        channel: "under_test".into(),
        abi_minor: wire::ABI_MINOR,
        features: Vec::new(),
    };
    serde_json::to_vec(&OpenInput { context, config }).expect("plain JSON")
}

fn decoded<T: Carries + DeserializeOwned>(answer: &Answer) -> T {
    assert_eq!(answer.code, Code::Ok, "{}", text(&answer.json));
    wire::decode(&answer.json, &answer.raw)
        .unwrap_or_else(|error| panic!("{error}\n{}", text(&answer.json)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The values under every top-level key whose schema speaks of a secret.
fn secrets<A: Adapter>(config: &Value) -> Vec<String> {
    let schema = manifest::<A>().config_schema;
    let mut found = Vec::new();
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let property = property.to_string();
        let is_secret = ["\"x-secret\"", "#/$defs/Secret"]
            .iter()
            .any(|mark| property.contains(mark));
        if is_secret {
            collect_strings(&config[key], &mut found);
        }
    }
    found.retain(|secret| secret.len() >= SECRET_CHARS_MIN);
    found
}

fn collect_strings(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect_strings(item, into)),
        Value::Object(map) => map.values().for_each(|item| collect_strings(item, into)),
        _ => {}
    }
}

fn assert_hidden(secrets: &[String], place: &str, written: &str) {
    for secret in secrets {
        assert!(
            !written.contains(secret.as_str()),
            "{place} shows a secret of the configuration"
        );
    }
}
