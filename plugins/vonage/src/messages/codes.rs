//! What the numbers of the Messages API mean (Vonage's page on Messages API errors).

use trunkline_plugin_api::ErrorClass::{
    Ambiguous, Bug, Config, Content, Credentials, OptedOut, Recipient, Throttled, Transient,
    WindowClosed,
};

use crate::errors::{Row, row};

/// The codes in refusals and in statuses.
#[rustfmt::skip]
pub(crate) const CODES: &[Row] = &[
    row(&[1000, 1241], Throttled, "rate_limited", "too many requests at once"),
    row(&[1010, 1020, 1021, 1022, 1150], Content, "invalid_parameters", "a parameter is missing or not valid"),
    row(&[1030, 1100], Transient, "provider_fault", "Vonage has an internal error"),
    row(&[1040, 1170, 1250, 1260, 1270, 1280, 1290], Recipient, "invalid_recipient", "the recipient's number is not valid, or can't get this message"),
    row(&[1050], Recipient, "barred", "Vonage sends nothing to this number"),
    row(&[1060], Credentials, "account_barred", "the account is barred: see Vonage's dashboard"),
    row(&[1070], Credentials, "no_credit", "the account has no credit or quota left"),
    row(&[1080, 1140], Credentials, "not_enabled", "the account may not do this: see Vonage's dashboard"),
    row(&[1090], Content, "too_long", "the message is too long"),
    row(&[1120], Config, "invalid_sender", "`from` is not a sender that this account may use"),
    row(&[1130], Content, "invalid_ttl", "the time to live is not valid"),
    row(&[1160], Recipient, "recipient_not_verified", "a trial account sends to its test numbers only"),
    row(&[1180], Transient, "unreachable_handset", "the recipient's phone is off or out of reach"),
    row(&[1190], Recipient, "unknown_handset", "the recipient's number is not in use"),
    row(&[1200], Recipient, "portability", "the recipient's number has moved and can't be found"),
    row(&[1210], Content, "filtered", "a spam filter stopped the message"),
    row(&[1220], Transient, "handset_busy", "the recipient's phone was busy"),
    row(&[1230], Transient, "carrier_fault", "the carrier's network has an error"),
    row(&[1240], OptedOut, "opted_out", "the recipient has opted out"),
    row(&[1300, 1310], Recipient, "unreachable", "the recipient can't be reached"),
    row(&[1320], Ambiguous, "already_sent", "Vonage has this message already"),
    row(&[1330], Bug, "no_reason", "Vonage gives no reason"),
    row(&[1331], Transient, "channel_fault", "the provider behind Vonage has an error"),
    row(&[1340], WindowClosed, "window_closed", "the recipient last wrote too long ago: send a template"),
    row(&[1360], Transient, "expired", "the message could not be delivered in time"),
    row(&[1370], Credentials, "authentication", "the token has expired: check this machine's clock"),
    row(&[1380, 1381, 1382], Content, "invalid_media", "an attachment can't be fetched, is too large, or of a type that is not taken"),
];
