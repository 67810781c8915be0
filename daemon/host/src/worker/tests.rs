//! Workers with plugins good and bad.

mod misbehaved;
mod sealed;

use std::{path::PathBuf, process::Command, sync::OnceLock, time::Duration};

use super::{Limits, Output, Program, Worker, WorkerError};
use crate::tests::{Place, examples_of};

/// The example of this crate, built once.
pub(crate) fn program() -> Program {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| examples_of("trunkline-host").join("worker"));
    Program {
        path: path.clone(),
        arguments: vec![super::VERB.into()],
    }
}

fn limits() -> Limits {
    Limits {
        output_bytes_max: 64 * 1024,
        timeout: Duration::from_secs(20),
        ..Limits::default()
    }
}

/// A worker with the C plugin that these flags make.
fn worker(place: &Place, flags: &[&str], limits: &Limits) -> Result<Worker, WorkerError> {
    let file = place.build_bad("bad.so", flags);
    Worker::start(&program(), &file, limits)
}

fn open(worker: &mut Worker) -> Output {
    worker
        .open(br#"{"context":{},"config":{}}"#)
        .expect("an answer")
}
