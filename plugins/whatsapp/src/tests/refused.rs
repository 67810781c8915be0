//! Messages that are refused before any call, and sends that end without a receipt.

use serde_json::json;
use trunkline_plugin_api::{
    Content, ErrorClass, Interactive, Location, Lookup, Media, MediaRef, ReactionCall,
    TemplateCall, TransportKind, testkit,
};

use super::{
    send::{accepted, to_ada},
    *,
};

fn media(url: &str, content_type: &str) -> Vec<Media> {
    vec![Media {
        source: MediaRef {
            url: Some(url.into()),
            ..MediaRef::default()
        },
        content_type: Some(content_type.into()),
        ..Media::default()
    }]
}

fn template(language: Option<&str>, variables: &Value, components: Value) -> Content {
    Content {
        template: Some(TemplateCall {
            name: "a".into(),
            language: language.map(String::from),
            variables: variables.as_object().expect("an object").clone(),
            components,
            ..TemplateCall::default()
        }),
        ..Content::default()
    }
}

/// Nothing is dropped silently: what WhatsApp can't say is refused in words.
#[test]
fn what_whatsapp_can_not_say() {
    let place = Some(Location::default());
    let picture = || media("https://m.example/1", "image/png");
    let offer = |data: Value| {
        Some(Interactive {
            kind: "button".into(),
            data,
            ..Interactive::default()
        })
    };
    let table = [
        (Content::default(), "empty"),
        (
            Content {
                html: Some("<p>".into()),
                ..Content::default()
            },
            "empty",
        ),
        (Content::text("x".repeat(4_097)), "text_too_long"),
        (
            Content {
                media: [picture(), picture()].concat(),
                ..Content::default()
            },
            "too_many_media",
        ),
        (
            Content {
                media: picture(),
                ..Content::text("x".repeat(1_025))
            },
            "caption_too_long",
        ),
        (
            Content {
                media: media("https://m.example/1", "audio/mpeg"),
                ..Content::text("Hi")
            },
            "caption_unsupported",
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
                location: place.clone(),
                ..Content::text("Here")
            },
            "unsupported_content",
        ),
        (
            Content {
                location: place,
                media: picture(),
                ..Content::default()
            },
            "unsupported_content",
        ),
        (
            Content {
                contacts: vec![json!({})],
                ..Content::text("Her")
            },
            "unsupported_content",
        ),
        (
            Content {
                reaction: Some(ReactionCall::default()),
                ..Content::default()
            },
            "no_target",
        ),
        (
            Content {
                interactive: offer(Value::Null),
                ..Content::text("Hi")
            },
            "invalid_interactive",
        ),
        (
            Content {
                interactive: offer(json!({"body": {"text": "a"}})),
                ..Content::text("b")
            },
            "unsupported_content",
        ),
    ];
    for (content, code) in table {
        refuses(&content, code);
    }
}

#[test]
fn templates_that_can_not_be() {
    let table = [
        (template(None, &json!({}), Value::Null), "template_language"),
        (
            template(Some("en"), &json!({"1": "a", "3": "c"}), Value::Null),
            "template_variables",
        ),
        (
            template(Some("en"), &json!({"0": "a"}), Value::Null),
            "template_variables",
        ),
        (
            template(Some("en"), &json!({"1": null}), Value::Null),
            "template_variables",
        ),
        (
            template(Some("en"), &json!({"name": [1]}), Value::Null),
            "template_variables",
        ),
        (
            template(Some("en"), &json!({}), json!({"type": "body"})),
            "template_components",
        ),
    ];
    for (content, code) in table {
        refuses(&content, code);
    }
}

fn refuses(content: &Content, code: &str) {
    let error = kit()
        .send(&to_ada(content.clone()), [])
        .outcome
        .unwrap_err();
    assert_eq!(
        (error.class, error.code.as_str()),
        (ErrorClass::Content, code),
        "{content:?}"
    );
}

#[test]
fn half_a_channel_says_what_is_missing() {
    let hi = to_ada(Content::text("Hi"));
    let error = kit_with(&json!({"access_token": null}))
        .send(&hi, [])
        .outcome
        .unwrap_err();
    assert_eq!(
        (error.class, error.code.as_str()),
        (ErrorClass::Credentials, "no_credentials")
    );
    let error = kit_with(&json!({"phone_number_id": null}))
        .send(&hi, [])
        .outcome
        .unwrap_err();
    assert_eq!(
        (error.class, error.code.as_str()),
        (ErrorClass::Config, "no_sender")
    );
}

/// The call is made once: what came of it is not known after a restart, and nobody can be asked.
#[test]
fn a_send_is_never_repeated_blindly() {
    let hi = to_ada(Content::text("Hi"));
    let first = kit().send(&hi, [testkit::json_reply(200, &accepted())]);
    let cursor = first.cursors[0].clone();
    let error = kit().send_from(&hi, cursor, []).outcome.unwrap_err();
    assert_eq!(error.class, ErrorClass::Ambiguous);
    let error = kit()
        .send_from(&hi, json!("of another version"), [])
        .outcome
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Ambiguous);
    assert_eq!(kit().find_sent(&hi, []).outcome, Ok(Lookup::Unsure));
}

#[test]
fn answers_that_say_nothing_are_ambiguous() {
    let hi = to_ada(Content::text("Hi"));
    for body in [
        "",
        "<html>",
        "{}",
        "{\"messages\":[]}",
        "{\"messages\":[{\"id\":\"\"}]}",
    ] {
        let error = kit()
            .send(&hi, [testkit::reply(200, body)])
            .outcome
            .unwrap_err();
        assert_eq!(error.class, ErrorClass::Ambiguous, "{body}");
    }
    for (kind, class) in [
        (TransportKind::Connect, ErrorClass::Transient),
        (TransportKind::TimeoutAfterSend, ErrorClass::Ambiguous),
    ] {
        let error = kit()
            .send(&hi, [testkit::transport(kind)])
            .outcome
            .unwrap_err();
        assert_eq!(error.class, class);
    }
}

#[test]
fn paced_templates_have_their_word() {
    let mut answer = accepted();
    answer["messages"][0]["message_status"] = "held_for_quality_assessment".into();
    let content = template(Some("en"), &json!({}), Value::Null);
    let run = kit().send(&to_ada(content), [testkit::json_reply(200, &answer)]);
    assert_eq!(
        run.outcome.unwrap().code.as_deref(),
        Some("held_for_quality_assessment")
    );
}
