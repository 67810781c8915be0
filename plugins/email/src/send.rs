//! Sends one message by the carrier that is configured.

use serde_json::Value;
use trunkline_plugin_api::{OutboundMessage, Receipt, Step, Turn};

use crate::{
    compose::Outgoing,
    config::{Carrier, Settings},
    errors, resend, ses, smtp,
};

/// Sends, or reads the answer to the call.
pub(crate) fn send(settings: &Settings, message: &OutboundMessage, turn: &Turn) -> Step<Receipt> {
    let (Some(carrier), Some(from)) = (&settings.carrier, &settings.from) else {
        return Step::fail(errors::no_credentials());
    };
    let outgoing = match Outgoing::plan(settings, message) {
        Ok(outgoing) => outgoing,
        Err(error) => return Step::fail(error),
    };
    match carrier {
        Carrier::Smtp(server) => smtp::send(settings, server, from, &outgoing, turn),
        Carrier::Ses(ses) => ses::send(settings, ses, from, &outgoing, turn),
        Carrier::Resend(api) => resend::send(api, from, &outgoing, &message.idempotency_key, turn),
    }
}

/// True at the first step of a send.
pub(crate) fn is_first(turn: &Turn) -> bool {
    turn.reply.is_none() && turn.cursor == Value::Null
}
