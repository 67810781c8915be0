//! What Telegram refuses, and in which words.

use super::account::{Account, Chat, TelegramFile};
use crate::reply::Reply;
use serde_json::{Map, Value, json};

const MIB: usize = 1024 * 1024;

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) description: String,
    pub(super) parameters: Value,
}

impl Refusal {
    pub(super) fn new(code: u16, description: impl Into<String>) -> Self {
        Self {
            code,
            description: description.into(),
            parameters: Value::Null,
        }
    }

    pub(super) fn bad(words: &str) -> Self {
        Self::new(400, format!("Bad Request: {words}"))
    }

    pub(super) fn reply(&self) -> Reply {
        let mut body = json!({
            "ok": false, "error_code": self.code, "description": self.description,
        });
        if !self.parameters.is_null() {
            body["parameters"] = self.parameters.clone();
        }
        Reply::json(self.code, &body)
    }
}

/// The parameters of the methods that send, besides those of every one.
const METHODS: &[(&str, &[&str])] = &[
    ("sendMessage", &["text", "reply_markup"]),
    ("sendPhoto", &["photo", "caption"]),
    ("sendDocument", &["document", "caption"]),
    ("sendVideo", &["video", "caption"]),
    ("sendAudio", &["audio", "caption"]),
    ("sendVoice", &["voice", "caption"]),
    ("sendAnimation", &["animation", "caption"]),
    ("sendLocation", &["latitude", "longitude"]),
    ("sendVenue", &["latitude", "longitude", "title", "address"]),
    (
        "sendContact",
        &["phone_number", "first_name", "last_name", "vcard"],
    ),
    ("setMessageReaction", &["message_id", "reaction"]),
    ("sendChatAction", &["action"]),
];

/// Emoji that can be put on a message: some of those that the page on `ReactionTypeEmoji` lists.
const EMOJI: [&str; 6] = ["❤", "👍", "👎", "🔥", "🎉", "🙏"];

/// A send that is right.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) method: &'static str,
    pub(super) chat: i64,
    pub(super) parameters: Map<String, Value>,
    pub(super) file: Option<TelegramFile>,
}

