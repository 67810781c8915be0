//! kill -9 at random moments under load: everything acknowledged is there, once.

use std::time::Duration;

use trunkline_tests::account::balance;
use trunkline_tests::load::{Load, Outcome, Plan, Sent, redeliver};

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
        let moment = Duration::from_millis(rand::random_range(100..900));
        tokio::time::sleep(moment).await;
        stage.daemon.kill9().await;
        let mut ledger = load.stop().await;
        stage.daemon.launch().await;
        let api = stage.daemon.api();
        let after = balance(&api, &ledger).await;
        assert!(
            after.is_right(),
            "round {round}, killed after {moment:?}: {after}"
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
    assert!(
        everything.len() > 1_000,
        "hardly any load: {}",
        everything.len()
    );
}
