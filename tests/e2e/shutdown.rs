//! A stop in order: under load it loses nothing that was acknowledged and exits 0.

use std::time::{Duration, SystemTime};

use serde_json::json;
use trunkline_tests::account::balance;
use trunkline_tests::http::Connection;
use trunkline_tests::load::{Load, Outcome, Plan, redeliver};
use trunkline_tests::twilio::Sms;

use crate::outbound::rfc3339;
use crate::stage::{SMS, Stage};

#[tokio::test]
async fn sigterm_under_load_keeps_what_was_acknowledged_and_exits_0() {
    let mut stage = Stage::sms().await;
    let hook = stage.hook(SMS);
    let load = Load::start(stage.daemon.public(), &hook, &Plan::new("1500570"));
    tokio::time::sleep(Duration::from_millis(700)).await;
    let status = stage.daemon.terminate().await;
    assert_eq!(status.code(), Some(0));
    let mut ledger = load.stop().await;
    let refused = ledger
        .iter()
        .find(|sent| matches!(sent.outcome, Outcome::Refused(status) if status != 503));
    assert!(refused.is_none(), "a stopping daemon refused: {refused:?}");
    stage.daemon.launch().await;
    balance(&stage.daemon.api(), &ledger).await.must_be_right();
    redeliver(stage.daemon.public(), &hook, &mut ledger).await;
    balance(&stage.daemon.api(), &ledger).await.must_be_right();
}

#[tokio::test]
async fn an_idle_keep_alive_connection_does_not_hold_up_a_stop() {
    let mut stage = Stage::sms().await;
    let mut idle = Connection::open(stage.daemon.public()).await.unwrap();
    let request = stage
        .hook(SMS)
        .request(&Sms::new("+15005550101", "then silence"));
    assert_eq!(idle.status_of(&request.bytes()).await.unwrap(), 200);
    let started = std::time::Instant::now();
    assert_eq!(stage.daemon.terminate().await.code(), Some(0));
    let took = started.elapsed();
    assert!(
        took < Duration::from_secs(8),
        "the stop took {took:?}, drain is 5 s"
    );
}

#[tokio::test]
async fn queued_sends_survive_a_stop_and_a_crash() {
    let mut stage = Stage::sms().await;
    // Due later, so that no attempt is under way when the daemon dies.
    let due = rfc3339(SystemTime::now() + Duration::from_secs(4));
    let mut sent = Vec::new();
    for number in 0..5 {
        let to = format!("+1500555050{number}");
        let body = json!({"channel": SMS, "to": to, "content": {"text": "later"}, "send_at": due});
        let answer = stage.daemon.api().post("/api/v1/messages", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.reply.text());
        sent.push(answer.json["id"].as_str().unwrap().to_owned());
    }
    stage.daemon.restart().await;
    stage.daemon.kill9().await;
    stage.daemon.launch().await;
    for id in &sent {
        stage.daemon.api().wait_status(id, "sent").await;
    }
    let messages = stage.simulator.twilio().messages();
    let mut recipients: Vec<_> = messages.into_iter().map(|message| message.to).collect();
    recipients.sort();
    let expected: Vec<_> = (0..5)
        .map(|number| format!("+1500555050{number}"))
        .collect();
    assert_eq!(recipients, expected, "each exactly once");
}

#[tokio::test]
async fn a_second_daemon_on_the_same_store_is_refused() {
    let stage = Stage::sms().await;
    let second = stage.daemon.cli(&["run"]).await;
    assert_ne!(second.code, 0, "{second:?}");
    assert_eq!(
        stage
            .deliver(SMS, &Sms::new("+15005550101", "first one lives"))
            .await,
        200
    );
}
