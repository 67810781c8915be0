//! Tells a provider that a received message was read, and that somebody is writing an answer.

use std::time::Duration;

use serde_json::Value;
use trunkline_plugin_api::{AdapterError, Capability, ErrorClass, ReceivedRef};

use super::{
    Transport,
    drive::{DriveError, drive, no_memory},
};
use crate::{channel::Channel, model::Message, store::Store};

/// Time for the whole of it: a mark that comes late is worth nothing.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Marks a received message as read at its provider; with `typing` also shows that an answer is being
/// written. Nothing is queued and nothing is tried again.
pub async fn mark_read(
    channel: &Channel,
    transport: &Transport,
    store: &Store,
    message: &Message,
    typing: bool,
) -> Result<(), AdapterError> {
    if !channel.can(Capability::MarkRead) {
        return Err(AdapterError::new(
            ErrorClass::Unsupported,
            "unsupported",
            format!("channel {} has no read marks", channel.id),
        ));
    }
    let reference = ReceivedRef {
        external_id: message.external_id.clone().unwrap_or_default(),
        sender: message.peer.clone(),
        typing,
    };
    let run = drive(
        channel,
        transport,
        "mark_read",
        Value::Null,
        || store.wall(),
        move |instance, turn| instance.mark_read(&reference, turn),
        no_memory,
    );
    match tokio::time::timeout(TIMEOUT, run).await {
        Ok(result) => result.map_err(DriveError::into_adapter_error),
        Err(_) => Err(AdapterError::new(
            ErrorClass::Transient,
            "timeout",
            format!("the provider did not answer in {} s", TIMEOUT.as_secs()),
        )),
    }
}
