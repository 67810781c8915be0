//! The history of each channel's health, and what the watchers of silence must not forget.

use std::collections::HashMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::{Store, codec, engine::StoreError, keys};
use crate::model::{CanaryRecord, ChannelId, HealthEntry, Millis, OrgId};

/// Entries kept for one channel at most; the oldest makes room.
const ENTRIES_MAX: u16 = 1_000;

/// An entry with its place among all that there ever were.
#[derive(Serialize, Deserialize)]
struct Kept {
    number: u64,
    entry: HealthEntry,
}

/// The number that each channel's next entry gets; read from the ring when first asked for.
#[derive(Default)]
pub(super) struct Places(Mutex<HashMap<(OrgId, ChannelId), u64>>);

impl Store {
    /// Adds an entry to a channel's history.
    pub async fn add_health_entry(
        &self,
        org: OrgId,
        channel: &ChannelId,
        entry: HealthEntry,
    ) -> Result<(), StoreError> {
        let number = self.next_health_number(org, channel)?;
        let slot = u16::try_from(number % u64::from(ENTRIES_MAX)).unwrap_or_default();
        let key = keys::health(org, channel, slot);
        let kept = codec::encode(&Kept { number, entry });
        let pending = self.engine.transact(|tx| tx.put(&key, kept))?;
        pending.await?;
        Ok(())
    }

    fn next_health_number(&self, org: OrgId, channel: &ChannelId) -> Result<u64, StoreError> {
        let mut places = self.health_places.0.lock();
        let place = (org, channel.clone());
        let number = match places.get(&place) {
            Some(number) => *number,
            None => self
                .kept_health(org, channel)?
                .last()
                .map_or(0, |newest| newest.number + 1),
        };
        places.insert(place, number + 1);
        Ok(number)
    }

    /// A channel's history, oldest first: at most the latest thousand entries.
    pub fn health_entries(
        &self,
        org: OrgId,
        channel: &ChannelId,
    ) -> Result<Vec<HealthEntry>, StoreError> {
        let kept = self.kept_health(org, channel)?;
        Ok(kept.into_iter().map(|kept| kept.entry).collect())
    }

    fn kept_health(&self, org: OrgId, channel: &ChannelId) -> Result<Vec<Kept>, StoreError> {
        let entries = self.scan_prefix(&keys::health_of(org, channel), None, false);
        let kept = entries.map(|entry| entry.and_then(|(key, bytes)| codec::decode(&key, &bytes)));
        let mut kept: Vec<Kept> = kept.collect::<Result<_, _>>()?;
        kept.sort_by_key(|kept| kept.number);
        Ok(kept)
    }

    /// When a message last came in by a channel, as far as that was saved.
    pub fn last_traffic(
        &self,
        org: OrgId,
        channel: &ChannelId,
    ) -> Result<Option<Millis>, StoreError> {
        let key = keys::traffic(org, channel);
        let saved = self.engine.get(&key)?;
        saved
            .map(|bytes| codec::fixed(&key, &bytes).map(Millis::from_be_bytes))
            .transpose()
    }

    /// Saves when a message last came in by a channel.
    pub async fn save_traffic(
        &self,
        org: OrgId,
        channel: &ChannelId,
        at_ms: Millis,
    ) -> Result<(), StoreError> {
        let key = keys::traffic(org, channel);
        let pending = self
            .engine
            .transact(|tx| tx.put(&key, at_ms.to_be_bytes()))?;
        pending.await?;
        Ok(())
    }

    /// What a channel remembers of its canaries.
    pub fn canary(&self, org: OrgId, channel: &ChannelId) -> Result<CanaryRecord, StoreError> {
        let record = self.record(&keys::canary(org, channel))?;
        Ok(record.unwrap_or_default())
    }

    /// Saves what a channel remembers of its canaries.
    pub async fn save_canary(
        &self,
        org: OrgId,
        channel: &ChannelId,
        record: &CanaryRecord,
    ) -> Result<(), StoreError> {
        let key = keys::canary(org, channel);
        let pending = self
            .engine
            .transact(|tx| tx.put(&key, codec::encode(record)))?;
        pending.await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{HealthEntryKind, HealthStatus},
        store::EngineOptions,
    };

    fn entry(at_ms: Millis) -> HealthEntry {
        HealthEntry {
            at_ms,
            kind: HealthEntryKind::Change,
            from: Some(HealthStatus::Healthy),
            status: HealthStatus::Down,
            reason: Some("because".into()),
            latency_ms: None,
        }
    }

    #[tokio::test]
    async fn a_history_is_bounded_and_goes_on_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (org, sms) = (OrgId(1), ChannelId::new("sms"));
        let open = || {
            Store::open(folder.path(), EngineOptions::default())
                .unwrap()
                .0
        };
        let store = open();
        for at in 0..3 {
            store.add_health_entry(org, &sms, entry(at)).await.unwrap();
        }
        let other = ChannelId::new("sms2");
        store.add_health_entry(org, &other, entry(9)).await.unwrap();
        store.engine().clone().close();
        let store = open();
        let all = i64::from(ENTRIES_MAX) + 5;
        for at in 3..all {
            store.add_health_entry(org, &sms, entry(at)).await.unwrap();
        }
        let times = |channel| -> Vec<Millis> {
            let entries = store.health_entries(org, channel).unwrap();
            entries.iter().map(|entry| entry.at_ms).collect()
        };
        assert_eq!(times(&sms), (5..all).collect::<Vec<_>>());
        assert_eq!(times(&other), [9]);
    }

    #[tokio::test]
    async fn what_watchers_save_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let (org, sms) = (OrgId(1), ChannelId::new("sms"));
        let (store, _) = Store::open(folder.path(), EngineOptions::default()).unwrap();
        assert_eq!(store.last_traffic(org, &sms).unwrap(), None);
        store.save_traffic(org, &sms, 7).await.unwrap();
        assert_eq!(store.last_traffic(org, &sms).unwrap(), Some(7));
        assert_eq!(store.canary(org, &sms).unwrap(), CanaryRecord::default());
        let record = CanaryRecord {
            sent: 3,
            ..CanaryRecord::default()
        };
        store.save_canary(org, &sms, &record).await.unwrap();
        assert_eq!(store.canary(org, &sms).unwrap(), record);
    }
}
