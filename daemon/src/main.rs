//! The one binary: parses the command line and hands over to [`trunkline::cli`], or is a worker
//! for one plugin ([`trunkline_host::worker`]).

#![forbid(unsafe_code)]

use std::process::ExitCode;

use trunkline_host::worker;

/// A fifth of the cost of a webhook is allocation in the index; this one is measurably cheaper.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Before anything else: a worker has no runtime, no log and no configuration.
    if let Some(arguments) = worker::arguments(std::env::args_os()) {
        return worker::main(arguments);
    }
    trunkline::cli::main()
}
