//! Times that the daemon was down for, until what came in meanwhile has been fetched.

use super::{CLOCK, Store, backup, codec, engine::StoreError, keys};
use crate::model::{ChannelId, Millis, OrgId};

/// A channel's time of which the provider has not been asked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Whose channel.
    pub org: OrgId,
    /// Which.
    pub channel: ChannelId,
    /// Where it begins.
    pub since_ms: Millis,
}

impl Store {
    /// When the daemon that had the store before was last surely up; none for a new store. It may
    /// have been up for half a minute longer.
    pub fn last_up_ms(&self) -> Option<Millis> {
        self.last_up_ms.get().copied()
    }

    /// Saves that these channels have gaps, and the clock with them: from here on, that the daemon
    /// was down is told by the gaps alone.
    pub async fn save_gaps(&self, gaps: &[Gap]) -> Result<(), StoreError> {
        let now = self.now();
        let pending = self.engine.transact(|tx| {
            for gap in gaps {
                let key = keys::gap(gap.org, &gap.channel);
                tx.put(key, gap.since_ms.to_be_bytes())?;
            }
            if let Some(known) = self.restoration().filter(|known| known.is_fresh) {
                tx.put(keys::restoration(), backup::settled(known))?;
            }
            tx.put(keys::saved(CLOCK), now.to_be_bytes())
        })?;
        pending.await?;
        Ok(())
    }

    /// Where a channel's gap begins, where it has one.
    pub fn gap(&self, org: OrgId, channel: &ChannelId) -> Result<Option<Millis>, StoreError> {
        let key = keys::gap(org, channel);
        let Some(bytes) = self.engine.get(&key)? else {
            return Ok(None);
        };
        Ok(Some(Millis::from_be_bytes(codec::fixed(&key, &bytes)?)))
    }

    /// Ends a channel's gap: it has been filled.
    pub async fn end_gap(&self, org: OrgId, channel: &ChannelId) -> Result<(), StoreError> {
        let key = keys::gap(org, channel);
        let pending = self.engine.transact(|tx| tx.delete(&key))?;
        pending.await?;
        Ok(())
    }
}
