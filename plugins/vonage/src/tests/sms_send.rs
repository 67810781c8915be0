//! Messages out by the SMS API: the exact request for each, and what is refused before any request.

use serde_json::json;
use trunkline_plugin_api::{
    Content, ErrorClass, HttpRequest, Location, Media, MediaRef, OutboundMessage, Receipt, Request,
    TemplateCall,
    testkit::{self, Exchange, Fixtures, Kit},
};

use super::{ADA, BASIC, Pairs, REFERENCE, sms, sms_kit, with};
use crate::Vonage;

const CALLBACK: &str = "https://gw.example.com/webhooks/sms_support/token";

fn post(form: Pairs<'_>) -> Request {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let request = HttpRequest::new("POST", "https://rest.nexmo.com/sms/json")
        .sensitive_header("authorization", BASIC)
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    Request::Http(request)
}

fn says(text: &str) -> OutboundMessage {
    testkit::message("phone", ADA, text)
}

fn with_callback(url: &str) -> OutboundMessage {
    OutboundMessage {
        callback_url: Some(url.into()),
        ..says("Hi")
    }
}

fn form<'a>(text: &'a str, kind: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("from", "447700900000"),
        ("to", "447700900001"),
        ("text", text),
        ("type", kind),
        ("client-ref", REFERENCE),
    ]
}

#[test]
fn the_table() {
    let gsm = "Hi & bye: 50% £€ {[ä]} \n";
    let unicode = "it’s 😀 ";
    let reported = |callback: Option<&'static str>, reference| {
        let mut form = form("Hi", "text");
        form[4] = ("client-ref", reference);
        form.push(("status-report-req", "1"));
        form.extend(callback.map(|callback| ("callback", callback)));
        form
    };
    let long = format!(
        "https://{}.example.com/webhooks/sms_support/token",
        "x".repeat(60)
    );
    let part = "0198b2a0-0000-7000-8000-000000000001.1";
    let rows = [
        ("text", says(gsm), form(gsm, "text")),
        ("unicode", says(unicode), form(unicode, "unicode")),
        ("cedilla", says("ç"), form("ç", "unicode")),
        (
            "callback",
            with_callback(&format!("{CALLBACK}?message={REFERENCE}")),
            reported(Some(CALLBACK), REFERENCE),
        ),
        (
            "a part of a message",
            with_callback(&format!("{CALLBACK}?message={part}")),
            reported(Some(CALLBACK), part),
        ),
        (
            "a callback that is too long",
            with_callback(&format!("{long}?message={REFERENCE}")),
            reported(None, REFERENCE),
        ),
    ];
    let body = json!({"message-count": "1", "messages": [{"status": "0", "message-id": "0C1"}]});
    let sends = rows.map(|(name, message, form)| Exchange {
        name,
        message,
        replies: vec![testkit::json_reply(200, &body)],
        requests: vec![post(&form)],
        outcome: Ok(Receipt {
            external_id: "0C1".into(),
            code: Some("0".into()),
            segments: Some(1),
            rate_limit_remaining: None,
        }),
    });
    let fixtures = Fixtures {
        sends: sends.into(),
        ..Fixtures::default()
    };
    testkit::check::<Vonage>(sms(), &fixtures);
}

#[test]
fn what_an_sms_can_not_say_is_refused() {
    let media = Media {
        source: MediaRef {
            url: Some("https://m.example/1.png".into()),
            ..MediaRef::default()
        },
        ..Media::default()
    };
    let rows = [
        (Content::text(""), "empty"),
        (Content::default(), "empty"),
        (
            Content {
                media: vec![media],
                ..Content::text("Look")
            },
            "media_unsupported",
        ),
        (
            Content {
                template: Some(TemplateCall::default()),
                ..Content::default()
            },
            "unsupported_content",
        ),
        (
            Content {
                location: Some(Location::default()),
                ..Content::text("Here")
            },
            "unsupported_content",
        ),
    ];
    for (content, code) in rows {
        let message = OutboundMessage {
            content,
            ..says("")
        };
        let run = sms_kit().send(&message, []);
        let error = run.outcome.expect_err("an error");
        assert_eq!(
            (error.class, error.code.as_str()),
            (ErrorClass::Content, code)
        );
    }
}

#[test]
fn half_a_channel_does_not_send() {
    let rows = [
        (
            json!({"api_secret": null}),
            ErrorClass::Credentials,
            "no_credentials",
        ),
        (
            json!({"api_key": null, "api_secret": null}),
            ErrorClass::Credentials,
            "no_credentials",
        ),
        (json!({"from": null}), ErrorClass::Config, "no_sender"),
    ];
    for (changes, class, code) in rows {
        let kit = Kit::<Vonage>::open(with(sms(), &changes));
        let run = kit.send(&says("Hi"), []);
        assert_eq!(run.requests, []);
        let error = run.outcome.expect_err("an error");
        assert_eq!(
            (error.class, error.code.as_str()),
            (class, code),
            "{changes}"
        );
    }
}

#[test]
fn the_base_can_be_replaced() {
    let kit = Kit::<Vonage>::open(with(
        sms(),
        &json!({"api_base": "http://127.0.0.1:1/proxy/"}),
    ));
    let answer = testkit::json_reply(
        200,
        &json!({"messages": [{"status": "0", "message-id": "1"}]}),
    );
    let run = kit.send(&says("Hi"), [answer]);
    let [Request::Http(request)] = run.requests.as_slice() else {
        panic!("{run:?}");
    };
    assert_eq!(request.url, "http://127.0.0.1:1/proxy/sms/json");
}
