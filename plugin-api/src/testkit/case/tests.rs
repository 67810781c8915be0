//! Cases come back as they were written, and what is misspelt is named.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    Body, Content, ErrorClass, Event, HttpReply, HttpRequest, InboundMessage, Location, MediaRef,
    PieceEncoding, PushReply, PushRequest, Receipt, Response, SmtpRequest, SmtpTls, TransportError,
    TransportKind, Verdict,
    testkit::{json_reply, message, post},
};

fn parsed(value: Value) -> Result<Case, String> {
    Case::try_from(value).map_err(|CaseError(words)| words)
}

fn text_in() -> Value {
    json!({"about": "A text.", "receive": {
        "request": {"method": "POST", "url": "https://example.org/w", "headers": [["x-a", "b"]],
            "received_at_ms": 5, "body": "héllo\n"},
        "want": {"verdict": "authentic", "response": {"status": 200, "headers": [], "body": "ok"},
            "events": [{"type": "message", "id": "1", "sender": {"space": "phone", "identifier": "+1"},
                "content": {"text": "hello", "location": {"latitude": 52, "longitude": 13.5}}}]}
    }})
}

fn text_out() -> Value {
    json!({"about": "A text.", "steps": {
        "op": "send",
        "input": {"message": {"id": "m", "to": {"space": "phone", "identifier": "+1"},
            "content": {"text": "hi"}, "idempotency_key": "k", "accepted_at_ms": 1}},
        "turns": [{
            "request": {"transport": "http", "method": "POST", "url": "https://example.org/m",
                "headers": [{"name": "a", "value": "b", "sensitive": true}], "body": "to=1"},
            "reply": {"transport": "http", "status": 201, "body_base64": "/w=="}
        }],
        "want": {"done": {"external_id": "M1"}}
    }})
}

#[test]
fn what_is_written_by_hand_is_read() {
    let case = parsed(text_in()).expect("a case");
    let CaseCall::Receive(receive) = &case.call else {
        panic!("{case:?}");
    };
    assert_eq!(&*receive.request.body, "héllo\n".as_bytes());
    assert_eq!(receive.want.response.body, b"ok");
    assert_eq!(receive.tampering, Tampering::Refused);

    let case = parsed(text_out()).expect("a case");
    let CaseCall::Steps(steps) = &case.call else {
        panic!("{case:?}");
    };
    let Request::Http(request) = &steps.turns[0].request else {
        panic!("{steps:?}");
    };
    assert_eq!(
        request.body,
        Body::Bytes {
            bytes: b"to=1".into()
        }
    );
    assert_eq!(
        steps.turns[0].reply,
        Reply::Http(HttpReply {
            status: 201,
            body: vec![0xff],
            ..HttpReply::default()
        })
    );
    let turn = steps.first_turn();
    let call = steps.call(&turn);
    let sent: Value = serde_json::from_slice(&call.json).expect("JSON");
    assert_eq!(sent["message"]["id"], "m");
    assert_eq!(sent["turn"]["now_ms"], NOW_MS);
}

