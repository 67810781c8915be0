//! Sends one message: `POST /2010-04-01/Accounts/{sid}/Messages.json`.
//!
//! Twilio has no idempotency key, so the call is made once: after a restart, where the outcome of
//! the call is not known, the send fails as ambiguous and is looked up instead.

use serde_json::{Map, Value};
use trunkline_plugin_api::{
    AdapterError, Content,
    ErrorClass::{self, Ambiguous, Bug},
    HttpReply, Location, OutboundMessage, Receipt, ReportedStatus, Step, Turn,
};

use crate::{
    address,
    config::Settings,
    errors,
    rest::{self, Resource},
    status,
};

/// Attachments that Twilio takes in one message (its Message resource).
pub(crate) const MEDIA_COUNT_MAX: usize = 10;

/// Sends, or reads the answer to the call.
pub(crate) fn send(settings: &Settings, message: &OutboundMessage, turn: &Turn) -> Step<Receipt> {
    let outcome = match (&turn.reply, &turn.cursor) {
        (None, Value::Null) => return create(settings, message),
        (None, _) => Err(AdapterError::new(
            Ambiguous,
            "interrupted",
            "the daemon stopped before Twilio's answer came",
        )),
        (Some(reply), _) => reply.http().and_then(|answer| receipt(answer, turn)),
    };
    outcome.map_or_else(Step::fail, Step::done)
}

fn create(settings: &Settings, message: &OutboundMessage) -> Step<Receipt> {
    let Some(api) = &settings.api else {
        return Step::fail(rest::no_credentials());
    };
    if !settings.has_sender() {
        return Step::fail(AdapterError::new(
            ErrorClass::Config,
            "no_sender",
            "No sender configured: set from or messaging_service_sid",
        ));
    }
    match form(settings, message) {
        Ok(form) => Step::call(
            api.post(&[&api.account_sid, "Messages.json"], &form),
            Value::from("create"),
        ),
        Err(error) => Step::fail(error),
    }
}

/// The form fields in the order of Twilio's page.
fn form(
    settings: &Settings,
    message: &OutboundMessage,
) -> Result<Vec<(&'static str, String)>, AdapterError> {
    let whatsapp = settings.is_whatsapp() || message.to.space == "whatsapp";
    let mut form = vec![("To", address::wire(&message.to, whatsapp))];
    form.extend(settings.from.clone().map(|from| ("From", from)));
    form.extend(
        settings
            .service
            .clone()
            .map(|service| ("MessagingServiceSid", service)),
    );
    form.extend(fields(&message.content, whatsapp)?);
    form.extend(
        message
            .callback_url
            .clone()
            .map(|url| ("StatusCallback", url)),
    );
    Ok(form)
}

/// What the message says. A template stands alone: Twilio fills in its text.
fn fields(content: &Content, whatsapp: bool) -> Result<Vec<(&'static str, String)>, AdapterError> {
    if content.interactive.is_some() || !content.contacts.is_empty() {
        return Err(refused(
            "unsupported_content",
            "Twilio sends buttons, lists and contact cards only as templates",
        ));
    }
    if let Some(template) = &content.template {
        let sid = template.id.as_ref().unwrap_or(&template.name);
        let mut fields = vec![("ContentSid", sid.clone())];
        if !template.variables.is_empty() {
            let variables = content_variables(&template.variables);
            fields.push(("ContentVariables", variables.to_string()));
        }
        return Ok(fields);
    }
    let mut fields = Vec::new();
    fields.extend(body(content).map(|text| ("Body", text)));
    fields.extend(media(content)?);
    if let Some(place) = &content.location {
        if !whatsapp {
            return Err(refused(
                "unsupported_content",
                "places can be sent over WhatsApp only",
            ));
        }
        fields.push(("PersistentAction", geo(place)));
    }
    if fields.is_empty() {
        return Err(refused(
            "empty",
            "the message has neither text nor attachment nor template",
        ));
    }
    Ok(fields)
}

/// The values of a template, all of them texts: Twilio takes nothing else (error 21656).
fn content_variables(values: &Map<String, Value>) -> Value {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let pairs = values
        .iter()
        .map(|(name, value)| (name.clone(), text(value).into()));
    Value::Object(pairs.collect())
}

/// The `Body` of a message. Twilio refuses a place that has neither text nor attachment beside it,
/// so there the place's own name is the text.
pub(crate) fn body(content: &Content) -> Option<String> {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let place = content
        .location
        .as_ref()
        .filter(|_| content.media.is_empty());
    filled(&content.text).or_else(|| {
        let place = place?;
        let name = filled(&place.label).or_else(|| filled(&place.address));
        Some(name.unwrap_or_else(|| format!("{}, {}", place.latitude, place.longitude)))
    })
}

/// A place as Twilio writes it: `geo:52.5,13.4|Office`.
fn geo(place: &Location) -> String {
    let mut geo = format!("geo:{},{}", place.latitude, place.longitude);
    if let Some(label) = place.label.as_deref().filter(|label| !label.is_empty()) {
        geo.push('|');
        geo.push_str(label);
    }
    geo
}

/// Twilio fetches attachments itself, so each needs a public URL.
fn media(content: &Content) -> Result<Vec<(&'static str, String)>, AdapterError> {
    if content.media.len() > MEDIA_COUNT_MAX {
        return Err(refused(
            "too_many_media",
            format!("Twilio takes at most {MEDIA_COUNT_MAX} attachments in one message"),
        ));
    }
    content
        .media
        .iter()
        .map(|media| match &media.source.url {
            Some(url) => Ok(("MediaUrl", url.clone())),
            None => Err(refused(
                "media_not_public",
                "Twilio fetches attachments by URL, and this one has none",
            )),
        })
        .collect()
}

fn refused(code: &str, message: impl Into<String>) -> AdapterError {
    AdapterError::new(ErrorClass::Content, code, message)
}

/// What Twilio's answer says. A 2xx whose message can't be read may stand for an accepted
/// message, so its outcome is unknown.
fn receipt(answer: &HttpReply, turn: &Turn) -> Result<Receipt, AdapterError> {
    if !(200..300).contains(&answer.status) {
        return Err(errors::of_answer(answer, turn.now_ms));
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let message = Resource(&body);
    let Some(sid) = message.text("sid") else {
        return Err(AdapterError::new(
            Ambiguous,
            "unreadable_answer",
            "Twilio accepted the message, but its answer names no sid",
        ));
    };
    let word = message.text("status");
    if word.and_then(status::reported) == Some(ReportedStatus::Failed) {
        let code = message.number("error_code");
        let unexplained = || {
            let words = format!("Twilio created message {sid} as failed and gave no reason");
            AdapterError::new(Bug, "failed", words)
        };
        return Err(status::failure(ReportedStatus::Failed, code).unwrap_or_else(unexplained));
    }
    Ok(receipt_of(sid, &message))
}

/// The receipt of a message that Twilio holds.
pub(crate) fn receipt_of(sid: &str, message: &Resource<'_>) -> Receipt {
    Receipt {
        external_id: sid.into(),
        code: message.text("status").map(String::from),
        // 0 stands for "not counted yet" with a Messaging Service.
        segments: message.number("num_segments").filter(|count| *count > 0),
        rate_limit_remaining: None,
    }
}
