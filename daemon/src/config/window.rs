//! Free-form messages outside the reply window, and the catalogue of templates.

use std::{borrow::Cow, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::units::HumanTime;

/// Longest name of a template, in characters.
const NAME_CHARS_MAX: usize = 512;

/// What becomes of a free-form message to a person whose reply window is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OutsideWindow {
    /// It is refused, or failed where the window closed after it was taken.
    #[default]
    Reject,
    /// This approved template goes in its place, with the text as its variable.
    Template(String),
    /// It waits until the person writes.
    Hold,
}

impl OutsideWindow {
    /// Reads `reject`, `hold` or `template:NAME`; the error is a phrase for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("template:")) {
            ("reject", _) => Ok(Self::Reject),
            ("hold", _) => Ok(Self::Hold),
            (_, Some(name)) if name.trim().is_empty() => {
                Err("names no template behind \"template:\"".into())
            }
            (_, Some(name)) if name.chars().count() > NAME_CHARS_MAX => Err(format!(
                "names a template of more than {NAME_CHARS_MAX} characters"
            )),
            (_, Some(name)) => Ok(Self::Template(name.to_owned())),
            _ => Err("must be \"reject\", \"hold\" or \"template:NAME\"".into()),
        }
    }

    /// The policy as it is written.
    pub fn as_text(&self) -> Cow<'static, str> {
        match self {
            Self::Reject => "reject".into(),
            Self::Hold => "hold".into(),
            Self::Template(name) => format!("template:{name}").into(),
        }
    }
}

impl Serialize for OutsideWindow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.as_text())
    }
}

impl<'de> Deserialize<'de> for OutsideWindow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for OutsideWindow {
    fn schema_name() -> Cow<'static, str> {
        "OutsideWindow".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "outside-window" })
    }
}

/// The catalogues of message templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Templates {
    /// Time between two look-ups of a channel's templates at its provider, on channels with a
    /// reply window.
    #[serde(with = "HumanTime")]
    pub interval: Duration,
}

impl Default for Templates {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(3600),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_and_written_alike() {
        for text in ["reject", "hold", "template:order_update"] {
            assert_eq!(OutsideWindow::parse(text).unwrap().as_text(), text);
        }
        let long = format!("template:{}", "a".repeat(NAME_CHARS_MAX + 1));
        for wrong in [
            "",
            "Reject",
            "template",
            "template:",
            "template: ",
            long.as_str(),
        ] {
            assert!(OutsideWindow::parse(wrong).is_err(), "{wrong}");
        }
    }
}
