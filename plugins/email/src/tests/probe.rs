//! The live checks.

use serde_json::{Value, json};
use trunkline_plugin_api::{Body, Probe, ProbeState, Request, TransportKind, testkit};

use super::{kit, resend, ses, smtp, smtp::answered, with};

#[test]
fn smtp_server() {
    let run = kit(smtp()).probe([answered(250, None)]);
    let [Request::Smtp(request)] = run.requests.as_slice() else {
        panic!("{:?}", run.requests);
    };
    assert!(request.rcpt_to.is_empty() && request.data == Body::Empty);
    let probe = run.outcome.expect("healthy");
    assert_eq!(probe.state, ProbeState::Healthy);
    assert_eq!(probe.address.as_deref(), Some("support@example.com"));
    let refused = kit(smtp())
        .probe([answered(535, Some("5.7.8"))])
        .outcome
        .expect("a finding");
    assert_eq!(refused.state, ProbeState::Down);
    assert!(
        refused
            .detail
            .is_some_and(|words| words.contains("username and password"))
    );
    assert!(kit(smtp()).probe([answered(421, None)]).outcome.is_err());
    assert!(
        kit(smtp())
            .probe([testkit::transport(TransportKind::Connect)])
            .outcome
            .is_err()
    );
}

fn ses_found(account: &Value) -> Probe {
    kit(ses())
        .probe([testkit::json_reply(200, account)])
        .outcome
        .expect("a finding")
}

#[test]
fn ses_account() {
    let good = json!({
        "SendingEnabled": true, "ProductionAccessEnabled": true, "EnforcementStatus": "HEALTHY",
        "SendQuota": {"Max24HourSend": 200.0, "MaxSendRate": 1.0, "SentLast24Hours": 50.0},
    });
    let found = ses_found(&good);
    assert_eq!(
        (found.state, found.rate_limit_remaining),
        (ProbeState::Healthy, Some(150))
    );
    for (change, state) in [
        (json!({"SendingEnabled": false}), ProbeState::Down),
        (json!({"EnforcementStatus": "SHUTDOWN"}), ProbeState::Down),
        (
            json!({"EnforcementStatus": "PROBATION"}),
            ProbeState::Degraded,
        ),
        (
            json!({"ProductionAccessEnabled": false}),
            ProbeState::Degraded,
        ),
        (
            json!({"SendQuota": {"Max24HourSend": 200.0, "SentLast24Hours": 200.0}}),
            ProbeState::Degraded,
        ),
        (
            json!({"SendQuota": {"Max24HourSend": -1.0, "SentLast24Hours": 9.0}}),
            ProbeState::Healthy,
        ),
    ] {
        assert_eq!(
            ses_found(&with(good.clone(), &change)).state,
            state,
            "{change}"
        );
    }
    let refused = kit(ses()).probe([testkit::json_reply(
        403,
        &json!({"__type": "SignatureDoesNotMatch"}),
    )]);
    assert_eq!(refused.outcome.expect("a finding").state, ProbeState::Down);
    assert!(kit(ses()).probe([testkit::reply(502, "")]).outcome.is_err());
}

#[test]
fn resend_domains() {
    let state = |status: u16, body: &Value| {
        let run = kit(resend()).probe([testkit::json_reply(status, body)]);
        run.outcome.map(|probe| probe.state)
    };
    let domain = |name: &str, status: &str| json!({"data": [{"name": name, "status": status}]});
    assert_eq!(
        state(200, &domain("example.com", "verified")),
        Ok(ProbeState::Healthy)
    );
    assert_eq!(
        state(200, &domain("Example.com", "verified")),
        Ok(ProbeState::Healthy)
    );
    assert_eq!(
        state(200, &domain("example.com", "pending")),
        Ok(ProbeState::Down)
    );
    assert_eq!(
        state(200, &domain("notexample.com", "verified")),
        Ok(ProbeState::Down)
    );
    assert_eq!(
        state(200, &json!({"data": [], "has_more": true})),
        Ok(ProbeState::Healthy)
    );
    assert_eq!(
        state(401, &json!({"name": "restricted_api_key"})),
        Ok(ProbeState::Healthy)
    );
    assert_eq!(
        state(401, &json!({"name": "missing_api_key"})),
        Ok(ProbeState::Down)
    );
    assert_eq!(state(200, &json!([])), Ok(ProbeState::Down));
    assert!(state(503, &json!({})).is_err());
}

#[test]
fn without_credentials_it_is_down() {
    for config in [json!({}), with(smtp(), &json!({"from": null}))] {
        let found = kit(config).probe([]).outcome.expect("a finding");
        assert_eq!(found.state, ProbeState::Down);
    }
}
