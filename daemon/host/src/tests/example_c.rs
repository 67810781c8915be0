//! The example adapter in C, through the real loader.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    AdapterError, Body, Content, ErrorClass, Event, Header, HttpReply, HttpRequest, Identity,
    OutboundMessage, ProbeState, Received, Reply, Request, Step, TransportError, TransportKind,
    Turn, Verdict, WebhookRequest,
    testkit::case::{CaseCall, StepsCase, read_channels},
    wire::Op,
};

use super::{Place, repository, webhook};
use crate::{CallError, Instance, OpenError};

const SECRET: &str = "sésame \"open\" \\ \u{1F511}";

fn open() -> (Place, Instance) {
    let place = Place::new();
    place.build(
        "example_c.so",
        &repository().join("plugins/example-c/adapter.c"),
        &[],
    );
    let plugin = place.scan().get("example_c").expect("loads");
    assert_eq!(plugin.version(), "0.1.0");
    let config = json!({"url": "https://legacy.example.org/m", "secret": SECRET});
    let (instance, facts) = plugin.open("legacy", &config).expect("opens");
    assert!(facts.can_receive && facts.can_send);
    (place, instance)
}

fn signed(body: &str) -> WebhookRequest {
    let mut request = webhook(body);
    request.headers = vec![
        ("content-type".into(), "application/json".into()),
        ("x-example-secret".into(), SECRET.into()),
    ];
    request
}

fn text_to(identifier: &str, text: &str) -> OutboundMessage {
    OutboundMessage {
        id: "m1".into(),
        to: Identity::new("webhook", identifier),
        content: Content::text(text),
        ..OutboundMessage::default()
    }
}

fn after(reply: Reply) -> Turn {
    Turn {
        cursor: json!("asked"),
        reply: Some(reply),
        ..Turn::default()
    }
}

fn answered(status: u16) -> Reply {
    Reply::Http(HttpReply {
        status,
        ..HttpReply::default()
    })
}

#[test]
fn it_receives() {
    let (_place, legacy) = open();
    let body =
        r#" {"id":"7","from":"ada","text":"a\u00e9\ud83d\ude00 \"b\" ü","more":[1,{"x":null}]} "#;
    let received = legacy.receive(&signed(body)).expect("sound");
    assert_eq!(received.verdict, Verdict::Authentic);
    assert_eq!(received.response.body, b"{\"ok\":true}");
    let [Event::Message(message)] = received.events.as_slice() else {
        panic!("one message: {received:?}");
    };
    assert_eq!(message.id, "7");
    assert_eq!(message.sender.identity, Identity::new("webhook", "ada"));
    assert_eq!(message.content.text.as_deref(), Some("aé😀 \"b\" ü"));
}

#[test]
fn it_verifies() {
    let (_place, legacy) = open();
    let verdict = |request: &WebhookRequest| legacy.receive(request).expect("sound").verdict;
    let body = r#"{"id":"7","from":"ada","text":"x"}"#;
    assert_eq!(verdict(&webhook(body)), Verdict::Unsigned);
    let mut wrong = signed(body);
    wrong.headers[1].1.pop();
    assert_eq!(verdict(&wrong), Verdict::Mismatch);
}

#[test]
fn it_survives_any_body() {
    let (_place, legacy) = open();
    let good = r#"{"id":"7","from":"ada","text":"\ud83d\ude00 é","n":[-1.5e3,true,null]}"#;
    let read = |body: Vec<u8>| -> Received {
        let mut request = signed("");
        request.body = body.into();
        legacy.receive(&request).expect("never garbage")
    };
    for len in 0..good.len() {
        let cut = read(good.as_bytes()[..len].to_vec());
        assert!(cut.unparsed.is_some(), "{len} bytes");
    }
    for at in 0..good.len() {
        for byte in [0, b'"', b'\\', b'{', b']', 0x80, 0xff] {
            let mut body = good.as_bytes().to_vec();
            body[at] = byte;
            read(body);
        }
    }
    read(vec![b'['; 100_000]);
}

#[test]
fn it_sends_by_one_call() {
    let (_place, legacy) = open();
    let message = text_to("ada", "grüß \"dich\"\n");
    let step = legacy.send(&message, &Turn::default()).expect("sound");
    let Step::Call {
        request: Request::Http(request),
        cursor,
    } = step
    else {
        panic!("a call: {step:?}");
    };
    let header = |name: &str, value: &str, sensitive| Header {
        name: name.into(),
        value: value.into(),
        sensitive,
    };
    let want = HttpRequest {
        headers: vec![
            header("x-example-secret", SECRET, true),
            header("content-type", "application/json", false),
        ],
        ..HttpRequest::new("POST", "https://legacy.example.org/m")
            .body(json!({"id": "m1", "to": "ada", "text": "grüß \"dich\"\n"}).to_string())
    };
    assert_eq!(request, want);
    assert_eq!(cursor, json!("asked"));

    let done = legacy.send(&message, &after(answered(202))).expect("sound");
    assert!(matches!(done, Step::Done { result } if result.external_id == "m1"));
}

