//! Waits over a jump of the machine's time: a wait that was to end in a minute ends in a minute.

use super::{
    Store,
    clock::{self, Jump},
    engine::{StoreError, Transaction},
    keys, queue, queued,
};
use crate::model::{ChannelId, MessageId, Millis, OrgId, Priority};

/// Waits moved in one transaction.
const BATCH: usize = 256;

impl Store {
    /// What the machine says that it is, right or wrong: what providers' signed times are compared with.
    /// Unlike [`Store::now`] it may run backwards.
    pub fn wall(&self) -> Millis {
        clock::millis(clock::wall())
    }

    /// What the age of old records is measured by: the machine's time. None while that is not believed, after it went
    /// forward by more than an hour while the daemon ran: until it is taken back, or the daemon starts again.
    pub fn believed(&self) -> Option<Millis> {
        self.clock.believed()
    }

    /// The time that passed since the store was opened, whatever the machine's time does: for what is measured
    /// within one run.
    pub fn passed(&self) -> Millis {
        self.clock.passed()
    }

    /// True while the machine's time has jumped, and the waits in the queues are not moved yet.
    pub fn has_jumped(&self) -> bool {
        self.clock.has_jumped()
    }

    /// The jumps of the machine's time that are not settled yet, oldest first.
    pub fn jumps(&self) -> Vec<Jump> {
        self.clock.jumps()
    }

    /// The waits in the queues were moved for so many jumps, the oldest.
    pub fn settle_jumps(&self, count: usize) {
        self.clock.settled(count);
    }

    /// Moves the waits of a channel that a jump forward would end all at once. Gives how many.
    pub async fn move_waits(
        &self,
        org: OrgId,
        channel: &ChannelId,
        jump: Jump,
    ) -> Result<usize, StoreError> {
        let mut moved = 0;
        for lane in Priority::ALL {
            loop {
                let plan = |tx: &mut Transaction<'_>| move_some(tx, org, channel, lane, jump);
                let batch = self.engine.transact(plan)?.await?.0;
                moved += batch;
                if batch < BATCH {
                    break;
                }
            }
        }
        Ok(moved)
    }
}

fn move_some(
    tx: &mut Transaction<'_>,
    org: OrgId,
    channel: &ChannelId,
    lane: Priority,
    jump: Jump,
) -> Result<usize, StoreError> {
    let prefix = keys::due_lane(org, channel, lane);
    // What was due before the jump is due; what was accepted after it is behind.
    let waits =
        |key: &[u8]| (jump.from_ms..jump.to_ms).contains(&(queue::due_of(&prefix, key) - 1));
    let mut ids = Vec::new();
    for (key, _) in tx.scan(&prefix, usize::MAX)? {
        if queue::due_of(&prefix, &key) > jump.to_ms || ids.len() == BATCH {
            break;
        }
        if waits(&key) {
            ids.extend(keys::trailing_id(&key).map(MessageId::from_bytes));
        }
    }
    for id in &ids {
        if let Some(mut item) = queued::item(tx, org, *id)? {
            let (state, due_ms) = (item.state, item.due_ms + (jump.to_ms - jump.from_ms));
            queue::reschedule(tx, org, &mut item, state, due_ms)?;
        }
    }
    Ok(ids.len())
}
