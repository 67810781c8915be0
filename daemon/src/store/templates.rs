//! Catalogues of message templates: one record for each template of a channel, kept in memory too,
//! since each send of one looks it up.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use trunkline_plugin_api::{Template, TemplateUpdate};

use super::{
    Store, codec,
    engine::{StoreError, Transaction},
    keys,
    records::load,
};
use crate::model::{Catalogue, CatalogueEntry, ChannelId, Millis, OrgId, TemplateChange};

/// Templates kept of one channel.
const TEMPLATES_MAX: usize = 10_000;
/// Bytes of one template's record; the engine takes a little more.
const TEMPLATE_BYTES_MAX: usize = 64 * 1024;
/// Variables kept of one template.
const VARIABLES_MAX: usize = 200;
/// Characters kept of a provider's word or reason.
const WORDS_CHARS_MAX: usize = 300;

/// The catalogues in memory.
#[derive(Default)]
pub(super) struct Catalogues(RwLock<HashMap<(OrgId, ChannelId), Arc<Catalogue>>>);

#[derive(Serialize, Deserialize)]
struct TemplateRecord {
    entry: CatalogueEntry,
}

/// That a channel has a catalogue, and as of when.
#[derive(Serialize, Deserialize)]
struct RefreshedRecord {
    channel: ChannelId,
    at_ms: Millis,
}

impl Store {
    /// The templates of a channel; none where its provider was never asked with success.
    pub fn catalogue(&self, org: OrgId, channel: &ChannelId) -> Option<Arc<Catalogue>> {
        let known = self.catalogues.0.read();
        known.get(&(org, channel.clone())).cloned()
    }

    /// Replaces a channel's catalogue by what its provider lists. Gives the changes of approval
    /// since it was last asked.
    pub async fn save_catalogue(
        &self,
        org: OrgId,
        channel: &ChannelId,
        mut listed: Vec<Template>,
    ) -> Result<Vec<TemplateChange>, StoreError> {
        let now = self.now();
        listed.truncate(TEMPLATES_MAX);
        let before = self.catalogue(org, channel);
        let pending = self.engine.transact(|tx| {
            let mut changes = Vec::new();
            let mut gone: HashMap<Vec<u8>, CatalogueEntry> = HashMap::new();
            for (key, bytes) in tx.scan(&keys::templates_of(org, channel), usize::MAX)? {
                let record: TemplateRecord = codec::decode(&key, &bytes)?;
                gone.insert(key, record.entry);
            }
            for template in &mut listed {
                clip(template);
                let key = keys::template(org, channel, &template.id, template.language.as_deref());
                let known = gone.remove(&key);
                let same_status = |entry: &CatalogueEntry| entry.template.status == template.status;
                if known
                    .as_ref()
                    .is_some_and(|entry| entry.template == *template)
                {
                    continue;
                }
                let kept = known.as_ref().filter(|entry| same_status(entry));
                // What is in the first catalogue is no news.
                if kept.is_none() && before.is_some() {
                    changes.push(change_of(template));
                }
                let changed_at_ms = kept.map_or(now, |entry| entry.changed_at_ms);
                save(tx, &key, template.clone(), changed_at_ms)?;
            }
            for key in gone.keys() {
                tx.delete(key)?;
            }
            let refreshed = RefreshedRecord {
                channel: channel.clone(),
                at_ms: now,
            };
            tx.put(
                keys::templates_refreshed(org, channel),
                codec::encode(&refreshed),
            )?;
            Ok::<_, StoreError>(changes)
        })?;
        let (changes, _) = pending.await?;
        self.read_catalogue(org, channel)?;
        Ok(changes)
    }

