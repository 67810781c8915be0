//! Messages out: the exact request for each, and what is refused before any request.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Content, HttpRequest, Location, Media, MediaRef, OutboundMessage, Receipt, Request,
    TemplateCall,
    testkit::{self, Exchange, Fixtures},
};

use super::{ACCOUNT, ACCOUNTS, ADA, BASIC, Pairs, US, config, config_with, encoded, kit_with};
use crate::Twilio;

const SENT: &str = "SM00000000000000000000000000000003";

/// The call with this form, as whoever `basic` is.
fn post_as(basic: &str, form: Pairs<'_>) -> Request {
    let url = format!("{ACCOUNTS}/{ACCOUNT}/Messages.json");
    let request = HttpRequest::new("POST", url)
        .sensitive_header("authorization", basic)
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(encoded(form));
    Request::Http(request)
}

fn to_ada(content: Content) -> OutboundMessage {
    OutboundMessage {
        content,
        ..testkit::message("phone", ADA, "")
    }
}

/// Rows of message and form, all of which Twilio takes.
fn check(config: Value, rows: Vec<(&'static str, OutboundMessage, Pairs<'_>)>) {
    let body = json!({"sid": SENT, "status": "queued", "num_segments": "1", "error_code": null});
    let sends = rows.into_iter().map(|(name, message, form)| Exchange {
        name,
        message,
        replies: vec![testkit::json_reply(201, &body)],
        requests: vec![post_as(BASIC, form)],
        outcome: Ok(Receipt {
            external_id: SENT.into(),
            code: Some("queued".into()),
            segments: Some(1),
            rate_limit_remaining: None,
        }),
    });
    let fixtures = Fixtures {
        sends: sends.collect(),
        ..Fixtures::default()
    };
    testkit::check::<Twilio>(config, &fixtures);
}

fn media(url: &str) -> Media {
    Media {
        source: MediaRef {
            url: Some(url.into()),
            ..MediaRef::default()
        },
        ..Media::default()
    }
}

fn template(variables: &Value) -> Content {
    Content {
        template: Some(TemplateCall {
            name: "HX1".into(),
            language: Some("en".into()),
            variables: variables.as_object().expect("an object").clone(),
            ..TemplateCall::default()
        }),
        ..Content::text("not sent beside a template")
    }
}

fn place(label: Option<&str>, address: Option<&str>) -> Location {
    Location {
        latitude: 52.5,
        longitude: -13.25,
        label: label.map(String::from),
        address: address.map(String::from),
    }
}

