//! What people here do that the person on the other side sees at once: read, and write.

use trunkline_plugin_api::AdapterError;

use super::Gateway;
use crate::{
    channel::Channel,
    model::Message,
    outbound::{Sessions, mark_read},
    store::StoreError,
};

/// Why a message could not be marked as read.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// The adapter or the provider says why.
    #[error("{0}")]
    Provider(AdapterError),
    /// It was marked, and that could not be noted.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Gateway {
    /// The live sessions of chat visitors.
    pub fn sessions(&self) -> &Sessions {
        self.transport.sessions()
    }

    /// Marks a received message as read at its provider, and notes that in its history; with
    /// `typing` also shows there that an answer is being written.
    pub async fn mark_read(
        &self,
        channel: &Channel,
        message: &Message,
        typing: bool,
    ) -> Result<(), MarkError> {
        mark_read(channel, &self.transport, &self.store, message, typing)
            .await
            .map_err(MarkError::Provider)?;
        self.store.note_read(channel.org, message.id).await?;
        Ok(())
    }
}
