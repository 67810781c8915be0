//! Twilio's side of a webhook: the form it posts and the signature it computes.
//!
//! Written from Twilio's page "Webhooks security" and apart from every other implementation here,
//! so that a mistake in one of them shows.

use std::sync::atomic::{AtomicU64, Ordering};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

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
        let fixed = fixed
            .into_iter()
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
        self.signed_as(params, &sign(&self.auth_token, &self.url, params))
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
        let signature = sign(&self.auth_token, &format!("{}?{query}", self.url), &[]);
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

/// `X-Twilio-Signature` of a form post to a URL.
pub fn sign(auth_token: &str, url: &str, params: &[(String, String)]) -> String {
    let mut sorted: Vec<_> = params.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut text = url.split('#').next().unwrap_or_default().to_owned();
    for (name, value) in sorted {
        text.push_str(name);
        text.push_str(value);
    }
    let mut mac = Hmac::<Sha1>::new_from_slice(auth_token.as_bytes()).expect("HMAC takes any key");
    mac.update(text.as_bytes());
    BASE64.encode(&mac.finalize().into_bytes())
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

#[cfg(test)]
mod tests {
    use super::sign;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    /// The example of Twilio's documentation, and the one of its Python library with duplicates.
    #[test]
    fn published_signatures_come_out() {
        let simple = pairs(&[
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675310"),
            ("Digits", "1234"),
            ("From", "+14158675310"),
            ("To", "+18005551212"),
        ]);
        let url = "https://example.com/myapp.php?foo=1&bar=2";
        assert_eq!(sign("12345", url, &simple), "L/OH5YylLD5NRKLltdqwSvS0BnU=");
        let repeated = pairs(&[
            ("Sid", "CA123"),
            ("SidAccount", "AC123"),
            ("Digits", "5678"),
            ("Digits", "1234"),
            ("Digits", "1234"),
        ]);
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        assert_eq!(
            sign("12345", url, &repeated),
            "IK+Dwps556ElfBT0I3Rgjkr1wJU="
        );
    }
}
