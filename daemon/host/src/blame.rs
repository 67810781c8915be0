//! Whose code runs on a thread, and a record of it where that code ends the process.
//!
//! ```text
//! run(suspect, "receive", ..) ─ thread-local ─> plugin ─ abort, fault ─> on_signal ─ one write ─> crash
//! next start: take ─> Crash ─> quarantine, before any plugin is loaded
//! ```
//!
//! Nothing is caught: once the record is written, the action that was there before takes its course, so that
//! core dumps and the exit status are what they would have been. Blamed is only the thread on which it happened:
//! other plugins may be busy at that moment. A signal that another process sent, a power failure and code in a
//! thread that a plugin made for itself blame nobody.

mod record;
mod signals;

use std::{cell::Cell, ptr, sync::atomic::compiler_fence};

use std::sync::atomic::Ordering::SeqCst;

use super::error::cut;

pub(super) use record::{Crash, forget, take};
pub(super) use signals::watch;

/// Bytes of a suspect's line: hash, id, version and channel.
const LINE_BYTES_MAX: usize = 384;

/// Whose code it is: written out beforehand, so that a signal handler has nothing to do but copy.
#[derive(Debug, Clone)]
pub(super) struct Suspect {
    line: String,
}

impl Suspect {
    /// Code of a file, run for a channel or for none.
    pub(super) fn new(sha256: &str, plugin: &str, version: &str, channel: Option<&str>) -> Self {
        let words = [sha256, plugin, version, channel.unwrap_or("-")].map(record::word);
        let mut line = words.join(" ");
        cut(&mut line, LINE_BYTES_MAX);
        Self { line }
    }
}

/// What a thread is at.
struct Frame<'run> {
    suspect: &'run Suspect,
    op: &'static str,
}

thread_local! {
    /// Points into the stack of this very thread, as long as [`run`] is on it. No destructor and no lazy
    /// initialisation, so that a signal handler may read it.
    static RUNNING: Cell<*const Frame<'static>> = const { Cell::new(ptr::null()) };
}

/// Runs a plugin's code. Costs two writes to memory of this thread.
pub(super) fn run<R>(suspect: &Suspect, op: &'static str, run: impl FnOnce() -> R) -> R {
    let frame = Frame { suspect, op };
    let outer = RUNNING.replace((&raw const frame).cast());
    let _restored = Restored(outer);
    // The handler runs on this thread: the order in which the compiler leaves the writes is all that counts.
    compiler_fence(SeqCst);
    run()
}

/// Puts back what the thread was at before, also where the call unwinds.
struct Restored(*const Frame<'static>);

impl Drop for Restored {
    fn drop(&mut self) {
        compiler_fence(SeqCst);
        RUNNING.set(self.0);
    }
}
