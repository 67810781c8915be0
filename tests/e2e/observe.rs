//! What the daemon tells of itself: metrics, request ids, levels, the overview.

use serde_json::{Value, json};
use trunkline_simulator::Behaviour;
use trunkline_tests::config::Config;
use trunkline_tests::http::Request;
use trunkline_tests::metrics::Metrics;
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";
const BOB: &str = "+15005550102";

async fn scrape(stage: &Stage) -> Metrics {
    let answer = stage.daemon.api().get_any("/metrics").await;
    let text = answer.reply.text();
    let kind = answer.reply.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    Metrics::read(&text).unwrap_or_else(|why| panic!("{why} in\n{text}"))
}

/// Waits until a metric has a value.
async fn wait(stage: &Stage, name: &str, labels: &[(&str, &str)], value: f64) -> Metrics {
    eventually(&format!("{name} {labels:?} is {value}"), SOON, || async {
        let metrics = scrape(stage).await;
        ((metrics.sum(name, labels) - value).abs() < 1e-9).then_some(metrics)
    })
    .await
}

#[track_caller]
fn is(metrics: &Metrics, name: &str, labels: &[(&str, &str)], value: f64) {
    let found = metrics.sum(name, labels);
    assert!(
        (found - value).abs() < 1e-9,
        "{name} {labels:?} is {found}, not {value}"
    );
}

#[tokio::test]
async fn counters_are_what_happened() {
    let stage = Stage::sms().await;
    let (api, hook) = (stage.daemon.api(), stage.hook(SMS));
    let first = Sms::new(ADA, "one");
    assert_eq!(stage.deliver(SMS, &first).await, 200);
    assert_eq!(stage.deliver(SMS, &Sms::new(BOB, "two")).await, 200);
    assert_eq!(stage.deliver(SMS, &first).await, 200);
    let params = Sms::new(ADA, "forged").params(&hook.account_sid);
    assert_eq!(stage.post(&hook.unsigned(&params)).await.status, 401);
    assert_eq!(
        stage.post(&hook.signed_as(&params, "bm8=")).await.status,
        401
    );
    let put = Request::new("PUT", hook.target()).body("text/plain", "x");
    assert_eq!(stage.post(&put).await.status, 405);
    let nowhere = Request::new("POST", "/webhooks/nowhere").body("text/plain", "x");
    assert_eq!(stage.post(&nowhere).await.status, 404);
    let sent = api.send_text(SMS, ADA, "hello").await;
    api.wait_status(&sent, "sent").await;
    let refusal = Behaviour::error(400, 21211, "not a number").times(1);
    stage.simulator.twilio().set_behaviour(refusal);
    let failed = api.send_text(SMS, BOB, "nobody").await;
    api.wait_status(&failed, "failed").await;

    let sms = ("channel", SMS);
    let metrics = wait(&stage, "trunkline_messages_failed_total", &[sms], 1.0).await;
    let is = |name: &str, labels: &[(&str, &str)], value: f64| {
        is(&metrics, &format!("trunkline_{name}"), labels, value);
    };
    is("webhooks_total", &[sms, ("outcome", "accepted")], 2.0);
    is("webhooks_total", &[sms, ("outcome", "duplicate")], 1.0);
    is("webhooks_total", &[sms, ("outcome", "rejected")], 2.0);
    is(
        "webhooks_rejected_total",
        &[sms, ("reason", "unsigned")],
        1.0,
    );
    is(
        "webhooks_rejected_total",
        &[sms, ("reason", "mismatch")],
        1.0,
    );
    is("webhooks_rejected_total", &[sms, ("reason", "method")], 1.0);
    is("messages_received_total", &[sms], 2.0);
    is("messages_duplicate_total", &[sms], 1.0);
    is("acknowledge_seconds_count", &[], 3.0);
    is("messages_sent_total", &[sms], 1.0);
    is("send_failures_total", &[sms, ("class", "recipient")], 1.0);
    is("messages_failed_total", &[sms, ("class", "recipient")], 1.0);
    is("outbox_messages", &[sms, ("state", "dead")], 1.0);
    is(
        "plugin_calls_total",
        &[sms, ("op", "receive"), ("outcome", "ok")],
        5.0,
    );
    is("plugin_call_seconds_count", &[("op", "receive")], 5.0);
    let public = |status| {
        [
            ("listener", "public"),
            ("route", "webhooks"),
            ("status", status),
        ]
    };
    is("http_requests_total", &public("200"), 3.0);
    is("http_requests_total", &public("401"), 2.0);
    is("http_requests_total", &public("404"), 1.0);
    is("http_requests_total", &public("405"), 1.0);
    let route = [
        ("listener", "admin"),
        ("route", "messages"),
        ("status", "202"),
    ];
    is("http_requests_total", &route, 2.0);
    is("channel_health", &[sms], 1.0);
    is("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    for name in [
        "store_position",
        "store_bytes",
        "store_disk_free_bytes",
        "store_sync_seconds_total",
    ] {
        let found = metrics.sum(&format!("trunkline_{name}"), &[]);
        assert!(found > 0.0, "{name} is {found}");
    }
    assert!(metrics.sum("process_resident_memory_bytes", &[]) > 1e6);
    // A mismatch and a dead letter are told, by at most one write a second.
    wait(&stage, "trunkline_notifications_open", &[], 2.0).await;
}

