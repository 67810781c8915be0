//! The proof of an update, and messages.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Content, Event, Identity, InboundMessage, Note, Received, Response, Verdict,
    testkit::{self, Fixtures, Inbound, Kit, NOW_MS, Tampering},
};

use super::{
    GROUP, HOOK, SECRET, TOKEN, ada, authentic, config, from_ada, group, kit, message,
    only_message, signed, update,
};
use crate::Telegram;

fn hello() -> Value {
    message(&json!({"text": "hello"}))
}

/// The secret is beside the body, so a changed body can't be told.
#[test]
fn the_table() {
    let note = |kind: &str, data: Value| {
        authentic(Event::Note(Note {
            kind: kind.into(),
            data,
        }))
    };
    let row = |name, request, want| Inbound {
        name,
        request,
        want,
    };
    let text = InboundMessage {
        content: Content::text("hello"),
        ..from_ada()
    };
    let mut unsigned = update("message", &hello());
    unsigned.headers.pop();
    let mut forged = update("message", &hello());
    forged.headers[1].1 = "made-up_SECRET-012345678".into();
    let refused = |verdict, status, reason| Received::refused(verdict, status, reason);
    let unparsed = |why| Received::unparsed(Response::status(200), why);
    let service = message(&json!({"new_chat_title": "Support 2", "chat": group()}));
    let post = json!({"message_id": 1, "chat": {"id": -100, "type": "channel"}, "text": "news"});
    let fixtures = Fixtures {
        inbound: vec![
            row(
                "a text",
                update("message", &hello()),
                authentic(Event::Message(text)),
            ),
            row(
                "unsigned",
                unsigned,
                refused(
                    Verdict::Unsigned,
                    401,
                    "no x-telegram-bot-api-secret-token: give secret_token to Telegram with setWebhook",
                ),
            ),
            row(
                "forged",
                forged,
                refused(
                    Verdict::Mismatch,
                    403,
                    "x-telegram-bot-api-secret-token is not secret_token of the configuration",
                ),
            ),
            row(
                "a service message",
                update("message", &service),
                note("message", service),
            ),
            row(
                "a channel's post",
                update("channel_post", &post),
                note("channel_post", post),
            ),
            row(
                "a new kind",
                update("new", &json!({"a": 1})),
                note("new", json!({"a": 1})),
            ),
            row(
                "no JSON",
                signed("no JSON"),
                unparsed("not the JSON of an update"),
            ),
            row(
                "no update",
                signed(r#"{"message": {"text": "a"}}"#),
                unparsed("an update has an update_id and one other member"),
            ),
        ],
        sends: Vec::new(),
        tampering: Tampering::Unseen,
    };
    testkit::check::<Telegram>(config(), &fixtures);
}

#[test]
fn without_a_secret_nothing_can_be_proved() {
    let received =
        Kit::<Telegram>::open(json!({"bot_token": TOKEN})).receive(&update("message", &hello()));
    assert_eq!(
        (received.verdict, received.response.status),
        (Verdict::NoSecret, 404)
    );
    assert!(
        received
            .reason
            .unwrap()
            .contains("[channel.under_test.config]")
    );
}

#[test]
fn both_secrets_prove_while_one_is_changed() {
    let mut config = config();
    config["secret_token"] = json!(["the-next-secret", SECRET]);
    let kit = Kit::<Telegram>::open(config);
    for (secret, verdict) in [
        ("the-next-secret", Verdict::Authentic),
        (SECRET, Verdict::Authentic),
        ("", Verdict::Mismatch),
        ("the-next-secreT", Verdict::Mismatch),
    ] {
        let mut request = testkit::post(HOOK, "application/json", r#"{"update_id":1,"a":{}}"#);
        let header = ("x-telegram-bot-api-secret-token".into(), secret.into());
        request.headers.push(header);
        assert_eq!(kit.receive(&request).verdict, verdict, "{secret}");
    }
}

#[test]
fn an_answer_names_what_it_answers() {
    let first = json!({"message_id": 3, "chat": {"id": 5001, "type": "private"}, "text": "Hi"});
    let answer = message(&json!({"text": "yes", "reply_to_message": first}));
    let read = only_message(&kit().receive(&update("message", &answer)));
    assert_eq!(read.reply_to.as_deref(), Some("5001:3"));
    assert_eq!(read.metadata.get("reply_to_message"), None);
}

#[test]
fn a_group_is_one_contact_and_says_who_wrote() {
    let said = message(&json!({"text": "help", "chat": group(), "message_thread_id": 9}));
    let read = only_message(&kit().receive(&update("message", &said)));
    assert_eq!(read.id, format!("{GROUP}:7"));
    assert_eq!(
        read.sender.identity,
        Identity::new("telegram", GROUP.to_string())
    );
    assert_eq!(read.sender.name.as_deref(), Some("Support"));
    assert_eq!(
        Value::from(read.metadata),
        json!({"from": ada(), "message_thread_id": 9, "chat": group()})
    );
}

#[test]
fn what_machines_write_is_marked() {
    let bot = json!({"id": 9, "is_bot": true, "first_name": "Other"});
    let rows = [
        (json!({"text": "a", "chat": group(), "from": bot}), true),
        (
            json!({"text": "a", "chat": group(), "from": bot, "sender_chat": group()}),
            false,
        ),
        (
            json!({"text": "a", "chat": group(), "is_automatic_forward": true}),
            true,
        ),
        (json!({"text": "a"}), false),
    ];
    for (members, automatic) in rows {
        let read = only_message(&kit().receive(&update("message", &message(&members))));
        assert_eq!(
            read.metadata.contains_key("auto_reply"),
            automatic,
            "{members}"
        );
    }
}

#[test]
fn a_changed_message_answers_the_first() {
    let changed = message(&json!({"text": "new", "edit_date": NOW_MS / 1_000 + 60}));
    let read = only_message(&kit().receive(&update("edited_message", &changed)));
    assert_eq!(
        (read.id.as_str(), read.reply_to.as_deref()),
        ("5001:7:edit:10000", Some("5001:7"))
    );
    assert_eq!(read.sent_at_ms, Some(NOW_MS + 60_000));
    assert_eq!(read.content, Content::text("new"));
    assert!(read.metadata["note"].as_str().unwrap().contains("changed"));
    let place = json!({"latitude": 1.0, "longitude": 2.0, "live_period": 900});
    let moved = message(&json!({"location": place}));
    let received = kit().receive(&update("edited_message", &moved));
    assert!(
        matches!(received.events.as_slice(), [Event::Note(_)]),
        "{received:?}"
    );
}