#[test]
fn sms_and_mms() {
    let callback = "https://gw.example.com/in/twilio/acme?message=0198b2a0&a=b";
    let with_callback = OutboundMessage {
        callback_url: Some(callback.into()),
        ..to_ada(Content::text("Hi & bye: 50% 😀 "))
    };
    let pictures = Content {
        media: vec![
            media("https://m.example/1?a=b&c"),
            media("https://m.example/2"),
        ],
        ..Content::text("Look")
    };
    let picture_alone = Content {
        media: vec![media("https://m.example/1")],
        ..Content::text("")
    };
    check(
        config(),
        vec![
            (
                "text",
                to_ada(Content::text("Hi")),
                &[("To", ADA), ("From", US), ("Body", "Hi")],
            ),
            (
                "text with callback",
                with_callback,
                &[
                    ("To", ADA),
                    ("From", US),
                    ("Body", "Hi & bye: 50% 😀 "),
                    ("StatusCallback", callback),
                ],
            ),
            (
                "pictures",
                to_ada(pictures),
                &[
                    ("To", ADA),
                    ("From", US),
                    ("Body", "Look"),
                    ("MediaUrl", "https://m.example/1?a=b&c"),
                    ("MediaUrl", "https://m.example/2"),
                ],
            ),
            (
                "picture alone",
                to_ada(picture_alone),
                &[
                    ("To", ADA),
                    ("From", US),
                    ("MediaUrl", "https://m.example/1"),
                ],
            ),
            (
                "template",
                to_ada(template(&json!({"1": "Ada", "2": "10:30"}))),
                &[
                    ("To", ADA),
                    ("From", US),
                    ("ContentSid", "HX1"),
                    ("ContentVariables", r#"{"1":"Ada","2":"10:30"}"#),
                ],
            ),
            (
                "template without variables",
                to_ada(template(&json!({}))),
                &[("To", ADA), ("From", US), ("ContentSid", "HX1")],
            ),
            (
                "WhatsApp person on an SMS channel",
                testkit::message("whatsapp", ADA, "Hi"),
                &[
                    ("To", "whatsapp:+15005550101"),
                    ("From", US),
                    ("Body", "Hi"),
                ],
            ),
        ],
    );
}

#[test]
fn messaging_service() {
    let service = config_with(&json!({"from": null, "messaging_service_sid": "MG1"}));
    check(
        service,
        vec![(
            "service alone",
            to_ada(Content::text("Hi")),
            &[("To", ADA), ("MessagingServiceSid", "MG1"), ("Body", "Hi")],
        )],
    );
    let both = config_with(&json!({"messaging_service_sid": "MG1"}));
    check(
        both,
        vec![(
            "both",
            to_ada(Content::text("Hi")),
            &[
                ("To", ADA),
                ("From", US),
                ("MessagingServiceSid", "MG1"),
                ("Body", "Hi"),
            ],
        )],
    );
}

#[test]
fn whatsapp() {
    let (to, from) = ("whatsapp:+15005550101", "whatsapp:+15005550102");
    check(
        config_with(&json!({"from": from})),
        vec![
            (
                "number",
                to_ada(Content::text("Hi")),
                &[("To", to), ("From", from), ("Body", "Hi")],
            ),
            (
                "with prefix",
                testkit::message("whatsapp", to, "Hi"),
                &[("To", to), ("From", from), ("Body", "Hi")],
            ),
            (
                "without number",
                testkit::message("whatsapp", "US.77", "Hi"),
                &[("To", "whatsapp:US.77"), ("From", from), ("Body", "Hi")],
            ),
            (
                "template",
                to_ada(template(&json!({"name": "Ada"}))),
                &[
                    ("To", to),
                    ("From", from),
                    ("ContentSid", "HX1"),
                    ("ContentVariables", r#"{"name":"Ada"}"#),
                ],
            ),
        ],
    );
}

/// Twilio wants a text or an attachment beside a place.
#[test]
fn places_over_whatsapp() {
    let (to, from) = ("whatsapp:+15005550101", "whatsapp:+15005550102");
    let located = |text: &str, place: Location| {
        to_ada(Content {
            location: Some(place),
            ..Content::text(text)
        })
    };
    let located_picture = Content {
        media: vec![media("https://m.example/1")],
        location: Some(place(None, None)),
        ..Content::default()
    };
    check(
        config_with(&json!({"from": from})),
        vec![
            (
                "place with text",
                located("Here", place(Some("Office"), Some("1 Main Street"))),
                &[
                    ("To", to),
                    ("From", from),
                    ("Body", "Here"),
                    ("PersistentAction", "geo:52.5,-13.25|Office"),
                ],
            ),
            (
                "place with name",
                located("", place(Some("Office"), None)),
                &[
                    ("To", to),
                    ("From", from),
                    ("Body", "Office"),
                    ("PersistentAction", "geo:52.5,-13.25|Office"),
                ],
            ),
            (
                "place with address",
                located("", place(Some(""), Some("1 Main Street"))),
                &[
                    ("To", to),
                    ("From", from),
                    ("Body", "1 Main Street"),
                    ("PersistentAction", "geo:52.5,-13.25"),
                ],
            ),
            (
                "bare place",
                located("", place(None, None)),
                &[
                    ("To", to),
                    ("From", from),
                    ("Body", "52.5, -13.25"),
                    ("PersistentAction", "geo:52.5,-13.25"),
                ],
            ),
            (
                "place beside a picture",
                to_ada(located_picture),
                &[
                    ("To", to),
                    ("From", from),
                    ("MediaUrl", "https://m.example/1"),
                    ("PersistentAction", "geo:52.5,-13.25"),
                ],
            ),
        ],
    );
}

/// The API key authenticates in place of the token; the path keeps the account.
#[test]
fn an_api_key_goes_first() {
    let kit = kit_with(&json!({
        "api_key_sid": "SK00000000000000000000000000000001",
        "api_key_secret": ["api-key-secret", "an-older-secret"],
    }));
    let basic = "Basic U0swMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMTphcGkta2V5LXNlY3JldA==";
    let run = kit.send(&to_ada(Content::text("Hi")), [testkit::reply(500, "")]);
    let form: Pairs<'_> = &[("To", ADA), ("From", US), ("Body", "Hi")];
    assert_eq!(run.requests, [post_as(basic, form)]);
}

/// Of several tokens the first one authenticates; the base may have a path.
#[test]
fn token_and_base() {
    let kit = kit_with(&json!({
        "auth_token": [super::TOKEN, "an-older-token"],
        "api_base": "http://127.0.0.1:8080/twilio/",
    }));
    let run = kit.send(&to_ada(Content::text("Hi")), [testkit::reply(500, "")]);
    let [Request::Http(request)] = run.requests.as_slice() else {
        panic!("{run:?}");
    };
    let url = format!("http://127.0.0.1:8080/twilio/2010-04-01/Accounts/{ACCOUNT}/Messages.json");
    assert_eq!(request.url, url);
    assert_eq!(request.headers[0].value, BASIC);
    assert!(request.headers[0].sensitive);
    assert_eq!(
        request.redirects_max, 0,
        "a redirected send might be made twice"
    );
}
