//! A stop in order: under load it loses nothing that was acknowledged and exits 0.

use std::time::Duration;

use trunkline_tests::account::balance;
use trunkline_tests::http::Connection;
use trunkline_tests::load::{Load, Outcome, Plan, redeliver};
use trunkline_tests::twilio::Sms;

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
    let twilio = stage.simulator.twilio();
    twilio.set_behaviour(trunkline_simulator::Behaviour::error(
        503,
        20503,
        "Service Unavailable",
    ));
    let mut sent = Vec::new();
    for number in 0..5 {
        let to = format!("+1500555050{number}");
        sent.push(stage.daemon.api().send_text(SMS, &to, "later").await);
    }
    stage.daemon.restart().await;
    stage.daemon.kill9().await;
    let accept = trunkline_simulator::Behaviour::Accept;
    stage.simulator.twilio().set_behaviour(accept);
    stage.daemon.launch().await;
    for id in &sent {
        stage.daemon.api().wait_status(id, "sent").await;
    }
    let mut texts: Vec<_> = stage
        .simulator
        .twilio()
        .messages()
        .into_iter()
        .map(|m| m.to)
        .collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 5);
    assert_eq!(
        stage.simulator.twilio().messages().len(),
        5,
        "a send was doubled"
    );
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
