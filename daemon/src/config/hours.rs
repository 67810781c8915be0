//! The hours of the day in which a channel should hear something.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

/// How often a channel should hear something.
#[derive(Debug, Clone, PartialEq)]
pub struct Expect {
    /// Without a message for this long it counts as deaf.
    pub traffic_every: Duration,
    /// The hours of the day in which that holds.
    pub hours: Hours,
    /// Where those hours are.
    pub zone: TimeZone,
}

impl Expect {
    /// When the part of the day began in which traffic is expected and which holds `now_ms`; none
    /// where nothing is expected now.
    pub fn since(&self, now_ms: i64) -> Option<i64> {
        if self.hours == Hours::ALWAYS {
            return Some(i64::MIN);
        }
        let now = Timestamp::from_millisecond(now_ms).ok()?;
        let local = now.to_zoned(self.zone.clone());
        let into = self.hours.hours_into(local.hour())?;
        let began = local.round(
            jiff::ZonedRound::new()
                .smallest(jiff::Unit::Hour)
                .mode(jiff::RoundMode::Trunc),
        );
        let began = began.ok()?.timestamp().as_millisecond();
        Some(began - i64::from(into) * 3_600_000)
    }
}

/// Whole hours of a day, `"08-18"`: from the first, up to the second. Over midnight where the second is
/// smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    from: u8,
    to: u8,
}

impl Hours {
    /// All day.
    pub const ALWAYS: Self = Self { from: 0, to: 24 };

    /// Reads hours; the error is a phrase for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let hour = |text: &str| {
            let digits = matches!(text.len(), 1 | 2) && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u8>().ok().filter(|_| digits)
        };
        let hours = text.split_once('-').and_then(|(from, to)| {
            let (from, to) = (hour(from.trim())?, hour(to.trim())?);
            (from < 24 && to <= 24 && from != to).then_some(Self { from, to })
        });
        hours.ok_or_else(|| "must be two hours of the day such as \"08-18\"".into())
    }

    /// How many hours long.
    pub fn len_hours(self) -> u8 {
        if self.from < self.to {
            self.to - self.from
        } else {
            24 - self.from + self.to
        }
    }

    /// How many whole hours an hour of the day lies behind the first; none where it is outside.
    fn hours_into(self, hour: i8) -> Option<u8> {
        let hour = u8::try_from(hour).ok()?;
        let into = (hour + 24 - self.from) % 24;
        (into < self.len_hours()).then_some(into)
    }
}

/// Checks the name of a time zone; the error is a phrase for people.
pub(super) fn zone_of(name: &str) -> Result<TimeZone, String> {
    if name.eq_ignore_ascii_case("UTC") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name)
        .map_err(|_| "is not a time zone of this machine, such as \"Europe/Berlin\"".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect(hours: &str, zone: &str) -> Expect {
        Expect {
            traffic_every: Duration::from_secs(3600),
            hours: Hours::parse(hours).unwrap(),
            zone: zone_of(zone).unwrap(),
        }
    }

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn hours_are_read() {
        for (text, len) in [
            ("08-18", Some(10)),
            ("8-18", Some(10)),
            ("22-06", Some(8)),
            ("0-24", Some(24)),
            ("08-08", None),
            ("08-25", None),
            ("24-08", None),
            ("-1-5", None),
            ("+8-18", None),
            ("08:00-18:00", None),
            ("", None),
        ] {
            assert_eq!(Hours::parse(text).ok().map(Hours::len_hours), len, "{text}");
        }
    }

    #[test]
    fn the_part_of_the_day_begins_with_its_first_hour() {
        let office = expect("08-18", "UTC");
        assert_eq!(office.since(at("2026-03-01T07:59:59Z")), None);
        let eight = at("2026-03-01T08:00:00Z");
        for now in ["2026-03-01T08:00:00Z", "2026-03-01T17:59:59Z"] {
            assert_eq!(office.since(at(now)), Some(eight), "{now}");
        }
        assert_eq!(office.since(at("2026-03-01T18:00:00Z")), None);
        let night = expect("22-06", "UTC");
        let ten = at("2026-03-01T22:00:00Z");
        assert_eq!(night.since(at("2026-03-02T05:30:00Z")), Some(ten));
        assert_eq!(night.since(at("2026-03-02T06:00:00Z")), None);
        assert_eq!(expect("0-24", "UTC").since(eight), Some(i64::MIN));
    }

    #[test]
    fn hours_belong_to_their_zone() {
        let Ok(zone) = zone_of("Asia/Kolkata") else {
            return; // This machine has no table of time zones.
        };
        let office = Expect {
            zone,
            ..expect("08-18", "UTC")
        };
        // Half an hour beside the full hours of UTC.
        assert_eq!(office.since(at("2026-03-01T02:29:59Z")), None);
        let began = at("2026-03-01T02:30:00Z");
        assert_eq!(office.since(at("2026-03-01T03:45:00Z")), Some(began));
        assert!(zone_of("Atlantis/Capital").is_err());
    }
}
