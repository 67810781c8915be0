//! What the visitor chat needs of the store: its signing key, a message by the id that its channel
//! knows it by, and the note that one of a visitor's messages was read.

use super::{
    Store, codec,
    engine::StoreError,
    keys,
    records::{find_message, save_message},
};
use crate::model::{ChannelId, Direction, Message, MessageId, OrgId, Report, Source, Status};

/// Name under which the key that signs visitors' tokens is saved.
const CHAT_KEY: &str = "chat_key";

impl Store {
    /// The key that signs visitors' tokens. Where there is none yet, `fresh` becomes it.
    pub async fn chat_key(&self, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        let key = keys::saved(CHAT_KEY);
        if let Some(bytes) = self.engine.get(&key)? {
            return codec::fixed(&key, &bytes);
        }
        let pending = self.engine.transact(|tx| {
            if let Some(bytes) = tx.get(&key)? {
                return codec::fixed(&key, &bytes);
            }
            tx.put(&key, fresh)?;
            Ok::<_, StoreError>(fresh)
        })?;
        Ok(pending.await?.0)
    }

    /// The message that a channel knows by this id.
    pub fn message_by_external_id(
        &self,
        org: OrgId,
        channel: &ChannelId,
        external_id: &str,
    ) -> Result<Option<Message>, StoreError> {
        let key = keys::external(org, channel, external_id);
        let Some(bytes) = self.engine.get(&key)? else {
            return Ok(None);
        };
        let id = MessageId::from_bytes(codec::fixed(&key, &bytes)?);
        self.message(org, id)
    }

    /// Notes in a received message's history that somebody here has read it. Once; its status stays.
    pub async fn note_read(&self, org: OrgId, id: MessageId) -> Result<(), StoreError> {
        let now = self.now();
        let pending = self.engine.transact(|tx| {
            let Some(mut message) = find_message(tx, org, id)? else {
                return Ok(());
            };
            if message.direction != Direction::Inbound || message.was_read() {
                return Ok(());
            }
            message.apply(Report {
                status: Status::Read,
                at_ms: now,
                source: Source::Operator,
                code: None,
                detail: None,
                error: None,
            });
            save_message(tx, org, &message)?;
            Ok::<_, StoreError>(())
        })?;
        pending.await?;
        Ok(())
    }
}
