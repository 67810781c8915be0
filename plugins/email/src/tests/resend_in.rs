//! What Resend reports, and the mails that it holds.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    ConsentChange, ErrorClass, Event, FileReply, HttpReply, HttpRequest, MediaRef, Received, Reply,
    ReplyTo, ReportedStatus, Request, Response, TransportKind,
    testkit::{self, Fixtures, Inbound},
};

use super::{ADA, FILE, ID, kit, resend, signed, with};

const MAIL: &str = "00000000-0000-4000-8000-000000000001";

fn webhook(kind: &str, more: &Value) -> Value {
    let mut data = json!({
        "email_id": "e1", "created_at": "2026-01-01T12:00:00.000Z", "from": "Support <Support@example.com>",
        "to": ["Ada@example.org"], "subject": "Your order", "tags": {"trunkline_message": ID},
    });
    for (key, value) in more.as_object().expect("an object") {
        data[key] = value.clone();
    }
    json!({"type": kind, "created_at": "2026-01-01T12:00:01.000Z", "data": data})
}

fn event(kind: &str, more: &Value) -> Event {
    let received = kit(resend()).receive(&signed(&webhook(kind, more)));
    assert_eq!(received.response, Response::status(200));
    let [event] = <[Event; 1]>::try_from(received.events).expect("one event");
    event
}

#[test]
fn statuses() {
    use ReportedStatus::{Delivered, Failed, Read, Sent};
    let bounce =
        |kind: &str| json!({"bounce": {"type": kind, "subType": "General", "message": "no"}});
    let rows = [
        ("email.scheduled", json!({}), Sent, None),
        ("email.sent", json!({}), Sent, None),
        ("email.delivery_delayed", json!({}), Sent, None),
        ("email.delivered", json!({}), Delivered, None),
        ("email.opened", json!({}), Read, None),
        ("email.clicked", json!({"click": {"link": "x"}}), Read, None),
        (
            "email.bounced",
            bounce("Permanent"),
            Failed,
            Some(ErrorClass::Recipient),
        ),
        (
            "email.bounced",
            bounce("Transient"),
            Failed,
            Some(ErrorClass::Transient),
        ),
        (
            "email.bounced",
            bounce("Undetermined"),
            Failed,
            Some(ErrorClass::Bug),
        ),
        (
            "email.failed",
            json!({"failed": {"reason": "reached_daily_quota"}}),
            Failed,
            Some(ErrorClass::Content),
        ),
        (
            "email.suppressed",
            json!({"suppressed": {"message": "x"}}),
            Failed,
            Some(ErrorClass::OptedOut),
        ),
    ];
    for (kind, more, status, class) in rows {
        let Event::Status(report) = event(kind, &more) else {
            panic!("{kind}");
        };
        assert_eq!(report.status, status, "{kind}");
        assert_eq!(report.error.map(|error| error.class), class, "{kind}");
        assert_eq!(report.external_id, "e1");
        assert_eq!(report.reference.as_deref(), Some(ID));
        assert_eq!(report.address.as_deref(), Some("support@example.com"));
        assert_eq!(report.at_ms, Some(testkit::NOW_MS + 12 * 3_600_000 + 1_000));
    }
    let listed = json!({"tags": [{"name": "trunkline_message", "value": format!("{ID}_3")}]});
    let Event::Status(report) = event("email.sent", &listed) else {
        panic!("no report");
    };
    assert_eq!(report.reference, Some(format!("{ID}.3")));
}

#[test]
fn complaints_and_what_is_not_known() {
    let Event::Consent(consent) = event("email.complained", &json!({})) else {
        panic!("no consent");
    };
    assert_eq!(
        (consent.change, consent.identity.identifier.as_str()),
        (ConsentChange::OptOut, ADA)
    );
    for kind in ["domain.updated", "email.teleported", "contact.created"] {
        let Event::Note(note) = event(kind, &json!({})) else {
            panic!("{kind}");
        };
        assert_eq!(note.kind, kind);
    }
    for body in [
        json!({}),
        json!([]),
        json!({"type": "email.sent"}),
        json!({"type": 7, "data": {}}),
        json!({"type": "email.received", "data": {"email_id": "../x"}}),
    ] {
        let received = kit(resend()).receive(&signed(&body));
        assert!(received.unparsed.is_some(), "{body}");
        assert_eq!(received.response.status, 200);
    }
}

