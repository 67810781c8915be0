//! `[channel.ID.expect]` and `[channel.ID.canary]`: how a quiet channel is told from a deaf one.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{
    channel::Channel,
    finding::child,
    hours::{Expect, Hours, zone_of},
    report::Report,
    rules::{at_least, at_most},
    units::HumanTime,
};

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
