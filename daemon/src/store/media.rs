//! What each organization knows of files, and what is still to be fetched.

use std::{collections::BTreeSet, sync::Arc};

use trunkline_plugin_api::{Content, Media};

use super::{
    MediaFiles, Store,
    changes::Change,
    codec,
    engine::{StoreError, Transaction},
    keys,
    reading::Reader,
    records::{self, load},
};
use crate::model::{
    ChannelId, Failure, MediaFailure, MediaHash, MediaJob, MediaRecord, Message, Millis, OrgId,
};

/// Records of one shard looked at in one step of the sweep.
const SWEEP_STEP: usize = 1_000;
/// Name under which the key of links is saved.
const LINK_KEY: &str = "media link key";

/// A file that was kept and is to be known to an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMedia {
    /// Its hash.
    pub hash: MediaHash,
    /// Its bytes.
    pub size: u64,
    /// The type that it is served with.
    pub content_type: String,
    /// File name, where known.
    pub name: Option<String>,
}

/// What came of fetching one attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// It is here.
    Stored(NewMedia),
    /// It will not come.
    Failed(Failure),
}

impl Store {
    /// The folder of media files.
    pub fn media_files(&self) -> &Arc<MediaFiles> {
        &self.media_files
    }

    /// What an organization knows of a file; none where it has no such file, whoever else has.
    pub fn media(&self, org: OrgId, hash: &MediaHash) -> Result<Option<MediaRecord>, StoreError> {
        self.record(&keys::media(org, hash))
    }

    /// Makes a file known to an organization; its bytes must be kept already. What no message names
    /// is removed after a while.
    pub async fn put_media(&self, org: OrgId, new: NewMedia) -> Result<MediaRecord, StoreError> {
        let now = self.now();
        let pending = self.engine.transact(|tx| plan_put(tx, org, &new, 0, now))?;
        Ok(pending.await?.0)
    }

    /// What is to be fetched for a channel's messages, by the time from which it may be.
    pub fn media_jobs(
        &self,
        org: OrgId,
        channel: &ChannelId,
        limit: usize,
    ) -> Result<Vec<MediaJob>, StoreError> {
        let entries = self.scan_prefix(&keys::media_jobs_of(org, channel), None, false);
        let jobs = entries.map(|entry| entry.and_then(|(key, bytes)| codec::decode(&key, &bytes)));
        jobs.take(limit).collect()
    }

    /// Resolves when attachments of a new message are to be fetched.
    pub async fn media_queued(&self) {
        self.media_queued.notified().await;
    }

    pub(super) fn wake_media(&self) {
        self.media_queued.notify_one();
    }

    /// Records what came of fetching attachments of one message, each by its place in the list. Those
    /// that are still missing are fetched again as `again` says.
    pub async fn finish_media(
        &self,
        org: OrgId,
        channel: &ChannelId,
        job: &MediaJob,
        outcomes: Vec<(u32, Fetched)>,
        again: Option<MediaJob>,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let pending = self.engine.transact(|tx| {
            tx.delete(keys::media_job(org, channel, job))?;
            let Some(mut message) = records::find_message(tx, org, job.message)? else {
                return Ok(());
            };
            let changed = !outcomes.is_empty();
            for (index, outcome) in outcomes {
                plan_fetched(tx, org, &mut message, index, outcome, now)?;
            }
            if changed {
                records::save_message(tx, org, &message)?;
                let id = message.id;
                records::note(tx, &Change::Media { org, message: id });
            }
            if let Some(again) = again.filter(|_| message.wants_media()) {
                put_job(tx, org, channel, &again);
            }
            Ok::<_, StoreError>(())
        })?;
        pending.await?;
        Ok(())
    }

    /// Ends what is known of files whose hash begins with `shard`, that no message names and that were
    /// stored before a time. Gives how many.
    pub async fn sweep_media(
        &self,
        org: OrgId,
        shard: u8,
        before_ms: Millis,
    ) -> Result<usize, StoreError> {
        let old = |record: &MediaRecord| record.references == 0 && record.stored_at_ms < before_ms;
        let mut keys = Vec::new();
        for entry in self.scan_prefix(&keys::media_shard(org, shard), None, false) {
            let (key, bytes) = entry?;
            if old(&codec::decode(&key, &bytes)?) {
                keys.push(key);
            }
            if keys.len() == SWEEP_STEP {
                break;
            }
        }
        if keys.is_empty() {
            return Ok(0);
        }
        let pending = self.engine.transact(|tx| {
            let mut ended = 0;
            for key in &keys {
                // It may have been named meanwhile.
                if load(tx, key)?.is_some_and(|record| old(&record)) {
                    tx.delete(key)?;
                    ended += 1;
                }
            }
            Ok::<_, StoreError>(ended)
        })?;
        Ok(pending.await?.0)
    }

    /// The key that links to files are signed with; made at the first call.
    pub async fn media_link_key(&self) -> Result<[u8; 32], StoreError> {
        let key = keys::saved(LINK_KEY);
        let pending = self.engine.transact(|tx| {
            if let Some(bytes) = tx.get(&key)? {
                return codec::fixed(&key, &bytes);
            }
            let made = rand::random::<[u8; 32]>();
            tx.insert(&key, made);
            Ok::<_, StoreError>(made)
        })?;
        Ok(pending.await?.0)
    }