#[test]
fn what_is_misspelt_is_named() {
    let cases: [(&str, Value, &str); 13] = [
        (
            "/receive/tampring",
            json!("unseen"),
            "unknown field `tampring`",
        ),
        ("/steps/wants", json!(1), "unknown field `wants`"),
        (
            "/receive/request/boddy",
            json!("x"),
            "receive.request.boddy: there is no such member",
        ),
        (
            "/receive/want/evnets",
            json!([]),
            "receive.want.evnets: there is no such member",
        ),
        (
            "/receive/want/response/reason",
            json!("x"),
            "receive.want.response.reason: there is no",
        ),
        (
            "/receive/want/events/0/content/txt",
            json!(null),
            "receive.want.events.0.content.txt",
        ),
        (
            "/receive/request/body_base64",
            json!("AA=="),
            "both `body` and `body_base64`",
        ),
        (
            "/steps/op",
            json!("receive"),
            "is no call that goes in steps",
        ),
        (
            "/steps/op",
            json!("probe"),
            "steps.input.message: `probe` gets no such member",
        ),
        (
            "/steps/input/message/too",
            json!("x"),
            "steps.input.message.too: there is no such",
        ),
        (
            "/steps/turns/0/reply/body_base64",
            json!("?"),
            "is not base64",
        ),
        (
            "/steps/turns/0/request/sensitive",
            json!(true),
            "steps.turns[0].request.sensitive",
        ),
        (
            "/steps/want",
            json!({"fail": {"class": "recipent", "code": "a", "message": "b"}}),
            "\"recipent\" is not known, and reads as \"bug\"",
        ),
    ];
    for (pointer, value, words) in cases {
        let mut case = if pointer.starts_with("/receive") {
            text_in()
        } else {
            text_out()
        };
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        case.pointer_mut(parent).expect("a parent")[name] = value;
        let error = parsed(case).expect_err(pointer);
        assert!(error.contains(words), "{pointer}: {error}");
    }
    let both = json!({"about": "", "receive": text_in()["receive"], "steps": text_out()["steps"]});
    assert!(
        parsed(both)
            .expect_err("both")
            .contains("either `receive` or `steps`")
    );
    let none = json!({"about": ""});
    assert!(
        parsed(none)
            .expect_err("none")
            .contains("either `receive` or `steps`")
    );
}

#[test]
fn members_that_say_nothing_may_be_written() {
    let mut case = text_in();
    case["receive"]["want"]["reason"] = json!(null);
    case["receive"]["want"]["follow_up"] = json!(null);
    case["receive"]["want"]["events"][0]["metadata"] = json!({});
    case["receive"]["want"]["events"][0]["sender"]["also"] = json!([]);
    let plain = parsed(text_in());
    assert!(plain.is_ok(), "{plain:?}");
    assert_eq!(parsed(case), plain);
}

#[test]
fn a_folder_is_read_in_order_and_within_bounds() {
    let root = std::env::temp_dir().join(format!("trunkline-cases-{}", std::process::id()));
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(root.join("b/deep")).expect("a new folder");
    fs::create_dir_all(root.join("raw")).expect("a new folder");
    let write = |path: &str, text: &str| fs::write(root.join(path), text).expect("our own file");
    write("config.json", r#"{"token": "t"}"#);
    write("one.json", &text_in().to_string());
    write("notes.txt", "not looked at");
    write("raw/other.json", "of no channel: not looked at");
    write("b/deep/config.json", "{}");
    write("b/deep/two.json", &text_out().to_string());
    let channels = read_channels(&root).expect("sound");
    let names: Vec<_> = channels
        .iter()
        .map(|channel| (channel.name.as_str(), channel.cases[0].name.as_str()))
        .collect();
    assert_eq!(names, [("", "one"), ("b/deep", "b/deep/two")]);
    assert_eq!(channels[0].config, json!({"token": "t"}));

    write("b/deep/two.json", "{\"about\": 1}");
    let CaseError(words) = read_channels(&root).expect_err("no case");
    assert!(words.contains("two.json: invalid type"), "{words}");
    write(
        "b/deep/two.json",
        &" ".repeat(CASE_BYTES_MAX.try_into().unwrap_or(usize::MAX) + 1),
    );
    let CaseError(words) = read_channels(&root).expect_err("too large");
    assert!(
        words.contains("two.json: is larger than 4194304 bytes"),
        "{words}"
    );
    fs::remove_dir_all(&root).expect("our own folder");
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        any::<String>().prop_map(String::into_bytes),
    ]
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec((any::<String>(), any::<String>()), 0..3)
}

