//! Shows that an answer is being written (Bot API, sendChatAction). Telegram itself shows a message to a bot as
//! read once the bot has got it, so there is nothing else to mark.

use serde_json::json;
use trunkline_plugin_api::{AdapterError, ReceivedRef, Step, Turn};

use crate::{api, config::Settings, errors, ids};

/// One step: the call, where there is something to show.
pub(crate) fn show(
    settings: &Settings,
    message: &ReceivedRef,
    turn: &Turn,
) -> Result<Step<()>, AdapterError> {
    if !message.typing {
        return Ok(Step::done(()));
    }
    let api = settings.api()?;
    match &turn.reply {
        None => {
            let chat = ids::recipient(&message.sender.identifier)?;
            let call = api.call(
                "sendChatAction",
                &json!({"chat_id": chat, "action": "typing"}),
            );
            Ok(Step::call(call, json!("asked")))
        }
        Some(reply) => {
            api::result(reply, turn.now_ms).map_err(errors::for_reading)?;
            Ok(Step::done(()))
        }
    }
}
