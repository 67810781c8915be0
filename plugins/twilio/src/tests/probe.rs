//! The live check.

use serde_json::json;
use trunkline_plugin_api::{
    AdapterError, ErrorClass, Probe, ProbeState, Reply, Request, TransportKind,
    testkit::{self, Kit},
};

use super::{ACCOUNT, ACCOUNTS, US, get, kit, kit_with};
use crate::Twilio;

fn account(status: &str) -> Reply {
    let body = json!({
        "sid": ACCOUNT, "friendly_name": "Acme", "status": status, "type": "Full",
        "auth_token": super::TOKEN,
    });
    testkit::json_reply(200, &body)
}

fn probed(reply: Reply) -> Result<Probe, AdapterError> {
    let run = kit().probe([reply]);
    let url = format!("{ACCOUNTS}/{ACCOUNT}.json");
    assert_eq!(run.requests, [Request::Http(get(&url))]);
    run.outcome
}

/// The account's own token is in the answer and must go nowhere; the kit looks.
#[test]
fn an_active_account_is_healthy() {
    let want = Probe {
        account: Some("Acme".into()),
        address: Some(US.into()),
        ..Probe::new(ProbeState::Healthy)
    };
    assert_eq!(probed(account("active")), Ok(want));
    let shown = format!("{:?}", probed(account("active")));
    assert!(!shown.contains(super::TOKEN));
}

#[test]
fn trouble_with_the_account() {
    use ProbeState::{Degraded, Down};
    let rows = [
        (
            account("suspended"),
            Down,
            "the account is suspended: see the Twilio console",
        ),
        (
            account("closed"),
            Down,
            "the account is closed: see the Twilio console",
        ),
        (
            testkit::json_reply(200, &json!({})),
            Degraded,
            "names no account status",
        ),
        (
            testkit::json_reply(401, &json!({"code": 20003})),
            Down,
            "check account_sid and auth_token",
        ),
        (
            testkit::reply(401, ""),
            Down,
            "renew auth_token in [channel.under_test.config]",
        ),
        (
            testkit::reply(403, "<html>"),
            Down,
            "check account_sid and auth_token",
        ),
        (
            testkit::json_reply(403, &json!({"code": 20005})),
            Down,
            "suspended or closed",
        ),
        (
            testkit::reply(404, ""),
            Down,
            "check account_sid and api_base",
        ),
        (testkit::reply(302, ""), Down, "check api_base"),
        (
            testkit::transport(TransportKind::Forbidden),
            Down,
            "no answer from the provider",
        ),
    ];
    for (reply, state, words) in rows {
        let probe = probed(reply.clone()).expect("a finding");
        assert_eq!(probe.state, state, "{reply:?}");
        let detail = probe.detail.expect("words");
        assert!(detail.contains(words), "{detail}");
    }
}

/// What says nothing of the account is a failed check, and never ambiguous.
#[test]
fn a_failed_check_is_no_finding() {
    let rows = [
        (testkit::reply(500, ""), ErrorClass::Transient),
        (testkit::reply(502, ""), ErrorClass::Transient),
        (testkit::reply(503, ""), ErrorClass::Transient),
        (
            testkit::json_reply(429, &json!({"code": 20429})),
            ErrorClass::Throttled,
        ),
        (testkit::reply(200, "<html>"), ErrorClass::Bug),
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
        let error = probed(reply.clone()).expect_err("no finding");
        assert_eq!(error.class, class, "{reply:?}");
    }
}

#[test]
fn half_a_channel_is_down_without_a_call() {
    let rows = [
        (json!({"auth_token": null}), "No credentials configured"),
        (json!({"account_sid": null}), "No credentials configured"),
        (
            json!({"from": null}),
            "No sender configured: set from or messaging_service_sid",
        ),
    ];
    for (changes, words) in rows {
        let run = kit_with(&changes).probe([]);
        assert_eq!(run.requests, []);
        let probe = run.outcome.expect("a finding");
        assert_eq!(probe.state, ProbeState::Down);
        assert_eq!(probe.detail.as_deref(), Some(words), "{changes}");
    }
}

fn with_key() -> Kit<Twilio> {
    kit_with(&json!({"api_key_sid": "SK1", "api_key_secret": "api-key-secret"}))
}

/// A restricted key may be refused on the account and still be allowed to send.
#[test]
fn an_api_key_is_tried_on_messages() {
    for refusal in [401, 403] {
        let list = testkit::json_reply(200, &json!({"messages": []}));
        let run = with_key().probe([testkit::reply(refusal, ""), list]);
        let urls = run.requests.iter().map(|request| match request {
            Request::Http(request) => request.url.clone(),
            other => panic!("{other:?}"),
        });
        let account = format!("{ACCOUNTS}/{ACCOUNT}.json");
        let messages = format!("{ACCOUNTS}/{ACCOUNT}/Messages.json?PageSize=1");
        assert!(urls.eq([account, messages]));
        let want = Probe {
            account: Some(ACCOUNT.into()),
            address: Some(US.into()),
            ..Probe::new(ProbeState::Healthy)
        };
        assert_eq!(run.outcome, Ok(want));
    }
    let both = [testkit::reply(401, ""), testkit::reply(401, "")];
    let probe = with_key().probe(both).outcome.expect("a finding");
    assert_eq!(probe.state, ProbeState::Down);
    let detail = probe.detail.expect("words");
    let what = "renew api_key_sid and api_key_secret in [channel.under_test.config]";
    assert!(detail.contains(what), "{detail}");
    let active = with_key()
        .probe([account("active")])
        .outcome
        .expect("a finding");
    assert_eq!(active.state, ProbeState::Healthy);
}
