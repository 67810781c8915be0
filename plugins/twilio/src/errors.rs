//! What Twilio's errors mean: by its own code (the error dictionary), else by HTTP status.

use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError,
    ErrorClass::{
        self, Ambiguous, Bug, Config, Content, Credentials, OptedOut, Recipient, Throttled,
        Transient, WindowClosed,
    },
    HttpReply, Timestamp,
};

use crate::{config::Settings, rest::Resource};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// One meaning, shared by some codes.
pub(crate) struct Row {
    pub(crate) codes: &'static [u32],
    pub(crate) class: ErrorClass,
    name: &'static str,
    /// How long to wait at least before another try, in seconds; 0 leaves it to the daemon.
    wait_s: u64,
    /// What happened and what to do.
    words: &'static str,
}

const fn row(
    codes: &'static [u32],
    class: ErrorClass,
    name: &'static str,
    wait_s: u64,
    words: &'static str,
) -> Row {
    Row {
        codes,
        class,
        name,
        wait_s,
        words,
    }
}

/// The codes that messages meet. Those that only concern how Twilio reaches us are not here.
#[rustfmt::skip]
pub(crate) const TABLE: &[Row] = &[
    // Account and credentials.
    row(&[20003, 20006], Credentials, "authentication", 0, "credentials refused: check account_sid and auth_token or the API key"),
    row(&[20005, 90010, 30002], Credentials, "account_inactive", 0, "the account is suspended or closed: see the Twilio console"),
    row(&[20008], Credentials, "test_credentials", 0, "test credentials can't send: use the live ones"),
    row(&[63001, 63020, 63022], Credentials, "channel_authentication", 0, "WhatsApp refused the sender's business account: see the Twilio console"),
    // Configuration of the channel.
    row(&[20404], Config, "not_found", 0, "no such resource: check account_sid"),
    row(&[21212, 21601, 21603, 21606, 21659, 21660], Config, "invalid_sender", 0, "`from` is not a sender of this account that can send messages"),
    row(&[21609], Config, "invalid_callback_url", 0, "Twilio refuses the status callback URL: check public_url"),
    row(&[21703, 21704, 21705], Config, "invalid_messaging_service", 0, "the Messaging Service is unknown or has no usable sender"),
    row(&[30018, 30024], Config, "sender_not_registered", 0, "the sender name must be registered in the recipient's country first"),
    row(&[30032], Config, "toll_free_unverified", 0, "the toll-free number is not verified yet"),
    row(&[30034], Config, "campaign_missing", 0, "the number belongs to no registered A2P campaign"),
    row(&[63007, 63008], Config, "invalid_sender", 0, "`from` is not a WhatsApp sender of this account, or it is misconfigured"),
    // The recipient.
    row(&[21201, 21211, 21217, 21401, 21421, 30014], Recipient, "invalid_recipient", 0, "the recipient's number is not valid"),
    row(&[21408], Recipient, "region_not_enabled", 0, "messages to this region are off: enable it in the account's geo permissions"),
    row(&[21608], Recipient, "recipient_not_verified", 0, "a trial account sends to verified numbers only"),
    row(&[21612], Recipient, "unreachable_from_sender", 0, "this sender can't reach the recipient"),
    row(&[21614, 21635], Recipient, "not_mobile", 0, "the recipient's number takes no text messages"),
    row(&[30004], Recipient, "blocked", 0, "the recipient or the carrier blocks messages"),
    row(&[30005], Recipient, "unknown_handset", 0, "the recipient's number is not in use"),
    row(&[30006], Recipient, "landline", 0, "the recipient has a landline or a carrier that can't be reached"),
    row(&[63003, 63024], Recipient, "not_on_whatsapp", 0, "the recipient is not on WhatsApp"),
    row(&[63015], Recipient, "sandbox_not_joined", 0, "the recipient has not joined the WhatsApp sandbox"),
    row(&[63032], Recipient, "recipient_limited", 0, "WhatsApp does not deliver to this recipient"),
    row(&[21610, 63014, 63033], OptedOut, "opted_out", 0, "the recipient has opted out"),
    row(&[63016], WindowClosed, "window_closed", 0, "more than 24 hours since the recipient last wrote: send a template"),
    // What is sent.
    row(&[21602, 21619], Content, "empty", 0, "the message has neither text nor attachment nor template"),
    row(&[21605, 21617], Content, "too_long", 0, "the text is longer than 1600 characters"),
    row(&[21620, 21623], Content, "invalid_media", 0, "an attachment's URL is not valid, or there are too many"),
    row(&[21654, 21655, 21656], Content, "invalid_template", 0, "the template is unknown or its variables don't fit"),
    row(&[30007], Content, "filtered", 0, "the carrier or Twilio filtered the message"),
    row(&[30011], Content, "media_unsupported", 0, "the recipient's carrier takes no attachments"),
    row(&[30019, 63034], Content, "too_large", 0, "the attachment is too large"),
    row(&[63005, 63006, 63021, 63030], Content, "content_refused", 0, "WhatsApp does not accept this content"),
    row(&[63013, 63026], Content, "policy", 0, "WhatsApp refused the message for its policy"),
    row(&[63027, 63028, 63029, 63040, 63041], Content, "template_refused", 0, "the template lacks this language, its variables don't fit, or it is paused or rejected"),
    // Pace and quota.
    row(&[20429, 14107, 63017], Throttled, "rate_limited", 0, "too many requests at once"),
    row(&[21611], Throttled, "sender_queue_full", 10 * MINUTE, "the sender's queue at Twilio is full"),
    row(&[30001], Throttled, "queue_overflow", 10 * MINUTE, "the message waited too long in Twilio's queue"),
    row(&[30022], Throttled, "carrier_rate", MINUTE, "the campaign is over its carrier rate"),
    row(&[30023, 30027], Throttled, "carrier_daily_cap", 6 * HOUR, "the campaign is over its carrier's daily cap"),
    row(&[63018], Throttled, "sender_limit", 24 * HOUR, "the WhatsApp sender is over its messaging limit"),
    row(&[63038], Throttled, "account_daily_cap", 6 * HOUR, "the account is over its daily message cap"),
    // Faults that pass.
    row(&[20500, 20503], Transient, "provider_fault", 0, "Twilio has an internal error"),
    row(&[30003], Transient, "unreachable_handset", 0, "the recipient's phone is off or out of reach"),
    row(&[30008], Transient, "delivery_unknown", 0, "the carrier gave no reason"),
    row(&[30017, 30410], Transient, "carrier_congestion", 0, "the carrier is congested or timed out"),
    row(&[30450], Transient, "pumping_protection", 30 * MINUTE, "blocked for a while by SMS pumping protection"),
    row(&[63009, 63010, 63012, 63023], Transient, "channel_fault", 0, "WhatsApp or Twilio has an internal error"),
    row(&[63019, 63037], Transient, "media_transfer", 0, "an attachment could not be fetched or handed on"),
];

