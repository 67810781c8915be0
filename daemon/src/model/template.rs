//! A channel's catalogue of message templates, and what a call of one must be.

use std::{cmp::Reverse, fmt, fmt::Write as _};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trunkline_plugin_api::{Template, TemplateCall, TemplateUpdate};

use super::Millis;

/// Most characters of a text that goes out as a template's variable: WhatsApp takes 1024 in a whole
/// body (Meta, "Template components").
const VARIABLE_CHARS_MAX: usize = 1_024;

/// The templates that a provider listed for a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// When the provider was last asked.
    pub refreshed_at_ms: Millis,
    /// What it listed, by name and language.
    pub entries: Vec<CatalogueEntry>,
}

/// One template of a catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueEntry {
    /// As the provider lists it.
    pub template: Template,
    /// When its approval last changed, as far as we know.
    pub changed_at_ms: Millis,
}

/// A change of a template's approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateChange {
    /// Its name.
    pub name: String,
    /// Its language tag, where it has one.
    pub language: Option<String>,
    /// The provider's word now.
    pub status: String,
    /// Why, where the provider says.
    pub reason: Option<String>,
    /// False where it is in no catalogue yet.
    pub is_known: bool,
}

/// Why a template can't be sent as it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateError {
    /// There is no such template, or not in this language.
    Unknown(String),
    /// It may not be sent.
    NotApproved(String),
    /// Values are missing, or are too many.
    Variables(String),
}

impl TemplateError {
    /// For programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "template_unknown",
            Self::NotApproved(_) => "template_not_approved",
            Self::Variables(_) => "template_variables",
        }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unknown(words) | Self::NotApproved(words) | Self::Variables(words)) = self;
        formatter.write_str(words)
    }
}

/// What approval a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// None: the channel has no reply window, so nobody approves.
    None,
    /// None for templates that were never handed in, since the window is open.
    OrNeverAsked,
    /// The provider's.
    Needed,
}

/// True for the words with which a provider says that a template may be sent. One that is flagged
/// for its quality may be, until it is paused.
pub fn is_sendable(status: &str) -> bool {
    is_one_of(
        status,
        &["approved", "active", "reinstated", "unarchived", "flagged"],
    )
}

/// True for the words that an owner should hear of.
pub fn is_trouble(status: &str) -> bool {
    let words = [
        "rejected",
        "paused",
        "disabled",
        "flagged",
        "limit_exceeded",
        "locked",
        "deleted",
        "pending_deletion",
    ];
    is_one_of(status, &words)
}

fn is_one_of(status: &str, words: &[&str]) -> bool {
    words.iter().any(|word| status.eq_ignore_ascii_case(word))
}

