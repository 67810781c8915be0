//! Health that tells the truth: by sends as well as by checks, with history; quiet told from deaf.

use serde_json::{Value, json};
use trunkline_simulator::{Behaviour, Endpoint, Simulator};
use trunkline_tests::config::Config;
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::outbound::creates;
use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";

fn broken() -> Behaviour {
    Behaviour::error(500, 20500, "Internal Server Error")
}

/// A stage with small limits of health on one Twilio channel.
async fn watched(change: impl FnOnce(Config) -> Config) -> Stage {
    Stage::new(|simulator| {
        let config = Config::new()
            .set("health.interval", "300ms")
            .set("health.sends_down_after", 8)
            .channel(twilio(SMS, simulator));
        change(config)
    })
    .await
}

/// The statuses that a channel changed to, in order.
async fn changes(stage: &Stage, channel: &str) -> Vec<String> {
    let history = stage.daemon.api().health_history(channel).await;
    let changes = history.iter().filter(|entry| entry["kind"] == "change");
    changes
        .map(|entry| entry["status"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn sends_that_fail_degrade_a_channel_then_hold_it_and_it_recovers() {
    let stage = watched(|config| config).await;
    let (api, account) = (stage.daemon.api(), stage.simulator.twilio());
    api.wait_health(SMS, "healthy").await;
    // Checks are answered all the while: only the sends tell.
    account.set_behaviour(broken());
    let mut ids = Vec::new();
    for number in 0..6 {
        let to = format!("+1500555070{number}");
        ids.push(api.send_text(SMS, &to, "hello").await);
    }
    let down = api.wait_health(SMS, "down").await;
    let why = down["health"]["last_error"].as_str().unwrap_or_default();
    assert!(why.contains("20500"), "{down}");
    assert_eq!(changes(&stage, SMS).await, ["healthy", "degraded", "down"]);
    // Held: none is given up however long it lasts.
    let before = creates(&stage).len();
    for _ in 0..3 {
        let checked = down["health"]["last_checked_at"].clone();
        eventually("another check", SOON, || async {
            let now = api.channel(SMS).await["health"]["last_checked_at"].clone();
            (now != checked).then_some(())
        })
        .await;
    }
    let more = creates(&stage).len() - before;
    assert!(more <= 60, "{more} attempts while the channel was down");
    for id in &ids {
        assert_eq!(api.message(id).await["status"], "queued");
    }
    account.set_behaviour(Behaviour::Accept);
    for id in &ids {
        api.wait_status(id, "sent").await;
    }
    api.wait_health(SMS, "healthy").await;
    let told = api
        .wait_notification("health_changed", |one| {
            one["words"]
                .as_str()
                .is_some_and(|words| words.contains("healthy again"))
        })
        .await;
    assert_eq!((&told["count"], &told["channel"]), (&json!(3), &json!(SMS)));
    let history = api.health_history(SMS).await;
    let probes = history.iter().filter(|entry| entry["kind"] == "probe");
    assert!(
        probes.clone().count() > 1 && probes.clone().all(|entry| entry["latency_ms"].is_u64()),
        "{history:?}"
    );
    assert!(api.metric("trunkline_channel_health_changes_total").await >= 4);
}

#[tokio::test]
async fn a_provider_that_does_not_answer_checks_is_down_and_the_history_survives() {
    let mut stage = watched(|config| config).await;
    let account = stage.simulator.twilio();
    stage.daemon.api().wait_health(SMS, "healthy").await;
    account.set_behaviour_of(Endpoint::Account, Behaviour::status(503));
    stage.daemon.api().wait_health(SMS, "down").await;
    let expected = ["healthy", "degraded", "down"];
    eventually("the changes are kept", SOON, || async {
        (changes(&stage, SMS).await == expected).then_some(())
    })
    .await;
    stage.daemon.kill9().await;
    stage.daemon.launch().await;
    let after = changes(&stage, SMS).await;
    assert_eq!(after[..3], expected, "{after:?}");
    // A fresh start knows nothing until its first check.
    let history = stage.daemon.api().health_history(SMS).await;
    let again = eventually("a change after the start", SOON, || async {
        let history = stage.daemon.api().health_history(SMS).await;
        let mut changes = history
            .into_iter()
            .filter(|entry| entry["kind"] == "change");
        changes.nth(3)
    })
    .await;
    assert_eq!(again["from"], "unknown", "{history:?}");
    account.set_behaviour_of(Endpoint::Account, Behaviour::Accept);
    stage.daemon.api().wait_health(SMS, "healthy").await;
}

#[tokio::test]
async fn a_refused_secret_is_named_and_one_good_check_heals() {
    let mut stage = watched(|config| config).await;
    let api = stage.daemon.api();
    api.wait_health(SMS, "healthy").await;
    let token = stage.simulator.twilio().rotate_auth_token();
    let down = api.wait_health(SMS, "down").await;
    let why = down["health"]["last_error"].as_str().unwrap_or_default();
    let what = format!("renew auth_token in [channel.{SMS}.config]");
    assert!(why.contains(&what), "{down}");
    let id = api.send_text(SMS, ADA, "wait").await;
    stage.daemon.rewrite(|config| {
        let fixed = config.find(SMS).clone().config("auth_token", token);
        config.put(fixed);
    });
    stage.daemon.cli_ok(&["reload"]).await;
    let api = stage.daemon.api();
    api.wait_status(&id, "sent").await;
    api.wait_health(SMS, "healthy").await;
    assert_eq!(changes(&stage, SMS).await, ["healthy", "down", "healthy"]);
}

#[tokio::test]
async fn a_test_reports_the_account_and_is_recorded() {
    let stage = watched(|config| config).await;
    let api = stage.daemon.api();
    api.wait_health(SMS, "healthy").await;
    let tested = stage
        .daemon
        .cli_ok(&["channel", "test", SMS, "--json"])
        .await;
    let tested = tested.json();
    assert_eq!(tested["ok"], true, "{tested}");
    assert_eq!(tested["address"], "+15550100", "{tested}");
    assert!(tested["account"].is_string(), "{tested}");
    assert!(tested["latency_ms"].is_u64() && tested["last_checked_at"].is_string());
    let account = stage.simulator.twilio();
    account.set_behaviour_of(Endpoint::Account, Behaviour::status(503));
    let failed = stage.daemon.cli(&["channel", "test", SMS]).await;
    assert_eq!(failed.code, 1, "{failed:?}");
    let tests = eventually("both tests are kept", SOON, || async {
        let history = api.health_history(SMS).await;
        let tests: Vec<Value> = history
            .into_iter()
            .filter(|entry| entry["kind"] == "test")
            .collect();
        (tests.len() == 2).then_some(tests)
    })
    .await;
    assert_eq!(
        (&tests[0]["status"], &tests[0]["reason"]),
        (&json!("healthy"), &json!(null))
    );
    assert!(tests[1]["reason"].is_string(), "{tests:?}");
    let shown = stage.daemon.cli_ok(&["channel", "health", SMS]).await;
    assert!(shown.stdout.contains("test"), "{shown:?}");
}

#[tokio::test]
async fn a_deaf_channel_is_told_from_a_quiet_one() {
    let mut stage = watched(|config| {
        let deaf = config.find(SMS).clone();
        config.channel(deaf.key("expect", json!({"traffic_every": "1500ms"})))
    })
    .await;
    let api = stage.daemon.api();
    let degraded = api.wait_health(SMS, "degraded").await;
    let why = degraded["health"]["last_error"]
        .as_str()
        .unwrap_or_default();
    assert!(
        why.contains("no message has come in for 1500ms"),
        "{degraded}"
    );
    let told = api.wait_notification("silent_channel", |_| true).await;
    assert_eq!((&told["count"], &told["channel"]), (&json!(1), &json!(SMS)));
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, "here")).await, 200);
    api.wait_health(SMS, "healthy").await;
    // What was heard is remembered: no message since the last start, and the channel is deaf again.
    api.wait_health(SMS, "degraded").await;
    stage.daemon.kill9().await;
    stage.daemon.launch().await;
    stage.daemon.api().wait_health(SMS, "degraded").await;
}

