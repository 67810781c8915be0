//! Reports for messages that nobody knows: kept until they are old, and shown.

use trunkline_plugin_api::ReportedStatus;

use super::{Page, Store, codec, engine::StoreError, keys, reports::Waiting};
use crate::model::{ChannelId, Millis, OrgId, Source};

/// One report of a message that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanReport {
    /// The state that it reports.
    pub status: ReportedStatus,
    /// The provider's word or code for it.
    pub code: Option<String>,
    /// How it came.
    pub source: Source,
    /// When.
    pub at_ms: Millis,
}

/// The reports of one message that is not known on its channel: it was sent by someone else with
/// the same account, or its send call has not come back yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// The channel that the reports came to.
    pub channel: ChannelId,
    /// The provider's id of the message.
    pub external_id: String,
    /// Our own id of it, where the callback has one.
    pub reference: Option<String>,
    /// In the order they came; never empty.
    pub reports: Vec<OrphanReport>,
}

impl Store {
    /// The orphans of a channel behind `after`, in the order of their provider's ids.
    pub fn orphans(
        &self,
        org: OrgId,
        channel: &ChannelId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Orphan, String>, StoreError> {
        let mut items = Vec::new();
        let skipped = after.map(|id| keys::waiting(org, channel, id));
        for entry in self.scan_prefix(&keys::waiting_of(org, channel), None, false) {
            let (key, bytes) = entry?;
            if skipped.as_ref().is_some_and(|after| key <= *after) {
                continue;
            }
            let waiting: Vec<Waiting> = codec::decode(&key, &bytes)?;
            items.extend(orphan(channel, waiting));
            if items.len() > limit {
                break;
            }
        }
        Ok(Page::cut(items, limit, |orphan: &Orphan| {
            orphan.external_id.clone()
        }))
    }
}

fn orphan(channel: &ChannelId, waiting: Vec<Waiting>) -> Option<Orphan> {
    let first = &waiting.first()?.report;
    Some(Orphan {
        channel: channel.clone(),
        external_id: first.external_id.clone(),
        reference: first.reference.clone(),
        reports: waiting
            .into_iter()
            .map(|waiting| OrphanReport {
                status: waiting.report.status,
                code: waiting.report.code,
                source: waiting.source,
                at_ms: waiting.at_ms,
            })
            .collect(),
    })
}
