//! What was accepted for sending today: one counter for each channel and one for each organization
//! that has a cap, written in the transaction that accepts the message.
//!
//! A day is one of UTC. A counter is overwritten by the first message of another day, so there is
//! nothing to sweep. Without a cap nothing is counted: a cap that is set during a day begins at
//! zero.

use serde::{Deserialize, Serialize};

use super::{
    codec,
    engine::{StoreError, Transaction},
    keys,
    records::load,
};
use crate::model::{ChannelId, Millis, OrgId};

const DAY_MS: Millis = 24 * 3600 * 1000;

/// What a message adds to the day's count, and what the day may hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Charge {
    /// Segments of a text message, messages for all else.
    pub units: u64,
    /// What the channel may send in a day.
    pub channel_max: Option<u64>,
    /// What all channels of its organization may send in a day.
    pub organization_max: Option<u64>,
}

/// How much of a day's cap is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayUse {
    /// True for the organization's cap, false for the channel's.
    pub is_organization: bool,
    /// The cap.
    pub max: u64,
    /// What of it is used.
    pub used: u64,
}

impl DayUse {
    /// Whether this many more are too many.
    pub fn is_exceeded_by(&self, units: u64) -> bool {
        self.used.saturating_add(units) > self.max
    }
}

/// When the day of a time ends, in milliseconds since the Unix epoch.
pub fn day_ends_ms(now: Millis) -> Millis {
    (day(now) + 1) * DAY_MS
}

/// Days since the Unix epoch.
fn day(now: Millis) -> i64 {
    now.div_euclid(DAY_MS)
}

#[derive(Serialize, Deserialize)]
struct SpentRecord {
    day: i64,
    units: u64,
}

/// The counters that a charge concerns: the channel's, then the organization's.
fn counters(
    tx: &mut Transaction<'_>,
    org: OrgId,
    channel: &ChannelId,
    charge: Charge,
    day: i64,
) -> Result<Vec<(Vec<u8>, DayUse)>, StoreError> {
    let caps = [
        (Some(channel), charge.channel_max),
        (None, charge.organization_max),
    ];
    let mut counters = Vec::new();
    for (scope, max) in caps {
        let Some(max) = max else { continue };
        let key = keys::spent(org, scope);
        let today = load(tx, &key)?.filter(|record: &SpentRecord| record.day == day);
        let day_use = DayUse {
            is_organization: scope.is_none(),
            max,
            used: today.map_or(0, |record| record.units),
        };
        counters.push((key, day_use));
    }
    Ok(counters)
}

/// Counts a message; where it would go beyond a cap, nothing is counted and that cap comes back.
pub(super) fn charge(
    tx: &mut Transaction<'_>,
    org: OrgId,
    channel: &ChannelId,
    charge: Charge,
    now: Millis,
) -> Result<Option<DayUse>, StoreError> {
    let day = day(now);
    let counters = counters(tx, org, channel, charge, day)?;
    for (_, cap) in &counters {
        if cap.is_exceeded_by(charge.units) {
            return Ok(Some(*cap));
        }
    }
    for (key, cap) in counters {
        let units = cap.used.saturating_add(charge.units);
        tx.put(key, codec::encode(&SpentRecord { day, units }))?;
    }
    Ok(None)
}

/// Today's use of the caps that a charge names, the channel's first.
pub(super) fn spent(
    tx: &mut Transaction<'_>,
    org: OrgId,
    channel: &ChannelId,
    charge: Charge,
    now: Millis,
) -> Result<Vec<DayUse>, StoreError> {
    let counters = counters(tx, org, channel, charge, day(now))?;
    Ok(counters.into_iter().map(|(_, cap)| cap).collect())
}

#[cfg(test)]
mod tests {
    use super::super::{EngineOptions, Store};
    use super::*;

    const ORG: OrgId = OrgId(7);

    fn charge_of(units: u64, channel_max: Option<u64>, organization_max: Option<u64>) -> Charge {
        Charge {
            units,
            channel_max,
            organization_max,
        }
    }

    async fn spend(store: &Store, id: &str, what: Charge, now: Millis) -> Option<DayUse> {
        let id = ChannelId::new(id);
        let planned = store
            .engine
            .transact(|tx| charge(tx, ORG, &id, what, now))
            .unwrap();
        planned.await.unwrap().0
    }

    #[tokio::test]
    async fn caps_hold_to_the_unit_over_a_restart_and_until_midnight() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            Store::open(folder.path(), EngineOptions::default())
                .unwrap()
                .0
        };
        let (noon, midnight) = (DAY_MS / 2, DAY_MS);
        let store = open();
        let both = |units| charge_of(units, Some(5), Some(8));
        assert_eq!(spend(&store, "a", both(5), noon).await, None);
        let over = spend(&store, "a", both(1), noon).await.unwrap();
        assert_eq!((over.is_organization, over.max, over.used), (false, 5, 5));
        store.engine.clone().close();
        drop(store);

        let store = open();
        assert_eq!(spend(&store, "b", both(3), noon).await, None);
        let over = spend(&store, "b", both(1), midnight - 1).await.unwrap();
        assert_eq!((over.is_organization, over.max, over.used), (true, 8, 8));
        // What was refused was not counted, neither here nor there.
        let raised = charge_of(2, Some(5), Some(10));
        assert_eq!(spend(&store, "b", raised, noon).await, None);
        assert_eq!(spend(&store, "a", both(5), midnight).await, None);
        assert_eq!(day_ends_ms(noon), midnight);
        assert_eq!(day_ends_ms(midnight), 2 * DAY_MS);
    }

    #[tokio::test]
    async fn nothing_is_written_without_a_cap() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), EngineOptions::default()).unwrap();
        assert_eq!(spend(&store, "a", charge_of(9, None, None), 0).await, None);
        assert_eq!(store.engine.count(ORG.0, b'$'), 0);
        assert_eq!(
            spend(&store, "a", charge_of(9, None, Some(9)), 0).await,
            None
        );
        assert_eq!(store.engine.count(ORG.0, b'$'), 1);
    }
}
