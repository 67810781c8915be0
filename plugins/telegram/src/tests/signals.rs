//! Buttons, reactions, people who block the bot.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Consent, ConsentChange, Content, Event, Identity, Interactive, Reaction, testkit::NOW_MS,
};

use super::{ADA, BOT, ada, chat, from_ada, group, kit, only_message, update};

fn under() -> Value {
    json!({
        "message_id": 8, "chat": chat(), "date": NOW_MS / 1_000, "text": "Sure?",
        "reply_markup": {"inline_keyboard": [[
            {"text": "No", "callback_data": "no"}, {"text": "Yes", "callback_data": "yes"},
        ]]},
    })
}

#[test]
fn a_pressed_button_is_a_message_and_is_acknowledged() {
    let query = json!({"id": "4382", "from": ada(), "chat_instance": "1", "data": "yes", "message": under()});
    let received = kit().receive(&update("callback_query", &query));
    let answer: Value = serde_json::from_slice(&received.response.body).expect("JSON");
    assert_eq!(
        answer,
        json!({"method": "answerCallbackQuery", "callback_query_id": "4382"})
    );
    let read = only_message(&received);
    assert_eq!(read.id, "callback:4382");
    assert_eq!(read.reply_to.as_deref(), Some("5001:8"));
    assert_eq!(read.sender, from_ada().sender);
    let pressed = Content {
        text: Some("Yes".into()),
        interactive: Some(Interactive {
            kind: "button".into(),
            id: Some("yes".into()),
            title: Some("Yes".into()),
            data: Value::Null,
        }),
        ..Content::default()
    };
    assert_eq!(read.content, pressed);
}

#[test]
fn a_button_without_its_message_is_the_persons() {
    let query = json!({"id": "4382", "from": ada(), "inline_message_id": "x", "data": "yes"});
    let read = only_message(&kit().receive(&update("callback_query", &query)));
    assert_eq!(
        read.sender.identity,
        Identity::new("telegram", ADA.to_string())
    );
    assert_eq!((read.content.text, read.reply_to), (None, None));
    let game = json!({"id": "4382", "from": ada(), "game_short_name": "chess"});
    let received = kit().receive(&update("callback_query", &game));
    assert!(matches!(received.events.as_slice(), [Event::Note(_)]));
    assert!(
        !received.response.body.is_empty(),
        "the phone waits all the same"
    );
}

fn changed(old: &Value, new: &Value) -> Vec<Event> {
    let change = json!({
        "chat": chat(), "message_id": 8, "user": ada(), "date": NOW_MS / 1_000,
        "old_reaction": old, "new_reaction": new,
    });
    kit().receive(&update("message_reaction", &change)).events
}

#[test]
fn reactions() {
    let (thumb, heart) = (
        json!({"type": "emoji", "emoji": "👍"}),
        json!({"type": "emoji", "emoji": "❤"}),
    );
    let rows = [
        (json!([]), json!([thumb]), "👍"),
        (json!([thumb]), json!([thumb, heart]), "❤"),
        (json!([thumb, heart]), json!([thumb]), "👍"),
        (json!([thumb]), json!([]), ""),
    ];
    for (old, new, emoji) in rows {
        let want = Reaction {
            id: "5001:8:reaction:10000".into(),
            target: "5001:8".into(),
            address: Some(BOT.into()),
            sender: from_ada().sender,
            emoji: emoji.into(),
            sent_at_ms: Some(NOW_MS),
        };
        assert_eq!(changed(&old, &new), [Event::Reaction(want)], "{new}");
    }
    let custom = json!([{"type": "custom_emoji", "custom_emoji_id": "5"}]);
    let events = changed(&json!([]), &custom);
    assert!(matches!(events.as_slice(), [Event::Note(_)]), "{events:?}");
}

fn member(chat: &Value, status: &str) -> Vec<Event> {
    let bot = json!({"id": 110_201_543, "is_bot": true, "first_name": "Bot"});
    let change = json!({
        "chat": chat, "from": ada(), "date": NOW_MS / 1_000,
        "old_chat_member": {"user": bot, "status": "member"},
        "new_chat_member": {"user": bot, "status": status},
    });
    kit().receive(&update("my_chat_member", &change)).events
}

#[test]
fn who_blocks_the_bot_wants_no_messages() {
    let consent = |change| {
        Event::Consent(Consent {
            identity: Identity::new("telegram", ADA.to_string()),
            address: Some(BOT.into()),
            change,
            source: Some("update:10000".into()),
        })
    };
    assert_eq!(member(&chat(), "kicked"), [consent(ConsentChange::OptOut)]);
    assert_eq!(member(&chat(), "member"), [consent(ConsentChange::OptIn)]);
    for (chat, status) in [
        (chat(), "restricted"),
        (group(), "kicked"),
        (group(), "member"),
    ] {
        let events = member(&chat, status);
        assert!(matches!(events.as_slice(), [Event::Note(_)]), "{events:?}");
    }
}
