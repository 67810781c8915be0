//! What the numbers of the SMS API mean (Vonage's pages on SMS errors and delivery receipts).

use trunkline_plugin_api::ErrorClass::{
    Bug, Config, Content, Credentials, OptedOut, Recipient, Throttled, Transient,
};

use crate::errors::{Row, row};

/// `status` of each part in the answer to a send; 0 is accepted.
#[rustfmt::skip]
pub(crate) const STATUSES: &[Row] = &[
    row(&[1], Throttled, "rate_limited", "too many requests at once"),
    row(&[2, 3], Content, "invalid_parameters", "a parameter is missing or not valid"),
    row(&[4], Credentials, "authentication", "credentials refused"),
    row(&[5], Transient, "provider_fault", "Vonage has an internal error"),
    row(&[6], Recipient, "invalid_recipient", "Vonage can't send to this number"),
    row(&[7], Recipient, "barred", "Vonage sends nothing to this number"),
    row(&[8], Credentials, "account_barred", "the account is barred: see Vonage's dashboard"),
    row(&[9], Credentials, "no_credit", "the account has no credit left: top it up"),
    row(&[10], Throttled, "too_many_binds", "too many connections of this account at once"),
    row(&[11], Credentials, "not_enabled", "the account may not send by HTTP: see Vonage's dashboard"),
    row(&[12], Content, "too_long", "the message is too long"),
    row(&[14, 32], Credentials, "invalid_signature", "Vonage refuses the way the request is signed"),
    row(&[15], Config, "invalid_sender", "`from` is not a sender that this account may use"),
    row(&[22], Content, "invalid_network_code", "the network code is not valid"),
    row(&[23], Config, "invalid_callback_url", "Vonage refuses the callback URL: check public_url"),
    row(&[29], Recipient, "recipient_not_verified", "a trial account sends to its test numbers only"),
    row(&[33], Recipient, "deactivated", "the recipient's number is no longer in use"),
];

/// `err-code` of a delivery receipt; 0 is delivered.
#[rustfmt::skip]
pub(crate) const RECEIPTS: &[Row] = &[
    row(&[1, 99], Bug, "no_reason", "the carrier gave no reason"),
    row(&[2], Transient, "unreachable_handset", "the recipient's phone is off or out of reach"),
    row(&[3], Recipient, "unknown_handset", "the recipient's number is not in use"),
    row(&[4], Recipient, "barred", "the recipient has barred messages"),
    row(&[5], Recipient, "portability", "the recipient's number has moved and can't be found"),
    row(&[6], Content, "filtered", "the carrier's spam filter stopped the message"),
    row(&[7], Transient, "handset_busy", "the recipient's phone was busy"),
    row(&[8], Transient, "carrier_fault", "the carrier's network has an error"),
    row(&[9], OptedOut, "opted_out", "the recipient has opted out"),
    row(&[10], Content, "content_refused", "the carrier does not accept this message"),
    row(&[11], Recipient, "unroutable", "no carrier takes messages for this number"),
    row(&[12], Recipient, "unreachable", "the recipient can't be reached"),
    row(&[13], Recipient, "age_restricted", "the recipient may not get this content for their age"),
    row(&[14], Recipient, "blocked", "the recipient's carrier blocks messages"),
    row(&[15], Recipient, "recipient_no_credit", "the recipient has no credit left"),
    row(&[16], Throttled, "quota", "the quota of the message's route is used up"),
    row(&[50], Content, "entity_filter", "the carrier's filter stopped the sender's entity id"),
    row(&[51], Content, "header_filter", "the carrier's filter stopped the sender name"),
    row(&[52], Content, "content_filter", "the carrier's filter stopped the content id or the text"),
    row(&[53], OptedOut, "no_consent", "the recipient has not consented to such messages"),
    row(&[54], Content, "regulation", "the message breaks a regulation of the recipient's country"),
];