/// The method as the documentation spells it: names are not case sensitive.
pub(super) fn sending(method: &str) -> Option<(&'static str, &'static [&'static str])> {
    let mut known = METHODS.iter().copied();
    known.find(|(name, _)| name.eq_ignore_ascii_case(method))
}

/// Checks a send. What Telegram would pass over in silence is a finding.
pub(super) fn admit(
    account: &Account,
    (method, known): (&'static str, &'static [&'static str]),
    parameters: Map<String, Value>,
    file: Option<TelegramFile>,
    findings: &mut Vec<String>,
) -> Result<Draft, Refusal> {
    for name in parameters.keys() {
        if !known.contains(&name.as_str())
            && !["chat_id", "reply_parameters"].contains(&name.as_str())
        {
            findings.push(format!("{method} has no parameter {name}"));
        }
    }
    let chat = chat(account, &parameters)?;
    match method {
        "sendMessage" => {
            bounded(&parameters, "text", 4_096, "message is too long")?;
            if text(&parameters, "text").is_none_or(|text| text.trim().is_empty()) {
                return Err(Refusal::bad("message text is empty"));
            }
        }
        "sendLocation" | "sendVenue" => place(&parameters)?,
        "setMessageReaction" => reaction(account, chat, &parameters)?,
        "sendChatAction" if text(&parameters, "action") != Some("typing") => {
            return Err(Refusal::bad("wrong parameter action in request"));
        }
        "sendChatAction" | "sendContact" => {}
        _ => media(account, known[0], &parameters, file.as_ref())?,
    }
    let texts: &[&str] = match method {
        "sendVenue" => &["title", "address"],
        "sendContact" => &["phone_number", "first_name"],
        _ => &[],
    };
    for name in texts {
        if text(&parameters, name).is_none_or(str::is_empty) {
            return Err(Refusal::bad(&format!("{name} must be non-empty")));
        }
    }
    answered(account, chat, &parameters)?;
    Ok(Draft {
        method,
        chat,
        parameters,
        file,
    })
}

fn text<'a>(parameters: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    parameters.get(name)?.as_str()
}

/// A parameter that is an object: a form holds it as text.
fn object(parameters: &Map<String, Value>, name: &str) -> Option<Value> {
    match parameters.get(name)? {
        Value::String(text) => serde_json::from_str(text).ok(),
        other => Some(other.clone()),
    }
}

fn number(parameters: &Map<String, Value>, name: &str) -> Option<i64> {
    match parameters.get(name)? {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    }
}

fn chat(account: &Account, parameters: &Map<String, Value>) -> Result<i64, Refusal> {
    if !parameters.contains_key("chat_id") {
        return Err(Refusal::bad("chat_id is empty"));
    }
    let unknown = || Refusal::bad("chat not found");
    let chat = number(parameters, "chat_id").ok_or_else(unknown)?;
    match account.chats.get(&chat) {
        None => Err(unknown()),
        Some(Chat::Open) => Ok(chat),
        Some(Chat::Blocked) => Err(Refusal::new(403, "Forbidden: bot was blocked by the user")),
        Some(Chat::MovedTo(to)) => Err(Refusal {
            parameters: json!({"migrate_to_chat_id": to}),
            ..Refusal::bad("group chat was upgraded to a supergroup chat")
        }),
    }
}

fn bounded(
    parameters: &Map<String, Value>,
    name: &str,
    max: usize,
    words: &str,
) -> Result<(), Refusal> {
    match text(parameters, name) {
        Some(text) if text.chars().count() > max => Err(Refusal::bad(words)),
        _ => Ok(()),
    }
}

fn place(parameters: &Map<String, Value>) -> Result<(), Refusal> {
    for (name, max) in [("latitude", 90.0), ("longitude", 180.0)] {
        let degrees = parameters.get(name).and_then(Value::as_f64);
        if degrees.is_none_or(|degrees| !(-max..=max).contains(&degrees)) {
            return Err(Refusal::bad(&format!("{name} is empty")));
        }
    }
    Ok(())
}

fn reaction(account: &Account, chat: i64, parameters: &Map<String, Value>) -> Result<(), Refusal> {
    let message = number(parameters, "message_id");
    if !message.is_some_and(|message| account.knows(chat, message)) {
        return Err(Refusal::bad("message to react not found"));
    }
    let list = object(parameters, "reaction").unwrap_or_default();
    for one in list.as_array().into_iter().flatten() {
        let emoji = one["emoji"].as_str().unwrap_or_default();
        if one["type"] != "emoji" || !EMOJI.contains(&emoji) {
            return Err(Refusal::bad("REACTION_INVALID"));
        }
    }
    Ok(())
}

/// A file of the form, a `file_id` of the bot's, or a link that Telegram fetches.
fn media(
    account: &Account,
    name: &str,
    parameters: &Map<String, Value>,
    file: Option<&TelegramFile>,
) -> Result<(), Refusal> {
    bounded(parameters, "caption", 1_024, "message caption is too long")?;
    if let Some(file) = file.filter(|file| file.parameter == name) {
        return match file.bytes.len() {
            0 => Err(Refusal::bad("file must be non-empty")),
            len if len > 50 * MIB => Err(Refusal::new(413, "Request Entity Too Large")),
            len if name == "photo" && len > 10 * MIB => {
                Err(Refusal::bad("file is too big for a photo"))
            }
            _ => Ok(()),
        };
    }
    let missing = format!("there is no {name} in the request");
    let given = text(parameters, name).ok_or_else(|| Refusal::bad(&missing))?;
    if account.files.contains_key(given) {
        return Ok(());
    }
    let Some(link) = given
        .strip_prefix("https://")
        .or(given.strip_prefix("http://"))
    else {
        return Err(Refusal::bad("wrong file identifier/HTTP URL specified"));
    };
    // Documents by link work for these alone (Bot API, sending by URL).
    let ends = |ending: &str| link.to_ascii_lowercase().ends_with(ending);
    if name == "document" && ![".pdf", ".zip", ".gif"].into_iter().any(ends) {
        return Err(Refusal::bad("failed to get HTTP URL content"));
    }
    Ok(())
}

fn answered(account: &Account, chat: i64, parameters: &Map<String, Value>) -> Result<(), Refusal> {
    let Some(answered) = object(parameters, "reply_parameters") else {
        return Ok(());
    };
    let id = answered["message_id"].as_i64();
    let known = id.is_some_and(|id| account.knows(chat, id));
    if known || answered["allow_sending_without_reply"] == true {
        return Ok(());
    }
    Err(Refusal::bad("message to be replied not found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: &str, parameters: Value) -> Option<String> {
        let mut account = Account::new();
        account.chats.insert(1, Chat::Open);
        account.chats.insert(2, Chat::Blocked);
        account.chats.insert(-3, Chat::MovedTo(-100));
        let number = account.new_message(1);
        assert_eq!(number, 1);
        let Value::Object(parameters) = parameters else {
            panic!("no object");
        };
        let method = sending(method).expect("a method");
        let admitted = admit(&account, method, parameters, None, &mut Vec::new());
        admitted.err().map(|refusal| refusal.description)
    }

    /// Method, parameters, and a piece of the refusal's words; none where it is taken.
    fn assert_said<const N: usize>(rows: [(&str, Value, Option<&str>); N]) {
        for (method, parameters, words) in rows {
            let said = refused(method, parameters.clone());
            match (&said, words) {
                (Some(said), Some(words)) => assert!(said.contains(words), "{said}"),
                (said, words) => assert_eq!(said.as_deref(), words, "{parameters}"),
            }
        }
    }

    #[test]
    fn texts_are_checked_in_telegrams_words() {
        let long = "é".repeat(4_097);
        let reply = |id: i64| json!({"message_id": id});
        assert_said([
            ("sendmessage", json!({"chat_id": 1, "text": "a"}), None),
            (
                "sendMessage",
                json!({"text": "a"}),
                Some("chat_id is empty"),
            ),
            (
                "sendMessage",
                json!({"chat_id": 9, "text": "a"}),
                Some("chat not found"),
            ),
            (
                "sendMessage",
                json!({"chat_id": 1, "text": " "}),
                Some("message text is empty"),
            ),
            (
                "sendMessage",
                json!({"chat_id": 1, "text": long}),
                Some("message is too long"),
            ),
            (
                "sendMessage",
                json!({"chat_id": -3, "text": "a"}),
                Some("upgraded to a supergroup"),
            ),
            (
                "sendMessage",
                json!({"chat_id": 1, "text": "a", "reply_parameters": reply(5)}),
                Some("replied not found"),
            ),
            (
                "sendMessage",
                json!({"chat_id": 1, "text": "a", "reply_parameters": reply(1)}),
                None,
            ),
        ]);
        assert_eq!(
            refused("sendMessage", json!({"chat_id": 2, "text": "a"})).as_deref(),
            Some("Forbidden: bot was blocked by the user")
        );
    }

    #[test]
    fn other_sends_are_checked() {
        let react = |emoji: &str| json!([{"type": "emoji", "emoji": emoji}]);
        assert_said([
            (
                "sendPhoto",
                json!({"chat_id": 1}),
                Some("there is no photo"),
            ),
            (
                "sendPhoto",
                json!({"chat_id": 1, "photo": "x"}),
                Some("wrong file identifier"),
            ),
            (
                "sendPhoto",
                json!({"chat_id": 1, "photo": "https://a.example/b"}),
                None,
            ),
            (
                "sendDocument",
                json!({"chat_id": 1, "document": "https://a.example/b"}),
                Some("failed to get"),
            ),
            (
                "sendVenue",
                json!({"chat_id": 1, "latitude": 1.0, "longitude": 2.0}),
                Some("title must be"),
            ),
            (
                "sendLocation",
                json!({"chat_id": 1, "latitude": 91.0, "longitude": 2.0}),
                Some("latitude"),
            ),
            (
                "setMessageReaction",
                json!({"chat_id": 1, "message_id": 1, "reaction": react("👍")}),
                None,
            ),
            (
                "setMessageReaction",
                json!({"chat_id": 1, "message_id": 2, "reaction": []}),
                Some("to react"),
            ),
            (
                "setMessageReaction",
                json!({"chat_id": 1, "message_id": 1, "reaction": react("x")}),
                Some("REACTION_INVALID"),
            ),
            (
                "sendChatAction",
                json!({"chat_id": 1, "action": "dancing"}),
                Some("parameter action"),
            ),
        ]);
    }
}
