//! After a start: was the daemon down, and what came in meanwhile?
//!
//! Since when is known from the clock that is saved every half a minute and at a stop. What is to
//! be fetched is saved before that clock goes on, so that a daemon that dies again while it fetches
//! does not forget the rest.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use tokio::sync::oneshot;
use tracing::info;

use super::{BackfillError, Backfiller, Patience};
use crate::{
    channel::Registry,
    config::{self, Settings},
    model::{HealthStatus, Millis, Notice, NoticeKind},
    store::{Gap, Store, StoreError},
    watch::{HealthBoard, Notifier},
};

/// Asked for beyond the downtime itself: webhooks that were under way when it began.
const MARGIN_MS: Millis = 5 * 60 * 1000;
/// Channels asked at the same time.
const CHANNELS_MAX: usize = 4;
/// One channel's patience.
const PATIENCE: Patience = Patience {
    time_max: Duration::from_secs(30 * 60),
    attempts_max: 6,
};

/// Fills the gaps of a downtime.
pub struct Downtime {
    /// Where gaps are kept.
    pub store: Store,
    /// The channels.
    pub registry: Arc<Registry>,
    /// Which are switched off.
    pub board: Arc<HealthBoard>,
    /// When to ask.
    pub settings: Settings,
    /// Fetches.
    pub backfiller: Backfiller,
    /// Told of what could not be fetched.
    pub notifier: Notifier,
}

impl Downtime {
    /// Finds the gaps and saves them, with the clock. To be called once, before the clock is saved
    /// otherwise, when the channels are there.
    pub async fn note(&self) -> Result<Vec<Gap>, StoreError> {
        let settings = self.settings.load().backfill.clone();
        let now_ms = self.store.now();
        let began = self.store.last_up_ms();
        // What came after the moment of a restored backup is not here, however short that was ago.
        let restored = self.store.restored_from_ms();
        let restored = restored.map(|moment| began.map_or(moment, |began| began.min(moment)));
        let began = began.filter(|began| is_downtime(&settings, *began, now_ms));
        let began = restored.or(began);
        let earliest = now_ms.saturating_sub(millis(settings.window_max));
        let earliest = earliest.max(self.backfiller.horizon_ms());
        let mut gaps = Vec::new();
        if settings.after_downtime.is_zero() {
            self.store.save_gaps(&gaps).await?;
            return Ok(gaps);
        }
        for channel in self.registry.routes().channels() {
            let can_ask = channel.facts.as_ref().is_some_and(|facts| facts.can_send);
            if !can_ask || !Backfiller::can_list(channel) {
                continue;
            }
            let left = self.store.gap(channel.org, &channel.id)?;
            let fresh = began.map(|began| began.saturating_sub(MARGIN_MS));
            let Some(since_ms) = left.into_iter().chain(fresh).min() else {
                continue;
            };
            let since_ms = since_ms.max(earliest);
            if since_ms < now_ms {
                gaps.push(Gap {
                    org: channel.org,
                    channel: channel.id.clone(),
                    since_ms,
                });
            }
        }
        self.store.save_gaps(&gaps).await?;
        Ok(gaps)
    }

    /// Fills gaps until all are filled or given up, or `stop` is dropped or fires.
    pub async fn fill(self, gaps: Vec<Gap>, mut stop: oneshot::Receiver<()>) {
        let all = futures_util::stream::iter(gaps)
            .for_each_concurrent(CHANNELS_MAX, |gap| self.fill_one(gap));
        tokio::select! {
            _ = &mut stop => {}
            () = all => {}
        }
    }

    async fn fill_one(&self, gap: Gap) {
        let Some(channel) = self.registry.get(gap.channel.as_str()) else {
            return;
        };
        if self.board.get(&channel.id).status == HealthStatus::Disabled {
            // It stays a gap for the next start.
            return;
        }
        info!(event = "downtime_found", channel = %channel.id, since_ms = gap.since_ms, "the daemon was down; the provider is asked what came in");
        let filled = self.backfiller.fill(&channel, gap.since_ms, PATIENCE).await;
        let error = match filled {
            Ok(filled) if filled.is_complete => match self.end(&gap).await {
                Ok(()) => return,
                Err(error) => error.to_string(),
            },
            Ok(_) => "the list is too long for one go".to_owned(),
            Err(error) => error.to_string(),
        };
        self.notifier.raise(Notice {
            org: gap.org,
            channel: Some(gap.channel.clone()),
            kind: NoticeKind::BackfillFailed,
            words: format!(
                "messages that came in while the daemon was down could not all be fetched: {error}. \
                 They are asked for again at the next start, or by `trunkline channel backfill {}`",
                gap.channel
            ),
        });
    }

    async fn end(&self, gap: &Gap) -> Result<(), BackfillError> {
        self.store.end_gap(gap.org, &gap.channel).await?;
        Ok(())
    }
}

fn is_downtime(settings: &config::Backfill, began_ms: Millis, now_ms: Millis) -> bool {
    let down_ms = now_ms.saturating_sub(began_ms);
    !settings.after_downtime.is_zero() && down_ms >= millis(settings.after_downtime)
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}
