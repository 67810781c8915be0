//! Measures Trunkline and prints ratios: `cargo run --release -p trunkline-tests --bin bench`.
//!
//! The daemon and its plugins must be built (`cargo build --release --workspace`). Everything that
//! is started here ends with it.

use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use trunkline_tests::bench::options::{Chaos, Options, Part};
use trunkline_tests::bench::{
    backlog, backup, baseline, batches, calls, dispatch, email, inbound, memory, paced, paths,
    provider, setup, start,
};
use trunkline_tests::chaos::{self, Plan};

fn main() -> ExitCode {
    let options = Options::parse().resolved();
    let done = match options.part {
        Some(Part::Baseline) => baseline::serve().map_err(Into::into),
        Some(Part::Provider) => provider::serve(),
        Some(Part::Chaos(size)) => on_runtime(chaos_run(size)),
        _ => on_runtime(run(&options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why:#}");
            ExitCode::FAILURE
        }
    }
}

fn on_runtime(work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

/// Runs the chaos test in full; prints what came of it and fails where it is not right.
async fn chaos_run(size: Chaos) -> Result<()> {
    let mut plan = Plan::new(size.count, size.kills);
    plan.seed = size.seed.unwrap_or(plan.seed);
    let seed = plan.seed;
    println!(
        "chaos: {} sends, {} kills, seed {seed}",
        plan.sends, plan.kills
    );
    let verdict = chaos::run(&plan)
        .await
        .with_context(|| format!("seed {seed}"))?;
    println!("  {verdict}");
    ensure!(
        verdict.faults.is_empty(),
        "{} faults, seed {seed}",
        verdict.faults.len()
    );
    Ok(())
}

async fn run(options: &Options) -> Result<()> {
    println!("machine: {}", setup::machine());
    if options.wants(Part::Start) {
        start::measure().await?;
    }
    if options.wants(Part::Inbound) {
        inbound::measure(options).await?;
    }
    if options.wants(Part::Open) {
        paced::measure(options).await?;
    }
    if options.wants(Part::Batch) {
        batches::measure(options).await?;
    }
    if options.wants(Part::Paths) {
        paths::measure(options).await?;
    }
    if options.wants(Part::Calls) {
        calls::measure()?;
    }
    if options.wants(Part::Email) {
        email::measure().await?;
    }
    if options.wants(Part::Outbound) {
        dispatch::measure(options).await?;
    }
    if options.wants(Part::Backlog) {
        backlog::measure(options).await?;
    }
    if options.wants(Part::Backup) {
        backup::measure(options).await?;
    }
    if options.wants(Part::Memory) {
        memory::measure(options).await?;
    }
    Ok(())
}
