//! Reads how long a provider asks to wait (RFC 9110, section 10.2.3).

use jiff::fmt::rfc2822::DateTimeParser;

use crate::{HttpReply, Timestamp};

/// The shortest wait that is taken from a provider, in milliseconds.
const WAIT_MS_MIN: u64 = 1_000;
/// The longest, in milliseconds: a day.
const WAIT_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

impl HttpReply {
    /// The wait in milliseconds that `Retry-After` asks for at `now_ms`, between a second and a
    /// day. The header holds seconds or an HTTP date; none where it is absent or unreadable.
    pub fn retry_after_ms(&self, now_ms: Timestamp) -> Option<u64> {
        let value = self.header("retry-after")?.trim();
        let wait_ms = match value.parse::<u64>() {
            Ok(seconds) => seconds.saturating_mul(1_000),
            Err(_) => wait_until(value, now_ms)?,
        };
        Some(wait_ms.clamp(WAIT_MS_MIN, WAIT_MS_MAX))
    }
}

/// Milliseconds from `now_ms` to an HTTP date, 0 where it has passed.
fn wait_until(date: &str, now_ms: Timestamp) -> Option<u64> {
    let until = DateTimeParser::new().parse_timestamp(date).ok()?;
    let wait_ms = until.as_millisecond().saturating_sub(now_ms);
    Some(u64::try_from(wait_ms).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_and_bounded() {
        // Thu, 01 Jan 2026 00:00:00 GMT
        let now_ms = 1_767_225_600_000;
        let cases = [
            ("7", Some(7_000)),
            (" 7 ", Some(7_000)),
            ("0", Some(1_000)),
            ("999999999", Some(WAIT_MS_MAX)),
            ("18446744073709551615", Some(WAIT_MS_MAX)),
            ("Thu, 01 Jan 2026 00:01:30 GMT", Some(90_000)),
            ("Wed, 31 Dec 2025 23:59:00 GMT", Some(1_000)),
            ("Thu, 01 Jan 2099 00:00:00 GMT", Some(WAIT_MS_MAX)),
            ("soon", None),
            ("-5", None),
            ("", None),
        ];
        for (value, expected) in cases {
            let reply = HttpReply {
                headers: vec![("retry-after".into(), value.into())],
                ..HttpReply::default()
            };
            assert_eq!(reply.retry_after_ms(now_ms), expected, "{value:?}");
        }
        assert_eq!(HttpReply::default().retry_after_ms(now_ms), None);
    }
}
