//! A worker and nothing else: the program for tests of crates that have no daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    match trunkline_host::worker::arguments(std::env::args_os()) {
        Some(arguments) => trunkline_host::worker::main(arguments),
        None => ExitCode::from(2),
    }
}
