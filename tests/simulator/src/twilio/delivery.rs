//! Posting to the gateway as Twilio does: signed, with the retries that the URL's fragment asks for.

use super::Twilio;
use super::inbound::Method;
use super::overrides::Overrides;
use super::signature::{sign_form, sign_form_sha256, without_fragment};
use crate::courier::Parcel;
use crate::{Answer, SimulatorError};
use std::time::{Duration, Instant};

/// Something to tell the gateway: parameters for an address.
#[derive(Debug, Clone)]
pub(super) struct Event {
    url: String,
    method: Method,
    params: Vec<(String, String)>,
    /// The same for every attempt (`I-Twilio-Idempotency-Token`).
    token: String,
}

impl Event {
    /// An event for `url`, whose fragment holds the connection overrides.
    pub(super) fn new(url: &str, method: Method, params: Vec<(String, String)>) -> Self {
        Self {
            url: url.to_owned(),
            method,
            params,
            token: super::account::random_hex(),
        }
    }
}

/// A signed request, ready for any HTTP client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The address without fragment; with the parameters for a GET.
    pub url: String,
    /// Headers to send with it, the signature among them.
    pub headers: Vec<(String, String)>,
    /// The form; empty for a GET.
    pub body: Vec<u8>,
}

impl Twilio {
    /// Delivers an event, with retries, and lets the debugger look at the last answer.
    pub(super) async fn deliver(&self, event: &Event) -> Result<Answer, SimulatorError> {
        let overrides = Overrides::of(&event.url);
        let signed = self.signed(event);
        let started = Instant::now();
        let mut attempts = 1;
        loop {
            let left = overrides.total.saturating_sub(started.elapsed());
            let limit = overrides.attempt.min(left);
            let outcome = self.inner.courier.send(parcel(&signed, limit)).await;
            let again = attempts <= overrides.retries
                && started.elapsed() < overrides.total
                && overrides.retry(&outcome);
            if again {
                attempts += 1;
                continue;
            }
            let mut answer = outcome?;
            answer.attempts = attempts;
            self.inner.debugger.look_at(&signed.url, &answer);
            return Ok(answer);
        }
    }

    /// Signs an event with the key in use.
    pub(super) fn signed(&self, event: &Event) -> SignedRequest {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&event.params)
            .finish();
        let mut url = without_fragment(&event.url).to_owned();
        let (method, params, body) = match event.method {
            Method::Post => ("POST", event.params.as_slice(), form.into_bytes()),
            Method::Get => {
                url.push(if url.contains('?') { '&' } else { '?' });
                url.push_str(&form);
                ("GET", [].as_slice(), Vec::new())
            }
        };
        let mut headers = self.signature_headers(&url, params);
        headers.push(("i-twilio-idempotency-token".into(), event.token.clone()));
        headers.push(("user-agent".into(), "TwilioProxy/1.1".into()));
        if event.method == Method::Post {
            headers.push(("content-type".into(), FORM.into()));
        }
        SignedRequest {
            method,
            url,
            headers,
            body,
        }
    }

    fn signature_headers(&self, url: &str, params: &[(String, String)]) -> Vec<(String, String)> {
        let account = self.inner.account.lock();
        let Some((id, secret)) = &account.shared_key else {
            let signature = sign_form(&account.auth_token, url, params);
            return vec![("x-twilio-signature".to_owned(), signature)];
        };
        let settings = format!("key={id},algorithm=HMAC_SHA256");
        vec![
            (
                "x-twilio-signature".to_owned(),
                sign_form_sha256(secret, url, params),
            ),
            ("x-twilio-webhooks-signature-settings".to_owned(), settings),
        ]
    }

    /// Posts bytes once, as a form, with the signature given.
    pub(super) async fn post_raw(
        &self,
        url: &str,
        body: Vec<u8>,
        signature: Option<&str>,
    ) -> Result<Answer, SimulatorError> {
        let mut headers = vec![("content-type".to_owned(), FORM.to_owned())];
        if let Some(signature) = signature {
            headers.push(("x-twilio-signature".to_owned(), signature.to_owned()));
        }
        let parcel = Parcel {
            method: reqwest::Method::POST,
            url: without_fragment(url).to_owned(),
            headers,
            body,
            timeout: Overrides::default().total,
        };
        self.inner.courier.send(parcel).await
    }
}

/// The content type of Twilio's webhooks.
const FORM: &str = "application/x-www-form-urlencoded; charset=UTF-8";

fn parcel(signed: &SignedRequest, timeout: Duration) -> Parcel {
    Parcel {
        method: match signed.method {
            "GET" => reqwest::Method::GET,
            _ => reqwest::Method::POST,
        },
        url: signed.url.clone(),
        headers: signed.headers.clone(),
        body: signed.body.clone(),
        timeout,
    }
}
