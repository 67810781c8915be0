//! Closed turns, and how far the coalescer has come.

use super::{
    Store,
    changes::Change,
    codec,
    engine::{Position, StoreError},
    keys, records,
};
use crate::model::{OrgId, TurnRecord};

/// A turn to be stored.
#[derive(Debug, Clone)]
pub struct NewTurn {
    /// Whose.
    pub org: OrgId,
    /// The sequence of its first message.
    pub first_seq: u64,
    /// What is in it.
    pub record: TurnRecord,
}

impl Store {
    /// Stores turns together with the position from which a restart goes on. A turn that is there
    /// already is left as it is, so that following the same changes twice changes nothing.
    pub async fn commit_turns(
        &self,
        consumer: &str,
        turns: Vec<NewTurn>,
        resume: Position,
    ) -> Result<(), StoreError> {
        let pending = self.engine.transact(|tx| {
            for turn in turns {
                let key = keys::turn(turn.org, turn.record.thread, turn.first_seq);
                if tx.get(&key)?.is_some() {
                    continue;
                }
                tx.insert(&key, codec::encode(&turn.record));
                let change = Change::Turn {
                    org: turn.org,
                    thread: turn.record.thread,
                    first_seq: turn.first_seq,
                };
                records::note(tx, &change);
            }
            tx.put(keys::saved(consumer), resume.0.to_be_bytes())
        })?;
        pending.await?;
        self.engine.retain(consumer, resume);
        Ok(())
    }

    /// The position that a consumer saved last; the start of the log where it saved none.
    pub fn saved_position(&self, consumer: &str) -> Result<Position, StoreError> {
        let key = keys::saved(consumer);
        Ok(match self.engine.get(&key)? {
            Some(bytes) => Position(u64::from_be_bytes(codec::fixed(&key, &bytes)?)),
            None => Position(0),
        })
    }
}
