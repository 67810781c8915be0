//! Messages and the exact calls that they lead to.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Content, ErrorClass, Interactive, Location, Media, MediaRef, OutboundMessage, ReactionCall,
    Receipt, Request,
    testkit::{self, Exchange, Fixtures, Tampering},
};

use super::{GROUP, call, config, kit, refusal, taken, to_ada};
use crate::Telegram;

fn receipt(id: &str) -> Receipt {
    Receipt {
        external_id: id.into(),
        ..Receipt::default()
    }
}

fn sent(
    name: &'static str,
    message: OutboundMessage,
    method: &str,
    parameters: &Value,
) -> Exchange {
    Exchange {
        name,
        message,
        replies: vec![taken(42)],
        requests: vec![Request::Http(call(method, parameters))],
        outcome: Ok(receipt("5001:42")),
    }
}

fn with(content: Content) -> OutboundMessage {
    OutboundMessage {
        content,
        ..to_ada("")
    }
}

fn linked(url: &str, kind: Option<&str>, text: Option<&str>) -> OutboundMessage {
    with(Content {
        text: text.map(String::from),
        media: vec![Media {
            source: MediaRef {
                url: Some(url.into()),
                ..MediaRef::default()
            },
            content_type: kind.map(String::from),
            ..Media::default()
        }],
        ..Content::default()
    })
}

fn place(label: Option<&str>, address: Option<&str>) -> OutboundMessage {
    with(Content {
        location: Some(Location {
            latitude: 52.5,
            longitude: 13.4,
            label: label.map(String::from),
            address: address.map(String::from),
        }),
        ..Content::default()
    })
}

fn answering(id: &str) -> OutboundMessage {
    OutboundMessage {
        reply_to: Some(id.into()),
        ..to_ada("yes")
    }
}

