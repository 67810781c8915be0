//! What the whole gateway knows that a message must pass: the caps of the day, and the breaker for
//! two machines that answer each other.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use parking_lot::Mutex;
use trunkline_plugin_api::{Identity, Medium};

use super::{
    TextPlan,
    accept::{AcceptError, refused},
};
use crate::{
    channel::Channel,
    config::{HumanTime, Settings},
    model::{ChannelId, Millis, Notice, NoticeKind, mask_identifier},
    store::{Charge, DayUse, Store, day_ends_ms},
    watch::{EchoGuard, EchoLimits, Notifier},
};

/// Whether a message is to be sent or only looked at: what is only looked at tells nobody and
/// begins nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// It goes out where it may.
    ToSend,
    /// It does not.
    ToShow,
}

/// Passed by every message on its way to the queue. One for the whole gateway.
pub struct Gate {
    pub(super) store: Store,
    settings: Settings,
    notifier: Notifier,
    echo: Arc<EchoGuard>,
    /// The end of the day on which a channel's owners were last told of a cap.
    told: Mutex<HashMap<ChannelId, Millis>>,
}

impl Gate {
    /// A gate before the queue in `store`.
    pub fn new(store: Store, settings: Settings, notifier: Notifier, echo: Arc<EchoGuard>) -> Self {
        Self {
            store,
            settings,
            notifier,
            echo,
            told: Mutex::default(),
        }
    }

    /// What a message adds to the day's count: the segments of all its parts on a channel of text
    /// messages, at least 1; elsewhere the messages that it goes out in.
    pub(super) fn charge(&self, channel: &Channel, text: Option<&TextPlan>) -> Charge {
        let units = text.map_or(1, |plan| match channel.medium() {
            Medium::Sms => u64::from(plan.segments_total()),
            _ => plan.parts.len() as u64,
        });
        let config = channel.config();
        let settings = self.settings.load();
        let organization = settings.organizations.get(&config.organization);
        Charge {
            units: units.max(1),
            channel_max: config.cost.daily_segments,
            organization_max: organization.and_then(|known| known.cost.daily_segments),
        }
    }

    /// The refusal of a message that goes beyond a cap. Owners are told once a day and channel.
    pub(super) fn over_cap(
        &self,
        channel: &Channel,
        over: DayUse,
        charge: Charge,
        asked: Asked,
    ) -> AcceptError {
        let unit = unit(channel);
        let (whose, section) = if over.is_organization {
            let slug = channel.config().organization.clone();
            (
                format!("organization {slug}"),
                format!("[organization.{slug}.cost]"),
            )
        } else {
            (
                format!("channel {}", channel.id),
                format!("[channel.{}.cost]", channel.id),
            )
        };
        let ends_ms = day_ends_ms(self.store.now());
        let wait = if charge.units > over.max {
            String::new()
        } else {
            format!("wait until {}, or ", time(ends_ms))
        };
        let words = format!(
            "{whose} may send {} {unit} a day (UTC) and has sent {}; this one takes {}: \
             {wait}raise daily_segments in {section}",
            over.max, over.used, charge.units,
        );
        let told = asked == Asked::ToSend
            && self.told.lock().insert(channel.id.clone(), ends_ms) != Some(ends_ms);
        if told {
            self.raise(channel, NoticeKind::LimitReached, words.clone());
        }
        refused("daily_cap", words)
    }

    /// Refuses an automatic reply to someone who seems to be a machine that answers us.
    pub(super) fn check_echo(
        &self,
        channel: &Channel,
        to: &Identity,
        asked: Asked,
    ) -> Result<(), AcceptError> {
        let (limits, now) = (self.echo_limits(), self.store.now());
        let found = match asked {
            Asked::ToSend => self.echo.check(channel.org, to, limits, now),
            Asked::ToShow => self.echo.peek(channel.org, to, limits, now),
        };
        let Some(found) = found else { return Ok(()) };
        let words = format!(
            "two machines seem to answer each other: automatic replies to {} are refused until {}. \
             A person may still write; [outbound] echo_max and echo_window ({}, {}) say when this \
             happens",
            mask_identifier(&to.identifier),
            time(found.until_ms),
            limits.max,
            HumanTime::format(limits.window),
        );
        if found.is_new && asked == Asked::ToSend {
            self.raise(channel, NoticeKind::EchoLoop, words.clone());
        }
        Err(refused("echo_loop", words))
    }

    /// Notes an automatic reply that was accepted.
    pub(super) fn replied(&self, channel: &Channel, to: &Identity) {
        let (limits, now) = (self.echo_limits(), self.store.now());
        self.echo.replied(channel.org, to, limits, now);
    }

    fn echo_limits(&self) -> EchoLimits {
        EchoLimits::from(&self.settings.load().outbound)
    }

    fn raise(&self, channel: &Channel, kind: NoticeKind, words: String) {
        self.notifier.raise(Notice {
            org: channel.org,
            channel: Some(channel.id.clone()),
            kind,
            words,
        });
    }
}

/// What a channel's messages are counted in.
pub(super) fn unit(channel: &Channel) -> &'static str {
    match channel.medium() {
        Medium::Sms => "segments",
        _ => "messages",
    }
}

fn time(at_ms: Millis) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(|_| "later".into(), |time| time.to_string())
}