#[test]
fn it_names_the_class_of_a_failure() {
    let (_place, legacy) = open();
    let lost = |kind| {
        Reply::Error(TransportError {
            kind,
            detail: String::new(),
        })
    };
    let restarted = Turn {
        cursor: json!("asked"),
        ..Turn::default()
    };
    let cases = [
        (after(answered(429)), ErrorClass::Throttled),
        (after(answered(503)), ErrorClass::Transient),
        (after(answered(504)), ErrorClass::Ambiguous),
        (after(answered(403)), ErrorClass::Credentials),
        (after(answered(418)), ErrorClass::Bug),
        (after(lost(TransportKind::Connect)), ErrorClass::Transient),
        (
            after(lost(TransportKind::TimeoutAfterSend)),
            ErrorClass::Ambiguous,
        ),
        (after(lost(TransportKind::Forbidden)), ErrorClass::Config),
        (restarted, ErrorClass::Ambiguous),
    ];
    for (turn, class) in cases {
        let step = legacy.send(&text_to("ada", "hello"), &turn).expect("sound");
        let Step::Fail { error } = step else {
            panic!("{turn:?} gave {step:?}");
        };
        assert_eq!(error.class, class, "{turn:?}");
    }
}

#[test]
fn it_probes() {
    let (_place, legacy) = open();
    let step = legacy.probe(&Turn::default()).expect("sound");
    let Step::Call {
        request: Request::Http(request),
        ..
    } = step
    else {
        panic!("a call: {step:?}");
    };
    assert_eq!(
        (request.method.as_str(), &request.body),
        ("HEAD", &Body::Empty)
    );
    let healthy = legacy.probe(&after(answered(500))).expect("sound");
    assert!(matches!(healthy, Step::Done { result } if result.state == ProbeState::Healthy));
    assert_eq!(
        legacy.templates(&Turn::default()),
        Err(CallError::Unsupported)
    );
}

#[test]
fn it_refuses_a_wrong_configuration() {
    let (place, _) = open();
    let plugin = place.scan().get("example_c").expect("loads");
    let refused = plugin
        .open("legacy", &json!({"secret": 7}))
        .expect_err("not a text");
    assert!(matches!(refused, OpenError::Refused { .. }), "{refused:?}");
    assert_eq!(
        refused.to_string(),
        "the configuration of channel legacy was refused: url and secret are texts, and secret \
         is not empty"
    );
}

/// What a case's requests lead to; each must be the one that the case has.
fn ended<T: serde::Serialize>(
    case: &StepsCase,
    call: impl Fn(&Turn) -> Result<Step<T>, CallError>,
) -> Result<Value, AdapterError> {
    let mut turns = case.turns.iter();
    let mut turn = case.first_turn();
    loop {
        match call(&turn).expect("sound") {
            Step::Done { result } => {
                assert_eq!(turns.next(), None, "a request is missing");
                return Ok(serde_json::to_value(result).expect("JSON"));
            }
            Step::Fail { error } => return Err(error),
            Step::Call { request, cursor } => {
                let want = turns.next().expect("another request");
                assert_eq!(request, want.request);
                (turn.cursor, turn.reply) = (cursor, Some(want.reply.clone()));
            }
        }
    }
}

#[test]
fn it_keeps_to_its_fixtures() {
    let (place, _) = open();
    let plugin = place.scan().get("example_c").expect("loads");
    let folder = repository().join("plugins/example-c/fixtures");
    for channel in read_channels(&folder).expect("sound") {
        let (legacy, _) = plugin.open("legacy", &channel.config).expect("opens");
        for named in &channel.cases {
            match &named.case.call {
                CaseCall::Receive(case) => {
                    let received = legacy.receive(&case.request).expect("sound");
                    assert_eq!(received, case.want, "{}", named.name);
                }
                CaseCall::Steps(case) if case.op == Op::Send => {
                    let message = serde_json::from_value(case.input["message"].clone());
                    let message: OutboundMessage = message.expect("a message");
                    let end = ended(case, |turn| legacy.send(&message, turn));
                    assert_eq!(end, case.want, "{}", named.name);
                }
                CaseCall::Steps(case) => {
                    let end = ended(case, |turn| legacy.probe(turn));
                    assert_eq!(end, case.want, "{}", named.name);
                }
            }
        }
    }
}
