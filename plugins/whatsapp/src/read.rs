//! Read marks, with the typing indicator where an answer is being written (Meta: Mark messages as read, Typing
//! indicators).

use serde_json::json;
use trunkline_plugin_api::{ReceivedRef, Step, Turn};

use crate::{config::Settings, errors, graph};

/// Shows the person two blue ticks.
pub(crate) fn mark_read(settings: &Settings, message: &ReceivedRef, turn: &Turn) -> Step<()> {
    let (api, number) = match settings.caller() {
        Ok(caller) => caller,
        Err(error) => return Step::fail(error),
    };
    let mut body = json!({
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": message.external_id,
    });
    if message.typing {
        body["typing_indicator"] = json!({"type": "text"});
    }
    let step = graph::read_once(
        turn,
        || api.post(&[number, "messages"], &body),
        |_| Step::done(()),
    );
    match step {
        Step::Fail { error } => Step::fail(errors::name_token(error, settings)),
        step => step,
    }
}