impl Catalogue {
    /// A catalogue in the order of names and languages.
    pub fn new(refreshed_at_ms: Millis, mut entries: Vec<CatalogueEntry>) -> Self {
        entries.sort_by(|a, b| {
            let key = |entry: &CatalogueEntry| {
                let template = &entry.template;
                (
                    template.name.clone(),
                    template.language.clone(),
                    template.id.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
        Self {
            refreshed_at_ms,
            entries,
        }
    }

    /// The entry that an update is about: by its id, else by name and language.
    pub fn position(&self, update: &TemplateUpdate) -> Option<usize> {
        let by_id =
            |entry: &CatalogueEntry| !update.id.is_empty() && entry.template.id == update.id;
        let by_name = |entry: &CatalogueEntry| {
            entry.template.name == update.name && entry.template.language == update.language
        };
        let entries = &self.entries;
        entries
            .iter()
            .position(by_id)
            .or_else(|| entries.iter().position(by_name))
    }

    /// The template that a call means, by the provider's id or by name and language. A call without
    /// language means the one that can be sent; there must be only one.
    pub fn find(&self, call: &TemplateCall) -> Result<&Template, TemplateError> {
        let all = || self.entries.iter().map(|entry| &entry.template);
        if let Some(id) = &call.id
            && let Some(found) = all().find(|template| template.id == *id)
        {
            return Ok(found);
        }
        let named: Vec<&Template> = all()
            .filter(|template| template.name == call.name || template.id == call.name)
            .collect();
        if named.is_empty() {
            let words = format!(
                "the provider lists no template \"{}\" for this channel; refresh the catalogue where it \
                 is new",
                call.name
            );
            return Err(TemplateError::Unknown(words));
        }
        let fits = |template: &&Template| match (&call.language, &template.language) {
            (Some(wanted), Some(own)) => wanted == own,
            _ => true,
        };
        let mut fitting: Vec<&Template> = named.iter().copied().filter(fits).collect();
        // One that can be sent wins over one that can't.
        fitting.sort_by_key(|template| Reverse(is_sendable(&template.status)));
        let sendable = fitting
            .iter()
            .filter(|found| is_sendable(&found.status))
            .count();
        match fitting.as_slice() {
            [only] => Ok(only),
            [first, ..] if sendable == 1 || call.language.is_some() => Ok(first),
            several => {
                let asked = match &call.language {
                    Some(language) => format!("has no language \"{language}\""),
                    None => "has several languages".to_owned(),
                };
                let shown = if several.is_empty() { &named } else { &fitting };
                let words = format!(
                    "template \"{}\" {asked}: give one of {}",
                    call.name,
                    languages(shown)
                );
                Err(TemplateError::Unknown(words))
            }
        }
    }

    /// Checks a call and completes it: with the provider's id, and with the language where the
    /// template has one.
    pub fn check(
        &self,
        call: &TemplateCall,
        approval: Approval,
    ) -> Result<TemplateCall, TemplateError> {
        let template = self.find(call)?;
        let status = &template.status;
        let is_allowed = match approval {
            Approval::None => true,
            Approval::OrNeverAsked => is_sendable(status) || is_one_of(status, &["unsubmitted"]),
            Approval::Needed => is_sendable(status),
        };
        if !is_allowed {
            let reason = template
                .reason
                .as_ref()
                .map_or(String::new(), |why| format!(" ({why})"));
            let words = format!(
                "template \"{}\" can't be sent: the provider says {status}{reason}",
                template.name
            );
            return Err(TemplateError::NotApproved(words));
        }
        // The provider's own components say what variables can't, so they stand for themselves.
        if call.components.is_null() {
            check_variables(template, &call.variables)?;
        }
        Ok(TemplateCall {
            id: Some(template.id.clone()),
            language: call.language.clone().or_else(|| template.language.clone()),
            ..call.clone()
        })
    }

    /// The call that carries a free-form text in a template: as the value of its only variable. A
    /// template without variables goes as it is.
    pub fn carry(&self, name: &str, text: &str) -> Result<TemplateCall, TemplateError> {
        let call = TemplateCall {
            name: name.to_owned(),
            ..TemplateCall::default()
        };
        let template = self.find(&call)?;
        let mut variables = Map::new();
        match template.variables.as_slice() {
            [] => {}
            [only] => {
                let value = single_line(text);
                let count = value.chars().count();
                if count > VARIABLE_CHARS_MAX {
                    let words = format!(
                        "the text has {count} characters, more than the {VARIABLE_CHARS_MAX} that a \
                         template's variable takes"
                    );
                    return Err(TemplateError::Variables(words));
                }
                variables.insert(only.clone(), value.into());
            }
            several => {
                let words = format!(
                    "template \"{name}\" has {} variables, and a text can stand for one only",
                    several.len()
                );
                return Err(TemplateError::Variables(words));
            }
        }
        self.check(&TemplateCall { variables, ..call }, Approval::Needed)
    }
}

fn languages(templates: &[&Template]) -> String {
    let mut known: Vec<&str> = templates
        .iter()
        .map(|template| template.language.as_deref().unwrap_or("(none)"))
        .collect();
    known.dedup();
    known.join(", ")
}

/// Every variable must have a value that can be written, and no value may be for nothing.
fn check_variables(template: &Template, given: &Map<String, Value>) -> Result<(), TemplateError> {
    let is_value = |value: &Value| match value {
        Value::String(text) => !text.is_empty(),
        Value::Number(_) | Value::Bool(_) => true,
        _ => false,
    };
    let quoted = |names: Vec<&String>| {
        names
            .iter()
            .map(|name| format!("\"{name}\""))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let known = &template.variables;
    let missing: Vec<_> = known
        .iter()
        .filter(|name| !given.contains_key(*name))
        .collect();
    let extra: Vec<_> = given.keys().filter(|name| !known.contains(name)).collect();
    let wrong: Vec<_> = given
        .iter()
        .filter(|(name, value)| known.contains(name) && !is_value(value))
        .map(|(name, _)| name)
        .collect();
    let mut faults = Vec::new();
    for (names, what) in [
        (missing, "needs a value for"),
        (extra, "has no variable"),
        (wrong, "takes a text that is not empty for"),
    ] {
        if !names.is_empty() {
            faults.push(format!("{what} {}", quoted(names)));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    let words = format!("template \"{}\" {}", template.name, faults.join("; it "));
    Err(TemplateError::Variables(words))
}

/// The text in one line: WhatsApp takes no line breaks, tabs or runs of blanks in a variable (Meta,
/// "Template components").
fn single_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A template's text with its values in place. A value that is not given stays a placeholder.
pub fn rendered(body: &str, variables: &Map<String, Value>) -> String {
    let mut text = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((before, behind)) = rest.split_once("{{") {
        let Some((name, after)) = behind.split_once("}}") else {
            break;
        };
        text.push_str(before);
        match variables.get(name.trim()) {
            Some(Value::String(value)) => text.push_str(value),
            Some(value) if !value.is_null() => text.push_str(&value.to_string()),
            _ => {
                // Writing to a string does not fail.
                let _ = write!(text, "{{{{{name}}}}}");
            }
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests;
