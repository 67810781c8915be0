//! Finds out whether a send of unknown outcome reached Twilio, from the list of messages.
//!
//! Twilio shows neither our id nor the callback URL on a message, so a message is recognised by
//! recipient, sender, text, number of attachments and time of creation. Exactly one match is a find. Everything else is
//! `Unsure`, an empty list too: the list does not say when it was brought up to date, nor does the
//! lookup know when the last attempt was made, so a message may still appear after it. `Absent`
//! would permit a second send and is never claimed.
//!
//! The list is not narrowed by `DateSent`, which is null while a message is queued at Twilio.

use trunkline_plugin_api::{Lookup, OutboundMessage, Step, Turn};

use crate::{
    address,
    config::Settings,
    rest::{self, Resource},
    send,
};

/// How far Twilio's clock may be from ours, in milliseconds. Its times are whole seconds.
const CLOCK_SKEW_MS: i64 = 5_000;

/// Looks for one message.
pub(crate) fn find_sent(
    settings: &Settings,
    message: &OutboundMessage,
    turn: &Turn,
) -> Step<Lookup> {
    let Some(api) = &settings.api else {
        return Step::fail(rest::no_credentials());
    };
    // A template's text is Twilio's, so there is nothing to compare.
    if message.content.template.is_some() {
        return Step::done(Lookup::Unsure);
    }
    let to = address::wire(&message.to, settings.is_whatsapp());
    let list = || {
        let mut query = vec![("To", to.as_str())];
        query.extend(settings.from.as_deref().map(|from| ("From", from)));
        query.push(("PageSize", "100"));
        api.get(&[&api.account_sid, "Messages.json"], &query)
    };
    rest::read_once(turn, list, |page| {
        let wanted = Wanted {
            settings,
            to: &to,
            text: send::body(&message.content).unwrap_or_default(),
            media_count: message.content.media.len(),
            from_ms: message.accepted_at_ms.saturating_sub(CLOCK_SKEW_MS),
            until_ms: turn.now_ms.saturating_add(CLOCK_SKEW_MS),
        };
        let listed: Vec<_> = rest::messages(&page).collect();
        // The list is newest first: a last entry from before the window leaves nothing behind it.
        let complete = rest::next_page(&page).is_none()
            || listed
                .last()
                .and_then(|last| last.time("date_created"))
                .is_some_and(|created_ms| created_ms < wanted.from_ms);
        let mut matches = listed.iter().filter(|listed| wanted.is(listed));
        let found = match (matches.next(), matches.next()) {
            (Some(only), None) if complete => only.text("sid").map(|sid| Lookup::Found {
                receipt: send::receipt_of(sid, only),
            }),
            _ => None,
        };
        Step::done(found.unwrap_or(Lookup::Unsure))
    })
}

struct Wanted<'a> {
    settings: &'a Settings,
    to: &'a str,
    text: String,
    media_count: usize,
    from_ms: i64,
    until_ms: i64,
}

impl Wanted<'_> {
    fn is(&self, listed: &Resource<'_>) -> bool {
        let same = |field: &str, ours: Option<&str>| {
            ours.is_none() || listed.text(field).is_none_or(|theirs| Some(theirs) == ours)
        };
        let outbound = listed
            .text("direction")
            .is_none_or(|direction| direction.starts_with("outbound"));
        let same_media = listed
            .number("num_media")
            .is_none_or(|count| usize::try_from(count) == Ok(self.media_count));
        let in_time = listed
            .time("date_created")
            .is_none_or(|created_ms| (self.from_ms..=self.until_ms).contains(&created_ms));
        outbound
            && in_time
            && listed.text("to") == Some(self.to)
            && same("from", self.settings.from.as_deref())
            && same("messaging_service_sid", self.settings.service.as_deref())
            && listed.text("body").unwrap_or_default() == self.text
            && same_media
    }
}