/// The error for one of Twilio's codes. A code that the table does not know is of class `bug`.
pub(crate) fn by_code(code: u32) -> AdapterError {
    known(code).unwrap_or_else(|| {
        let words =
            format!("Twilio gives code {code}: see https://www.twilio.com/docs/errors/{code}");
        AdapterError::new(Bug, "unknown_code", words).with_provider_code(code.to_string())
    })
}

fn known(code: u32) -> Option<AdapterError> {
    let row = TABLE.iter().find(|row| row.codes.contains(&code))?;
    let error = AdapterError::new(row.class, row.name, format!("Twilio {code}: {}", row.words))
        .with_provider_code(code.to_string());
    Some(if row.wait_s == 0 {
        error
    } else {
        error.with_retry_after_ms(row.wait_s * 1_000)
    })
}

/// The error in an answer that is not 2xx.
///
/// A gateway's 502 or 504, and any 5xx but 503 in words that are not Twilio's own, leaves open
/// whether Twilio took the request: ambiguous. Else Twilio's code decides, and the status where the code
/// is unknown. Twilio's words are left out: they may repeat what was sent.
pub(crate) fn of_answer(reply: &HttpReply, now_ms: Timestamp) -> AdapterError {
    let code = error_code(&reply.body);
    let error = match (reply.status, code) {
        (502 | 504, _) => by_status(reply.status, false),
        (status, Some(code)) => known(code).unwrap_or_else(|| {
            let mut error = by_status(status, true).with_provider_code(code.to_string());
            error.message = format!(
                "{}; Twilio's code is {code}: see https://www.twilio.com/docs/errors/{code}",
                error.message
            );
            error
        }),
        (status, None) => by_status(status, false),
    };
    match reply.retry_after_ms(now_ms) {
        Some(wait_ms) => error.with_retry_after_ms(wait_ms),
        None => error,
    }
}

/// Adds which secret of which channel to renew, where Twilio refused it.
pub(crate) fn name_secret(mut error: AdapterError, settings: &Settings) -> AdapterError {
    let is_refused = matches!(
        error.code.as_str(),
        "authentication" | "http_401" | "http_403"
    );
    if let Some(api) = settings.api.as_ref().filter(|_| is_refused) {
        let secret = if api.with_api_key {
            "api_key_sid and api_key_secret"
        } else {
            "auth_token"
        };
        let channel = &settings.channel;
        error.message = format!(
            "{}; renew {secret} in [channel.{channel}.config] and reload",
            error.message
        );
    }
    error
}

/// The code in Twilio's error body `{"code", "message", "more_info", "status"}`.
fn error_code(body: &[u8]) -> Option<u32> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Resource(&body).number("code")
}

fn by_status(status: u16, own_words: bool) -> AdapterError {
    let (class, words) = match status {
        300..400 => (Config, "a redirect instead of an answer: check api_base"),
        401 | 403 => (
            Credentials,
            "credentials refused: check account_sid and auth_token or the API key",
        ),
        404 => (Config, "no such resource: check account_sid and api_base"),
        408 | 425 => (Transient, "the request came too slowly or too early"),
        400 | 409 | 413 | 415 | 422 => (Content, "the request was refused"),
        429 => (Throttled, "too many requests at once"),
        503 => (Transient, "not available"),
        500.. if own_words => (Transient, "an internal error"),
        500.. => (Ambiguous, "a fault on the way, the outcome is not known"),
        _ => (Bug, "an unexpected answer"),
    };
    AdapterError::new(
        class,
        format!("http_{status}"),
        format!("Twilio answered HTTP {status}: {words}"),
    )
}

/// The same error for a call that only reads: nothing can have been accepted, so an unknown
/// outcome is a fault that passes.
pub(crate) fn for_reading(mut error: AdapterError) -> AdapterError {
    if error.class == Ambiguous {
        error.class = Transient;
    }
    error
}