fn announcement() -> Value {
    json!({
        "email_id": MAIL, "created_at": "2026-01-01T12:00:00.000Z", "from": "Ada <Ada@example.org>",
        "to": ["help@example.com", "support@example.com"], "cc": [], "bcc": [], "message_id": "<a1@example.org>",
        "subject": "Re: Order 42",
        "attachments": [{"id": "at1", "filename": "a.png", "content_type": "image/png", "content_id": "img1", "size": 10}],
    })
}

fn announced() -> Received {
    let body = json!({"type": "email.received", "created_at": "2026-01-01T12:00:00.000Z", "data": announcement()});
    kit(resend()).receive(&signed(&body))
}

#[test]
fn an_announced_mail_is_fetched() {
    let received = announced();
    assert!(received.events.is_empty());
    assert_eq!(received.follow_up, announcement());
    let mut mail = announcement();
    mail["id"] = mail["email_id"].take();
    mail["text"] = json!("Hello\r\n");
    mail["html"] = json!("<p>Hello</p>");
    mail["headers"] = json!({
        "in-reply-to": format!("<{ID}@example.com>"), "references": "<x@y> <z@y>",
        "Date": "Thu, 01 Jan 2026 11:59:00 +0000", "evil\r\nname": "x",
    });
    let run = kit(resend()).complete(&received.follow_up, [testkit::json_reply(200, &mail)]);
    let url = format!("https://api.resend.com/emails/receiving/{MAIL}?html_format=cid");
    let want = HttpRequest::new("GET", url)
        .sensitive_header("authorization", "Bearer re_0123456789abcdef")
        .header("accept", "application/json");
    assert_eq!(run.requests, [Request::Http(want)]);
    let events = run.outcome.expect("a message");
    let [Event::Message(message)] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(message.id, "a1@example.org support@example.com");
    assert_eq!(message.sender.identity.identifier, ADA);
    assert_eq!(message.sender.name.as_deref(), Some("Ada"));
    assert_eq!(message.content.text.as_deref(), Some("Hello\r\n"));
    assert_eq!(message.content.media.len(), 1);
    assert_eq!(
        message.content.media[0].source.provider_id,
        Some(format!("{MAIL}/at1"))
    );
    assert_eq!(message.reply_to, Some(format!("{ID}@example.com")));
    assert_eq!(message.metadata["references"], json!(["x@y", "z@y"]));
    assert_eq!(message.metadata["content_ids"], json!(["img1"]));
    assert!(!message.metadata.contains_key("auto_reply"));
}

