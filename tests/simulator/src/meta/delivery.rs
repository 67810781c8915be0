//! Posting to the gateway as Meta does: signed with the app secret, escaped; and the check of the URL.

use super::payload::escaped;
use super::{Meta, WaMessage};
use crate::courier::Parcel;
use crate::twilio::SignedRequest;
use crate::{Answer, SimulatorError};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::time::Duration;

/// How long Meta waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(20);

impl Meta {
    /// `X-Hub-Signature-256` of a body under the app secret.
    pub fn sign(&self, body: &[u8]) -> String {
        let secret = self.app_secret();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(body);
        format!("sha256={}", HEXLOWER.encode(&mac.finalize().into_bytes()))
    }

    /// Delivers one message to a number of the account. It opens the person's window, as a real one does.
    pub async fn inbound(
        &self,
        url: &str,
        phone_number_id: &str,
        message: &WaMessage,
    ) -> Result<Answer, SimulatorError> {
        self.inbound_batch(url, &[(phone_number_id, vec![message.clone()])])
            .await
    }

    /// Delivers one webhook with messages to several numbers.
    pub async fn inbound_batch(
        &self,
        url: &str,
        parts: &[(&str, Vec<WaMessage>)],
    ) -> Result<Answer, SimulatorError> {
        for message in parts.iter().flat_map(|(_, messages)| messages) {
            let mut account = self.inner.account.lock();
            account.inbound.insert(message.id.clone());
            for person in [&message.number, &message.user_id].into_iter().flatten() {
                account.wrote(person);
            }
        }
        self.deliver(url, &self.batch(parts)).await
    }

    /// Signs and posts any payload, once.
    pub async fn deliver(&self, url: &str, payload: &Value) -> Result<Answer, SimulatorError> {
        let signed = self.prepare(url, payload);
        self.send(signed).await
    }

    /// The signed request for a payload, for load generators with a client of their own.
    pub fn prepare(&self, url: &str, payload: &Value) -> SignedRequest {
        let body = escaped(payload).into_bytes();
        let signature = self.sign(&body);
        request(url, body, Some(&signature))
    }

    /// Posts these bytes with this signature, or none, once.
    pub async fn deliver_raw(
        &self,
        url: &str,
        body: Vec<u8>,
        signature: Option<&str>,
    ) -> Result<Answer, SimulatorError> {
        self.send(request(url, body, signature)).await
    }

    /// Meta's check of the webhook URL, with the account's verify token or another.
    pub async fn challenge(
        &self,
        url: &str,
        verify_token: &str,
        challenge: &str,
    ) -> Result<Answer, SimulatorError> {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("hub.mode", "subscribe")
            .append_pair("hub.challenge", challenge)
            .append_pair("hub.verify_token", verify_token)
            .finish();
        self.send(SignedRequest {
            method: "GET",
            url: format!("{url}?{query}"),
            headers: Vec::new(),
            body: Vec::new(),
        })
        .await
    }

    async fn send(&self, request: SignedRequest) -> Result<Answer, SimulatorError> {
        let parcel = Parcel {
            method: match request.method {
                "GET" => reqwest::Method::GET,
                _ => reqwest::Method::POST,
            },
            url: request.url,
            headers: request.headers,
            body: request.body,
            timeout: TIMEOUT,
        };
        self.inner.courier.send(parcel).await
    }
}

fn request(url: &str, body: Vec<u8>, signature: Option<&str>) -> SignedRequest {
    let mut headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("user-agent".to_owned(), "facebookexternalua".to_owned()),
    ];
    if let Some(signature) = signature {
        headers.push(("x-hub-signature-256".to_owned(), signature.to_owned()));
    }
    SignedRequest {
        method: "POST",
        url: url.to_owned(),
        headers,
        body,
    }
}
