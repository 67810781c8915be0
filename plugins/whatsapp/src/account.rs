//! What concerns templates, preferences and the account rather than one message.

use serde_json::{Value, json};
use trunkline_plugin_api::{Consent, ConsentChange, Event, Note, TemplateUpdate};

use crate::{fields, sender};

/// `message_template_status_update`. One without id or name is kept as a note.
pub(crate) fn template(entry: &Value, value: &Value) -> Event {
    let parts = (
        fields::id(value, "message_template_id"),
        fields::text(value, "message_template_name"),
        fields::text(value, "event"),
    );
    let (Some(id), Some(name), Some(status)) = parts else {
        return note("message_template_status_update", entry, value);
    };
    Event::Template(TemplateUpdate {
        id,
        name: name.into(),
        language: fields::text(value, "message_template_language").map(String::from),
        status: status.into(),
        reason: reason(value),
    })
}

/// Why a template was rejected, paused or disabled. `NONE` is no reason.
fn reason(value: &Value) -> Option<String> {
    let in_words = value
        .get("rejection_info")
        .and_then(|info| fields::text(info, "reason"));
    let other = value
        .get("other_info")
        .and_then(|info| fields::text(info, "description").or_else(|| fields::text(info, "title")));
    let named = fields::text(value, "reason").filter(|reason| *reason != "NONE");
    let reasons: Vec<&str> = [named, in_words, other].into_iter().flatten().collect();
    (!reasons.is_empty()).then(|| reasons.join(": "))
}

/// `user_preferences`: people stop and resume marketing messages in WhatsApp itself.
pub(crate) fn preferences(entry: &Value, value: &Value) -> Vec<Event> {
    let address = value
        .get("metadata")
        .and_then(|metadata| fields::id(metadata, "phone_number_id"));
    let read = |preference: &Value| {
        let ids = ["wa_id", "user_id"].into_iter();
        let ids = ids.filter_map(|field| fields::text(preference, field));
        let change = fields::text(preference, "value").and_then(marketing_change);
        let (Some(person), Some(change)) = (sender::sender(ids, None), change) else {
            return vec![note("user_preferences", entry, preference)];
        };
        let word = fields::text(preference, "value").unwrap_or_default();
        let at = fields::id(preference, "timestamp").unwrap_or_default();
        let everyone = std::iter::once(person.identity).chain(person.also);
        everyone
            .map(|identity| {
                Event::Consent(Consent {
                    // Meta gives these no id; the same choice at the same time is the same proof.
                    source: Some(format!("user_preferences {word} {at}")),
                    identity,
                    address: address.clone(),
                    change,
                })
            })
            .collect()
    };
    fields::list(value, "user_preferences")
        .flat_map(read)
        .collect()
}

/// Meta's words for a choice about marketing messages.
pub(crate) fn marketing_change(word: &str) -> Option<ConsentChange> {
    match word {
        "stop" => Some(ConsentChange::OptOut),
        "resume" => Some(ConsentChange::OptIn),
        _ => None,
    }
}

/// Anything else, with the account that it is about.
pub(crate) fn note(field: &str, entry: &Value, value: &Value) -> Event {
    Event::Note(Note {
        kind: field.into(),
        data: json!({
            "waba_id": fields::id(entry, "id"),
            "time": fields::time(entry, "time"),
            "value": value,
        }),
    })
}
