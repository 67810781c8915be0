//! Follows committed messages and closes turns. What it knows can be derived again: it saves only
//! the position from which to go on, together with the turns it closes.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;
use tracing::{debug, error};

use super::bursts::{Arrival, Bursts, Quiet};
use crate::{
    channel::Registry,
    metrics::Metrics,
    model::ChannelId,
    store::{Change, NewTurn, Position, Store, StoreError},
};

/// Under this name its position is saved.
const CONSUMER: &str = "coalescer";
/// Longest sleep with nothing to do; the position is saved at least this often while there is
/// something to follow.
const IDLE: Duration = Duration::from_secs(5);
/// Wait after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// Closes turns.
pub struct Coalescer {
    /// What is followed.
    pub store: Store,
    /// How long each channel waits.
    pub registry: Arc<Registry>,
    /// Counts turns.
    pub metrics: Arc<Metrics>,
    /// For channels that are gone.
    pub quiet: Quiet,
}

impl Coalescer {
    /// Runs until `stop` is dropped or fires; begins again from its saved position where following
    /// fails.
    pub async fn run(self, mut stop: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                _ = &mut stop => return,
                outcome = self.follow() => {
                    if let Err(error) = outcome {
                        error!(event = "coalescer_lost_place", %error, "the coalescer lost its place and begins again");
                    }
                }
            }
            tokio::select! {
                _ = &mut stop => return,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    async fn follow(&self) -> Result<(), StoreError> {
        let mut reached = self.store.saved_position(CONSUMER)?;
        let mut saved = reached;
        let mut follower = self.store.changes(CONSUMER, reached);
        let mut bursts = Bursts::default();
        loop {
            let wait = self.wait(&bursts);
            let mut turns = Vec::new();
            if let Ok(batch) = tokio::time::timeout(wait, follower.next()).await {
                let batch = match batch {
                    Err(StoreError::Gone { kept, .. }) => {
                        error!(
                            event = "turns_lost",
                            "changes before position {kept} are gone; turns in them are not closed"
                        );
                        reached = Position(kept);
                        follower = self.store.changes(CONSUMER, reached);
                        continue;
                    }
                    other => other?,
                };
                for change in batch.changes {
                    turns.extend(self.take(&mut bursts, change, reached));
                }
                reached = batch.position;
            }
            turns.extend(bursts.due(self.store.now()));
            let resume = bursts.resume(reached);
            let wanted = saved.0 < self.store.engine().let_go() && resume.0 > saved.0;
            if !turns.is_empty() || wanted || resume.0 > saved.0 + SAVE_EVERY {
                self.close(turns, resume).await?;
                saved = resume;
            }
        }
    }

    fn take(&self, bursts: &mut Bursts, change: Change, before: Position) -> Option<NewTurn> {
        let Change::Received {
            org,
            channel,
            thread,
            seq,
            message,
            at_ms,
        } = change
        else {
            return None;
        };
        let quiet = self.quiet_of(&channel);
        let arrival = Arrival {
            org,
            channel,
            thread,
            seq,
            message,
            at_ms,
            before,
        };
        bursts.add(arrival, quiet)
    }

    fn quiet_of(&self, channel: &ChannelId) -> Quiet {
        self.registry
            .get(channel.as_str())
            .map_or(self.quiet, |channel| {
                let config = channel.config();
                Quiet {
                    quiet: config.coalesce.quiet,
                    max: config.coalesce.max,
                }
            })
    }

    fn wait(&self, bursts: &Bursts) -> Duration {
        match bursts.next_deadline() {
            Some(deadline) => {
                let wait = u64::try_from(deadline - self.store.now()).unwrap_or(0);
                Duration::from_millis(wait).min(IDLE)
            }
            None => IDLE,
        }
    }

    /// Says which requests brought a turn; they are looked up only where somebody listens.
    fn log(&self, turn: &NewTurn) {
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let event = |id| self.store.message(turn.org, id).ok()??.event;
        let requests = turn.record.messages.iter().filter_map(|id| event(*id));
        let requests: Vec<String> = requests.map(|id| id.to_string()).collect();
        debug!(thread = %turn.record.thread, messages = turn.record.messages.len(), ?requests, "turn closed");
    }

    async fn close(&self, turns: Vec<NewTurn>, resume: Position) -> Result<(), StoreError> {
        for turn in &turns {
            self.metrics.turn();
            self.log(turn);
        }
        self.store.commit_turns(CONSUMER, turns, resume).await
    }
}

/// Positions passed without a turn after which the place is saved all the same.
const SAVE_EVERY: u64 = 10_000;