/// Where the mail can't be had, what was announced is the message.
#[test]
fn what_can_not_be_fetched() {
    let kit = kit(resend());
    for reply in [
        testkit::reply(404, "{}"),
        testkit::transport(TransportKind::TooLarge),
    ] {
        let events = kit
            .complete(&announcement(), [reply])
            .outcome
            .expect("a message");
        let [Event::Message(message)] = events.as_slice() else {
            panic!("{events:?}");
        };
        assert_eq!(message.content.text, None);
        assert_eq!(message.content.subject.as_deref(), Some("Re: Order 42"));
        assert_eq!(message.metadata["text_missing"], true);
        assert_eq!(
            message.content.media[1].source.provider_id,
            Some(format!("{MAIL}/raw"))
        );
    }
    for (reply, class) in [
        (testkit::reply(500, ""), ErrorClass::Transient),
        (
            testkit::reply(401, r#"{"name":"missing_api_key"}"#),
            ErrorClass::Credentials,
        ),
        (testkit::reply(200, "nonsense"), ErrorClass::Transient),
        (
            testkit::transport(TransportKind::TimeoutAfterSend),
            ErrorClass::Transient,
        ),
    ] {
        let error = kit
            .complete(&announcement(), [reply])
            .outcome
            .expect_err("later");
        assert_eq!(error.class, class, "{error}");
    }
    assert!(
        kit.complete(&json!({"email_id": "../domains"}), [])
            .outcome
            .is_err()
    );
    assert!(kit.complete(&json!(null), []).outcome.is_err());
}

/// Without a key nothing can be fetched.
#[test]
fn without_a_key_the_announcement_is_the_message() {
    let kit = kit(with(resend(), &json!({"api_key": null})));
    let body = json!({"type": "email.received", "data": announcement()});
    let message = super::only(kit.receive(&signed(&body)));
    assert_eq!(message.metadata["text_missing"], true);
}

#[test]
fn a_machine_is_known_by_the_headers() {
    let mut mail = announcement();
    mail["headers"] = json!({"Auto-Submitted": "auto-replied"});
    let events = kit(resend())
        .complete(&announcement(), [testkit::json_reply(200, &mail)])
        .outcome;
    let events = events.expect("a message");
    let [Event::Message(message)] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(message.metadata["auto_reply"], true);
}

#[test]
fn attachments_are_fetched_by_a_signed_link() {
    let kit = kit(resend());
    let media = |id: &str| MediaRef {
        provider_id: Some(id.into()),
        ..MediaRef::default()
    };
    let about = testkit::json_reply(
        200,
        &json!({"download_url": "https://cdn.example.com/x?signature=1"}),
    );
    let bytes = Reply::Http(HttpReply {
        status: 200,
        headers: vec![("content-type".into(), "image/png".into())],
        body: Vec::new(),
        file: Some(FileReply {
            sha256: FILE.into(),
            size: 10,
        }),
    });
    let run = kit.fetch_media(&media(&format!("{MAIL}/at1")), [about.clone(), bytes]);
    let [Request::Http(first), Request::Http(second)] = run.requests.as_slice() else {
        panic!("{:?}", run.requests);
    };
    assert_eq!(
        first.url,
        format!("https://api.resend.com/emails/receiving/{MAIL}/attachments/at1")
    );
    assert_eq!(second.url, "https://cdn.example.com/x?signature=1");
    assert!(
        second.headers.is_empty(),
        "no credentials for the file store"
    );
    assert_eq!(second.reply_to, ReplyTo::File);
    let fetched = run.outcome.expect("fetched");
    assert_eq!(
        (fetched.source.sha256.as_deref(), fetched.size),
        (Some(FILE), Some(10))
    );
    let raw = testkit::json_reply(
        200,
        &json!({"raw": {"download_url": "https://cdn.example.com/raw"}}),
    );
    let gone = kit.fetch_media(
        &media(&format!("{MAIL}/raw")),
        [raw, testkit::reply(404, "")],
    );
    assert_eq!(gone.outcome.expect_err("gone").class, ErrorClass::Content);
    let expired = kit.fetch_media(
        &media(&format!("{MAIL}/at1")),
        [about, testkit::reply(403, "")],
    );
    assert_eq!(
        expired.outcome.expect_err("expired").class,
        ErrorClass::Transient
    );
    for id in ["", "a", "a/b/c", "../a/b", "a/b?c"] {
        let error = kit.fetch_media(&media(id), []).outcome.expect_err("no id");
        assert_eq!(error.class, ErrorClass::Content, "{id}");
    }
}

#[test]
fn the_kit_is_content() {
    let report = signed(&webhook("email.delivered", &json!({})));
    let unsigned = testkit::post(super::HOOK, "application/json", "{}");
    let kit = kit(resend());
    let inbound = [("delivered", report), ("unsigned", unsigned)].map(|(name, request)| Inbound {
        name,
        want: kit.receive(&request),
        request,
    });
    let fixtures = Fixtures {
        inbound: inbound.into(),
        ..Fixtures::default()
    };
    testkit::check::<crate::Email>(resend(), &fixtures);
}