#[tokio::test]
async fn what_waits_is_counted_with_its_age_and_reloads_too() {
    let mut stage = Stage::sms().await;
    let api = stage.daemon.api();
    assert_eq!(
        api.post(&format!("/api/v1/channels/{SMS}/disable"), &json!({}))
            .await
            .status,
        200
    );
    for number in 0..3 {
        api.send_text(SMS, ADA, &format!("later {number}")).await;
    }
    let queued = [("channel", SMS), ("state", "queued")];
    let metrics = wait(&stage, "trunkline_outbox_messages", &queued, 3.0).await;
    let age = metrics.sum("trunkline_outbox_oldest_seconds", &queued);
    assert!((0.0..60.0).contains(&age), "{age}");
    let overview = api.get("/api/v1/overview").await;
    assert_eq!(
        overview["channels"][0]["queue"],
        json!({"queued": 3}),
        "{overview}"
    );
    assert_eq!(overview["channels"][0]["enabled"], false);
    assert!(
        overview["store"]["position"].as_u64() > Some(0),
        "{overview}"
    );

    stage.daemon.cli_ok(&["reload"]).await;
    stage.daemon.rewrite(|config| {
        *config = std::mem::take(config).set("log.level", 7);
    });
    assert_ne!(stage.daemon.cli(&["reload"]).await.code, 0);
    let metrics = scrape(&stage).await;
    is(
        &metrics,
        "trunkline_reloads_total",
        &[("outcome", "done")],
        1.0,
    );
    is(
        &metrics,
        "trunkline_reloads_total",
        &[("outcome", "refused")],
        1.0,
    );
}

