//! The parameters of a webhook, however it carries them.

use serde_json::{Map, Value};
use trunkline_plugin_api::WebhookRequest;

use crate::token::Forged;

/// Parameters by name, each of which comes once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads the parameters: the query of a GET; the form or the JSON object that a POST holds.
    ///
    /// What the signature can't tell apart is refused: names that come twice, names with `&` or
    /// `=` (which end a value in what is signed), and JSON members that are no plain values.
    pub(crate) fn read(request: &WebhookRequest) -> Result<Self, Forged> {
        let pairs = if request.method == "GET" {
            let query = request.query();
            form(
                query
                    .split_once('#')
                    .map_or(query, |(before, _)| before)
                    .as_bytes(),
            )
        } else {
            match media_type(request).as_str() {
                "" | "application/x-www-form-urlencoded" => form(&request.body),
                "application/json" => json(&request.body)?,
                _ => {
                    return Err(Forged::mismatch(
                        "no signature covers a body of this content type",
                    ));
                }
            }
        };
        let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Forged::mismatch("a parameter comes twice"));
        }
        if names.iter().any(|name| name.contains(['&', '='])) {
            return Err(Forged::mismatch("a parameter's name holds `&` or `=`"));
        }
        Ok(Self(pairs))
    }

    /// A parameter's value, empty ones included.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A parameter's value, where it is not empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// What is signed: all parameters but `sig` in the order of their names, `&name=value` each, with
    /// `&` and `=` in values replaced by `_` (Vonage's page on signing messages).
    pub(crate) fn canonical(&self) -> String {
        let mut sorted: Vec<_> = self.0.iter().filter(|(name, _)| name != "sig").collect();
        sorted.sort_unstable();
        let mut text = String::new();
        for (name, value) in sorted {
            text.push('&');
            text.push_str(name);
            text.push('=');
            text.push_str(&value.replace(['&', '='], "_"));
        }
        text
    }

    /// The filled parameters as an object, but for those that `skip` names.
    pub(crate) fn to_object(&self, skip: &[&str]) -> Map<String, Value> {
        let kept = self
            .0
            .iter()
            .filter(|(name, value)| !value.is_empty() && !skip.contains(&name.as_str()));
        kept.map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect()
    }
}

fn media_type(request: &WebhookRequest) -> String {
    let value = request.header("content-type").unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Decodes `application/x-www-form-urlencoded` bytes. Nothing is trimmed.
fn form(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded).into_owned().collect()
}

/// The members of a JSON object as the strings that are signed.
fn json(body: &[u8]) -> Result<Vec<(String, String)>, Forged> {
    let members: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| Forged::mismatch("the body is no JSON object"))?;
    members
        .into_iter()
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) => text,
                Value::Null => String::new(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    return Err(Forged::mismatch("a member of the body is no plain value"));
                }
            };
            Ok((name, value))
        })
        .collect()
}
