//! The live check.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    AdapterError, ErrorClass, HttpRequest, Probe, ProbeState, Reply, Request, TransportKind,
    testkit::{self, Kit},
};

use super::{BASIC, KEY, US, messages, sms, sms_kit, with};
use crate::Vonage;

fn balance(value: &Value, reloads: bool) -> Reply {
    testkit::json_reply(200, &json!({"value": value, "autoReload": reloads}))
}

fn probed(reply: Reply) -> Result<Probe, AdapterError> {
    let run = sms_kit().probe([reply]);
    let request = HttpRequest::new("GET", "https://rest.nexmo.com/account/get-balance")
        .sensitive_header("authorization", BASIC)
        .header("accept", "application/json");
    assert_eq!(run.requests, [Request::Http(request)]);
    run.outcome
}

fn found(state: ProbeState, detail: Option<&str>) -> Probe {
    Probe {
        account: Some(KEY.into()),
        address: Some(US.into()),
        detail: detail.map(String::from),
        ..Probe::new(state)
    }
}

#[test]
fn enough_credit_is_healthy() {
    for reply in [
        balance(&json!(29.18), false),
        balance(&json!("29.18"), false),
        balance(&json!(1), false),
        balance(&json!(0.5), true),
    ] {
        assert_eq!(probed(reply), Ok(found(ProbeState::Healthy, None)));
    }
}

#[test]
fn little_credit_is_degraded() {
    for (value, shown) in [
        (json!(0.42), "0.42"),
        (json!(0), "0.00"),
        (json!(-3.5), "-3.50"),
    ] {
        let words =
            format!("the balance is {shown}, less than balance_min (1): top up the account");
        let want = found(ProbeState::Degraded, Some(&words));
        assert_eq!(probed(balance(&value, false)), Ok(want));
    }
    let kit = Kit::<Vonage>::open(with(sms(), &json!({"balance_min": 50})));
    let run = kit.probe([balance(&json!(29.18), false)]);
    assert_eq!(run.outcome.expect("a finding").state, ProbeState::Degraded);
    let odd = probed(testkit::json_reply(200, &json!({}))).expect("a finding");
    assert_eq!(odd.state, ProbeState::Degraded);
}

#[test]
fn refused_credentials_are_down_with_what_to_do() {
    for status in [401, 403] {
        let probe = probed(testkit::reply(status, "")).expect("a finding");
        assert_eq!(probe.state, ProbeState::Down);
        let detail = probe.detail.expect("words");
        let what = "check api_key and api_secret in [channel.under_test.config] and reload";
        assert!(detail.contains(what), "{detail}");
    }
    let lost = probed(testkit::reply(404, "")).expect("a finding");
    assert_eq!(lost.state, ProbeState::Down);
}

/// What says nothing of the account is a failed check, and never ambiguous.
#[test]
fn a_failed_check_is_no_finding() {
    let rows = [
        (testkit::reply(500, ""), ErrorClass::Transient),
        (testkit::reply(502, ""), ErrorClass::Transient),
        (testkit::reply(429, ""), ErrorClass::Throttled),
        (
            testkit::transport(TransportKind::Dns),
            ErrorClass::Transient,
        ),
        (
            testkit::transport(TransportKind::TimeoutAfterSend),
            ErrorClass::Transient,
        ),
    ];
    for (reply, class) in rows {
        assert_eq!(
            probed(reply.clone()).expect_err("no finding").class,
            class,
            "{reply:?}"
        );
    }
}

fn urls(requests: &[Request]) -> Vec<&str> {
    requests
        .iter()
        .map(|request| match request {
            Request::Http(request) => request.url.as_str(),
            other => panic!("{other:?}"),
        })
        .collect()
}

const BALANCE: &str = "https://rest.nexmo.com/account/get-balance";
const SEND: &str = "https://api.nexmo.com/v1/messages";

/// The balance says nothing of the private key: an empty message does, and can't be sent.
#[test]
fn an_application_is_checked_too() {
    let kit = Kit::<Vonage>::open(messages());
    let refusal = || testkit::json_reply(422, &json!({"title": "Invalid params"}));
    let run = kit.probe([balance(&json!(29.18), false), refusal()]);
    assert_eq!(urls(&run.requests), [BALANCE, SEND]);
    assert_eq!(run.outcome, Ok(found(ProbeState::Healthy, None)));
    let low = kit.probe([balance(&json!(0.1), false), refusal()]).outcome;
    assert_eq!(low.expect("a finding").state, ProbeState::Degraded);
    let run = kit.probe([balance(&json!(29.18), false), testkit::reply(401, "")]);
    let probe = run.outcome.expect("a finding");
    assert_eq!(probe.state, ProbeState::Down);
    let detail = probe.detail.expect("words");
    assert!(
        detail.contains("check application_id and private_key in"),
        "{detail}"
    );
    // With wrong key and secret the second call is not made.
    let probe = kit
        .probe([testkit::reply(401, "")])
        .outcome
        .expect("a finding");
    let detail = probe.detail.expect("words");
    assert!(
        detail.contains("check api_key and api_secret in"),
        "{detail}"
    );
}

#[test]
fn an_application_alone_is_checked_alone() {
    let alone = with(messages(), &json!({"api_key": null, "api_secret": null}));
    let kit = Kit::<Vonage>::open(alone);
    let run = kit.probe([testkit::reply(422, "")]);
    assert_eq!(urls(&run.requests), [SEND]);
    assert_eq!(run.outcome.expect("a finding").state, ProbeState::Healthy);
    let run = kit.probe([testkit::reply(503, "")]);
    assert_eq!(
        run.outcome.expect_err("no finding").class,
        ErrorClass::Transient
    );
}

/// A regional host has the Messages API alone; the balance stays where it is.
#[test]
fn a_regional_host_is_not_asked_for_the_balance() {
    let regional = with(
        messages(),
        &json!({"api_base": "https://api-eu.vonage.com"}),
    );
    let kit = Kit::<Vonage>::open(regional);
    let run = kit.probe([balance(&json!(29.18), false), testkit::reply(422, "")]);
    assert_eq!(
        urls(&run.requests),
        [BALANCE, "https://api-eu.vonage.com/v1/messages"]
    );
}

#[test]
fn half_a_channel_is_down_without_a_call() {
    let no_login = json!({"api_key": null, "api_secret": null});
    for (changes, words) in [
        (no_login, "No credentials configured"),
        (json!({"from": null}), "No sender configured: set from"),
    ] {
        let run = Kit::<Vonage>::open(with(sms(), &changes)).probe([]);
        let probe = run.outcome.expect("a finding");
        assert_eq!(
            (probe.state, probe.detail.as_deref()),
            (ProbeState::Down, Some(words))
        );
    }
}
