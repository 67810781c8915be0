//! An adapter of this process: lifetime of a channel, many threads, limits.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use trunkline_plugin_api::{
    Adapter, AdapterError, Content, Event, Facts, HttpReply, HttpRequest, Identity, InboundMessage,
    Manifest, Media, MediaEncoding, MediaRange, MediaRef, Medium, OpenContext, OutboundMessage,
    Probe, Receipt, Received, Reply, Response, Sender, Step, Turn, WebhookRequest, ffi::Export,
};

use super::webhook;
use crate::{CallError, Instance, Plugin, PluginSet};

static OPENED: AtomicUsize = AtomicUsize::new(0);
static CLOSED: AtomicUsize = AtomicUsize::new(0);

/// Does what the webhook's body says.
struct Puppet {
    counted: bool,
}

#[derive(Deserialize, JsonSchema)]
struct Config {
    /// Only one test counts: the others run beside it.
    #[serde(default)]
    counted: bool,
}

impl Drop for Puppet {
    fn drop(&mut self) {
        if self.counted {
            CLOSED.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Adapter for Puppet {
    type Config = Config;

    fn manifest() -> Manifest {
        Manifest::new("Puppet", [Medium::Webhook], [])
    }

    fn open(config: Config, _: OpenContext) -> Result<(Self, Facts), AdapterError> {
        if config.counted {
            OPENED.fetch_add(1, Ordering::SeqCst);
        }
        let counted = config.counted;
        Ok((Self { counted }, Facts::new(Medium::Webhook, "webhook")))
    }

    fn receive(&self, request: &WebhookRequest) -> Received {
        let text = String::from_utf8_lossy(&request.body);
        match text.as_ref() {
            "panic" => panic!("as told"),
            "status" => return Received::authentic(Response::status(99), Vec::new()),
            "huge" => {
                let response = Response::with_body(200, "text/plain", vec![b'x'; 1 << 20]);
                return Received::authentic(response, Vec::new());
            }
            _ => {}
        }
        let mut content = Content::text(text.as_ref());
        if let Some(len) = request.header("x-range") {
            content.media.push(inside(len.parse().unwrap_or(0)));
        }
        let message = InboundMessage {
            id: "1".into(),
            sender: Sender {
                identity: Identity::new("webhook", "ada"),
                ..Sender::default()
            },
            content,
            ..InboundMessage::default()
        };
        let response = Response::with_body(200, "application/octet-stream", request.body.to_vec());
        Received::authentic(response, vec![Event::Message(message)])
    }

    fn send(&self, message: &OutboundMessage, turn: Turn) -> Step<Receipt> {
        if let Some(Reply::Http(reply)) = turn.reply {
            return Step::done(Receipt {
                external_id: format!("{:?}", reply.body),
                ..Receipt::default()
            });
        }
        let body = message.content.text.clone().unwrap_or_default();
        let call = HttpRequest::new("POST", "https://api.example.org").body(body);
        Step::call(call, json!({"at": 1}))
    }

    fn probe(&self, _: Turn) -> Step<Probe> {
        Step::unsupported("probe")
    }
}

fn inside(len: u64) -> Media {
    let range = MediaRange {
        part: 1,
        offset: 1,
        len,
        encoding: MediaEncoding::Identity,
    };
    Media {
        source: MediaRef {
            range: Some(range),
            ..MediaRef::default()
        },
        ..Media::default()
    }
}

struct Exported;

impl Export for Exported {
    type Adapter = Puppet;
    const ID: &'static str = "puppet";
    const VERSION: &'static str = "1.0.0";
}

fn plugin() -> Plugin {
    Plugin::of::<Exported>(64 * 1024).expect("a sound manifest")
}

fn open() -> Instance {
    plugin().open("here", &json!({})).expect("opens").0
}

#[test]
fn a_panic_opens_the_channel_anew_and_closes_only_the_sound() {
    let config = json!({"counted": true});
    let (instance, _) = plugin().open("here", &config).expect("opens");
    let counts = || (OPENED.load(Ordering::SeqCst), CLOSED.load(Ordering::SeqCst));
    assert_eq!(counts(), (1, 0));
    let panicked = instance.receive(&webhook("panic")).expect_err("a panic");
    assert_eq!(panicked, CallError::Panic("as told".into()));
    assert!(panicked.is_fault());
    assert_eq!(
        counts(),
        (1, 0),
        "given up, not closed; opened by the next call"
    );
    instance.receive(&webhook("fine")).expect("a new handle");
    assert_eq!(counts(), (2, 0));
    let clone = instance.clone();
    drop(instance);
    clone.receive(&webhook("fine")).expect("still open");
    drop(clone);
    assert_eq!(counts(), (2, 1));
}

#[test]
fn bytes_travel_unchanged() {
    let instance = open();
    let body: Vec<u8> = (0..=255).collect();
    let received = instance.receive(&webhook(body.clone())).expect("sound");
    assert_eq!(received.response.body, body);

    let message = OutboundMessage {
        content: Content::text("héllo"),
        ..OutboundMessage::default()
    };
    let step = instance.send(&message, &Turn::default()).expect("sound");
    let call = HttpRequest::new("POST", "https://api.example.org").body("héllo");
    assert_eq!(step, Step::call(call, json!({"at": 1})));
    let turn = Turn {
        reply: Some(Reply::Http(HttpReply {
            status: 200,
            body: vec![0, 255],
            ..HttpReply::default()
        })),
        ..Turn::default()
    };
    let done = instance.send(&message, &turn).expect("sound");
    assert!(matches!(done, Step::Done { result } if result.external_id == "[0, 255]"));
}

#[test]
fn answers_are_bounded_and_checked() {
    let instance = open();
    let error = |request: &WebhookRequest| instance.receive(request).expect_err("refused");
    assert_eq!(error(&webhook("huge")), CallError::TooLarge);
    assert_eq!(
        error(&webhook("status")),
        CallError::Garbage("99 is no HTTP status to answer with".into())
    );
    let mut request = webhook("12345");
    request.headers.push(("x-range".into(), "4".into()));
    instance.receive(&request).expect("just inside");
    for len in ["5", "18446744073709551615"] {
        request.headers[0].1 = len.into();
        let words = error(&request).to_string();
        assert!(
            words.ends_with("is not inside the body of 5 bytes"),
            "{words}"
        );
    }
}

#[test]
fn many_threads_share_a_channel_through_panics() {
    let instance = open();
    thread::scope(|scope| {
        for number in 0..8 {
            let instance = instance.clone();
            scope.spawn(move || {
                for round in 0..50 {
                    if number == 0 && round % 10 == 0 {
                        instance.receive(&webhook("panic")).expect_err("a panic");
                    }
                    let text = format!("{number}.{round}");
                    let received = instance.receive(&webhook(text.clone())).expect("sound");
                    assert_eq!(received.response.body, text.as_bytes());
                }
            });
        }
    });
}

#[test]
fn a_set_of_adapters_of_this_process() {
    let set = PluginSet::of([plugin()]);
    assert_eq!(set.get("puppet").expect("there").version(), "1.0.0");
    assert!(set.get("other").is_none());
}
