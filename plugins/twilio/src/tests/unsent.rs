//! Messages that are refused before any call, and a call that is not made twice.

use serde_json::json;
use trunkline_plugin_api::{
    Content, ErrorClass, Interactive, Location, Media, MediaRef, OutboundMessage,
    testkit::{self, Kit},
};

use super::{ADA, kit, kit_with};
use crate::Twilio;

fn to_ada(content: Content) -> OutboundMessage {
    OutboundMessage {
        content,
        ..testkit::message("phone", ADA, "")
    }
}

#[test]
fn what_twilio_can_not_carry_is_refused() {
    let interactive = Interactive {
        kind: "button".into(),
        ..Interactive::default()
    };
    let by_file = Media {
        source: MediaRef {
            sha256: Some("00".into()),
            ..MediaRef::default()
        },
        ..Media::default()
    };
    let attachment = Media {
        source: MediaRef {
            url: Some("https://m.example".into()),
            ..MediaRef::default()
        },
        ..Media::default()
    };
    let html = Some("<p>Hi</p>".to_owned());
    let rows = [
        ("empty", Content::text("")),
        ("empty", Content::default()),
        (
            "empty",
            Content {
                html,
                ..Content::default()
            },
        ),
        (
            "unsupported_content",
            Content {
                interactive: Some(interactive),
                ..Content::text("Hi")
            },
        ),
        (
            "unsupported_content",
            Content {
                contacts: vec![json!({})],
                ..Content::text("Hi")
            },
        ),
        (
            "unsupported_content",
            Content {
                location: Some(Location::default()),
                ..Content::text("Hi")
            },
        ),
        (
            "media_not_public",
            Content {
                media: vec![by_file],
                ..Content::text("Hi")
            },
        ),
        (
            "too_many_media",
            Content {
                media: vec![attachment; 11],
                ..Content::default()
            },
        ),
    ];
    for (code, content) in rows {
        let run = kit().send(&to_ada(content), []);
        assert_eq!(run.requests, []);
        let error = run.outcome.expect_err("refused");
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
            json!({"auth_token": null}),
            ErrorClass::Credentials,
            "no_credentials",
        ),
        (
            json!({"account_sid": null}),
            ErrorClass::Credentials,
            "no_credentials",
        ),
        (json!({"from": null}), ErrorClass::Config, "no_sender"),
    ];
    for (changes, class, code) in rows {
        let kit = kit_with(&changes);
        assert!(!kit.facts.can_send, "{changes}");
        let run = kit.send(&to_ada(Content::text("Hi")), []);
        let error = run.outcome.expect_err("refused");
        assert_eq!(
            (error.class, error.code.as_str()),
            (class, code),
            "{changes}"
        );
    }
    let empty = Kit::<Twilio>::open(json!({}));
    assert!(!empty.facts.can_send && !empty.facts.can_receive);
}

/// After a restart the outcome of the call is not known: it is never made again.
#[test]
fn a_restart_does_not_send_twice() {
    let message = to_ada(Content::text("Hi"));
    let run = kit().send(&message, [testkit::reply(500, "")]);
    let [cursor] = run.cursors.as_slice() else {
        panic!("{run:?}");
    };
    for cursor in [cursor.clone(), json!("of another version"), json!({"a": 1})] {
        let again = kit().send_from(&message, cursor, []);
        assert_eq!(again.requests, []);
        let error = again.outcome.expect_err("not known");
        assert_eq!(error.class, ErrorClass::Ambiguous);
    }
}