#[test]
fn the_table() {
    let keyboard = json!({"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]});
    let offer = with(Content {
        text: Some("Sure?".into()),
        interactive: Some(Interactive {
            kind: "button".into(),
            data: keyboard.clone(),
            ..Interactive::default()
        }),
        ..Content::default()
    });
    let card = with(Content {
        contacts: vec![json!({"phone_number": "+15550100", "first_name": "Grace", "user_id": 1})],
        ..Content::default()
    });
    let answered = json!({"message_id": 7, "allow_sending_without_reply": true});
    let png = "https://files.example.org/a.png";
    let fixtures = Fixtures {
        inbound: Vec::new(),
        sends: vec![
            sent(
                "a text",
                to_ada("hello"),
                "sendMessage",
                &json!({"text": "hello", "chat_id": 5001}),
            ),
            sent(
                "an answer",
                answering("5001:7"),
                "sendMessage",
                &json!({"text": "yes", "chat_id": 5001, "reply_parameters": answered}),
            ),
            sent(
                "an answer to a changed message",
                answering("5001:7:edit:10000"),
                "sendMessage",
                &json!({"text": "yes", "chat_id": 5001, "reply_parameters": answered}),
            ),
            sent(
                "an answer to a message elsewhere",
                answering("5002:7"),
                "sendMessage",
                &json!({"text": "yes", "chat_id": 5001}),
            ),
            sent(
                "buttons",
                offer,
                "sendMessage",
                &json!({"text": "Sure?", "reply_markup": keyboard, "chat_id": 5001}),
            ),
            sent(
                "a photo by its link",
                linked(png, Some("image/png"), Some("look")),
                "sendPhoto",
                &json!({"caption": "look", "photo": png, "chat_id": 5001}),
            ),
            sent(
                "a file by its ending",
                linked("https://files.example.org/a.pdf?x=.mp4", None, None),
                "sendDocument",
                &json!({"document": "https://files.example.org/a.pdf?x=.mp4", "chat_id": 5001}),
            ),
            sent(
                "a place",
                place(Some("Office"), None),
                "sendLocation",
                &json!({"latitude": 52.5, "longitude": 13.4, "chat_id": 5001}),
            ),
            sent(
                "a venue",
                place(Some("Office"), Some("1 Main Street")),
                "sendVenue",
                &json!({
                    "latitude": 52.5, "longitude": 13.4, "title": "Office",
                    "address": "1 Main Street", "chat_id": 5001,
                }),
            ),
            sent(
                "a contact",
                card,
                "sendContact",
                &json!({"phone_number": "+15550100", "first_name": "Grace", "chat_id": 5001}),
            ),
        ],
        tampering: Tampering::Unseen,
    };
    testkit::check::<Telegram>(config(), &fixtures);
}

#[test]
fn methods_by_type() {
    for (kind, method) in [
        ("image/jpeg", "sendPhoto"),
        ("IMAGE/PNG; a=b", "sendPhoto"),
        ("image/webp", "sendPhoto"),
        ("image/gif", "sendAnimation"),
        ("image/tiff", "sendDocument"),
        ("video/mp4", "sendVideo"),
        ("video/webm", "sendDocument"),
        ("audio/mpeg", "sendAudio"),
        ("audio/ogg", "sendVoice"),
        ("application/pdf", "sendDocument"),
    ] {
        let message = linked("https://files.example.org/a", Some(kind), None);
        let run = kit().send(&message, [taken(42)]);
        let Some(Request::Http(request)) = run.requests.first() else {
            panic!("no call");
        };
        assert!(request.url.ends_with(&format!("/{method}")), "{kind}");
    }
}

#[test]
fn a_reaction_is_put_and_taken_back() {
    for (emoji, list) in [
        ("👍", json!([{"type": "emoji", "emoji": "👍"}])),
        ("", json!([])),
    ] {
        let message = with(Content {
            reaction: Some(ReactionCall {
                target: "5001:7".into(),
                emoji: emoji.into(),
            }),
            ..Content::default()
        });
        let done = testkit::json_reply(200, &json!({"ok": true, "result": true}));
        let run = kit().send(&message, [done]);
        let parameters = json!({"chat_id": 5001, "message_id": 7, "reaction": list});
        assert_eq!(
            run.requests,
            [Request::Http(call("setMessageReaction", &parameters))]
        );
        assert_eq!(
            run.outcome,
            Ok(receipt(&format!("5001:7:reaction:{}", message.id)))
        );
    }
}

#[test]
fn a_public_name_is_a_recipient() {
    let message = testkit::message("telegram", "@acme_news", "hello");
    let run = kit().send(&message, [taken(42)]);
    let parameters = json!({"text": "hello", "chat_id": "@acme_news"});
    assert_eq!(
        run.requests,
        [Request::Http(call("sendMessage", &parameters))]
    );
}

/// The group's old id is answered with its new one, once.
#[test]
fn a_group_that_became_another_chat_is_followed() {
    let words = "Bad Request: group chat was upgraded to a supergroup chat";
    let moved = refusal(400, words, &json!({"migrate_to_chat_id": GROUP}));
    let message = testkit::message("telegram", "-1234", "hello");
    let run = kit().send(&message, [moved.clone(), taken(42)]);
    let asked = |chat: i64| {
        Request::Http(call(
            "sendMessage",
            &json!({"text": "hello", "chat_id": chat}),
        ))
    };
    assert_eq!(run.requests, [asked(-1234), asked(GROUP)]);
    assert_eq!(run.cursors, [json!({}), json!({"moved_to": GROUP})]);
    assert_eq!(run.outcome, Ok(receipt("5001:42")));
    let run = kit().send(&message, [moved.clone(), moved]);
    assert_eq!(
        run.outcome.expect_err("it is refused").class,
        ErrorClass::Recipient
    );
}

/// What can't be sent is refused before anything is called.
#[test]
fn what_telegram_can_not_carry() {
    let photo = linked("https://files.example.org/a.png", None, None).content;
    let text = |text: &str| Content::text(text);
    let rows = [
        (Content::default(), "empty"),
        (text(&"é".repeat(4_097)), "text_too_long"),
        (
            Content {
                text: Some("é".repeat(1_025)),
                ..photo.clone()
            },
            "caption_too_long",
        ),
        (
            Content {
                media: vec![photo.media[0].clone(), photo.media[0].clone()],
                ..Content::default()
            },
            "too_many_media",
        ),
        (
            Content {
                location: Some(Location::default()),
                ..photo.clone()
            },
            "unsupported_content",
        ),
        (
            Content {
                location: Some(Location::default()),
                ..text("here")
            },
            "unsupported_content",
        ),
        (
            Content {
                interactive: Some(Interactive::default()),
                ..text("Sure?")
            },
            "invalid_interactive",
        ),
        (
            Content {
                contacts: vec![json!({"name": "Grace"})],
                ..Content::default()
            },
            "invalid_contact",
        ),
        (
            Content {
                reaction: Some(ReactionCall {
                    target: "5002:7".into(),
                    emoji: "👍".into(),
                }),
                ..Content::default()
            },
            "no_target",
        ),
        (
            Content {
                media: vec![Media::default()],
                ..Content::default()
            },
            "media_missing",
        ),
        (
            Content {
                template: Some(trunkline_plugin_api::TemplateCall::default()),
                ..Content::default()
            },
            "unsupported_content",
        ),
    ];
    for (content, code) in rows {
        let run = kit().send(&with(content), []);
        let error = run.outcome.expect_err("it is refused");
        assert_eq!(
            (error.class, error.code.as_str()),
            (ErrorClass::Content, code)
        );
    }
    assert!(
        kit()
            .send(&with(text(&"é".repeat(4_096))), [taken(1)])
            .outcome
            .is_ok()
    );
    for to in ["", "ada", "@", "@a b", "5001 ", "5.1", "@a/../b"] {
        let message = testkit::message("telegram", to, "hello");
        let error = kit().send(&message, []).outcome.expect_err("nobody");
        assert_eq!(error.class, ErrorClass::Recipient, "{to:?}");
    }
}

#[test]
fn after_a_restart_nobody_knows() {
    let message = to_ada("hello");
    let cursor = kit().send(&message, [taken(42)]).cursors.swap_remove(0);
    assert!(!cursor.is_null(), "a null cursor could not be asked about");
    let run = kit().send_from(&message, cursor, []);
    assert_eq!(
        run.outcome.expect_err("unknown").class,
        ErrorClass::Ambiguous
    );
}
