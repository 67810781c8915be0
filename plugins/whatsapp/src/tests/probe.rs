//! The live check.

use serde_json::json;
use trunkline_plugin_api::{ErrorClass, Probe, ProbeState, Request, testkit};

use super::*;

fn number(changes: &Value) -> Value {
    let mut number = json!({
        "id": NUMBER, "display_phone_number": "+1 500-555-0102", "verified_name": "Acme",
        "quality_rating": "GREEN", "code_verification_status": "VERIFIED",
        "name_status": "APPROVED", "status": "CONNECTED", "throughput": {"level": "STANDARD"},
    });
    for (name, value) in changes.as_object().expect("an object") {
        number[name.as_str()] = value.clone();
    }
    number
}

fn probe(changes: &Value) -> Probe {
    let run = kit().probe([testkit::json_reply(200, &number(changes))]);
    run.outcome.expect("a finding")
}

#[test]
fn a_good_number_is_healthy() {
    let run = kit().probe([testkit::json_reply(200, &number(&json!({})))]);
    let fields = "id%2Cdisplay_phone_number%2Cverified_name%2Cquality_rating%2Ccode_verification_status%2Cname_status%2Cstatus%2Cthroughput";
    assert_eq!(
        run.requests,
        [Request::Http(get(format!(
            "{GRAPH}/{NUMBER}?fields={fields}"
        )))]
    );
    let want = Probe {
        account: Some(ACCOUNT.into()),
        display_name: Some("Acme".into()),
        address: Some("+1 500-555-0102".into()),
        quality: Some("GREEN".into()),
        ..Probe::new(ProbeState::Healthy)
    };
    assert_eq!(run.outcome, Ok(want));
}

#[test]
fn what_is_wrong_with_a_number_is_told() {
    for (changes, state, word) in [
        (
            json!({"quality_rating": "YELLOW"}),
            ProbeState::Healthy,
            None,
        ),
        (json!({"status": null}), ProbeState::Healthy, None),
        (
            json!({"quality_rating": "RED"}),
            ProbeState::Degraded,
            Some("RED"),
        ),
        (
            json!({"status": "FLAGGED"}),
            ProbeState::Degraded,
            Some("FLAGGED"),
        ),
        (
            json!({"status": "BANNED"}),
            ProbeState::Down,
            Some("BANNED"),
        ),
        (
            json!({"name_status": "DECLINED"}),
            ProbeState::Degraded,
            Some("display name"),
        ),
        (
            json!({"status": null, "id": null}),
            ProbeState::Degraded,
            Some("api_base"),
        ),
    ] {
        let probe = probe(&changes);
        assert_eq!(probe.state, state, "{changes}");
        assert_eq!(probe.detail.is_some(), word.is_some(), "{probe:?}");
        assert!(
            probe
                .detail
                .unwrap_or_default()
                .contains(word.unwrap_or_default()),
            "{changes}"
        );
    }
}

/// What somebody has to do something about is a finding; what passes is a failed check.
#[test]
fn refusals_are_findings() {
    let expired = "Error validating access token: Session has expired";
    for (status, code, words, said) in [
        (
            401,
            190,
            expired,
            "access token expired: make a system-user token",
        ),
        (400, 100, "Unsupported get request", "phone_number_id"),
        (403, 10, "no permission", "permission"),
    ] {
        let run = kit().probe([testkit::json_reply(status, &error(code, words))]);
        let probe = run.outcome.expect("a finding");
        assert_eq!(probe.state, ProbeState::Down);
        assert!(
            probe.detail.as_deref().unwrap_or_default().contains(said),
            "{probe:?}"
        );
    }
    for reply in [
        testkit::reply(503, ""),
        testkit::reply(502, ""),
        testkit::json_reply(400, &error(4, "limit")),
    ] {
        let error = kit().probe([reply]).outcome.unwrap_err();
        assert!(error.class.is_retried(), "{error:?}");
    }
    let error = kit()
        .probe([testkit::reply(200, "<html>")])
        .outcome
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Bug);
}

#[test]
fn half_a_channel_is_down() {
    for (changes, words) in [
        (json!({"access_token": null}), "No credentials configured"),
        (json!({"phone_number_id": null}), "No sender configured"),
    ] {
        let probe = kit_with(&changes).probe([]).outcome.expect("a finding");
        assert_eq!(probe.state, ProbeState::Down);
        assert!(
            probe
                .detail
                .as_deref()
                .unwrap_or_default()
                .starts_with(words),
            "{probe:?}"
        );
    }
}