/// The lines of the log that hold a word.
fn lines(stage: &Stage, word: &str) -> Vec<String> {
    let log = stage.daemon.log();
    let lines = log.lines().filter(|line| line.contains(word));
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn one_id_leads_from_the_webhook_to_the_turn_and_from_the_call_to_the_send() {
    let stage = Stage::new(|simulator| {
        let config = Config::new().set("log.level", "info,trunkline=debug");
        config.channel(twilio(SMS, simulator))
    })
    .await;
    let request = stage.hook(SMS).request(&Sms::new(ADA, "the secret text"));
    let answer = stage
        .post(&request.header("x-request-id", "from-outside"))
        .await;
    let id = answer.header("x-request-id").expect("an id").to_owned();
    assert_ne!(
        id, "from-outside",
        "the public listener takes no ids from strangers"
    );
    let message = stage.only_message(ADA).await;
    assert_eq!(message["webhook_event"], id.as_str());
    assert_eq!(stage.events(SMS).await[0]["id"], id.as_str());
    eventually("the turn's line names the request", SOON, || async {
        let found = lines(&stage, &id);
        let has = |words: &str| found.iter().any(|line| line.contains(words));
        (has("a webhook was stored") && has("turn closed")).then_some(())
    })
    .await;

    let body = json!({"channel": SMS, "to": ADA, "content": {"text": "the secret answer"}});
    let request =
        Request::new("POST", "/api/v1/messages").body("application/json", body.to_string());
    let answer = stage
        .daemon
        .api()
        .send(request.clone().header("x-request-id", "case-4711"))
        .await;
    assert_eq!(answer.reply.header("x-request-id"), Some("case-4711"));
    let sent = answer.json["id"].as_str().expect("an id").to_owned();
    assert_eq!(
        stage.daemon.api().message(&sent).await["request"],
        "case-4711"
    );
    stage.daemon.api().wait_status(&sent, "sent").await;
    eventually("the send's line names the request", SOON, || async {
        let found = lines(&stage, "case-4711");
        let hit = found
            .iter()
            .any(|line| line.contains("took a message") && line.contains(&sent));
        hit.then_some(())
    })
    .await;
    let insane = stage
        .daemon
        .api()
        .send(request.header("x-request-id", "a b\"c"))
        .await;
    let given = insane
        .reply
        .header("x-request-id")
        .expect("an id")
        .to_owned();
    assert_eq!(given.len(), 36, "{given}");
    let log = stage.daemon.log();
    assert!(!log.contains("the secret") && !log.contains(ADA), "{log}");
}

#[tokio::test]
async fn the_level_changes_while_the_daemon_runs() {
    let mut stage = Stage::new(|simulator| {
        let config = Config::new().set("log.level", "info");
        config.channel(twilio(SMS, simulator))
    })
    .await;
    let stored = |stage: &Stage| lines(stage, "a webhook was stored").len();
    stage.deliver(SMS, &Sms::new(ADA, "quiet")).await;
    assert_eq!(stored(&stage), 0);
    let shown = stage
        .daemon
        .cli_ok(&["log", "level", "info,trunkline=debug"])
        .await;
    assert_eq!(
        shown.stdout.trim(),
        "info,trunkline=debug (configured: info)"
    );
    stage.deliver(SMS, &Sms::new(ADA, "loud")).await;
    eventually("a line of debug", SOON, || async {
        (stored(&stage) == 1).then_some(())
    })
    .await;
    let shown = stage
        .daemon
        .cli_ok(&["log", "level", "debug", "--for", "1s", "--json"])
        .await;
    assert_eq!(shown.json()["filter"], "debug");
    eventually("the configured level is back", SOON, || async {
        let shown = stage.daemon.cli_ok(&["log", "level"]).await;
        (shown.stdout.trim() == "info").then_some(())
    })
    .await;
    stage
        .daemon
        .rewrite(|config| *config = std::mem::take(config).set("log.level", "warn"));
    stage.daemon.cli_ok(&["reload"]).await;
    assert_eq!(
        stage.daemon.cli_ok(&["log", "level"]).await.stdout.trim(),
        "warn"
    );
    let wrong = stage.daemon.cli(&["log", "level", "trunkline=loud"]).await;
    assert_eq!(wrong.code, 1);
    assert!(wrong.stderr.contains("no filter such as"), "{wrong:?}");
    let api = stage.daemon.api();
    let admin = api.with_token(&stage.daemon.create_token("admin").await);
    assert_eq!(admin.get_any("/api/v1/log-level").await.status, 403);
}

#[tokio::test]
async fn top_prints_one_frame() {
    let stage = Stage::sms().await;
    stage.deliver(SMS, &Sms::new(ADA, "hello")).await;
    let shown = stage.daemon.cli_ok(&["top", "--once"]).await;
    let line = shown.stdout.lines().find(|line| line.starts_with(SMS));
    assert!(line.is_some(), "{}", shown.stdout);
    assert!(shown.stdout.contains("1/1 "), "{}", shown.stdout);
    assert!(!shown.stdout.contains('\u{1b}'));
    let overview = stage.daemon.cli_ok(&["top", "--json"]).await.json();
    assert_eq!(overview["channels"][0]["received"], 1, "{overview}");
}

#[tokio::test]
async fn overview_shows_only_what_a_token_may_see() {
    let stage = Stage::new(|simulator| {
        let other = twilio("other", simulator).key("organization", "acme");
        Config::new().channel(twilio(SMS, simulator)).channel(other)
    })
    .await;
    let api = stage.daemon.api();
    let body = json!({"name": "acme", "role": "member", "organization": "acme"});
    let token = api.post("/api/v1/tokens", &body).await;
    let acme = api.with_token(token.json["token"].as_str().expect("a token"));
    let overview = acme.get("/api/v1/overview").await;
    let ids: Vec<&Value> = overview["channels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(ids, ["other"], "{overview}");
    assert_eq!(
        (&overview["store"], &overview["process"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn a_machine_without_a_journal_says_so_and_logs_on() {
    if std::path::Path::new("/run/systemd/journal/socket").exists() {
        println!("a journal listens here: that there is none can't be tried");
        return;
    }
    let mut daemon =
        trunkline_tests::daemon::Daemon::prepare(Config::new().set("log.format", "journald"));
    daemon.spawn();
    let log = eventually("the daemon is ready", SOON, || async {
        let log = daemon.log();
        log.contains("ready").then_some(log)
    })
    .await;
    assert!(
        log.contains("log_journal_missing") && log.contains("no journal listens"),
        "{log}"
    );
    assert!(daemon.terminate().await.success());
}
