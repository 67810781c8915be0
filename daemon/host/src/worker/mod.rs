//! A plugin in a process of its own: the same executable started again, which loads one library, seals
//! itself in and answers one call at a time.
//!
//! ```text
//! Worker (client) ── spawn thread ──> the same executable, `plugin-host FILE ...`
//!    │                                  no descriptors but one socket, no environment, limits,
//!    │                                  landlock, first filter ── Sealed ──>
//!    │                                  load the library, second filter ── Loaded ──>
//!    └── frame: describe, open, call ──> library ── frame: output (log lines before it) ──> read
//! ```
//!
//! - Nothing that comes from a worker is trusted: frames are bounded, anything unexpected ends it.
//! - Every wait has an end; what hangs is killed. A worker that failed once stays failed.
//! - Not promised: how long a call takes up to its limit, and how much of a processor it uses.

mod calls;
mod child;
mod client;
mod error;
mod frame;
mod logs;
#[allow(unsafe_code, reason = "descriptors and the signal handler")]
mod sandbox;
mod spawn;
mod storm;
mod stream;
#[cfg(test)]
mod tests;

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
    time::Duration,
};

pub use child::main;
pub use client::Worker;
pub use error::WorkerError;
pub use frame::{FrameError, read_stream};
pub use logs::LogLine;

pub use crate::library::Output;
#[cfg(test)]
pub(crate) use tests::program;

/// The first argument of a worker.
pub const VERB: &str = "plugin-host";

/// How a worker is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Its first arguments; what this crate adds follows them.
    pub arguments: Vec<OsString>,
}

impl Program {
    /// This executable, whose `main` calls [`main`] where [`arguments`] says so. It stays the one that is
    /// running, also where its file was replaced.
    pub fn this() -> Self {
        Self {
            path: "/proc/self/exe".into(),
            arguments: vec![VERB.into()],
        }
    }
}

/// What a worker may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that one call may answer.
    pub output_bytes_max: usize,
    /// Bytes of address space.
    pub memory_bytes_max: u64,
    /// How long one call may take, loading and a whole storm too.
    pub timeout: Duration,
    /// Threads that are made for [`Worker::storm`]; the library can start none.
    pub threads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            output_bytes_max: 16 * 1024 * 1024,
            memory_bytes_max: 512 * 1024 * 1024,
            timeout: Duration::from_secs(10),
            threads: 0,
        }
    }
}

/// The arguments for [`main`], where the arguments of a process (its own name first) make it a worker.
pub fn arguments(all: impl IntoIterator<Item = OsString>) -> Option<Vec<OsString>> {
    let mut all = all.into_iter().skip(1);
    (all.next().as_deref() == Some(OsStr::new(VERB))).then(|| all.collect())
}
