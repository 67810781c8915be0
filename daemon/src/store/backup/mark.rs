//! What a restored store knows of its restore.

use serde::{Deserialize, Serialize};

use super::super::{Store, codec, engine::StoreError, keys};
use crate::model::Millis;

/// That a store was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restoration {
    /// The moment of the backup: what came later is not here.
    pub moment_ms: Millis,
    /// The newest commit of the backup.
    pub position: u64,
    /// When it was restored.
    pub restored_at_ms: Millis,
    /// True until the first start has noted of which time providers are to be asked.
    #[serde(default)]
    pub is_fresh: bool,
}

impl Store {
    /// The last restore of this store; none where there was none.
    pub fn restoration(&self) -> Option<Restoration> {
        self.restoration.get().copied()
    }

    /// The moment of the backup that this store was restored from, where this is the first start since. Of the time
    /// since then providers are to be asked, however short it was.
    pub fn restored_from_ms(&self) -> Option<Millis> {
        let fresh = self.restoration().filter(|known| known.is_fresh);
        fresh.map(|known| known.moment_ms)
    }

    /// True for what was written before this store was restored: another one had its time for it.
    pub(in super::super) fn came_before_restore(&self, at_ms: Option<Millis>) -> bool {
        let restored = self.restoration().map(|known| known.restored_at_ms);
        matches!((at_ms, restored), (Some(at), Some(restored)) if at < restored)
    }

    pub(in super::super) fn derive_restoration(&self) -> Result<(), StoreError> {
        if let Some(known) = self.record(&keys::restoration())? {
            self.restoration.get_or_init(|| known);
        }
        Ok(())
    }
}

/// What is kept of a restore once the gaps are noted.
pub(in super::super) fn settled(known: Restoration) -> Vec<u8> {
    codec::encode(&Restoration {
        is_fresh: false,
        ..known
    })
}
