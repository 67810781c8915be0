//! `[channel.ID.expect]` and `[channel.ID.canary]`: how a quiet channel is told from a deaf one.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{
    channel::Channel,
    finding::child,
    report::Report,
    rules::{at_least, at_most},
    units::HumanTime,
};

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

/// A message that a channel sends to itself, or to another one, to see that it comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// The address that it goes to.
    pub to: String,
    /// The channel that it should come in on.
    pub via: String,
    /// Time between two.
    pub interval: Duration,
    /// Not back by then, it is lost.
    pub timeout: Duration,
    /// Most of them in one day (UTC): they cost money.
    pub daily_max: u32,
}

/// Tells when a channel has gone deaf: no message in all this time. Off unless `traffic_every` is
/// set.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ChannelExpect {
    /// Longest time without a message.
    pub traffic_every: Option<HumanTime>,
    /// Only in these hours.
    pub hours: Option<HoursText>,
    /// Where those hours are; UTC where none is given.
    pub zone: Option<ZoneText>,
}

impl ChannelExpect {
    /// What is expected, where something is.
    pub(super) fn resolve(self) -> Option<Expect> {
        let hours = self.hours.and_then(|hours| Hours::parse(&hours.0).ok());
        let zone = self.zone.and_then(|zone| zone_of(&zone.0).ok());
        Some(Expect {
            traffic_every: self.traffic_every?.0,
            hours: hours.unwrap_or(Hours::ALWAYS),
            zone: zone.unwrap_or(TimeZone::UTC),
        })
    }
}

/// Sends a marked message on a round trip to prove that sending and receiving work. Off unless
/// `to` is set.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ChannelCanary {
    /// An address that comes back to this channel or another.
    #[schemars(length(min = 1, max = 320))]
    pub to: Option<String>,
    /// The channel that it comes back on; this one where none is given.
    #[schemars(length(min = 1))]
    pub via: Option<String>,
    /// Time between two.
    #[serde(with = "HumanTime")]
    pub interval: Duration,
    /// Not back after this time, it is lost.
    #[serde(with = "HumanTime")]
    pub timeout: Duration,
    /// Most of them in one day (UTC).
    #[schemars(range(min = 1, max = 100_000))]
    pub daily_max: u32,
}

impl Default for ChannelCanary {
    fn default() -> Self {
        Self {
            to: None,
            via: None,
            interval: Duration::from_secs(3600),
            timeout: Duration::from_secs(300),
            daily_max: 24,
        }
    }
}

impl ChannelCanary {
    /// What is sent, where something is.
    pub(super) fn resolve(self, id: &str) -> Option<Canary> {
        Some(Canary {
            to: self.to?,
            via: self.via.unwrap_or_else(|| id.to_owned()),
            interval: self.interval,
            timeout: self.timeout,
            daily_max: self.daily_max,
        })
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

/// Checks what concerns several keys: times that can't work together, and where canaries come back.
pub(super) fn check(channels: &BTreeMap<String, Arc<Channel>>, report: &mut Report<'_>) {
    for channel in channels.values() {
        let own = child("/channel", &channel.id);
        expect(channel, &child(&own, "expect"), report);
        canary(channel, channels, &child(&own, "canary"), report);
    }
}

fn expect(channel: &Channel, pointer: &str, report: &mut Report<'_>) {
    let Some(expect) = &channel.expect else {
        if report.places.has(pointer) {
            report.error(pointer, "says nothing without traffic_every");
        }
        return;
    };
    let hours = Duration::from_secs(u64::from(expect.hours.len_hours()) * 3600);
    if expect.hours != Hours::ALWAYS {
        let key = child(pointer, "traffic_every");
        at_most(report, &key, expect.traffic_every, ("hours", hours));
    }
}

fn canary(
    channel: &Channel,
    channels: &BTreeMap<String, Arc<Channel>>,
    pointer: &str,
    report: &mut Report<'_>,
) {
    let Some(canary) = &channel.canary else {
        if report.places.has(pointer) {
            report.error(pointer, "says nothing without to");
        }
        return;
    };
    let timeout = ("timeout", canary.timeout);
    at_least(
        report,
        &child(pointer, "interval"),
        canary.interval,
        timeout,
    );
    let via = child(pointer, "via");
    match channels.get(&canary.via) {
        None => report.error(&via, "is not the id of a channel"),
        Some(via_channel) if via_channel.organization != channel.organization => {
            report.error(&via, "is a channel of another organization");
        }
        Some(_) => {}
    }
}

macro_rules! text_with_format {
    ($(#[$doc:meta])* $name:ident, $format:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(transparent)]
        pub(super) struct $name(pub String);

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format })
            }
        }
    };
}

text_with_format!(
    /// [`Hours`] as they are written.
    HoursText,
    "hours"
);
text_with_format!(
    /// A time zone as it is written.
    ZoneText,
    "time-zone"
);

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
