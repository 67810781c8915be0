//! Reading Vonage's JSON, where numbers also come as strings and any member may be missing.

use jiff::civil::DateTime;
use serde_json::Value;
use trunkline_plugin_api::Timestamp;

/// A JSON object. Every member may be missing or of another kind.
#[derive(Clone, Copy)]
pub(crate) struct Object<'a>(pub(crate) &'a Value);

impl<'a> Object<'a> {
    /// A text member, where it is one and not empty.
    pub(crate) fn text(self, member: &str) -> Option<&'a str> {
        self.0.get(member)?.as_str().filter(|text| !text.is_empty())
    }

    /// A text member, empty ones included.
    pub(crate) fn any_text(self, member: &str) -> Option<&'a str> {
        self.0.get(member)?.as_str()
    }

    /// A whole number, written as a number or in a string.
    pub(crate) fn number(self, member: &str) -> Option<u32> {
        match self.0.get(member)? {
            Value::Number(number) => number.as_u64()?.try_into().ok(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A number, written as a number or in a string.
    pub(crate) fn decimal(self, member: &str) -> Option<f64> {
        match self.0.get(member)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text
                .trim()
                .parse()
                .ok()
                .filter(|value: &f64| value.is_finite()),
            _ => None,
        }
    }

    /// A member that is an object itself.
    pub(crate) fn object(self, member: &str) -> Option<Object<'a>> {
        self.0
            .get(member)
            .filter(|value| value.is_object())
            .map(Self)
    }

    /// The entries of a member that is a list.
    pub(crate) fn list(self, member: &str) -> impl Iterator<Item = Object<'a>> + use<'a> {
        let items = self.0.get(member).and_then(Value::as_array);
        items.into_iter().flatten().map(Object)
    }

    /// A time in RFC 3339.
    pub(crate) fn time(self, member: &str) -> Option<Timestamp> {
        let time: jiff::Timestamp = self.text(member)?.parse().ok()?;
        Some(time.as_millisecond())
    }
}

/// A time as the SMS API writes it: `2026-01-01 12:00:00`, in UTC.
pub(crate) fn sms_time(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(time.timestamp().as_millisecond())
}
