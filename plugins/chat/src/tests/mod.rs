//! The adapter against tables and hostile frames.

mod folder;
mod inbound;
mod outbound;
mod settings;

use serde_json::{Value, json};
use trunkline_plugin_api::{
    WebhookRequest,
    testkit::{Kit, post},
};

use crate::Chat;

const VISITOR: &str = "4f0c2a";

fn kit() -> Kit<Chat> {
    Kit::open(json!({}))
}

/// A frame as the chat door hands it on.
fn frame(visitor: &str, frame: &Value) -> WebhookRequest {
    let mut request = post("", "application/json", frame.to_string());
    request.method = "CHAT".into();
    request
        .headers
        .push(("x-chat-visitor".into(), visitor.into()));
    request
}
