//! Recorded webhooks, played again: the body is what a provider once sent, the signature is made anew with
//! this account's secrets and the time of now.

use form_urlencoded::parse;
use serde_json::Value;

use crate::{Answer, Simulator, SimulatorError};

/// Whose webhook was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// Twilio: a form. `AccountSid` becomes this account's.
    Twilio,
    /// Meta: JSON.
    Meta,
    /// Vonage's SMS API: a form. `api-key` becomes this account's.
    VonageSms,
    /// Vonage's Messages API: JSON.
    VonageMessages,
    /// Resend: the JSON of the webhook, `type` and `data`.
    Resend,
}

impl Simulator {
    /// Signs a recorded body and posts it to `url`.
    pub async fn replay(
        &self,
        recorded: Recorded,
        url: &str,
        body: &[u8],
    ) -> Result<Answer, SimulatorError> {
        match recorded {
            Recorded::Twilio => {
                let params = form(body, ("AccountSid", &self.twilio().account_sid()));
                self.twilio().post_form(url, &params).await
            }
            Recorded::Meta => self.meta().deliver(url, &json(body)?).await,
            Recorded::VonageSms => {
                let mut params = form(body, ("api-key", &self.vonage().api_key()));
                params.retain(|(name, _)| !["sig", "timestamp", "nonce"].contains(&name.as_str()));
                let signed = self.vonage().sign_sms(url, params, 0);
                self.vonage().post(&signed).await
            }
            Recorded::VonageMessages => {
                let signed = self.vonage().sign_message(url, &json(body)?, 0);
                self.vonage().post(&signed).await
            }
            Recorded::Resend => {
                let recorded = json(body)?;
                let kind = recorded["type"].as_str().unwrap_or_default();
                let signed = self.resend().webhook(kind, &recorded["data"])?;
                self.resend().post(url, &signed).await
            }
        }
    }
}

/// The parameters, the one that names the account with ours.
fn form(body: &[u8], (account, ours): (&str, &str)) -> Vec<(String, String)> {
    let params = parse(body).into_owned();
    let own = |(name, value)| {
        let value = if name == account {
            ours.to_owned()
        } else {
            value
        };
        (name, value)
    };
    params.map(own).collect()
}

fn json(body: &[u8]) -> Result<Value, SimulatorError> {
    serde_json::from_slice(body).map_err(|error| SimulatorError::BadRecording(error.to_string()))
}
