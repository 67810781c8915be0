//! The live check.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    ErrorClass, Probe, ProbeState, Reply, Request, TransportKind,
    testkit::{self, Kit, NOW_MS},
};

use super::{BOT, HOOK, TOKEN, call, kit, refusal};
use crate::Telegram;

fn me() -> Reply {
    let result =
        json!({"id": 110_201_543, "is_bot": true, "first_name": "Acme", "username": "acme_bot"});
    testkit::json_reply(200, &json!({"ok": true, "result": result}))
}

fn webhook(more: &Value) -> Reply {
    let mut result =
        json!({"url": HOOK, "has_custom_certificate": false, "pending_update_count": 0});
    for (name, value) in more.as_object().expect("an object") {
        result[name] = value.clone();
    }
    testkit::json_reply(200, &json!({"ok": true, "result": result}))
}

fn acme(state: ProbeState) -> Probe {
    Probe {
        account: Some("@acme_bot".into()),
        display_name: Some("Acme".into()),
        address: Some(BOT.into()),
        ..Probe::new(state)
    }
}

#[test]
fn a_bot_with_its_webhook_is_healthy() {
    let run = kit().probe([me(), webhook(&json!({}))]);
    let asked = ["getMe", "getWebhookInfo"].map(|method| Request::Http(call(method, &json!({}))));
    assert_eq!(run.requests, asked);
    assert_eq!(run.outcome, Ok(acme(ProbeState::Healthy)));
    // A channel that only sends needs no webhook.
    let only_sends = Kit::<Telegram>::open(json!({"bot_token": TOKEN}));
    assert_eq!(
        only_sends.probe([me()]).outcome,
        Ok(acme(ProbeState::Healthy))
    );
}

#[test]
fn trouble_with_the_webhook() {
    let failing = |age_s: i64, waiting: u64| {
        json!({
            "last_error_date": NOW_MS / 1_000 - age_s, "pending_update_count": waiting,
            "last_error_message": "Wrong response from the webhook: 403 Forbidden",
        })
    };
    let rows = [
        (
            json!({"url": ""}),
            Some("call setWebhook with this channel's webhook URL"),
        ),
        (
            json!({"allowed_updates": ["callback_query"]}),
            Some("\"message\" in allowed_updates"),
        ),
        (
            json!({"allowed_updates": ["callback_query", "message"]}),
            None,
        ),
        (json!({"allowed_updates": []}), None),
        (
            failing(60, 3),
            Some("could not deliver updates, 3 wait: Wrong response from the webhook: 403"),
        ),
        (failing(60, 0), None),
        (failing(7_200, 3), None),
        (json!({"pending_update_count": 3}), None),
    ];
    for (info, words) in rows {
        let probe = kit()
            .probe([me(), webhook(&info)])
            .outcome
            .expect("a finding");
        let want = words.map_or(ProbeState::Healthy, |_| ProbeState::Degraded);
        assert_eq!(probe.state, want, "{info}");
        match (probe.detail, words) {
            (Some(detail), Some(words)) => assert!(detail.contains(words), "{detail}"),
            (detail, _) => assert_eq!(detail, None),
        }
    }
}

#[test]
fn a_refused_token_is_a_finding() {
    let rows = [
        (
            refusal(401, "Unauthorized", &json!({})),
            ProbeState::Down,
            "get a new one from @BotFather",
        ),
        (
            refusal(404, "Not Found", &json!({})),
            ProbeState::Down,
            "check bot_token and api_base",
        ),
        (testkit::reply(302, ""), ProbeState::Down, "check api_base"),
        (
            testkit::transport(TransportKind::Forbidden),
            ProbeState::Down,
            "no answer",
        ),
        (
            testkit::json_reply(200, &json!({"ok": true, "result": true})),
            ProbeState::Degraded,
            "names no bot",
        ),
    ];
    for (reply, state, words) in rows {
        let probe = kit().probe([reply]).outcome.expect("a finding");
        assert_eq!((probe.state, probe.address.as_deref()), (state, Some(BOT)));
        let detail = probe.detail.expect("words");
        assert!(detail.contains(words), "{detail}");
    }
    let probe = Kit::<Telegram>::open(json!({}))
        .probe([])
        .outcome
        .expect("a finding");
    assert_eq!(probe.state, ProbeState::Down);
    assert!(probe.detail.expect("words").contains("set bot_token"));
}

/// What says nothing of the bot is a failed check, and never ambiguous.
#[test]
fn a_failed_check_is_no_finding() {
    let rows = [
        (vec![testkit::reply(502, "")], ErrorClass::Transient),
        (vec![me(), testkit::reply(502, "")], ErrorClass::Transient),
        (
            vec![testkit::transport(TransportKind::TimeoutAfterSend)],
            ErrorClass::Transient,
        ),
        (vec![testkit::reply(200, "<html>")], ErrorClass::Transient),
        (
            vec![refusal(
                429,
                "Too Many Requests",
                &json!({"retry_after": 3}),
            )],
            ErrorClass::Throttled,
        ),
    ];
    for (replies, class) in rows {
        let error = kit().probe(replies).outcome.expect_err("no finding");
        assert_eq!(error.class, class);
    }
}
