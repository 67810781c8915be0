//! Notices on their way to the store, grouped in memory: a flood of one kind costs one entry.

use std::collections::{BTreeMap, btree_map::Entry};

use crate::model::{ChannelId, Millis, Notice, NoticeGroup, NoticeKind, OrgId};

/// Groups that may wait at once; a notice that would begin one more is only counted.
const GROUPS_MAX: usize = 10_000;
/// Characters of words that are kept.
const WORDS_CHARS_MAX: usize = 500;

type Key = (OrgId, Option<ChannelId>, NoticeKind);

/// Groups that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Groups {
    waiting: BTreeMap<Key, NoticeGroup>,
    /// Notices that found no room.
    dropped: u64,
}

impl Groups {
    /// Adds a notice. True where it is the first one that waits.
    pub(super) fn add(&mut self, notice: Notice, at_ms: Millis) -> bool {
        let is_first = self.waiting.is_empty();
        let Notice {
            org,
            channel,
            kind,
            words,
        } = notice;
        self.join(NoticeGroup {
            org,
            channel,
            kind,
            words: clip(words),
            count: 1,
            first_at_ms: at_ms,
            last_at_ms: at_ms,
        });
        is_first
    }

    /// Adds what could not be written, before what came since.
    pub(super) fn put_back(&mut self, groups: Vec<NoticeGroup>) {
        let newer = std::mem::take(&mut self.waiting);
        for group in groups.into_iter().chain(newer.into_values()) {
            self.join(group);
        }
    }

    fn join(&mut self, group: NoticeGroup) {
        let room = self.waiting.len() < GROUPS_MAX;
        match self
            .waiting
            .entry((group.org, group.channel.clone(), group.kind))
        {
            Entry::Occupied(mut waiting) => {
                let waiting = waiting.get_mut();
                waiting.count = waiting.count.saturating_add(group.count);
                waiting.last_at_ms = waiting.last_at_ms.max(group.last_at_ms);
                waiting.words = group.words;
            }
            Entry::Vacant(place) if room => {
                place.insert(group);
            }
            Entry::Vacant(_) => self.dropped = self.dropped.saturating_add(group.count),
        }
    }

    /// Takes everything that waits, and how many notices found no room.
    pub(super) fn take(&mut self) -> (Vec<NoticeGroup>, u64) {
        let waiting = std::mem::take(&mut self.waiting);
        let dropped = std::mem::take(&mut self.dropped);
        (waiting.into_values().collect(), dropped)
    }
}

fn clip(mut words: String) -> String {
    if let Some((at, _)) = words.char_indices().nth(WORDS_CHARS_MAX) {
        words.truncate(at);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(channel: &str, kind: NoticeKind, words: &str) -> Notice {
        Notice {
            org: OrgId(1),
            channel: Some(ChannelId::new(channel)),
            kind,
            words: words.into(),
        }
    }

    #[test]
    fn a_flood_of_one_kind_is_one_group() {
        let mut groups = Groups::default();
        let kind = NoticeKind::SignatureMismatch;
        assert!(groups.add(notice("a", kind, "first"), 10));
        for at in 11..1_000 {
            assert!(!groups.add(notice("a", kind, "later"), at));
        }
        groups.add(notice("a", NoticeKind::DeadLetter, "x"), 5);
        groups.add(notice("b", kind, "x"), 5);
        let (taken, dropped) = groups.take();
        assert_eq!((taken.len(), dropped), (3, 0));
        let flood = taken.iter().find(|group| group.count > 1).unwrap();
        assert_eq!(
            (flood.count, flood.first_at_ms, flood.last_at_ms),
            (990, 10, 999)
        );
        assert_eq!(flood.words, "later");
        assert_eq!(groups.take().0, []);
    }

    #[test]
    fn what_could_not_be_written_is_joined_with_what_came_since() {
        let mut groups = Groups::default();
        let kind = NoticeKind::HealthChanged;
        groups.add(notice("a", kind, "old"), 1);
        let (taken, _) = groups.take();
        groups.add(notice("a", kind, "new"), 2);
        groups.put_back(taken);
        let (taken, _) = groups.take();
        assert_eq!((taken.len(), taken[0].count), (1, 2));
        assert_eq!((taken[0].first_at_ms, taken[0].words.as_str()), (1, "new"));
    }

    #[test]
    fn memory_is_bounded_and_what_is_lost_is_counted() {
        let mut groups = Groups::default();
        for at in 0..GROUPS_MAX + 5 {
            let words = "ä".repeat(WORDS_CHARS_MAX + 1);
            groups.add(notice(&at.to_string(), NoticeKind::EchoLoop, &words), 1);
        }
        let (taken, dropped) = groups.take();
        assert_eq!((taken.len(), dropped), (GROUPS_MAX, 5));
        assert_eq!(taken[0].words.chars().count(), WORDS_CHARS_MAX);
    }
}
