//! The one binary: parses the command line and hands over to [`trunkline::cli`].

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    trunkline::cli::main()
}
