//! Sends in a restored store.
//!
//! What waited at the moment of the backup may have been sent since, and nothing in the store knows. To send it
//! would be to send it twice. So a restore makes uncertain whatever would go out by itself: what stands in line, what
//! was being sent, what waits for another attempt, what is held until a person writes, and what was scheduled for a
//! time that has passed. The outbox then does with each what it does with every send of unknown outcome: the
//! provider is asked where its adapter can; one that it has is `sent`, one that it surely does not have goes out, all
//! others wait for a person (`trunkline outbox retry`, `discard`). A channel's `uncertain = "resend"` does not apply to them:
//! it is about single sends, not about a queue.
//!
//! Messages that were refused for a reply window by a report, and for which the channel's policy was about to be asked,
//! stay failed: the policy may have been carried out since. What is scheduled for later stays scheduled.

use trunkline_plugin_api::ErrorClass;

use super::super::{
    Store,
    attempts::{Attempt, plan_finish},
    codec,
    engine::StoreError,
    keys, queued,
};
use super::Restoration;
use crate::model::{Failure, MessageId, Millis, OrgId, OutboxState, RESTORED};

/// Items decided on in one go.
const BATCH: usize = 256;

/// What a restore did with what was about to be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Messages that are uncertain now.
    pub uncertain: u64,
    /// Messages that stay scheduled for a time to come.
    pub scheduled: u64,
}

impl Store {
    /// Notes that the store was restored, and holds its queue unless `resume_sends`. Blocks.
    pub(super) fn settle_restored(
        &self,
        restoration: Restoration,
        resume_sends: bool,
    ) -> Result<Held, StoreError> {
        let mut held = Held::default();
        if !resume_sends {
            for (_, org) in self.organizations() {
                self.drop_refusals(org)?;
                self.hold_queue(org, restoration.restored_at_ms, &mut held)?;
            }
        }
        let noted = self
            .engine
            .transact(|tx| tx.put(keys::restoration(), codec::encode(&restoration)))?;
        noted.wait()?;
        Ok(held)
    }

    fn hold_queue(&self, org: OrgId, now: Millis, held: &mut Held) -> Result<(), StoreError> {
        let prefix = keys::kind(org, keys::OUTBOX);
        let mut after = None;
        loop {
            let mut ids = Vec::with_capacity(BATCH);
            for entry in self.scan_prefix(&prefix, after, false).take(BATCH) {
                ids.extend(keys::trailing_id(&entry?.0).map(MessageId::from_bytes));
            }
            let Some(last) = ids.last() else {
                return Ok(());
            };
            after = Some(*last.as_bytes());
            let decided = self.engine.transact(|tx| {
                let mut decided = Held::default();
                for id in &ids {
                    let Some((item, message)) = queued::both(tx, org, *id)? else {
                        continue;
                    };
                    match item.state {
                        OutboxState::Dead | OutboxState::Uncertain => {}
                        OutboxState::Queued if item.scheduled && item.due_ms > now => {
                            decided.scheduled += 1;
                        }
                        _ => {
                            let unknown = Attempt::Uncertain(unknown());
                            plan_finish(tx, org, *id, message.next_part(), unknown, now)?;
                            decided.uncertain += 1;
                        }
                    }
                }
                Ok::<_, StoreError>(decided)
            })?;
            let (decided, _) = decided.wait()?;
            held.uncertain += decided.uncertain;
            held.scheduled += decided.scheduled;
        }
    }

    fn drop_refusals(&self, org: OrgId) -> Result<(), StoreError> {
        let prefix = keys::kind(org, keys::WINDOW_REFUSAL);
        let marks = self.scan_prefix(&prefix, None, false);
        let marks: Vec<_> = marks
            .map(|entry| entry.map(|(key, _)| key))
            .collect::<Result<_, _>>()?;
        for some in marks.chunks(BATCH) {
            let dropped = self.engine.transact(|tx| {
                for key in some {
                    tx.delete(key)?;
                }
                Ok::<_, StoreError>(())
            })?;
            dropped.wait()?;
        }
        Ok(())
    }
}

fn unknown() -> Failure {
    Failure {
        class: ErrorClass::Ambiguous,
        code: RESTORED.into(),
        message: "it waited when the backup was made that this store was restored from; it may have been \
                  sent since"
            .into(),
        provider_code: None,
    }
}
