//! The live checks.
//!
//! | carrier | call | what it shows |
//! |---|---|---|
//! | smtp | EHLO, AUTH, NOOP | the server takes us |
//! | ses | `GET /v2/email/account` | sending enabled, reputation, quota |
//! | resend | `GET /domains` | the key works, the domain of `from` is verified |
//!
//! Credentials that are refused are a finding (down, with what to do), not a failed check.

use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError, ErrorClass, HttpReply, Probe, ProbeState, Reply, Request, Step, Turn, sign,
};

use crate::{
    config::{Carrier, Ses, Settings, Smtp},
    errors, resend, ses, smtp,
};

/// Checks whether a mail would go out now.
pub(crate) fn probe(settings: &Settings, turn: &Turn) -> Step<Probe> {
    let Some(carrier) = &settings.carrier else {
        let words = "No credentials configured";
        return Step::done(finding(settings, ProbeState::Down, Some(words)));
    };
    if settings.from.is_none() {
        let words = "No sender configured: set from";
        return Step::done(finding(settings, ProbeState::Down, Some(words)));
    }
    let Some(reply) = &turn.reply else {
        return Step::Call {
            request: match carrier {
                Carrier::Smtp(server) => ask_smtp(settings, server),
                Carrier::Ses(ses) => ask_ses(ses, turn),
                Carrier::Resend(api) => Request::Http(api.request("GET", &["domains"])),
            },
            cursor: Value::from("probe"),
        };
    };
    let found = match carrier {
        Carrier::Smtp(_) => smtp_found(settings, reply),
        Carrier::Ses(_) => ses_found(settings, reply, turn),
        Carrier::Resend(_) => resend_found(settings, reply, turn),
    };
    match found.map_err(errors::for_reading) {
        Ok(probe) => Step::done(probe),
        Err(error) if matches!(error.class, ErrorClass::Credentials | ErrorClass::Config) => {
            Step::done(finding(settings, ProbeState::Down, Some(&error.message)))
        }
        Err(error) => Step::fail(error),
    }
}

fn ask_smtp(settings: &Settings, server: &Smtp) -> Request {
    let from = settings
        .from
        .as_ref()
        .map_or("", |from| from.address.as_str());
    Request::Smtp(smtp::session(server, from))
}

fn smtp_found(settings: &Settings, reply: &Reply) -> Result<Probe, AdapterError> {
    let reply = reply.smtp()?;
    match reply.code {
        200..300 => Ok(finding(settings, ProbeState::Healthy, None)),
        _ => Err(errors::of_smtp(reply)),
    }
}

fn ask_ses(ses: &Ses, turn: &Turn) -> Request {
    let empty = sign::hex(&sign::sha256(b""));
    let url = ses::url(ses, "account");
    Request::Http(ses.signer.sign("GET", &url, None, &empty, turn.now_ms))
}

fn ses_found(settings: &Settings, reply: &Reply, turn: &Turn) -> Result<Probe, AdapterError> {
    let answer = reply.http()?;
    if answer.status != 200 {
        return Err(errors::of_ses(answer, turn.now_ms));
    }
    let account = json_of(answer, "SES")?;
    let is = |name: &str| account[name].as_bool();
    let (state, detail) = match (is("SendingEnabled"), account["EnforcementStatus"].as_str()) {
        (Some(false), _) | (_, Some("SHUTDOWN")) => (
            ProbeState::Down,
            Some("sending is paused for this account: see the SES console"),
        ),
        (_, Some("PROBATION")) => (
            ProbeState::Degraded,
            Some("the account is under review for its reputation: see the SES console"),
        ),
        _ if is("ProductionAccessEnabled") == Some(false) => (
            ProbeState::Degraded,
            Some("the account is in the sandbox: only verified addresses are reached"),
        ),
        _ => (ProbeState::Healthy, None),
    };
    let quota = &account["SendQuota"];
    let left = quota["Max24HourSend"]
        .as_f64()
        .zip(quota["SentLast24Hours"].as_f64());
    let mut probe = finding(settings, state, detail);
    probe.quality = account["EnforcementStatus"].as_str().map(String::from);
    // A maximum of -1 stands for none.
    probe.rate_limit_remaining = left
        .filter(|(max, _)| *max >= 0.0)
        .map(|(max, sent)| whole(max - sent));
    if probe.rate_limit_remaining.is_some_and(|left| left <= 0) && state == ProbeState::Healthy {
        probe.state = ProbeState::Degraded;
        probe.detail = Some("the quota of 24 hours is used up".into());
    }
    Ok(probe)
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a quota of mails, and the cast saturates"
)]
fn whole(number: f64) -> i64 {
    number.max(0.0) as i64
}

fn resend_found(settings: &Settings, reply: &Reply, turn: &Turn) -> Result<Probe, AdapterError> {
    let answer = reply.http()?;
    let left = resend::rate_limit_remaining(answer);
    let with_limit = |mut probe: Probe| {
        probe.rate_limit_remaining = left;
        probe
    };
    if answer.status != 200 {
        let error = errors::of_resend(answer, turn.now_ms);
        // A key that may only send is told so, which shows that it works.
        if error.provider_code.as_deref() == Some("restricted_api_key") {
            return Ok(with_limit(finding(settings, ProbeState::Healthy, None)));
        }
        return Err(error);
    }
    let domains = json_of(answer, "Resend")?;
    let own = settings.own_domain();
    let listed = domains["data"].as_array().into_iter().flatten();
    let is_own = |name: &str| {
        own.eq_ignore_ascii_case(name)
            || own
                .to_lowercase()
                .ends_with(&format!(".{}", name.to_lowercase()))
    };
    let status = listed
        .filter(|domain| domain["name"].as_str().is_some_and(is_own))
        .find_map(|domain| domain["status"].as_str());
    let probe = match status {
        Some("verified") => finding(settings, ProbeState::Healthy, None),
        // A page of many domains may not hold ours.
        None if domains["has_more"] == true => finding(settings, ProbeState::Healthy, None),
        _ => finding(
            settings,
            ProbeState::Down,
            Some("the domain of from is not verified at Resend"),
        ),
    };
    Ok(with_limit(probe))
}

fn json_of(answer: &HttpReply, provider: &str) -> Result<Value, AdapterError> {
    let body = serde_json::from_slice::<Value>(&answer.body).ok();
    body.filter(Value::is_object).ok_or_else(|| {
        let words = format!("{provider}'s answer is not JSON as expected: check api_base");
        AdapterError::new(ErrorClass::Config, "unreadable_answer", words)
    })
}

fn finding(settings: &Settings, state: ProbeState, detail: Option<&str>) -> Probe {
    Probe {
        address: settings.from.as_ref().map(|from| from.address.clone()),
        display_name: settings.from.as_ref().and_then(|from| from.name.clone()),
        detail: detail.map(String::from),
        ..Probe::new(state)
    }
}