const SALES: &str = "sms_sales";

/// Two channels of one account, the first with a canary to the second's number.
async fn with_canary(canary: Value, enabled: bool) -> Stage {
    Stage::new(|simulator: &Simulator| {
        let first = twilio(SMS, simulator)
            .key("canary", canary)
            .key("enabled", enabled);
        let second = twilio(SALES, simulator).config("from", "+15550101");
        Config::new()
            .set("health.interval", "300ms")
            .channel(first)
            .channel(second)
    })
    .await
}

#[tokio::test]
async fn a_canary_makes_its_round_trip_and_is_no_turn() {
    let canary = json!({
        "to": "+15550101", "via": SALES, "interval": "1h", "timeout": "30s", "daily_max": 3,
    });
    let stage = with_canary(canary, false).await;
    let account = stage.simulator.twilio();
    account.loop_back("+15550101", Some(&stage.daemon.url(SALES)));
    let api = stage.daemon.api();
    let enabled = api
        .post(&format!("/api/v1/channels/{SMS}/enable"), &json!({}))
        .await;
    assert_eq!(enabled.status, 200);
    eventually("the canary is back", SOON, || async {
        (api.metric("trunkline_canaries_returned_total").await == 1).then_some(())
    })
    .await;
    assert_eq!(api.metric("trunkline_canaries_sent_total").await, 1);
    assert_eq!(api.metric("trunkline_canary_seconds_count").await, 1);
    let back = stage.only_message("+15550100").await;
    let token = back["metadata"]["canary"].as_str().unwrap_or_default();
    assert!(token.len() == 32 && back["channel"] == SALES, "{back}");
    let sent = stage.only_message("+15550101").await;
    assert_eq!(sent["metadata"]["canary"], token, "{sent}");
    // An ordinary message that came after it makes a turn, the canary none.
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, "hello")).await, 200);
    let turns_of = |identifier: &'static str| {
        let (api, stage) = (api.clone(), &stage);
        async move {
            let thread = stage.only_message(identifier).await["thread"].clone();
            let path = format!(
                "/api/v1/threads/{}/turns",
                thread.as_str().unwrap_or_default()
            );
            api.get(&path).await["items"].as_array().map_or(0, Vec::len)
        }
    };
    eventually("the turn is closed", SOON, || async {
        (turns_of(ADA).await == 1).then_some(())
    })
    .await;
    assert_eq!(turns_of("+15550100").await, 0);
    assert!(api.open_notifications("canary_lost").await.is_empty());
}

