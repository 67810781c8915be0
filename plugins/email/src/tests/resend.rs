//! Mails as they go to Resend.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Body, ErrorClass, HttpReply, HttpRequest, OutboundMessage, Part, Piece, Receipt, Reply,
    Request, testkit,
};

use super::{ADA, ID, kit, message, resend, smtp::file, with};

fn taken() -> Reply {
    Reply::Http(HttpReply {
        status: 200,
        headers: vec![("ratelimit-remaining".into(), "1".into())],
        body: br#"{"id":"49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}"#.to_vec(),
        file: None,
    })
}

#[test]
fn the_call() {
    let mut message = message("Hi");
    message.content.html = Some("<p>Hi</p>".into());
    message.reply_to = Some("q@example.org support@example.com".into());
    let run = kit(resend()).send(&message, [taken()]);
    let body = json!({
        "from": "Support <support@example.com>",
        "to": [ADA],
        "subject": "Your order",
        "text": "Hi",
        "html": "<p>Hi</p>",
        "headers": {"In-Reply-To": "<q@example.org>", "References": "<q@example.org>", "X-Trunkline-Message": ID},
        "tags": [{"name": "trunkline_message", "value": ID}],
    });
    let mut requests = run.requests;
    let Some(Request::Http(request)) = requests.first_mut() else {
        panic!("{requests:?}");
    };
    let Body::Bytes { bytes } = std::mem::take(&mut request.body) else {
        panic!("no bytes");
    };
    // The order of members says nothing.
    let sent: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(sent, body);
    let want = HttpRequest::new("POST", "https://api.resend.com/emails")
        .sensitive_header("authorization", "Bearer re_0123456789abcdef")
        .header("accept", "application/json")
        .header("content-type", "application/json")
        .header("idempotency-key", "0198b2a0-0000-7000-8000-000000000001.0");
    assert_eq!(requests, [Request::Http(want)]);
    let want = Receipt {
        external_id: "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794".into(),
        rate_limit_remaining: Some(1),
        ..Receipt::default()
    };
    assert_eq!(run.outcome, Ok(want));
}

/// After a restart the same call is made again: Resend takes it for the same.
#[test]
fn a_restart_repeats_the_call() {
    let kit = kit(resend());
    let first = kit.send(&message("Hi"), [taken()]);
    let again = kit.send_from(&message("Hi"), json!("send"), [taken()]);
    assert_eq!(first.requests, again.requests);
    assert_eq!(first.outcome, again.outcome);
}

#[test]
fn attachments_are_streamed_into_the_json() {
    let mut message = OutboundMessage {
        part: Some(Part { index: 2, count: 3 }),
        ..message("Hi")
    };
    message.content.text = None;
    message.content.media = vec![file("ä \"b\".pdf"), file("c.pdf")];
    let run = kit(resend()).send(&message, [taken()]);
    let [Request::Http(request)] = run.requests.as_slice() else {
        panic!("{:?}", run.requests);
    };
    let json = put_together(&request.body);
    assert_eq!(json["text"], " ");
    assert_eq!(json["tags"][0]["value"], format!("{ID}_2"));
    let files = json["attachments"].as_array().expect("a list");
    assert_eq!(files.len(), 2);
    assert_eq!(
        files[0],
        json!({"filename": "ä b.pdf", "content_type": "application/pdf", "content": "BASE64"})
    );
}

/// The body as the daemon would send it, each file as one word.
pub(super) fn put_together(body: &Body) -> Value {
    let Body::Pieces { bytes, pieces } = body else {
        panic!("no pieces");
    };
    let (mut whole, mut at) = (Vec::new(), 0);
    for piece in pieces {
        match piece {
            Piece::Bytes { len } => {
                let len = usize::try_from(*len).expect("small");
                whole.extend_from_slice(&bytes[at..at + len]);
                at += len;
            }
            Piece::Media { .. } => whole.extend_from_slice(b"BASE64"),
        }
    }
    serde_json::from_slice(&whole).expect("JSON")
}

#[test]
fn unreadable_acceptance_is_ambiguous() {
    for body in ["", "{", "{}", r#"{"id":""}"#, r#"{"id":7}"#] {
        let error = kit(resend())
            .send(&message("Hi"), [testkit::reply(200, body)])
            .outcome;
        assert_eq!(
            error.expect_err("unreadable").class,
            ErrorClass::Ambiguous,
            "{body:?}"
        );
    }
}

#[test]
fn names_are_quoted_where_they_must_be() {
    let from = |text: &str| {
        let kit = kit(with(resend(), &json!({"from": text})));
        let run = kit.send(&message("Hi"), [taken()]);
        let [
            Request::Http(HttpRequest {
                body: Body::Bytes { bytes },
                ..
            }),
        ] = run.requests.as_slice()
        else {
            panic!("{:?}", run.requests);
        };
        let json: Value = serde_json::from_slice(bytes).expect("JSON");
        json["from"].as_str().expect("text").to_owned()
    };
    assert_eq!(from("a@example.com"), "a@example.com");
    assert_eq!(from("Jürgen <a@example.com>"), "Jürgen <a@example.com>");
    assert_eq!(
        from("\"Acme, Inc.\" <a@example.com>"),
        "\"Acme, Inc.\" <a@example.com>"
    );
}