    /// Whether any organization knows a file. What can't be read counts as known.
    pub fn is_media_known(&self, hash: &MediaHash) -> bool {
        let organizations = self.organizations();
        let mut known = organizations.iter().map(|(_, org)| self.media(*org, hash));
        known.any(|known| !matches!(known, Ok(None)))
    }
}

/// Queues the attachments of a new message to be fetched. True where there are any.
pub(super) fn queue(
    tx: &mut Transaction<'_>,
    reader: &Reader<'_>,
    receiver: &ChannelId,
    message: &Message,
) -> bool {
    if !message.wants_media() {
        return false;
    }
    let job = MediaJob {
        message: message.id,
        receiver: receiver.clone(),
        event: reader.event,
        attempts: 0,
        since_ms: reader.at_ms,
        due_ms: reader.at_ms,
    };
    put_job(tx, reader.channel.org, &message.channel, &job);
    true
}

fn put_job(tx: &mut Transaction<'_>, org: OrgId, channel: &ChannelId, job: &MediaJob) {
    let key = keys::media_job(org, channel, job);
    tx.insert(key, codec::encode(job));
}

/// The first file that a message names and the organization does not have.
pub(super) fn missing(
    tx: &mut Transaction<'_>,
    org: OrgId,
    content: &Content,
) -> Result<Option<String>, StoreError> {
    for name in named(content) {
        let known = match name.parse() {
            Ok(hash) => tx.contains(&keys::media(org, &hash))?,
            Err(_) => false,
        };
        if !known {
            return Ok(Some(name.to_owned()));
        }
    }
    Ok(None)
}

/// Notes that a message names files.
pub(super) fn refer(
    tx: &mut Transaction<'_>,
    org: OrgId,
    content: &Content,
) -> Result<(), StoreError> {
    for hash in named(content).filter_map(|name| name.parse().ok()) {
        let key = keys::media(org, &hash);
        if let Some(mut record) = load::<MediaRecord>(tx, &key)? {
            record.references = record.references.saturating_add(1);
            tx.put(&key, codec::encode(&record))?;
        }
    }
    Ok(())
}

/// Notes that a message no longer names its files. What nothing names any more is no longer known; its hash is added
/// to `unnamed`.
pub(super) fn release(
    tx: &mut Transaction<'_>,
    org: OrgId,
    content: &Content,
    unnamed: &mut BTreeSet<MediaHash>,
) -> Result<(), StoreError> {
    for hash in named(content).filter_map(|name| name.parse().ok()) {
        let key = keys::media(org, &hash);
        let Some(mut record) = load::<MediaRecord>(tx, &key)? else {
            continue;
        };
        record.references = record.references.saturating_sub(1);
        if record.references == 0 {
            tx.remove(&key);
            unnamed.insert(hash);
        } else {
            tx.replace(&key, codec::encode(&record));
        }
    }
    Ok(())
}

/// Removes what is still to be fetched for a message.
pub(super) fn drop_jobs(
    tx: &mut Transaction<'_>,
    org: OrgId,
    message: &Message,
) -> Result<(), StoreError> {
    if !message.wants_media() {
        return Ok(());
    }
    for (key, _) in tx.scan(&keys::media_jobs_of(org, &message.channel), usize::MAX)? {
        if keys::trailing_id(&key).as_ref() == Some(message.id.as_bytes()) {
            tx.remove(&key);
        }
    }
    Ok(())
}

fn named(content: &Content) -> impl Iterator<Item = &str> {
    let names = content.media.iter();
    names.filter_map(|media| media.source.sha256.as_deref())
}

fn plan_fetched(
    tx: &mut Transaction<'_>,
    org: OrgId,
    message: &mut Message,
    index: u32,
    outcome: Fetched,
    now: Millis,
) -> Result<(), StoreError> {
    let at = usize::try_from(index).unwrap_or(usize::MAX);
    let Some(media) = message.content.media.get_mut(at) else {
        return Ok(());
    };
    if media.source.sha256.is_some() {
        return Ok(());
    }
    match outcome {
        Fetched::Stored(new) => {
            plan_put(tx, org, &new, 1, now)?;
            *media = stored(std::mem::take(media), new);
        }
        Fetched::Failed(error) => message.media_failures.push(MediaFailure { index, error }),
    }
    Ok(())
}

/// An attachment whose bytes are here; where they came from stays with it.
fn stored(media: Media, new: NewMedia) -> Media {
    let mut source = media.source;
    source.sha256 = Some(new.hash.to_string());
    source.range = None;
    Media {
        source,
        content_type: Some(new.content_type),
        name: media.name.or(new.name),
        size: Some(new.size),
    }
}

/// Writes what is known of a file, adding to what names it.
fn plan_put(
    tx: &mut Transaction<'_>,
    org: OrgId,
    new: &NewMedia,
    references: u32,
    now: Millis,
) -> Result<MediaRecord, StoreError> {
    let key = keys::media(org, &new.hash);
    let known: Option<MediaRecord> = load(tx, &key)?;
    let before = known.as_ref().map_or(0, |known| known.references);
    let record = MediaRecord {
        size: new.size,
        content_type: new.content_type.clone(),
        name: new.name.clone().or(known.and_then(|known| known.name)),
        stored_at_ms: now,
        references: before.saturating_add(references),
    };
    tx.put(&key, codec::encode(&record))?;
    Ok(record)
}
