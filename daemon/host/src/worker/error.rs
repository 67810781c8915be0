//! How a worker fails, in words.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

/// Why a worker gave nothing. It has ended, or was ended, in each case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// The process could not be started or sealed in.
    #[error("a process for the plugin could not be started: {0}")]
    NotStarted(String),
    /// The library can't be loaded.
    #[error("{0}")]
    NotLoaded(String),
    /// There was no answer in time; the process was killed.
    #[error("it gave no answer within {} ms, and its process was killed", .0.as_millis())]
    Hung(Duration),
    /// It tried what a plugin must not do; the process ended itself there.
    #[error("it {what}, which a plugin must not do, and its process was ended")]
    Forbidden {
        /// What it did, as in "opened a file (openat)".
        what: String,
    },
    /// The process ended by itself; the words follow "its process".
    #[error("its process {0}")]
    Died(String),
    /// What it sent means nothing.
    #[error("its process sent garbage: {0}")]
    Garbage(String),
}

/// How a process ended, in words that follow "its process".
pub(super) fn end_words(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was ended by signal {signal} ({})", signal_name(signal)),
        (None, Some(code)) => format!("ended itself with exit code {code}"),
        (None, None) => "ended".into(),
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGHUP => "SIGHUP",
        libc::SIGILL => "SIGILL",
        libc::SIGINT => "SIGINT",
        libc::SIGKILL => "SIGKILL",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGSYS => "SIGSYS",
        libc::SIGTERM => "SIGTERM",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        _ => "a signal without a common name",
    }
}
