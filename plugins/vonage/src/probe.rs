//! The live check: does Vonage take our credentials, and is there credit.
//!
//! ```text
//! key and secret ──> GET /account/get-balance ──200──> enough? ──┬──> healthy or degraded
//!                          └─ 401 ──> down                       │ (Messages API with a key)
//! application key ──> POST /v1/messages {} <─────────────────────┘
//!                          ├─ 400, 422: the token was taken, the empty message was not ──> as above
//!                          └─ 401, 403 ──> down
//! ```
//!
//! The balance says nothing of the application's private key, and Vonage has no call that only checks
//! it. A message without any member is refused before it could be sent, but after the token.

use serde_json::{Value, json};
use trunkline_plugin_api::{AdapterError, ErrorClass, HttpReply, Probe, ProbeState, Step, Turn};

use crate::{
    config::{Settings, Which},
    errors,
    json::Object,
};

/// What the balance said, carried to the second call.
const BALANCE: &str = "balance";
const TOKEN: &str = "token";

/// Checks whether Vonage would take a message now.
pub(crate) fn probe(settings: &Settings, turn: &Turn) -> Step<Probe> {
    if !settings.has_credentials() {
        return down(settings, "No credentials configured");
    }
    if settings.from.is_none() {
        return down(settings, "No sender configured: set from");
    }
    let stage = turn.cursor.get("stage").and_then(Value::as_str);
    let low = turn.cursor.get("low").and_then(Value::as_str);
    let Some(reply) = &turn.reply else {
        return match (stage, settings.api.get_balance()) {
            (None | Some(BALANCE), Some(request)) => Step::call(request, json!({"stage": BALANCE})),
            _ => ask_token(settings, turn, low),
        };
    };
    let answer = match reply.http() {
        Ok(answer) => answer,
        Err(error) => return failed(settings, errors::for_reading(error)),
    };
    if stage == Some(BALANCE) {
        return match balance(settings, answer, turn) {
            Ok(low) if uses_token(settings) => ask_token(settings, turn, low.as_deref()),
            Ok(low) => Step::done(found(settings, low.as_deref())),
            Err(error) => failed(settings, error),
        };
    }
    match answer.status {
        400 | 422 => Step::done(found(settings, low)),
        _ => failed(
            settings,
            errors::for_reading(errors::of_answer(answer, turn.now_ms)),
        ),
    }
}

fn uses_token(settings: &Settings) -> bool {
    settings.which == Which::Messages && settings.api.application.is_some()
}

fn ask_token(settings: &Settings, turn: &Turn, low: Option<&str>) -> Step<Probe> {
    match settings.api.post_message(&json!({}), turn) {
        Some(request) => Step::call(request, json!({"stage": TOKEN, "low": low})),
        None => down(settings, "No credentials configured"),
    }
}

/// Why the balance is too low, none where it is enough.
fn balance(
    settings: &Settings,
    answer: &HttpReply,
    turn: &Turn,
) -> Result<Option<String>, AdapterError> {
    if answer.status != 200 {
        let error = errors::of_answer(answer, turn.now_ms);
        let mut error = errors::for_reading(error);
        if error.class == ErrorClass::Credentials {
            let channel = &settings.channel;
            error.message = format!(
                "{}: check api_key and api_secret in [channel.{channel}.config] and reload",
                error.message
            );
        }
        return Err(error);
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let Some(value) = Object(&body).decimal("value") else {
        return Ok(Some(
            "Vonage's answer names no balance: check api_base".into(),
        ));
    };
    let reloads = body.get("autoReload").and_then(Value::as_bool) == Some(true);
    let min = settings.balance_min;
    Ok((value < min && !reloads).then(|| {
        format!("the balance is {value:.2}, less than balance_min ({min}): top up the account")
    }))
}

/// Refused credentials are a finding with what to do, not a failed check.
fn failed(settings: &Settings, error: AdapterError) -> Step<Probe> {
    match error.class {
        ErrorClass::Credentials | ErrorClass::Config => {
            let error = if error.message.contains("[channel.") {
                error
            } else {
                errors::name_secret(error, settings)
            };
            down(settings, &error.message)
        }
        _ => Step::fail(error),
    }
}

fn down(settings: &Settings, words: &str) -> Step<Probe> {
    Step::done(Probe {
        state: ProbeState::Down,
        detail: Some(words.into()),
        ..found(settings, None)
    })
}

fn found(settings: &Settings, low: Option<&str>) -> Probe {
    let state = match low {
        Some(_) => ProbeState::Degraded,
        None => ProbeState::Healthy,
    };
    Probe {
        account: settings.api_key.clone(),
        address: settings.from.as_deref().map(crate::address::normal),
        detail: low.map(String::from),
        ..Probe::new(state)
    }
}
