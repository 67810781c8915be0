//! Measures Trunkline and prints ratios: `cargo run --release -p trunkline-tests --bin bench`.
//!
//! The daemon and its plugins must be built (`cargo build --release --workspace`). Everything that
//! is started here ends with it.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;
use trunkline_tests::bench::options::{Options, Part};
use trunkline_tests::bench::{
    backlog, baseline, dispatch, inbound, memory, paced, paths, provider, setup, start,
};

fn main() -> ExitCode {
    let options = Options::parse().resolved();
    let done = match options.part {
        Some(Part::Baseline) => baseline::serve().map_err(Into::into),
        Some(Part::Provider) => provider::serve(),
        _ => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime
                .map_err(Into::into)
                .and_then(|runtime| runtime.block_on(run(&options)))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why:#}");
            ExitCode::FAILURE
        }
    }
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
    if options.wants(Part::Paths) {
        paths::measure(options).await?;
    }
    if options.wants(Part::Outbound) {
        dispatch::measure(options).await?;
    }
    if options.wants(Part::Backlog) {
        backlog::measure(options).await?;
    }
    if options.wants(Part::Memory) {
        memory::measure(options).await?;
    }
    Ok(())
}
