//! The kit without a daemon around it: `kit FILE [FIXTURES]`. Also the worker that the kit's tests start.

use std::{env, process::ExitCode};

use trunkline_host::worker::{self, Program};
use trunkline_kit::Options;

fn main() -> ExitCode {
    if let Some(arguments) = worker::arguments(env::args_os()) {
        return worker::main(arguments);
    }
    let mut arguments = env::args_os().skip(1);
    let Some(file) = arguments.next() else {
        eprintln!("kit FILE [FIXTURES]");
        return ExitCode::from(64);
    };
    let mut options = Options::new(file, Program::this());
    options.fixtures = arguments.next().map(Into::into);
    let report = trunkline_kit::test(&options);
    println!("{report}");
    ExitCode::from(u8::from(!report.passed))
}
