//! The one binary: parses the command line and hands over to [`trunkline::cli`].

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// A fifth of the cost of a webhook is allocation in the index; this one is measurably cheaper.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    trunkline::cli::main()
}
