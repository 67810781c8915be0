//! Twilio's side of a webhook, with every part of the request open to change.
//!
//! The simulator delivers what Twilio would; this builds what it would not, and load.

use std::sync::atomic::{AtomicU64, Ordering};

use trunkline_simulator::sign_form;

use crate::http::Request;

/// The account and the address of its webhook.
#[derive(Debug, Clone)]
pub struct Hook {
    /// The URL as Twilio calls it: what is signed.
    pub url: String,
    /// Account SID.
    pub account_sid: String,
    /// Auth token, the signing key.
    pub auth_token: String,
}

/// An inbound text message.
#[derive(Debug, Clone)]
pub struct Sms {
    /// `MessageSid`
    pub sid: String,
    /// `From`
    pub from: String,
    /// `To`
    pub to: String,
    /// `Body`
    pub body: String,
    /// Further parameters.
    pub more: Vec<(String, String)>,
}

impl Sms {
    /// A message to `+15550100` with an id of its own.
    pub fn new(from: &str, body: &str) -> Self {
        Self {
            sid: next_sid(),
            from: from.to_owned(),
            to: "+15550100".to_owned(),
            body: body.to_owned(),
            more: Vec::new(),
        }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.more.push((name.to_owned(), value.to_owned()));
        self
    }

    /// All parameters as Twilio sends them.
    pub fn params(&self, account_sid: &str) -> Vec<(String, String)> {
        let fixed = [
            ("ToCountry", "US"),
            ("MessageSid", &self.sid),
            ("SmsSid", &self.sid),
            ("AccountSid", account_sid),
            ("From", &self.from),
            ("To", &self.to),
            ("Body", &self.body),
            ("NumMedia", "0"),
            ("NumSegments", "1"),
            ("ApiVersion", "2010-04-01"),
        ];
        let given = |name: &str| self.more.iter().any(|(given, _)| given == name);
        let fixed = fixed
            .into_iter()
            .filter(|(name, _)| *name != "NumMedia" || !given(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        fixed.chain(self.more.iter().cloned()).collect()
    }
}

impl Hook {
    /// The signed request for a message.
    pub fn request(&self, sms: &Sms) -> Request {
        self.form(&sms.params(&self.account_sid))
    }

    /// The signed request for any form.
    pub fn form(&self, params: &[(String, String)]) -> Request {
        self.signed_as(params, &sign_form(&self.auth_token, &self.url, params))
    }

    /// The request for a form with a signature of the caller's choice.
    pub fn signed_as(&self, params: &[(String, String)], signature: &str) -> Request {
        self.unsigned(params)
            .header("x-twilio-signature", signature)
    }

    /// The request for a form without a signature.
    pub fn unsigned(&self, params: &[(String, String)]) -> Request {
        Request::new("POST", self.target())
            .body("application/x-www-form-urlencoded", encode(params))
    }

    /// The signed request by `GET`, parameters in the query.
    pub fn get(&self, sms: &Sms) -> Request {
        let query = encode(&sms.params(&self.account_sid));
        let signature = sign_form(&self.auth_token, &format!("{}?{query}", self.url), &[]);
        Request::new("GET", format!("{}?{query}", self.target()))
            .header("x-twilio-signature", signature)
    }

    /// Path and query of the URL.
    pub fn target(&self) -> String {
        let rest = self
            .url
            .split_once("://")
            .map_or(self.url.as_str(), |(_, rest)| rest);
        rest.find('/').map_or("/", |at| &rest[at..]).to_owned()
    }
}

/// A form body.
pub fn encode(params: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(params)
        .finish()
}

/// A message id that nothing else in this run has.
pub fn next_sid() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!(
        "SM{:016x}{:016x}",
        rand::random::<u64>(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}
