//! Sends through a provider that fails in every way, while the daemon is killed again and again:
//! the provider's ledger holds every message once, in its line's order, and what can't be known is
//! listed.
//!
//! `TRUNKLINE_CHAOS_SENDS` and `TRUNKLINE_CHAOS_KILLS` make the run larger, `TRUNKLINE_CHAOS_SEED`
//! repeats one; in full it is `cargo run --release -p trunkline-tests --bin bench -- chaos`.

use trunkline_tests::chaos::{Plan, run};

/// A number from the environment, or the default.
fn setting(name: &str, default: usize) -> usize {
    let set = std::env::var(name).ok().map(|text| text.parse());
    set.map_or(default, |number| number.expect("a whole number"))
}

#[tokio::test]
async fn every_send_arrives_once_through_faults_and_kills() {
    let mut plan = Plan::new(
        setting("TRUNKLINE_CHAOS_SENDS", 2_000),
        setting("TRUNKLINE_CHAOS_KILLS", 8),
    );
    if let Ok(seed) = std::env::var("TRUNKLINE_CHAOS_SEED") {
        plan.seed = seed.parse().expect("a whole number");
    }
    let seed = plan.seed;
    let verdict = run(&plan).await;
    let verdict = verdict.unwrap_or_else(|why| panic!("seed {seed}: {why:#}"));
    println!("seed {seed}: {verdict}");
    assert!(verdict.faults.is_empty(), "seed {seed}: {verdict}");
    // A run in which nothing happened would show nothing.
    assert!(
        verdict.resolved > 0 && verdict.repeated > 0,
        "seed {seed}: hardly any trouble: {verdict}"
    );
    assert!(
        verdict.uncertain < plan.uncertain_max(),
        "seed {seed}: too much is left to people: {verdict}"
    );
}

#[tokio::test]
async fn nothing_stays_uncertain_where_it_is_to_be_sent_again() {
    let mut plan = Plan::new(600, 3);
    plan.recipients = 100;
    plan.uncertain = Some("resend");
    let seed = plan.seed;
    let verdict = run(&plan).await;
    let verdict = verdict.unwrap_or_else(|why| panic!("seed {seed}: {why:#}"));
    println!("seed {seed}: {verdict}");
    assert!(verdict.faults.is_empty(), "seed {seed}: {verdict}");
    assert_eq!(verdict.uncertain, 0, "seed {seed}: {verdict}");
    assert!(verdict.resolved > 0, "seed {seed}: no trouble: {verdict}");
    // What the provider has is found there; only what it took after it had been asked is doubled.
    assert!(
        verdict.doubled * 20 < verdict.resolved,
        "seed {seed}: sent again without asking: {verdict}"
    );
}
