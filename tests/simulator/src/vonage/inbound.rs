//! Webhooks: signed parameters of the SMS API, and JSON with a token of the Messages API.

use super::account::{random_hex, random_uuid};
use super::signature::sign_params;
use super::{Vonage, token};
use crate::courier::Parcel;
use crate::{Answer, SignedRequest, SimulatorError};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How long a webhook may take.
const TIMEOUT: Duration = Duration::from_secs(15);
const FORM: &str = "application/x-www-form-urlencoded; charset=UTF-8";

/// How a webhook of the SMS API carries its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A GET with a query.
    Query,
    /// A POST with a form.
    Form,
    /// A POST with a JSON object.
    Json,
}

/// An incoming message. The same value delivered twice is a duplicate: it keeps its id.
#[derive(Debug, Clone, PartialEq)]
pub struct VonageInbound {
    /// Id by the SMS API.
    pub message_id: String,
    /// Id by the Messages API.
    pub message_uuid: String,
    /// The phone, `+447700900001`.
    pub from: String,
    /// The account's number.
    pub to: String,
    /// The text.
    pub text: String,
    /// More parameters of the SMS API; those of a name that is there replace it.
    pub params: Vec<(String, String)>,
    /// More members of the Messages API; those of a name that is there replace it.
    pub members: Map<String, Value>,
    /// Age of the signature, in seconds.
    pub age_s: i64,
}

impl VonageInbound {
    /// A text message with fresh ids.
    pub fn text(from: &str, to: &str, text: &str) -> Self {
        Self {
            message_id: format!("0A{}", &random_hex().to_uppercase()[..14]),
            message_uuid: random_uuid(),
            from: from.to_owned(),
            to: to.to_owned(),
            text: text.to_owned(),
            params: Vec::new(),
            members: Map::new(),
            age_s: 0,
        }
    }

    /// Sets a parameter of the SMS API.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.params.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a member of the Messages API.
    #[must_use]
    pub fn member(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// Signs it as if it were this old.
    #[must_use]
    pub fn aged(mut self, age_s: i64) -> Self {
        self.age_s = age_s;
        self
    }
}

/// `2026-01-01 12:00:00`
pub(super) fn sms_time(at: Timestamp) -> String {
    let at = at.to_zoned(TimeZone::UTC);
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn digits(number: &str) -> String {
    number.trim_start_matches('+').to_owned()
}

impl Vonage {
    /// The signed webhook of the SMS API for a message.
    pub fn prepare_sms(&self, url: &str, message: &VonageInbound) -> SignedRequest {
        let is_gsm = message.text.is_ascii();
        let mut params = vec![
            ("api-key".to_owned(), self.api_key()),
            ("msisdn".into(), digits(&message.from)),
            ("to".into(), digits(&message.to)),
            ("messageId".into(), message.message_id.clone()),
            ("text".into(), message.text.clone()),
            (
                "type".into(),
                if is_gsm { "text" } else { "unicode" }.into(),
            ),
            ("keyword".into(), keyword(&message.text)),
            ("message-timestamp".into(), sms_time(Timestamp::now())),
        ];
        for (name, value) in &message.params {
            params.retain(|(known, _)| known != name);
            params.push((name.clone(), value.clone()));
        }
        self.sign_sms(url, params, message.age_s)
    }

    /// Adds time, nonce and signature to parameters, and puts them where the account says.
    pub(crate) fn sign_sms(
        &self,
        url: &str,
        mut params: Vec<(String, String)>,
        age_s: i64,
    ) -> SignedRequest {
        let account = self.inner.account.lock();
        let signed_s = Timestamp::now().as_second() - age_s;
        params.push(("timestamp".into(), signed_s.to_string()));
        params.push(("nonce".into(), random_uuid()));
        let sig = sign_params(account.method, &account.signature_secret, &params);
        params.push(("sig".into(), sig));
        carried(account.carrier, url, &params)
    }

    /// The webhook of the Messages API for a message, with its token.
    pub fn prepare_message(&self, url: &str, message: &VonageInbound) -> SignedRequest {
        let mut body = json!({
            "message_uuid": message.message_uuid,
            "to": digits(&message.to),
            "from": digits(&message.from),
            "timestamp": Timestamp::now().to_string(),
            "channel": "sms",
            "message_type": "text",
            "text": message.text,
            "sms": {"num_messages": "1", "keyword": keyword(&message.text)},
            "usage": {"currency": "EUR", "price": "0.0057"},
        });
        for (name, value) in &message.members {
            body[name.as_str()] = value.clone();
        }
        self.sign_message(url, &body, message.age_s)
    }

    /// Puts a token to a body.
    pub(crate) fn sign_message(&self, url: &str, body: &Value, age_s: i64) -> SignedRequest {
        let body = body.to_string().into_bytes();
        let issued_s = Timestamp::now().as_second() - age_s;
        let token = token::of_webhook(&self.inner.account.lock(), &body, issued_s);
        SignedRequest {
            method: "POST",
            url: url.to_owned(),
            headers: vec![
                ("content-type".into(), "application/json".into()),
                ("authorization".into(), format!("Bearer {token}")),
            ],
            body,
        }
    }

    /// Delivers a message by the SMS API.
    pub async fn inbound_sms(
        &self,
        url: &str,
        message: &VonageInbound,
    ) -> Result<Answer, SimulatorError> {
        self.post(&self.prepare_sms(url, message)).await
    }

    /// Delivers a message by the Messages API.
    pub async fn inbound_message(
        &self,
        url: &str,
        message: &VonageInbound,
    ) -> Result<Answer, SimulatorError> {
        self.post(&self.prepare_message(url, message)).await
    }

    /// Posts any prepared request once, changed or not.
    pub async fn post(&self, request: &SignedRequest) -> Result<Answer, SimulatorError> {
        let parcel = Parcel {
            method: match request.method {
                "GET" => reqwest::Method::GET,
                _ => reqwest::Method::POST,
            },
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            timeout: TIMEOUT,
        };
        self.inner.courier.send(parcel).await
    }
}

fn keyword(text: &str) -> String {
    let word = text.split_whitespace().next().unwrap_or_default();
    word.to_uppercase()
}

fn carried(carrier: Carrier, url: &str, params: &[(String, String)]) -> SignedRequest {
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(params)
        .finish();
    let (method, url, content_type, body) = match carrier {
        Carrier::Query => ("GET", format!("{url}?{form}"), None, Vec::new()),
        Carrier::Form => ("POST", url.to_owned(), Some(FORM), form.into_bytes()),
        Carrier::Json => {
            let members = params
                .iter()
                .map(|(name, value)| (name.clone(), Value::from(value.as_str())));
            let body = Value::from(members.collect::<Map<_, _>>()).to_string();
            (
                "POST",
                url.to_owned(),
                Some("application/json"),
                body.into_bytes(),
            )
        }
    };
    SignedRequest {
        method,
        url,
        headers: content_type
            .map(|kind| ("content-type".to_owned(), kind.to_owned()))
            .into_iter()
            .collect(),
        body,
    }
}