prop_compose! {
    fn received()(
        verdict in prop::sample::select(vec![Verdict::Authentic, Verdict::Challenge, Verdict::Expired]),
        reason in any::<Option<String>>(),
        status in any::<u16>(),
        headers in pairs(),
        body in bytes(),
        texts in prop::collection::vec(any::<(String, Option<String>, i16)>(), 0..3),
        follow_up in any::<Option<i64>>(),
    ) -> Received {
        let events = texts.into_iter().map(|(id, text, latitude)| {
            let location = Some(Location {
                latitude: f64::from(latitude) / 1024.0,
                ..Location::default()
            });
            let content = Content { text, location, ..Content::default() };
            Event::Message(InboundMessage { id, content, ..InboundMessage::default() })
        });
        Received {
            verdict,
            reason,
            response: Response { status, headers, body },
            events: events.collect(),
            unparsed: None,
            follow_up: follow_up.map_or(Value::Null, |number| json!({ "n": number })),
        }
    }
}

fn body() -> impl Strategy<Value = Body> {
    let media = || MediaRef {
        sha256: Some("ab".repeat(32)),
        ..MediaRef::default()
    };
    prop_oneof![
        Just(Body::Empty),
        bytes().prop_map(|bytes| Body::Bytes { bytes }),
        Just(Body::Media { media: media() }),
        prop::collection::vec(bytes(), 0..3).prop_map(move |pieces| {
            let mut body = Body::pieces();
            for piece in pieces {
                body.push_bytes(&piece);
                body.push_media(media(), PieceEncoding::Base64);
            }
            body
        }),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    (body(), any::<String>(), pairs(), 0..4).prop_map(|(body, text, headers, kind)| match kind {
        0 => {
            let mut call = HttpRequest::new("PUT", text);
            for (name, value) in headers {
                call = call.sensitive_header(&name, value);
            }
            call.body = body;
            Request::Http(call)
        }
        1 => Request::Smtp(SmtpRequest {
            host: text,
            port: 25,
            tls: SmtpTls::StartTls,
            username: None,
            password: Some("p".into()),
            mail_from: String::new(),
            rcpt_to: Vec::new(),
            data: body,
        }),
        2 => Request::Digest(crate::DigestRequest { body }),
        _ => Request::Push(PushRequest {
            to: text,
            payload: json!({"body": "its own"}),
        }),
    })
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        (any::<u16>(), pairs(), bytes()).prop_map(|(status, headers, body)| {
            Reply::Http(HttpReply {
                status,
                headers,
                body,
                file: None,
            })
        }),
        Just(json_reply(200, &json!({"a": 1}))),
        any::<u32>().prop_map(|sessions| Reply::Push(PushReply { sessions })),
        any::<String>().prop_map(|detail| Reply::Error(TransportError {
            kind: TransportKind::Dns,
            detail,
        })),
    ]
}

/// Through text, as it stands in a file.
fn again(case: &Case) -> Case {
    serde_json::from_str(&case.to_text()).expect("what was written is a case")
}

proptest! {
    #[test]
    fn a_webhook_comes_back(want in received(), body in bytes(), headers in pairs(), unseen: bool) {
        let mut webhook = post("https://example.org/w?a=1", "text/plain", body);
        webhook.headers.extend(headers);
        let tampering = if unseen { Tampering::Unseen } else { Tampering::Refused };
        let case = Case::receive("about", &webhook, &want, tampering);
        prop_assert_eq!(again(&case), case);
    }

    #[test]
    fn a_run_comes_back(
        turns in prop::collection::vec((request(), reply()), 0..4),
        id in any::<String>(),
        fails: bool,
    ) {
        let outcome = if fails {
            Err(AdapterError::new(ErrorClass::Throttled, id, "wait").with_retry_after_ms(5))
        } else {
            Ok(Receipt { external_id: id, ..Receipt::default() })
        };
        let input = json!({"message": message("phone", "+1", "hello")});
        let case = Case::steps("about", Op::Send, &input, turns, &outcome).expect("sound");
        prop_assert_eq!(again(&case), case);
    }

    #[test]
    fn any_json_is_read_or_refused(text in "[\\[\\]{}\":,a-z0-9 ]{0,60}") {
        let _ = serde_json::from_str::<Case>(&text);
    }
}
