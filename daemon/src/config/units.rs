//! Durations (`"5m"`) and sizes (`"4MiB"`) as people write them.
//!
//! Both name the type for a field's `serde(with)`, so that the field itself stays a plain
//! [`Duration`] or number of bytes, and both bring their JSON Schema.

use std::{borrow::Cow, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A duration with its unit: `"10ms"`, `"5m"`, `"1h 30m"`, `"30d"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HumanTime(pub Duration);

/// Ten years: more is a slip, and would overflow times somewhere.
const DURATION_MAX: Duration = Duration::from_secs(3650 * 86_400);

impl HumanTime {
    /// Reads a duration; the error is a phrase for people.
    pub fn parse(text: &str) -> Result<Duration, String> {
        match humantime::parse_duration(text) {
            Ok(duration) if duration.is_zero() => Err("must be longer than zero".into()),
            Ok(duration) if duration > DURATION_MAX => Err("must be ten years at most".into()),
            Ok(duration) => Ok(duration),
            Err(error) => Err(format!(
                "is not a duration such as \"500ms\", \"5m\" or \"24h\": {error}"
            )),
        }
    }

    /// Writes a duration in the largest unit that holds it exactly.
    pub fn format(duration: Duration) -> String {
        let ms = duration.as_millis();
        let (size, unit) = match ms {
            // One day is better known as 24 hours.
            86_400_001.. if ms.is_multiple_of(86_400_000) => (86_400_000, "d"),
            _ if ms.is_multiple_of(3_600_000) => (3_600_000, "h"),
            _ if ms.is_multiple_of(60_000) => (60_000, "m"),
            _ if ms.is_multiple_of(1000) => (1000, "s"),
            _ => (1, "ms"),
        };
        format!("{}{unit}", ms / size)
    }

    /// For `serde(with)`.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Self::format(*value))
    }

    /// For `serde(with)`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Serialize for HumanTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for HumanTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for HumanTime {
    fn schema_name() -> Cow<'static, str> {
        "HumanTime".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "human-time" })
    }
}

/// A duration that may also be `"0"`: never, or switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HumanTimeOrOff;

impl HumanTimeOrOff {
    /// Reads a duration or zero; the error is a phrase for people.
    pub fn parse(text: &str) -> Result<Duration, String> {
        match humantime::parse_duration(text) {
            Ok(duration) if duration.is_zero() => Ok(duration),
            _ => HumanTime::parse(text),
        }
    }

    /// For `serde(with)`.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HumanTime::format(*value))
    }

    /// For `serde(with)`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for HumanTimeOrOff {
    fn schema_name() -> Cow<'static, str> {
        "HumanTimeOrOff".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "human-time-or-off" })
    }
}

/// A size: a number of bytes, or a string with a unit (`"512KiB"`, `"4MiB"`, `"1GB"`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(pub u64);

/// Units of a size: binary ones, then decimal ones. The binary ones are what sizes are written in.
const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

impl ByteSize {
    /// Reads a size; the error is a phrase for people.
    pub fn parse(text: &str) -> Result<u64, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim_start();
        let factor = match unit {
            "" => Some(1),
            _ => UNITS
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(unit))
                .map(|(_, factor)| *factor),
        };
        number
            .parse::<u64>()
            .ok()
            .zip(factor)
            .and_then(|(number, factor)| number.checked_mul(factor))
            .ok_or_else(|| "is not a size such as 65536, \"512KiB\" or \"4MiB\"".into())
    }

    /// Writes a size in the largest binary unit that holds it exactly.
    pub fn format(bytes: u64) -> String {
        UNITS[..3]
            .iter()
            .find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor))
            .map_or_else(
                || bytes.to_string(),
                |(name, factor)| format!("{}{name}", bytes / factor),
            )
    }

    /// For `serde(with)`.
    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Self::format(*value))
    }

    /// For `serde(with)`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Bytes(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Bytes(bytes) => Ok(bytes),
            Written::Text(text) => Self::parse(&text).map_err(D::Error::custom),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "minimum": 0, "format": "byte-size" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("65536", Some(65536)),
            ("4MiB", Some(4 << 20)),
            ("512 KiB", Some(512 << 10)),
            ("1gb", Some(1_000_000_000)),
            ("", None),
            ("MiB", None),
            ("-1", None),
            ("4 parsecs", None),
            ("99999999999999999999", None),
            ("18446744073709551615GiB", None),
        ] {
            assert_eq!(ByteSize::parse(text).ok(), bytes, "{text}");
        }
    }

    #[test]
    fn zero_and_forever_are_no_durations() {
        for text in ["0s", "11years", "5", "", "soon", "99999999999999999999s"] {
            assert!(HumanTime::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(ms in 1_u64..100_000_000_000, bytes: u64) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(HumanTime::parse(&HumanTime::format(duration)), Ok(duration));
            prop_assert_eq!(ByteSize::parse(&ByteSize::format(bytes)), Ok(bytes));
        }
    }
}
