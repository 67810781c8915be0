//! The order of the inbox: threads by last activity, kept in memory and derived at start.

use std::collections::{BTreeSet, HashMap};

use parking_lot::RwLock;

use crate::model::{Millis, OrgId, ThreadId};

/// Threads of all organizations by last activity.
#[derive(Default)]
pub(crate) struct Inbox {
    organizations: RwLock<HashMap<OrgId, Order>>,
}

#[derive(Default)]
struct Order {
    by_time: BTreeSet<(Millis, ThreadId)>,
    times: HashMap<ThreadId, Millis>,
}

impl Inbox {
    /// Something happened in a thread. An earlier time never moves it back.
    pub(crate) fn touch(&self, org: OrgId, thread: ThreadId, at_ms: Millis) {
        let mut organizations = self.organizations.write();
        let order = organizations.entry(org).or_default();
        match order.times.insert(thread, at_ms) {
            Some(before) if before > at_ms => {
                order.times.insert(thread, before);
            }
            Some(before) => {
                order.by_time.remove(&(before, thread));
                order.by_time.insert((at_ms, thread));
            }
            None => {
                order.by_time.insert((at_ms, thread));
            }
        }
    }

    /// A thread is gone.
    pub(crate) fn forget(&self, org: OrgId, thread: ThreadId) {
        let mut organizations = self.organizations.write();
        let order = organizations.entry(org).or_default();
        if let Some(at_ms) = order.times.remove(&thread) {
            order.by_time.remove(&(at_ms, thread));
        }
    }

    /// Up to `limit` threads, newest activity first, those after `before` in that order.
    pub(crate) fn newest(
        &self,
        org: OrgId,
        before: Option<ThreadId>,
        limit: usize,
    ) -> Vec<ThreadId> {
        let organizations = self.organizations.read();
        let Some(order) = organizations.get(&org) else {
            return Vec::new();
        };
        let end = match before {
            Some(thread) => match order.times.get(&thread) {
                Some(at_ms) => (*at_ms, thread),
                None => return Vec::new(),
            },
            None => (Millis::MAX, ThreadId::from_bytes([0xff; 16])),
        };
        order
            .by_time
            .range(..end)
            .rev()
            .take(limit)
            .map(|(_, thread)| *thread)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_activity_comes_first_and_pages_join() {
        let inbox = Inbox::default();
        let thread = |n: u8| ThreadId::from_bytes([n; 16]);
        for n in 0..10 {
            inbox.touch(OrgId(1), thread(n), Millis::from(n));
        }
        inbox.touch(OrgId(1), thread(3), 100);
        inbox.touch(OrgId(1), thread(3), 5);
        let first = inbox.newest(OrgId(1), None, 4);
        assert_eq!(first, [thread(3), thread(9), thread(8), thread(7)]);
        let second = inbox.newest(OrgId(1), Some(thread(7)), 100);
        assert_eq!(second, [6, 5, 4, 2, 1, 0].map(thread));
        assert!(inbox.newest(OrgId(2), None, 4).is_empty());
    }
}
