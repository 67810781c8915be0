//! Webhooks for the gateway: JSON with one of the proofs its generic channel knows.

use super::signature::{hub_signature, random_secret, standard_signature};
use crate::SimulatorError;
use crate::courier::Parcel;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// Limit for one attempt (Standard Webhooks recommends 15 to 30 s).
const TIMEOUT: Duration = Duration::from_secs(15);

/// How a webhook shows that it is genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// `X-Webhook-Secret` with the secret.
    Secret,
    /// `Authorization: Bearer` with the secret.
    Bearer,
    /// Standard Webhooks headers; the secret is `whsec_…`.
    Standard,
    /// `X-Hub-Signature-256`; the secret is text.
    Hub,
    /// Nothing.
    None,
    /// All four, each made with a secret that is not the channel's.
    Wrong,
}

/// One webhook. Its id stays the same however often it is posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundHook {
    /// How it is proven.
    pub proof: Proof,
    /// The secret its proof is made from.
    pub secret: String,
    /// `webhook-id` of a Standard Webhooks proof.
    pub id: String,
    /// `webhook-timestamp` in Unix seconds; none for the time of posting.
    pub timestamp: Option<i64>,
    /// The body.
    pub body: Vec<u8>,
    /// More headers.
    pub headers: Vec<(String, String)>,
}

impl InboundHook {
    /// A JSON webhook with a fresh id.
    pub fn new(proof: Proof, secret: &str, json: &Value) -> Self {
        Self {
            proof,
            secret: secret.to_owned(),
            id: format!("msg_{:032x}", rand::random::<u128>()),
            timestamp: None,
            body: json.to_string().into_bytes(),
            headers: Vec::new(),
        }
    }

    /// Sets the id of a Standard Webhooks proof.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// Sets the time of a Standard Webhooks proof, in Unix seconds.
    #[must_use]
    pub fn at(mut self, timestamp: i64) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// Replaces the body by any bytes; the proof is made over them.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The headers of the request, proof included, for load generators with a client of their own.
    pub fn signed_headers(&self) -> Result<Vec<(String, String)>, SimulatorError> {
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        match self.proof {
            Proof::None => {}
            Proof::Wrong => {
                let wrong = random_secret();
                for proof in [Proof::Secret, Proof::Bearer, Proof::Standard, Proof::Hub] {
                    headers.extend(self.prove(proof, &wrong)?);
                }
            }
            proof => headers.extend(self.prove(proof, &self.secret)?),
        }
        headers.extend(self.headers.iter().cloned());
        Ok(headers)
    }

    fn prove(&self, proof: Proof, secret: &str) -> Result<Vec<(String, String)>, SimulatorError> {
        let headers = match proof {
            Proof::None | Proof::Wrong => Vec::new(),
            Proof::Secret => vec![("x-webhook-secret", secret.to_owned())],
            Proof::Bearer => vec![("authorization", format!("Bearer {secret}"))],
            Proof::Hub => vec![("x-hub-signature-256", hub_signature(secret, &self.body))],
            Proof::Standard => {
                let now_s = self.timestamp.unwrap_or(Timestamp::now().as_second());
                let signature = standard_signature(secret, &self.id, now_s, &self.body)?;
                vec![
                    ("webhook-id", self.id.clone()),
                    ("webhook-timestamp", now_s.to_string()),
                    ("webhook-signature", signature),
                ]
            }
        };
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        Ok(headers.into_iter().map(owned).collect())
    }

    pub(super) fn parcel(&self, url: &str) -> Result<Parcel, SimulatorError> {
        Ok(Parcel {
            method: reqwest::Method::POST,
            url: url.to_owned(),
            headers: self.signed_headers()?,
            body: self.body.clone(),
            timeout: TIMEOUT,
        })
    }
}

/// A message in the members that the webhook channel reads by default.
pub fn message(id: &str, from: &str, text: &str) -> Value {
    json!({"id": id, "from": from, "text": text})
}

/// Several messages in one webhook.
pub fn batch(messages: Vec<Value>) -> Value {
    Value::Array(messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(proof: Proof) -> Vec<String> {
        let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let hook = InboundHook::new(proof, secret, &message("m1", "ada", "Hi"));
        let headers = hook.signed_headers().unwrap().into_iter();
        headers.skip(1).map(|(name, _)| name).collect()
    }

    #[test]
    fn each_proof_has_its_headers() {
        let standard = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        assert_eq!(names(Proof::Secret), ["x-webhook-secret"]);
        assert_eq!(names(Proof::Bearer), ["authorization"]);
        assert_eq!(names(Proof::Hub), ["x-hub-signature-256"]);
        assert_eq!(names(Proof::Standard), standard);
        assert!(names(Proof::None).is_empty());
        assert_eq!(names(Proof::Wrong).len(), 6);
    }

    #[test]
    fn a_secret_that_is_not_base64_is_refused_for_standard_webhooks() {
        let hook = InboundHook::new(Proof::Standard, "not base64!", &json!({}));
        assert!(matches!(
            hook.signed_headers(),
            Err(SimulatorError::BadSecret(_))
        ));
    }
}
