//! The live check: fetches the account.
//!
//! ```text
//! GET Accounts/{sid}.json ──200──> active? healthy : down
//!        └─ 401/403 with an API key ──> GET Messages.json?PageSize=1 ──200──> healthy
//! ```
//!
//! Restricted API keys may be refused on the account but allowed on messages, which is what a send
//! needs. Credentials that are refused are a finding (down, with what to do), not a failed check.

use serde_json::Value;
use trunkline_plugin_api::{AdapterError, ErrorClass, Probe, ProbeState, Step, Turn};

use crate::{
    config::Settings,
    errors,
    rest::{self, Api, Resource},
};

const ACCOUNT: &str = "account";
const MESSAGES: &str = "messages";

/// Checks whether Twilio would take a message now.
pub(crate) fn probe(settings: &Settings, turn: &Turn) -> Step<Probe> {
    let Some(api) = &settings.api else {
        return Step::done(finding(
            settings,
            ProbeState::Down,
            "No credentials configured",
        ));
    };
    if !settings.has_sender() {
        let words = "No sender configured: set from or messaging_service_sid";
        return Step::done(finding(settings, ProbeState::Down, words));
    }
    let stage = turn.cursor.as_str().unwrap_or(ACCOUNT);
    let Some(reply) = &turn.reply else {
        return call(api, stage);
    };
    match rest::read(reply, turn.now_ms) {
        Ok(body) if stage == ACCOUNT => Step::done(account(settings, &body)),
        Ok(_) => Step::done(healthy(settings)),
        Err(error) if stage == ACCOUNT && refused(&error) && api.with_api_key => {
            call(api, MESSAGES)
        }
        Err(error) if refused(&error) || error.class == ErrorClass::Config => {
            let error = errors::name_secret(error, settings);
            Step::done(finding(settings, ProbeState::Down, &error.message))
        }
        Err(error) => Step::fail(error),
    }
}

fn refused(error: &AdapterError) -> bool {
    error.class == ErrorClass::Credentials
}

fn call(api: &Api, stage: &str) -> Step<Probe> {
    let request = if stage == MESSAGES {
        api.get(&[&api.account_sid, "Messages.json"], &[("PageSize", "1")])
    } else {
        api.get(&[&format!("{}.json", api.account_sid)], &[])
    };
    Step::call(request, Value::from(stage))
}

/// The account's name and state. Its `auth_token` field stays unread.
fn account(settings: &Settings, body: &Value) -> Probe {
    let account = Resource(body);
    let mut probe = match account.text("status") {
        Some("active") => healthy(settings),
        Some(other) => {
            let words = format!("the account is {other}: see the Twilio console");
            finding(settings, ProbeState::Down, &words)
        }
        None => {
            let words = "Twilio's answer names no account status: check api_base";
            finding(settings, ProbeState::Degraded, words)
        }
    };
    if let Some(name) = account.text("friendly_name") {
        probe.account = Some(name.into());
    }
    probe
}

fn healthy(settings: &Settings) -> Probe {
    Probe {
        detail: None,
        ..finding(settings, ProbeState::Healthy, "")
    }
}

fn finding(settings: &Settings, state: ProbeState, detail: &str) -> Probe {
    Probe {
        state,
        account: settings.account_sid.clone(),
        display_name: None,
        address: settings.from.clone().or_else(|| settings.service.clone()),
        quality: None,
        detail: Some(detail.into()),
        rate_limit_remaining: None,
    }
}
