//! The keys of files and of what is to be fetched.

use super::{Key, time};
use crate::model::{ChannelId, MediaHash, MediaJob, OrgId};

/// The kind byte of what is known of files.
pub(crate) const MEDIA: u8 = b'B';

pub(crate) fn media(org: OrgId, hash: &MediaHash) -> Vec<u8> {
    Key::new(org, MEDIA).bytes(hash.as_bytes()).0
}

/// Files whose hash begins with a byte.
pub(crate) fn media_shard(org: OrgId, shard: u8) -> Vec<u8> {
    Key::new(org, MEDIA).bytes(&[shard]).0
}

/// Everything that is to be fetched for a channel's messages, by due time.
pub(crate) fn media_jobs_of(org: OrgId, channel: &ChannelId) -> Vec<u8> {
    Key::new(org, b'F').channel(channel).0
}

pub(crate) fn media_job(org: OrgId, channel: &ChannelId, job: &MediaJob) -> Vec<u8> {
    Key(media_jobs_of(org, channel))
        .bytes(&time(job.due_ms))
        .bytes(job.message.as_bytes())
        .0
}
