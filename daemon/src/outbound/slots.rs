//! Calls to a provider at once, of which the bulk lane may have most but never all.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::model::Priority;

/// One in this many is kept free of the bulk lane.
const FREE_OF_BULK: usize = 4;

/// How many of `all` the bulk lane may have: at least one.
pub(super) fn open_to_bulk(all: usize) -> usize {
    (all - all / FREE_OF_BULK).max(1)
}

/// The calls that one channel may have under way.
pub(super) struct Slots {
    all: Resizable,
    bulk: Resizable,
}

/// A call's place; free again when it is dropped.
pub(super) struct Slot<'a> {
    _bulk: Option<SemaphorePermit<'a>>,
    _call: Option<SemaphorePermit<'a>>,
}

impl Slots {
    /// Room for this many calls.
    pub(super) fn new(count: usize) -> Self {
        Self {
            all: Resizable::new(count),
            bulk: Resizable::new(open_to_bulk(count)),
        }
    }

    /// Changes the number of calls; fewer take effect as calls end. Gives the number that holds.
    pub(super) fn resize(&self, count: usize) -> usize {
        self.bulk.resize(open_to_bulk(count));
        self.all.resize(count)
    }

    /// Waits for a place.
    pub(super) async fn take(&self, lane: Priority) -> Slot<'_> {
        let bulk = match lane {
            Priority::Bulk => self.bulk.permits.acquire().await.ok(),
            Priority::Reply => None,
        };
        Slot {
            _bulk: bulk,
            _call: self.all.permits.acquire().await.ok(),
        }
    }
}

struct Resizable {
    permits: Semaphore,
    count: AtomicUsize,
}

impl Resizable {
    fn new(count: usize) -> Self {
        Self {
            permits: Semaphore::new(count),
            count: AtomicUsize::new(count),
        }
    }

    fn resize(&self, wanted: usize) -> usize {
        let count = self.count.load(Ordering::Relaxed);
        let now = if wanted > count {
            self.permits.add_permits(wanted - count);
            wanted
        } else {
            count - self.permits.forget_permits(count - wanted)
        };
        self.count.store(now, Ordering::Relaxed);
        now
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn bulk_leaves_places_to_replies() {
        let slots = Slots::new(4);
        let taken: Vec<_> = (0..3)
            .filter_map(|_| slots.take(Priority::Bulk).now_or_never())
            .collect();
        assert_eq!(taken.len(), 3);
        assert!(slots.take(Priority::Bulk).now_or_never().is_none());
        assert!(slots.take(Priority::Reply).now_or_never().is_some());
    }

    #[test]
    fn a_change_of_number_takes_effect_as_calls_end() {
        let slots = Slots::new(2);
        let one = slots.take(Priority::Reply).now_or_never();
        let two = slots.take(Priority::Reply).now_or_never();
        assert!(one.is_some() && two.is_some());
        assert_eq!(slots.resize(1), 2);
        drop((one, two));
        assert_eq!(slots.resize(1), 1);
        let one = slots.take(Priority::Reply).now_or_never();
        assert!(one.is_some());
        assert!(slots.take(Priority::Reply).now_or_never().is_none());
        assert_eq!(slots.resize(3), 3);
        assert!(slots.take(Priority::Reply).now_or_never().is_some());
    }
}
