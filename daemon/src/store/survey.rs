//! What is there at the moment, counted: for metrics and the overview. Reads, and writes nothing.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;

use super::{Store, codec, engine::StoreError, keys, queued};
use crate::model::{ChannelId, Millis, OrgId, OutboxState};

/// Messages of a channel that wait in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// By which channel they go.
    pub channel: ChannelId,
    /// `scheduled`, or a state of the outbox.
    pub state: &'static str,
    /// How many.
    pub messages: u64,
    /// When the oldest was accepted.
    pub oldest_ms: Millis,
}

/// Bytes on the store's disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// The commit log.
    pub log_bytes: u64,
    /// The index.
    pub index_bytes: u64,
    /// Snapshots.
    pub snapshot_bytes: u64,
    /// Room that is left for the daemon.
    pub free_bytes: u64,
    /// Room of the whole file system.
    pub size_bytes: u64,
}

/// What matters of an item here.
#[derive(Deserialize)]
struct Brief {
    channel: ChannelId,
    state: OutboxState,
    accepted_at_ms: Millis,
    #[serde(default)]
    scheduled: bool,
}

impl Store {
    /// What waits in the outboxes. Reads every item: about a second for 300,000 of them. Blocks.
    pub fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        let mut found: BTreeMap<(ChannelId, &'static str), (u64, Millis)> = BTreeMap::new();
        for (_, org) in self.organizations() {
            if self.engine.count(org.0, keys::OUTBOX) == 0 {
                continue;
            }
            for entry in self.scan_prefix(&keys::kind(org, keys::OUTBOX), None, false) {
                let (key, bytes) = entry?;
                let (item, _) = queued::split(&key, &bytes)?;
                let item: Brief = codec::decode(&key, item)?;
                let state = if item.scheduled {
                    "scheduled"
                } else {
                    item.state.as_str()
                };
                let first = (0, item.accepted_at_ms);
                let (count, oldest_ms) = found.entry((item.channel, state)).or_insert(first);
                *count += 1;
                *oldest_ms = item.accepted_at_ms.min(*oldest_ms);
            }
        }
        let waiting = found
            .into_iter()
            .map(|((channel, state), (messages, oldest_ms))| Waiting {
                channel,
                state,
                messages,
                oldest_ms,
            });
        Ok(waiting.collect())
    }

    /// Notifications of an organization that nobody has taken note of.
    pub fn open_notifications(&self, org: OrgId) -> u64 {
        self.engine.count(org.0, keys::OPEN_NOTIFICATION)
    }
}

impl DiskUse {
    /// What a store uses on its disk; 0 for what can't be read. Blocks.
    pub fn of(store: &Path) -> Self {
        let mut found = Self {
            log_bytes: bytes_in(&store.join("log")),
            snapshot_bytes: bytes_in(&store.join("snapshots")),
            ..Self::default()
        };
        for entry in fs::read_dir(store).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("index-") {
                found.index_bytes += bytes_in(&entry.path());
            }
        }
        if let Ok(room) = rustix::fs::statvfs(store) {
            found.free_bytes = room.f_bavail.saturating_mul(room.f_frsize);
            found.size_bytes = room.f_blocks.saturating_mul(room.f_frsize);
        }
        found
    }
}

/// Bytes of the files in a folder and the folders in it.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_in(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    bytes.sum()
}
