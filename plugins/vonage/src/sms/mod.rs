//! The SMS API: webhooks signed by a parameter, and `POST /sms/json`.
//!
//! ```text
//! query, form or JSON ──params──> signature ──> account ──> status? ──> delivery receipt
//!                                                          else ────> message (or a part of one)
//! ```

mod codes;
mod gsm;
mod inbound;
mod params;
mod receipt;
mod send;
mod signature;

pub(crate) use codes::{RECEIPTS, STATUSES};
pub(crate) use params::Params;
pub(crate) use send::send;
pub(crate) use signature::Method;

use trunkline_plugin_api::{Event, Received, Response, WebhookRequest};

use crate::{config::Settings, token::Forged};

/// Characters that the SMS API takes in one message.
pub(crate) const TEXT_CHARS_MAX: u32 = 3_200;

/// The longest message id that is believed, in bytes; real ones have 16 to 36.
pub(crate) const ID_BYTES_MAX: usize = 128;

/// Verifies one webhook and reads the event in it.
pub(crate) fn receive(settings: &Settings, request: &WebhookRequest) -> Received {
    let params = Params::read(request);
    let genuine = params.and_then(|params| {
        signature::verify(settings, request, &params)?;
        check_account(settings, &params)?;
        Ok(params)
    });
    let params = match genuine {
        Ok(params) => params,
        Err(Forged { verdict, reason }) => return Received::refused(verdict, 401, reason),
    };
    match event(&params) {
        Ok(event) => Received::authentic(Response::status(200), vec![event]),
        Err(why) => Received::unparsed(Response::status(200), why),
    }
}

/// A signature secret belongs to an account, so a webhook that it verifies but that names another
/// account was not made for this channel.
fn check_account(settings: &Settings, params: &Params) -> Result<(), Forged> {
    match (settings.api_key.as_deref(), params.filled("api-key")) {
        (Some(ours), Some(theirs)) if ours != theirs => {
            Err(Forged::mismatch("api-key is not the channel's api_key"))
        }
        _ => Ok(()),
    }
}

fn event(params: &Params) -> Result<Event, String> {
    let id = params.filled("messageId").ok_or("no messageId")?;
    if id.len() > ID_BYTES_MAX {
        return Err(format!("messageId is longer than {ID_BYTES_MAX} bytes"));
    }
    match params.filled("status") {
        Some(word) => Ok(receipt::event(id, word, params)),
        None => inbound::event(id, params),
    }
}