    /// Applies a provider's word on a template within the transaction that stores its webhook: to
    /// every catalogue of the organization that has the template.
    pub(super) fn take_template_update(
        &self,
        tx: &mut Transaction<'_>,
        org: OrgId,
        channel: &ChannelId,
        update: TemplateUpdate,
        at_ms: Millis,
    ) -> Result<TemplateChange, StoreError> {
        let holders: Vec<(ChannelId, Template)> = {
            let known = self.catalogues.0.read();
            let of_org = known.iter().filter(|((owner, _), _)| *owner == org);
            of_org
                // By its id wherever it is, by its name only where the webhook came to.
                .filter_map(|((_, holder), catalogue)| {
                    let entry = &catalogue.entries[catalogue.position(&update)?];
                    let is_its = holder == channel || entry.template.id == update.id;
                    is_its.then(|| (holder.clone(), entry.template.clone()))
                })
                .collect()
        };
        let mut change = TemplateChange {
            name: update.name,
            language: update.language,
            status: update.status,
            reason: update.reason,
            is_known: !holders.is_empty(),
        };
        for text in [Some(&mut change.status), change.reason.as_mut()]
            .into_iter()
            .flatten()
        {
            *text = text.chars().take(WORDS_CHARS_MAX).collect();
        }
        for (holder, template) in holders {
            let key = keys::template(org, &holder, &template.id, template.language.as_deref());
            let Some(record) = load::<TemplateRecord>(tx, &key)? else {
                continue;
            };
            let template = Template {
                status: change.status.clone(),
                reason: change.reason.clone(),
                ..record.entry.template
            };
            save(tx, &key, template, at_ms)?;
        }
        Ok(change)
    }

    /// Brings a channel's catalogue in memory to what is stored.
    pub(super) fn read_catalogue(&self, org: OrgId, channel: &ChannelId) -> Result<(), StoreError> {
        // Held while reading, so that of two who read the later one writes.
        let mut catalogues = self.catalogues.0.write();
        let refreshed: Option<RefreshedRecord> =
            self.record(&keys::templates_refreshed(org, channel))?;
        let Some(refreshed) = refreshed else {
            catalogues.remove(&(org, channel.clone()));
            return Ok(());
        };
        let records = self.scan_prefix(&keys::templates_of(org, channel), None, false);
        let entries: Result<Vec<_>, StoreError> = records
            .map(|record| {
                let (key, bytes) = record?;
                let record: TemplateRecord = codec::decode(&key, &bytes)?;
                Ok(record.entry)
            })
            .collect();
        let catalogue = Catalogue::new(refreshed.at_ms, entries?);
        catalogues.insert((org, channel.clone()), Arc::new(catalogue));
        Ok(())
    }

    /// Fills the memory with every catalogue of an organization.
    pub(super) fn derive_catalogues(&self, org: OrgId) -> Result<(), StoreError> {
        for record in self.scan_prefix(&keys::kind(org, keys::CATALOGUE), None, false) {
            let (key, bytes) = record?;
            let refreshed: RefreshedRecord = codec::decode(&key, &bytes)?;
            self.read_catalogue(org, &refreshed.channel)?;
        }
        Ok(())
    }
}

fn save(
    tx: &mut Transaction<'_>,
    key: &[u8],
    template: Template,
    changed_at_ms: Millis,
) -> Result<(), StoreError> {
    let entry = CatalogueEntry {
        template,
        changed_at_ms,
    };
    tx.put(key, codec::encode(&TemplateRecord { entry }))
}

fn change_of(template: &Template) -> TemplateChange {
    TemplateChange {
        name: template.name.clone(),
        language: template.language.clone(),
        status: template.status.clone(),
        reason: template.reason.clone(),
        is_known: true,
    }
}

/// Bounds what a provider says of a template, so that it fits one record.
fn clip(template: &mut Template) {
    let texts = [
        Some(&mut template.status),
        template.category.as_mut(),
        template.reason.as_mut(),
    ];
    for text in texts.into_iter().flatten() {
        *text = text.chars().take(WORDS_CHARS_MAX).collect();
    }
    template.variables.truncate(VARIABLES_MAX);
    if codec::encode(&*template).len() > TEMPLATE_BYTES_MAX {
        template.body = None;
    }
}