#[tokio::test]
async fn a_lost_canary_degrades_and_the_next_that_returns_heals() {
    let canary = json!({
        "to": "+15550101", "via": SALES, "interval": "700ms", "timeout": "400ms", "daily_max": 40,
    });
    let stage = with_canary(canary, true).await;
    let api = stage.daemon.api();
    let degraded = api.wait_health(SMS, "degraded").await;
    let why = degraded["health"]["last_error"]
        .as_str()
        .unwrap_or_default();
    assert!(
        why.contains(&format!("did not come in on {SALES} within 400ms")),
        "{degraded}"
    );
    assert!(
        !why.contains("+15550101"),
        "the address stands there unmasked: {why}"
    );
    api.wait_notification("canary_lost", |one| one["count"].as_u64() >= Some(1))
        .await;
    assert!(api.metric("trunkline_canaries_lost_total").await >= 1);
    let account = stage.simulator.twilio();
    account.loop_back("+15550101", Some(&stage.daemon.url(SALES)));
    api.wait_health(SMS, "healthy").await;
}

#[tokio::test]
async fn canaries_cost_no_more_than_they_may() {
    let canary = json!({
        "to": "+15550101", "via": SALES, "interval": "60ms", "timeout": "50ms", "daily_max": 3,
    });
    let mut stage = with_canary(canary, true).await;
    let account = stage.simulator.twilio();
    let all_sent = |account: trunkline_simulator::Twilio| async move {
        eventually("all canaries of the day", SOON, || async {
            (account.message_count() == 3).then_some(())
        })
        .await;
    };
    all_sent(account.clone()).await;
    stage.daemon.kill9().await;
    stage.daemon.launch().await;
    let api = stage.daemon.api();
    api.wait_health(SMS, "healthy").await;
    // A message behind them in the same line shows that no further canary is before it.
    let id = api.send_text(SMS, "+15550101", "after them").await;
    api.wait_status(&id, "sent").await;
    assert_eq!(account.message_count(), 4);
}
