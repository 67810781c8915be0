//! `[form.SLUG]`: a page on which strangers leave a message.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Config, finding::child, report::Report};

/// Characters of a form's slug.
const SLUG_CHARS_MAX: usize = 64;

/// What a form asks for.
// Comments on the variants would turn the schema's `enum` into a list of alternatives.
#[allow(missing_docs)]
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FormField {
    Name,
    Phone,
    Email,
    Message,
}

impl FormField {
    /// Its name in the page's form and in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Message => "message",
        }
    }
}

/// A form, at `/forms/SLUG` of the public listener. Who fills it in becomes a contact with a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Form {
    /// Whose form it is.
    pub organization: String,
    /// The heading of the page.
    pub title: String,
    /// What stands below it.
    pub intro: String,
    /// The channels by which the person can be answered, in the order of preference. The thread is begun
    /// on the first one that has an address of the person and may write to them.
    pub channels: Vec<String>,
    /// What the form asks for: "name", "phone", "email", "message".
    pub fields: Vec<FormField>,
    /// What must be filled in, beside a phone number or an e-mail address.
    pub required: Vec<FormField>,
    /// What the page says when it was sent.
    pub thanks: String,
    /// A text that is sent to the person as a first answer; none where it is empty.
    pub reply: String,
    /// A channel to which the last page leads: "Continue on WhatsApp"; none where it is empty.
    pub continue_on: String,
    /// The text that is put into the person's first message there; {reference} is a short code that the
    /// form's message carries too.
    pub continue_text: String,
    /// The language of the page, for browsers and screen readers.
    pub language: String,
    /// Words in place of the English ones: "name", "phone", "email", "message", "send", "continue".
    pub labels: BTreeMap<String, String>,
    /// Forms that one network address may send in an hour.
    #[schemars(range(min = 1, max = 100_000))]
    pub address_per_hour: u32,
    /// Forms that may be sent in an hour in all.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub per_hour: u32,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            organization: "default".into(),
            title: "Contact us".into(),
            intro: String::new(),
            channels: Vec::new(),
            fields: vec![
                FormField::Name,
                FormField::Phone,
                FormField::Email,
                FormField::Message,
            ],
            required: vec![FormField::Message],
            thanks: "Thank you. We will answer soon.".into(),
            reply: String::new(),
            continue_on: String::new(),
            continue_text: "Hello! My reference is {reference}.".into(),
            language: "en".into(),
            labels: BTreeMap::new(),
            address_per_hour: 20,
            per_hour: 1_000,
        }
    }
}

/// The words that `labels` may replace, and what they are in English.
const LABELS: [(&str, &str); 6] = [
    ("name", "Your name"),
    ("phone", "Phone number, with country code"),
    ("email", "E-mail address"),
    ("message", "Message"),
    ("send", "Send"),
    ("continue", "Continue on WhatsApp"),
];

impl Form {
    /// A word on the page.
    pub fn label(&self, name: &str) -> &str {
        let own = self.labels.get(name).map(String::as_str);
        let english = || LABELS.iter().find(|(known, _)| *known == name);
        own.or_else(|| english().map(|(_, word)| *word))
            .unwrap_or_default()
    }
}

/// Checks what the schema can't say.
pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    for (slug, form) in &config.forms {
        let pointer = child("/form", slug);
        let is_slug = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        if slug.is_empty() || slug.len() > SLUG_CHARS_MAX || !slug.chars().all(is_slug) {
            let message = format!("a form's name has 1 to {SLUG_CHARS_MAX} of a-z, 0-9, - and _");
            report.error(&pointer, message);
        }
        if form.channels.is_empty() {
            report.error(
                &pointer,
                "channels is missing: by which is the person answered?",
            );
        }
        for (index, id) in form.channels.iter().enumerate() {
            let at = child(&child(&pointer, "channels"), &index.to_string());
            channel(config, form, id, &at, report);
        }
        if !form.continue_on.is_empty() {
            let at = child(&pointer, "continue_on");
            channel(config, form, &form.continue_on, &at, report);
        }
        let asks = |field| form.fields.contains(&field);
        if !asks(FormField::Phone) && !asks(FormField::Email) {
            let at = child(&pointer, "fields");
            report.error(
                &at,
                "must ask for \"phone\" or \"email\": how else is it answered?",
            );
        }
        for field in form.required.iter().filter(|field| !asks(**field)) {
            let message = format!("\"{}\" is required but not in fields", field.as_str());
            report.error(&child(&pointer, "required"), message);
        }
        for label in form.labels.keys() {
            if !LABELS.iter().any(|(known, _)| known == label) {
                let known: Vec<_> = LABELS.iter().map(|(known, _)| *known).collect();
                let message = format!("unknown label: one of {}", known.join(", "));
                report.error(&child(&child(&pointer, "labels"), label), message);
            }
        }
    }
}

fn channel(config: &Config, form: &Form, id: &str, at: &str, report: &mut Report<'_>) {
    match config.channels.get(id) {
        None => report.error(at, format!("there is no channel \"{id}\"")),
        Some(channel) if channel.organization != form.organization => {
            let message = format!(
                "channel \"{id}\" is of organization \"{}\", the form of \"{}\"",
                channel.organization, form.organization
            );
            report.error(at, message);
        }
        Some(_) => {}
    }
}
