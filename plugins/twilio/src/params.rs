//! The payload of a webhook: what it carries, and so what its signature has to cover.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use trunkline_plugin_api::WebhookRequest;

/// The payload by how Twilio signs it. A body that no signature covers is never read.
pub(crate) enum Payload {
    /// A form body: the parameters are signed after the URL.
    Form(Params),
    /// A GET: the parameters are in the URL.
    Query(Params),
    /// A JSON body: its hash is in the URL.
    Json,
    /// A body of another kind, which Twilio has no signature for.
    Foreign,
}

impl Payload {
    /// Reads the payload of a webhook.
    pub(crate) fn read(request: &WebhookRequest) -> Self {
        if request.method == "GET" {
            return Self::Query(Params::of_url(request));
        }
        match media_type(request).as_str() {
            "" | "application/x-www-form-urlencoded" => Self::Form(Params::parse(&request.body)),
            "application/json" => Self::Json,
            _ => Self::Foreign,
        }
    }
}

fn media_type(request: &WebhookRequest) -> String {
    let value = request.header("content-type").unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Decoded parameters in the order they came in, duplicates included.
#[derive(Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Decodes `application/x-www-form-urlencoded` bytes. Nothing is trimmed.
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The parameters in the query of a webhook's URL.
    pub(crate) fn of_url(request: &WebhookRequest) -> Self {
        let query = request.query();
        let query = query.split_once('#').map_or(query, |(before, _)| before);
        Self::parse(query.as_bytes())
    }

    /// The first value of a parameter, empty ones included.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The last value of a parameter.
    pub(crate) fn last(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().rev().filter(|(key, _)| key == name);
        values.next().map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter, where it is not empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The parameters as they are signed: names in byte order, each with its distinct values in
    /// byte order, without separators (Twilio's page on webhook security).
    pub(crate) fn canonical(&self) -> String {
        let distinct: BTreeSet<&(String, String)> = self.0.iter().collect();
        distinct
            .into_iter()
            .flat_map(|(name, value)| [name.as_str(), value.as_str()])
            .collect()
    }

    /// The filled parameters as an object, but for those that `skip` names. Of several values of
    /// one name the first is kept.
    pub(crate) fn to_object(&self, skip: impl Fn(&str) -> bool) -> Map<String, Value> {
        let mut object = Map::new();
        for (name, value) in &self.0 {
            if !value.is_empty() && !skip(name) && !object.contains_key(name) {
                object.insert(name.clone(), Value::String(value.clone()));
            }
        }
        object
    }
}

/// Text that holds JSON as its value, any other text as a string.
pub(crate) fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.into()))
}
