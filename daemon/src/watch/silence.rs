//! Tells a quiet channel from a deaf one: a message should have come in by now, and has not.
//!
//! The way of a message in notes only a time in memory; it is saved from here, now and then.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;
use tracing::warn;

use super::{HealthBoard, Notifier};
use crate::{
    channel::Channel,
    config::{Expect, HumanTime},
    model::{HealthStatus, Millis, Notice, NoticeKind},
    store::Store,
};

/// Longest time between two looks.
const LOOK: Duration = Duration::from_secs(5);
/// Longest time until what was heard is saved.
const SAVE: Duration = Duration::from_secs(30);

/// Watches for silence.
#[derive(Clone)]
pub struct Silence {
    /// Where the times are saved.
    pub store: Store,
    /// Whose health it is.
    pub board: Arc<HealthBoard>,
    /// Tells owners.
    pub notifier: Notifier,
}

/// What is known of one channel.
struct Ear {
    /// When a message last came in, or since when it is listened for.
    heard_ms: Millis,
    saved_ms: Millis,
    saved_at_ms: Millis,
    is_quiet: bool,
}

impl Silence {
    /// Watches a channel until `stop` is dropped or fires.
    pub async fn watch(self, channel: Arc<Channel>, mut stop: oneshot::Receiver<()>) {
        let mut ear: Option<Ear> = None;
        loop {
            let expect = channel.config().expect.clone();
            let mut wait = LOOK;
            if let Some(expect) = &expect {
                let ear = ear.get_or_insert_with(|| self.begin(&channel));
                self.look(&channel, expect, ear).await;
                wait = (expect.traffic_every / 10).clamp(Duration::from_millis(50), LOOK);
            } else if ear.take().is_some_and(|ear| ear.is_quiet) {
                self.board.quiet(&channel.id, self.store.now(), None);
            }
            tokio::select! {
                biased;
                _ = &mut stop => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        if let Some(mut ear) = ear {
            ear.heard_ms = ear.heard_ms.max(channel.heard_at_ms());
            self.save(&channel, &mut ear).await;
        }
    }

    /// What was saved; where nothing was, listening begins now.
    fn begin(&self, channel: &Channel) -> Ear {
        let saved = self.store.last_traffic(channel.org, &channel.id);
        let saved = saved.unwrap_or_else(|error| {
            warn!(event = "heard_not_read", channel = %channel.id, %error, "it could not be read when a message last came in");
            None
        });
        Ear {
            heard_ms: saved.unwrap_or_else(|| self.store.now()),
            saved_ms: saved.unwrap_or(0),
            saved_at_ms: 0,
            is_quiet: false,
        }
    }

    async fn look(&self, channel: &Channel, expect: &Expect, ear: &mut Ear) {
        if self.store.has_jumped() {
            return;
        }
        let now_ms = self.store.now();
        ear.heard_ms = ear.heard_ms.max(channel.heard_at_ms());
        let save = millis(SAVE.min(expect.traffic_every / 4));
        if now_ms.saturating_sub(ear.saved_at_ms) >= save {
            self.save(channel, ear).await;
        }
        let is_on = self.board.status(&channel.id) != HealthStatus::Disabled;
        let is_quiet = is_on && is_quiet(expect, ear.heard_ms, now_ms);
        if is_quiet == ear.is_quiet {
            return;
        }
        ear.is_quiet = is_quiet;
        let words = is_quiet.then(|| words(expect));
        if let Some(words) = &words {
            self.notifier.raise(Notice {
                org: channel.org,
                channel: Some(channel.id.clone()),
                kind: NoticeKind::SilentChannel,
                words: format!("{}: {words}", channel.id),
            });
        }
        self.board.quiet(&channel.id, now_ms, words);
    }

    async fn save(&self, channel: &Channel, ear: &mut Ear) {
        if ear.saved_ms == ear.heard_ms {
            return;
        }
        let saved = self
            .store
            .save_traffic(channel.org, &channel.id, ear.heard_ms)
            .await;
        match saved {
            Ok(()) => (ear.saved_ms, ear.saved_at_ms) = (ear.heard_ms, self.store.now()),
            Err(error) => {
                warn!(event = "heard_not_saved", channel = %channel.id, %error, "it could not be saved when a message last came in");
            }
        }
    }
}

/// Whether a message should have come in by now. Time outside the hours does not count.
fn is_quiet(expect: &Expect, heard_ms: Millis, now_ms: Millis) -> bool {
    expect.since(now_ms).is_some_and(|since_ms| {
        now_ms.saturating_sub(heard_ms.max(since_ms)) > millis(expect.traffic_every)
    })
}

fn words(expect: &Expect) -> String {
    format!(
        "no message has come in for {}: check at the provider that its webhook calls the URL of this \
         channel",
        HumanTime::format(expect.traffic_every)
    )
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};

    use super::*;
    use crate::config::Hours;

    fn at(text: &str) -> Millis {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn only_the_hours_count() {
        let mut expect = Expect {
            traffic_every: Duration::from_secs(7200),
            hours: Hours::parse("08-18").unwrap(),
            zone: TimeZone::UTC,
        };
        let evening = at("2026-03-01T17:30:00Z");
        for (now, expected) in [
            ("2026-03-01T17:59:00Z", false),
            ("2026-03-02T03:00:00Z", false),
            ("2026-03-02T08:30:00Z", false),
            ("2026-03-02T10:00:00Z", false),
            ("2026-03-02T10:00:01Z", true),
            ("2026-03-02T18:00:00Z", false),
        ] {
            assert_eq!(is_quiet(&expect, evening, at(now)), expected, "{now}");
        }
        expect.hours = Hours::ALWAYS;
        assert!(is_quiet(&expect, evening, at("2026-03-01T19:30:01Z")));
        assert!(!is_quiet(&expect, evening, at("2026-03-01T19:30:00Z")));
    }
}
