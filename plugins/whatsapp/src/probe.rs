//! The live check: fetches the business phone number (Meta: Phone number API reference).

use serde_json::Value;
use trunkline_plugin_api::{ErrorClass, Probe, ProbeState, Step, Turn};

use crate::{config::Settings, errors, fields, graph};

const FIELDS: &str = "id,display_phone_number,verified_name,quality_rating,code_verification_status,name_status,status,throughput";

/// Checks whether Meta would take a message now. Credentials that are refused are a finding (down, with
/// what to do), not a failed check.
pub(crate) fn probe(settings: &Settings, turn: &Turn) -> Step<Probe> {
    let (api, number) = match settings.caller() {
        Ok(caller) => caller,
        Err(error) => return Step::done(finding(settings, ProbeState::Down, error.message)),
    };
    let Some(reply) = &turn.reply else {
        let request = api.get(&[number], &[("fields", FIELDS)]);
        return Step::call(request, Value::from("asked"));
    };
    match graph::read(reply, turn.now_ms) {
        Ok(found) => Step::done(number_found(settings, &found)),
        Err(error) if is_finding(error.class) => {
            let error = errors::name_token(error, settings);
            Step::done(finding(settings, ProbeState::Down, error.message))
        }
        Err(error) => Step::fail(error),
    }
}

/// An id that is unknown, or not this token's, is answered as a wrong parameter.
fn is_finding(class: ErrorClass) -> bool {
    matches!(
        class,
        ErrorClass::Credentials | ErrorClass::Config | ErrorClass::Content
    )
}

fn number_found(settings: &Settings, found: &Value) -> Probe {
    let (state, detail) = judge(found);
    let own = |field| fields::text(found, field).map(String::from);
    Probe {
        state,
        account: settings.waba_id.clone().or_else(|| own("id")),
        display_name: own("verified_name"),
        address: own("display_phone_number").or_else(|| settings.phone_number_id.clone()),
        quality: own("quality_rating"),
        detail,
        rate_limit_remaining: None,
    }
}

/// The worst of what the number's fields say.
fn judge(found: &Value) -> (ProbeState, Option<String>) {
    let degraded = |words: String| (ProbeState::Degraded, Some(words));
    match fields::text(found, "status") {
        Some("CONNECTED") => {}
        Some(status @ ("BANNED" | "DELETED" | "MIGRATED")) => {
            let words = format!("the number is {status}: see WhatsApp Manager");
            return (ProbeState::Down, Some(words));
        }
        Some(status) => {
            return degraded(format!("the number is {status}: see WhatsApp Manager"));
        }
        None if fields::text(found, "id").is_none() => {
            return degraded("Meta's answer names no number: check api_base".into());
        }
        None => {}
    }
    if fields::text(found, "quality_rating") == Some("RED") {
        return degraded(
            "the number's quality is RED: people block or report it; send less, see WhatsApp Manager".into(),
        );
    }
    match fields::text(found, "name_status") {
        Some(status @ ("DECLINED" | "EXPIRED")) => degraded(format!(
            "the number's display name is {status}: see WhatsApp Manager"
        )),
        _ => (ProbeState::Healthy, None),
    }
}

fn finding(settings: &Settings, state: ProbeState, detail: String) -> Probe {
    Probe {
        account: settings.waba_id.clone(),
        address: settings.phone_number_id.clone(),
        detail: Some(detail),
        ..Probe::new(state)
    }
}
