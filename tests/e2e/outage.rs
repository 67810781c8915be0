//! A provider that is gone for a long time: what was accepted waits at no cost, what comes in is
//! taken, owners are told once, and afterwards everything goes out once, slowly at first.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use trunkline_simulator::{Behaviour, CallMark, Endpoint};
use trunkline_tests::account::balance;
use trunkline_tests::api::Api;
use trunkline_tests::config::Config;
use trunkline_tests::gate::Gate;
use trunkline_tests::load::{Load, Plan};
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};

/// Messages that wait through the outage, each to a person of its own.
const SENDS: usize = 400;
/// Attempts before a message is given up; unprotected, they would be used up within three seconds.
const ATTEMPTS_MAX: u64 = 10;
/// Checks of the channel that pass while it is down.
const CHECKS: usize = 12;
/// How long an answer takes after the outage, so that calls under way can be counted.
const ANSWER_TIME: Duration = Duration::from_millis(40);

/// What is wrong with the provider.
#[derive(Clone, Copy)]
enum Outage {
    /// Nobody listens.
    Gone,
    /// Every call is answered 503.
    Unavailable,
}

#[tokio::test]
async fn a_provider_that_can_not_be_reached_costs_nothing_but_time() {
    endure(Outage::Gone).await;
}

#[tokio::test]
async fn a_provider_that_answers_503_costs_nothing_but_time() {
    endure(Outage::Unavailable).await;
}

async fn endure(outage: Outage) {
    let simulator = trunkline_simulator::Simulator::start().expect("the simulator starts");
    let mut gate = Gate::before(&simulator.url()).await;
    let channel = twilio(SMS, &simulator).config("api_base", gate.url());
    let config = Config::new()
        .set("health.interval", "250ms")
        .set("outbound.backoff_base", "50ms")
        .set("outbound.backoff_max", "300ms")
        .set("outbound.attempts_max", ATTEMPTS_MAX)
        .channel(channel);
    let daemon = trunkline_tests::daemon::Daemon::start(config).await;
    let stage = Stage { daemon, simulator };
    let api = stage.daemon.api();
    api.wait_health(SMS, "healthy").await;

    begin(outage, &stage, &mut gate).await;
    let plan = Plan::new("1500888").rate(40);
    let inbound = Load::start(stage.daemon.public(), &stage.hook(SMS), &plan);
    let mut ids = Vec::with_capacity(SENDS);
    for number in 0..SENDS {
        ids.push(api.send_text(SMS, &recipient(number), &text(number)).await);
    }
    let down = api.wait_health(SMS, "down").await;
    assert!(down["health"]["last_error"].is_string(), "{down}");
    wait_checks(&api).await;
    check_queue(&stage, &api).await;

    stage.simulator.twilio().forget_creates();
    end(outage, &stage, &mut gate).await;
    for id in &ids {
        api.wait_status(id, "sent").await;
    }
    check_ledger(&stage);
    check_ramp(&stage.simulator.twilio().creates());
    let ledger = inbound.stop().await;
    let kept = balance(&api, &ledger).await;
    kept.must_be_right();
    assert_eq!(
        kept.acknowledged,
        ledger.len(),
        "inbound was refused: {kept}"
    );
    let told = only_group(&api, "health_changed").await;
    assert!(told["words"].is_string(), "{told}");
}

async fn begin(outage: Outage, stage: &Stage, gate: &mut Gate) {
    match outage {
        Outage::Gone => gate.shut().await,
        Outage::Unavailable => {
            let fault = Behaviour::error(503, 20503, "Service Unavailable");
            set_all(stage, &fault, &fault);
        }
    }
}

async fn end(outage: Outage, stage: &Stage, gate: &mut Gate) {
    set_all(stage, &Behaviour::Slow(ANSWER_TIME), &Behaviour::Accept);
    if let Outage::Gone = outage {
        gate.reopen().await;
    }
}

fn set_all(stage: &Stage, create: &Behaviour, others: &Behaviour) {
    let account = stage.simulator.twilio();
    account.set_behaviour(create.clone());
    for endpoint in [Endpoint::Account, Endpoint::List, Endpoint::Fetch] {
        account.set_behaviour_of(endpoint, others.clone());
    }
}

fn recipient(number: usize) -> String {
    format!("+1500999{number:04}")
}

fn text(number: usize) -> String {
    format!("number {number}")
}

/// Waits until the channel has been checked again and again, and was down each time.
async fn wait_checks(api: &Api) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    while seen.len() < CHECKS {
        let channel = api.channel(SMS).await;
        let health = &channel["health"];
        assert_eq!(health["status"], "down", "{channel}");
        seen.extend(health["last_checked_at"].as_str().map(str::to_owned));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Nothing is lost, given up or worn out by waiting.
async fn check_queue(stage: &Stage, api: &Api) {
    let items = api.all("/api/v1/outbox").await;
    assert_eq!(items.len(), SENDS, "every message waits");
    let attempts = |item: &Value| item["attempts"].as_u64().unwrap_or_default();
    let most = items.iter().map(attempts).max().unwrap_or_default();
    assert!(
        most * 2 <= ATTEMPTS_MAX,
        "{most} of {ATTEMPTS_MAX} attempts are used up"
    );
    for item in &items {
        let waits = ["queued", "retrying", "held"].map(|state| item["state"] == state);
        assert!(waits.contains(&true), "{item}");
    }
    let before: u64 = items.iter().map(attempts).sum();
    wait_checks(api).await;
    let items = api.all("/api/v1/outbox").await;
    let after: u64 = items.iter().map(attempts).sum();
    assert_eq!(before, after, "attempts are made while the channel is down");
    assert_eq!(stage.simulator.twilio().message_count(), 0);
}

/// Everything arrived, once.
fn check_ledger(stage: &Stage) {
    let bodies: Vec<String> = stage
        .simulator
        .twilio()
        .messages()
        .into_iter()
        .map(|message| message.body)
        .collect();
    let distinct: BTreeSet<&String> = bodies.iter().collect();
    assert_eq!(bodies.len(), SENDS);
    assert_eq!(distinct.len(), SENDS, "something was sent twice");
}

/// The first calls after the outage go out a few at a time, later ones side by side.
fn check_ramp(calls: &[CallMark]) {
    let most = |calls: &[CallMark]| calls.iter().map(|call| call.under_way).max();
    let (first, later) = calls.split_at(10.min(calls.len()));
    let (first, later) = (most(first), most(later));
    assert!(
        first
            .zip(later)
            .is_some_and(|(first, later)| first * 2 <= later),
        "no ramp: {first:?} calls under way among the first 10, {later:?} later"
    );
}

/// Waits for the notices of this kind about the channel: one group.
async fn only_group(api: &Api, kind: &str) -> Value {
    eventually(&format!("a notification of {kind}"), SOON, || async {
        let all = api.all("/api/v1/notifications").await;
        let mut own: Vec<Value> = all
            .into_iter()
            .filter(|notice| notice["kind"] == kind && notice["channel"] == SMS)
            .collect();
        assert!(own.len() < 2, "more than one group: {own:?}");
        own.pop()
    })
    .await
}
