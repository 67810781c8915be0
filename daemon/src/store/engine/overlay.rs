//! What has been handed over and not yet applied: the layers on their way, newest wins.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use tokio::sync::oneshot;

use super::{
    error::StoreError,
    layer::{Fate, Layer, Placed},
};

/// What a committer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// Its commit is in the log, synced: it will be seen by every plan, and after every crash.
    Durable,
    /// It is in the index too: it is seen by every reader.
    Applied,
}

/// Tells a committer how its commit ended.
#[derive(Debug)]
pub(super) struct Ack {
    pub(super) until: Until,
    pub(super) tell: oneshot::Sender<Result<(), StoreError>>,
}

impl Ack {
    /// Whoever gave up waiting needs no answer.
    pub(super) fn tell(self, result: Result<(), StoreError>) {
        let _ = self.tell.send(result);
    }
}

/// A layer that still takes commits, and who waits for it.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) layer: Layer,
    pub(super) acks: Vec<Ack>,
}

/// All layers that the index does not have yet.
#[derive(Debug)]
pub(super) struct Overlay {
    /// Being logged or applied, oldest first.
    flying: VecDeque<Arc<Layer>>,
    /// Waiting for the log, oldest first; all but the last are full.
    queued: VecDeque<Open>,
    /// The position of the next commit.
    next: u64,
    /// Commits in all layers.
    commits: usize,
    /// Bytes of their records.
    bytes: usize,
}

impl Overlay {
    pub(super) fn new(next: u64) -> Self {
        Self {
            flying: VecDeque::new(),
            queued: VecDeque::new(),
            next,
            commits: 0,
            bytes: 0,
        }
    }

    /// The position of the newest commit handed over.
    pub(super) fn newest(&self) -> u64 {
        self.next - 1
    }

    pub(super) fn commits(&self) -> usize {
        self.commits
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn layers(&self) -> impl DoubleEndedIterator<Item = &Layer> {
        let flying = self.flying.iter().map(Arc::as_ref);
        flying.chain(self.queued.iter().map(|open| &open.layer))
    }

    /// What the layers say about a key, if they do.
    pub(super) fn get(&self, key: &[u8]) -> Option<Fate<'_>> {
        self.layers().rev().find_map(|layer| layer.get(key))
    }

    /// Puts what the layers say about keys that begin with `prefix` into `patch`.
    pub(super) fn patch<'a>(
        &'a self,
        prefix: &'a [u8],
        patch: &mut BTreeMap<&'a [u8], Option<&'a [u8]>>,
    ) {
        for layer in self.layers() {
            patch.extend(layer.with_prefix(prefix).map(|m| (m.key, m.stored)));
        }
    }

    /// Hands a commit over; gives its position.
    pub(super) fn push(
        &mut self,
        record: &Arc<[u8]>,
        writes: &[Placed],
        ack: Ack,
        limit: GroupLimit,
    ) -> u64 {
        let full = self
            .queued
            .back()
            .is_none_or(|open| limit.is_full(open, record.len()));
        if full {
            self.queued.push_back(Open {
                layer: Layer::new(self.next),
                acks: Vec::new(),
            });
        }
        let open = self.queued.back_mut().expect("there is one");
        open.layer.push(record, writes);
        open.acks.push(ack);
        self.next += 1;
        self.commits += 1;
        self.bytes += record.len();
        self.newest()
    }

    /// Waits behind everything handed over. Gives the ack back where nothing is on its way.
    pub(super) fn wait(&mut self, ack: Ack) -> Option<Ack> {
        if self.queued.is_empty() {
            if self.flying.is_empty() {
                return Some(ack);
            }
            let layer = Layer::new(self.next);
            let acks = Vec::new();
            self.queued.push_back(Open { layer, acks });
        }
        self.queued.back_mut().expect("there is one").acks.push(ack);
        None
    }

    pub(super) fn has_queued(&self) -> bool {
        !self.queued.is_empty()
    }

    /// The next group sets out.
    pub(super) fn take(&mut self) -> Option<(Arc<Layer>, Vec<Ack>)> {
        let open = self.queued.pop_front()?;
        let layer = Arc::new(open.layer);
        self.flying.push_back(Arc::clone(&layer));
        Some((layer, open.acks))
    }

    /// The oldest group has arrived.
    pub(super) fn arrived(&mut self) -> Option<Arc<Layer>> {
        let layer = self.flying.pop_front()?;
        self.commits -= layer.commits();
        self.bytes -= layer.bytes();
        Some(layer)
    }

    /// The newest group that set out has failed: forgets it and all behind it, and gives those who
    /// wait behind it.
    pub(super) fn fail(&mut self) -> Vec<Ack> {
        if let Some(layer) = self.flying.pop_back() {
            self.commits -= layer.commits();
            self.bytes -= layer.bytes();
            self.next = layer.first;
        }
        let mut acks = Vec::new();
        for open in self.queued.drain(..) {
            self.commits -= open.layer.commits();
            self.bytes -= open.layer.bytes();
            acks.extend(open.acks);
        }
        acks
    }
}

/// How large a group may grow.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupLimit {
    pub(super) commits: usize,
    pub(super) bytes: usize,
}

impl GroupLimit {
    fn is_full(self, open: &Open, more: usize) -> bool {
        let layer = &open.layer;
        layer.commits() >= self.commits
            || (layer.commits() > 0 && layer.bytes() + more > self.bytes)
            || open.acks.len() >= 4 * self.commits
    }
}
