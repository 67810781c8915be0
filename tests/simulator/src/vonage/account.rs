//! The account's state.

use super::inbound::Carrier;
use super::receipts::Receipts;
use super::signature::SignatureMethod;
use crate::behaviour::Script;
use std::collections::{HashMap, HashSet};

/// A call of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VonageEndpoint {
    /// `POST /sms/json` and `POST /v1/messages`.
    Send,
    /// `GET /account/get-balance`.
    Balance,
    /// `GET /v3/media/{id}`.
    Media,
}

/// A message that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VonageMessage {
    /// Its ids: one a part by the SMS API, one alone by the Messages API.
    pub ids: Vec<String>,
    /// `sms` or `mms` by the Messages API; none by the SMS API.
    pub channel: Option<String>,
    /// `type` or `message_type`.
    pub kind: String,
    /// Recipient, without `+`.
    pub to: String,
    /// Sender, without `+`.
    pub from: String,
    /// Text or caption.
    pub text: String,
    /// Addresses of attachments.
    pub media: Vec<String>,
    /// The gateway's own id.
    pub client_ref: Option<String>,
    /// Where reports go.
    pub callback: Option<String>,
}

/// Everything of the account that changes.
pub(super) struct Account {
    pub(super) api_key: String,
    pub(super) api_secret: String,
    pub(super) signature_secret: String,
    pub(super) application_id: String,
    pub(super) method: SignatureMethod,
    pub(super) carrier: Carrier,
    pub(super) numbers: Vec<String>,
    pub(super) balance: (f64, bool),
    pub(super) receipts: Receipts,
    pub(super) refuse_last_part: Option<u32>,
    pub(super) messages: Vec<VonageMessage>,
    pub(super) media: HashMap<String, (String, Vec<u8>)>,
    /// Ids of tokens that were used.
    pub(super) tokens: HashSet<String>,
    scripts: HashMap<VonageEndpoint, Script>,
}

impl Account {
    /// A fresh account with five numbers and random credentials.
    pub(super) fn new() -> Self {
        Self {
            api_key: random_hex()[..8].to_owned(),
            api_secret: random_hex(),
            signature_secret: random_hex(),
            application_id: random_uuid(),
            method: SignatureMethod::Md5hash,
            carrier: Carrier::Form,
            numbers: (0..5).map(|digit| format!("1555010{digit}")).collect(),
            balance: (29.18, false),
            receipts: Receipts::None,
            refuse_last_part: None,
            messages: Vec::new(),
            media: HashMap::new(),
            tokens: HashSet::new(),
            scripts: HashMap::new(),
        }
    }

    /// The behaviour of one call.
    pub(super) fn script(&mut self, endpoint: VonageEndpoint) -> &mut Script {
        self.scripts.entry(endpoint).or_default()
    }

    /// Whether this may be a sender: a number of the account, or a name of up to 11 characters.
    pub(super) fn may_send_as(&self, from: &str) -> bool {
        let is_name = (1..=11).contains(&from.len())
            && from
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b' ')
            && from.bytes().any(|byte| byte.is_ascii_alphabetic());
        is_name || self.numbers.iter().any(|number| number == from)
    }
}

/// E.164 without `+`.
pub(super) fn is_number(text: &str) -> bool {
    (7..=15).contains(&text.len())
        && !text.starts_with('0')
        && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// 32 random hexadecimal digits.
pub(super) fn random_hex() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// A random UUID.
pub(super) fn random_uuid() -> String {
    let hex = random_hex();
    let (a, b, c, d) = (&hex[..8], &hex[8..12], &hex[13..16], &hex[17..20]);
    format!("{a}-{b}-4{c}-8{d}-{}", &hex[20..])
}
