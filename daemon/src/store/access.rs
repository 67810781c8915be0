//! API tokens, operators' switches and the table of organizations.

use serde::{Deserialize, Serialize};

use super::{Store, codec, engine::StoreError, keys, records::load};
use crate::model::{ApiToken, ChannelId, OrgId, Thread, ThreadId, Toggle, TokenId};

/// What is kept of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OrganizationRecord {
    /// The number that its keys begin with.
    pub(super) number: u32,
}

impl Store {
    /// The number of an organization; a new slug gets the next free one.
    pub async fn organization(&self, slug: &str) -> Result<OrgId, StoreError> {
        if let Some(org) = self.organizations.read().get(slug) {
            return Ok(*org);
        }
        let key = keys::organization(slug);
        let pending = self.engine.transact(|tx| {
            if let Some(bytes) = tx.get(&key)? {
                let known: OrganizationRecord = codec::decode(&key, &bytes)?;
                return Ok(OrgId(known.number));
            }
            let known = tx.scan(&keys::kind(OrgId::SYSTEM, b'l'), usize::MAX)?.len();
            let number = u32::try_from(known + 1)
                .map_err(|_| StoreError::unreadable(&key, "more organizations than numbers"))?;
            tx.insert(&key, codec::encode(&OrganizationRecord { number }));
            Ok::<_, StoreError>(OrgId(number))
        })?;
        let (org, _) = pending.await?;
        self.organizations.write().insert(slug.to_owned(), org);
        Ok(org)
    }

    /// The organizations that were ever configured, by slug.
    pub fn organizations(&self) -> Vec<(String, OrgId)> {
        let known = self.organizations.read();
        known
            .iter()
            .map(|(slug, org)| (slug.clone(), *org))
            .collect()
    }

    /// The slug of an organization.
    pub fn slug(&self, org: OrgId) -> String {
        let known = self.organizations.read();
        let found = known.iter().find(|(_, number)| **number == org);
        found.map_or_else(String::new, |(slug, _)| slug.clone())
    }

    /// Stores a token.
    pub async fn save_token(&self, token: &ApiToken) -> Result<(), StoreError> {
        let key = keys::token(token.id);
        let pending = self
            .engine
            .transact(|tx| tx.put(&key, codec::encode(token)))?;
        pending.await?;
        self.tokens.write().insert(token.hash, token.clone());
        Ok(())
    }

    /// Revokes a token. False where there was none.
    pub async fn revoke_token(&self, id: TokenId) -> Result<bool, StoreError> {
        let key = keys::token(id);
        let pending = self.engine.transact(|tx| tx.delete(&key))?;
        self.tokens.write().retain(|_, token| token.id != id);
        Ok(pending.await?.0)
    }

    /// The token whose secret has this SHA-256.
    pub fn token_by_hash(&self, hash: &[u8; 32]) -> Option<ApiToken> {
        self.tokens.read().get(hash).cloned()
    }

    /// All tokens, oldest first.
    pub fn tokens(&self) -> Vec<ApiToken> {
        let mut tokens: Vec<ApiToken> = self.tokens.read().values().cloned().collect();
        tokens.sort_by_key(|token| token.id);
        tokens
    }

    /// Remembers an operator's switch.
    pub async fn save_toggle(
        &self,
        org: OrgId,
        channel: &ChannelId,
        toggle: Toggle,
    ) -> Result<(), StoreError> {
        let key = keys::toggle(org, channel);
        let pending = self
            .engine
            .transact(|tx| tx.put(&key, codec::encode(&toggle)))?;
        pending.await?;
        Ok(())
    }

    /// An operator's switch, where one was set.
    pub fn toggle(&self, org: OrgId, channel: &ChannelId) -> Result<Option<Toggle>, StoreError> {
        self.record(&keys::toggle(org, channel))
    }

    /// Changes a thread's state or who answers it. None where there is no such thread.
    pub async fn update_thread(
        &self,
        org: OrgId,
        id: ThreadId,
        update: ThreadUpdate,
    ) -> Result<Option<Thread>, StoreError> {
        let key = keys::thread(org, id);
        let pending = self.engine.transact(|tx| {
            let Some(mut thread) = load::<Thread>(tx, &key)? else {
                return Ok(None);
            };
            update.apply(&mut thread);
            tx.replace(&key, codec::encode(&thread));
            Ok::<_, StoreError>(Some(thread))
        })?;
        Ok(pending.await?.0)
    }
}

/// What a person does to a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadUpdate {
    /// People answer from here on.
    TakeOver,
    /// The agent may answer again.
    Release,
    /// It is done.
    Close,
}
