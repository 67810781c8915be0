//! kill -9 at random moments under load: everything acknowledged is there, once.

use std::collections::BTreeSet;
use std::time::Duration;

use trunkline_simulator::Behaviour;
use trunkline_tests::account::balance;
use trunkline_tests::load::{Load, Outcome, Plan, Sent, redeliver};
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage};

const ROUNDS: u32 = 20;

#[tokio::test]
async fn nothing_acknowledged_is_lost_or_doubled_by_kill_9() {
    let mut stage = Stage::sms().await;
    let hook = stage.hook(SMS);
    let mut everything: Vec<Sent> = Vec::new();
    let mut unanswered = 0;
    for round in 0..ROUNDS {
        let load = Load::start(
            stage.daemon.public(),
            &hook,
            &Plan::new(format!("1500{round:03}")),
        );
        // In the middle of the load, wherever that is.
        let count = rand::random_range(10..250);
        load.reaches(count).await;
        let moment = Duration::from_millis(rand::random_range(0..50));
        tokio::time::sleep(moment).await;
        stage.daemon.kill9().await;
        let mut ledger = load.stop().await;
        stage.daemon.launch().await;
        let api = stage.daemon.api();
        let after = balance(&api, &ledger).await;
        assert!(
            after.is_right(),
            "round {round}, killed {moment:?} behind {count}: {after}"
        );
        unanswered += ledger
            .iter()
            .filter(|sent| matches!(sent.outcome, Outcome::Lost(_)))
            .count();
        redeliver(stage.daemon.public(), &hook, &mut ledger).await;
        everything.extend(ledger);
    }
    let total = balance(&stage.daemon.api(), &everything).await;
    total.must_be_right();
    assert_eq!(
        total.found,
        everything.len(),
        "after redelivery each message is there: {total}"
    );
    assert!(
        unanswered > 0,
        "no kill ever met a request: the load was too small to show anything"
    );
}

#[tokio::test]
async fn accepted_sends_are_neither_lost_nor_doubled_by_kill_9() {
    let mut stage = Stage::sms().await;
    let slow = Behaviour::Slow(Duration::from_millis(40));
    stage.simulator.twilio().set_behaviour(slow);
    let mut accepted = Vec::new();
    for round in 0..5 {
        let api = stage.daemon.api();
        for number in 0..15 {
            let to = format!("+15005{round:02}{number:04}");
            accepted.push(
                api.send_text(SMS, &to, &format!("send {round} {number}"))
                    .await,
            );
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..250))).await;
        stage.daemon.kill9().await;
        stage.daemon.launch().await;
    }
    let api = stage.daemon.api();
    // What can't be told from outside is held for a person, and that is not lost. What the provider
    // has is found there: by far the most.
    let sent = eventually("nearly all are settled", SOON * 2, || async {
        let mut sent = 0;
        for id in &accepted {
            let message = api.message(id).await;
            match message["status"].as_str() {
                Some("sent") => sent += 1,
                Some("uncertain") => {}
                _ => return None,
            }
        }
        (sent * 2 > accepted.len()).then_some(sent)
    })
    .await;
    let bodies: Vec<_> = stage
        .simulator
        .twilio()
        .messages()
        .into_iter()
        .map(|m| m.body)
        .collect();
    let distinct: BTreeSet<_> = bodies.iter().collect();
    assert_eq!(
        distinct.len(),
        bodies.len(),
        "something was sent twice: {bodies:?}"
    );
    assert!(
        bodies.len() >= sent,
        "{sent} are shown as sent, the provider has {}",
        bodies.len()
    );
}
