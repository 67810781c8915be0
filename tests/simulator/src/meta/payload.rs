//! Webhooks as Meta builds them: messages of every kind, batches, account events.

use super::Meta;
use super::account::new_wamid;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// A message that a person writes.
#[derive(Debug, Clone, PartialEq)]
pub struct WaMessage {
    /// `wamid.` and more; the same value delivered twice is a repeat.
    pub id: String,
    /// The person's number with its plus; none where it is hidden.
    pub number: Option<String>,
    /// The person's business-scoped id.
    pub user_id: Option<String>,
    /// The name in the person's profile.
    pub profile_name: String,
    /// When it was sent, in seconds since 1970.
    pub at: i64,
    /// `type` of the message.
    pub kind: String,
    /// The member that is named like the type.
    pub object: Value,
    /// Further members of the message: `context`, `referral`, `errors`.
    pub more: Vec<(String, Value)>,
}

impl WaMessage {
    /// A message of any kind from a number.
    pub fn new(number: &str, kind: &str, object: Value) -> Self {
        Self {
            id: new_wamid(),
            number: Some(number.to_owned()),
            user_id: None,
            profile_name: "Ada".to_owned(),
            at: jiff::Timestamp::now().as_second(),
            kind: kind.to_owned(),
            object,
            more: Vec::new(),
        }
    }

    /// A text.
    pub fn text(number: &str, text: &str) -> Self {
        Self::new(number, "text", json!({ "body": text }))
    }

    /// An emoji on a message; an empty one takes it back.
    pub fn reaction(number: &str, target: &str, emoji: &str) -> Self {
        let mut object = json!({ "message_id": target });
        if !emoji.is_empty() {
            object["emoji"] = emoji.into();
        }
        Self::new(number, "reaction", object)
    }

    /// The person also has this business-scoped id.
    #[must_use]
    pub fn with_user_id(mut self, id: &str) -> Self {
        self.user_id = Some(id.to_owned());
        self
    }

    /// The person hides the number.
    #[must_use]
    pub fn without_number(mut self) -> Self {
        self.number = None;
        self
    }

    /// Sets when it was sent, in seconds since 1970.
    #[must_use]
    pub fn at(mut self, seconds: i64) -> Self {
        self.at = seconds;
        self
    }

    /// Adds a member of the message.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.more.push((name.to_owned(), value));
        self
    }

    /// Answers a message.
    #[must_use]
    pub fn answering(self, target: &str) -> Self {
        self.with("context", json!({"from": "15550200000", "id": target}))
    }

    /// Digits only, as Meta writes numbers in webhooks.
    fn digits(&self) -> Option<&str> {
        self.number
            .as_deref()
            .map(|number| number.trim_start_matches('+'))
    }

    /// The entry of `messages`.
    pub fn message(&self) -> Value {
        let mut message = json!({});
        if let Some(digits) = self.digits() {
            message["from"] = digits.into();
        }
        if let Some(id) = &self.user_id {
            message["from_user_id"] = id.as_str().into();
        }
        message["id"] = self.id.as_str().into();
        message["timestamp"] = self.at.to_string().into();
        message["type"] = self.kind.as_str().into();
        if !self.object.is_null() {
            message[self.kind.as_str()] = self.object.clone();
        }
        for (name, value) in &self.more {
            message[name.as_str()] = value.clone();
        }
        message
    }

    /// The entry of `contacts`.
    fn contact(&self) -> Value {
        let mut contact = json!({"profile": {"name": self.profile_name}});
        if let Some(digits) = self.digits() {
            contact["wa_id"] = digits.into();
        }
        if let Some(id) = &self.user_id {
            contact["user_id"] = id.as_str().into();
        }
        contact
    }
}

impl Meta {
    /// One webhook with messages to several numbers, one change each number, in this order.
    pub fn batch(&self, parts: &[(&str, Vec<WaMessage>)]) -> Value {
        let changes = parts.iter().map(|(number, messages)| {
            let mut value = self.value(number);
            value["contacts"] = messages.iter().map(WaMessage::contact).collect();
            value["messages"] = messages.iter().map(WaMessage::message).collect();
            json!({"field": "messages", "value": value})
        });
        self.envelope(&changes.collect::<Vec<_>>())
    }

    /// One webhook with one change.
    pub fn event(&self, field: &str, value: &Value) -> Value {
        self.envelope(&[json!({"field": field, "value": value})])
    }

    /// What every change of a number has.
    pub(super) fn value(&self, phone_number_id: &str) -> Value {
        let numbers = self.numbers();
        let number = numbers
            .iter()
            .find(|known| known.phone_number_id == phone_number_id);
        let display = number.map_or_else(String::new, |number| {
            let digits = number.display_phone_number.chars();
            digits.filter(char::is_ascii_digit).collect()
        });
        json!({
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": display, "phone_number_id": phone_number_id},
        })
    }

    pub(super) fn envelope(&self, changes: &[Value]) -> Value {
        json!({
            "object": "whatsapp_business_account",
            "entry": [{"id": self.waba_id(), "changes": changes}],
        })
    }
}

/// JSON as Meta puts it on the wire: everything beyond ASCII and slashes escaped.
pub(super) fn escaped(value: &Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        match c {
            '/' => text.push_str("\\/"),
            c if c.is_ascii() => text.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string can't fail.
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_is_the_same_json() {
        let value = json!({"text": "café / 😀 \"quoted\" \\ \n"});
        let text = escaped(&value);
        assert!(
            text.is_ascii() && text.contains("caf\\u00e9 \\/ \\ud83d\\ude00"),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
