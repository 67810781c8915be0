//! What people do without writing: press a button, react, block the bot (Bot API, CallbackQuery,
//! MessageReactionUpdated, ChatMemberUpdated).

use serde_json::{Map, Value};
use trunkline_plugin_api::{
    Consent, ConsentChange, Content, Event, InboundMessage, Interactive, Reaction, Sender,
};

use crate::{fields, ids, message, receive::About};

/// A button under a message of ours. What the person saw is also the text, so that words of consent on buttons
/// count. None for a game, which has no data.
pub(crate) fn pressed(query: &Value, about: &About<'_>) -> Option<Event> {
    let id = fields::text(query, "id")?;
    let data = fields::text(query, "data")?;
    let from = query.get("from")?;
    let under = query.get("message");
    // Without a message it was sent by way of another chat, and only the person can be answered.
    let sender = match under.and_then(message::sender) {
        Some(sender) => sender,
        None => Sender {
            identity: ids::identity(from.get("id")?.as_i64()?),
            name: message::name(from),
            ..Sender::default()
        },
    };
    let title = under.and_then(|under| title(under, data));
    Some(Event::Message(InboundMessage {
        id: format!("callback:{id}"),
        address: about.address.map(String::from),
        sender,
        content: Content {
            text: title.clone(),
            interactive: Some(Interactive {
                kind: "button".into(),
                id: Some(data.into()),
                title,
                data: Value::Null,
            }),
            ..Content::default()
        },
        sent_at_ms: None,
        reply_to: under.and_then(ids::of_message),
        metadata: Map::from_iter([("from".to_owned(), from.clone())]),
    }))
}

/// What stands on the button, from the keyboard under the message.
fn title(under: &Value, data: &str) -> Option<String> {
    let rows = under.pointer("/reply_markup/inline_keyboard")?.as_array()?;
    let mut buttons = rows.iter().filter_map(Value::as_array).flatten();
    let button = buttons.find(|button| fields::text(button, "callback_data") == Some(data))?;
    fields::owned(button, "text")
}

/// The emoji that a person has put on a message now, or that none is there any more. None for what has no
/// character: custom and paid ones.
pub(crate) fn reaction(change: &Value, about: &About<'_>) -> Option<Event> {
    let target = ids::of_message(change)?;
    let list = |field: &str| change.get(field).and_then(Value::as_array);
    let (old, new) = (list("old_reaction"), list("new_reaction")?);
    let is_new = |one: &&Value| !old.is_some_and(|old| old.contains(one));
    let now = new.iter().find(is_new).or_else(|| new.last());
    let emoji = match now {
        Some(now) => fields::text(now, "emoji")?,
        None => "",
    };
    Some(Event::Reaction(Reaction {
        id: format!("{target}:reaction:{}", about.number),
        target,
        address: about.address.map(String::from),
        sender: message::sender(change)?,
        emoji: emoji.into(),
        sent_at_ms: fields::time(change, "date"),
    }))
}

/// A person who blocks the bot wants no messages; one who starts it again does. None in groups, where an
/// administrator removes or adds the bot.
pub(crate) fn membership(change: &Value, about: &About<'_>) -> Option<Event> {
    if !message::is_private(change) {
        return None;
    }
    let change_to = match change.pointer("/new_chat_member/status")?.as_str()? {
        "kicked" => ConsentChange::OptOut,
        "member" => ConsentChange::OptIn,
        _ => return None,
    };
    Some(Event::Consent(Consent {
        identity: ids::identity(ids::chat(change)?),
        address: about.address.map(String::from),
        change: change_to,
        source: Some(format!("update:{}", about.number)),
    }))
}
