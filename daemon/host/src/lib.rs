//! The host's side of plugins: find, check, load, call.
//!
//! ```text
//! folder ─ file ─> checked (owner, mode, size) ─> inspected (note, exports) ─> private copy ─> library
//!                        └──────────── Refused, in words ────────────┘                          │
//! Instance::receive ─ wire ─> table.call ─> sink ─ wire ─> Received           Plugin ── open ───┘
//! ```
//!
//! - [`PluginSet::scan`] looks at the folders; a file that can't be used is a [`Refused`] and
//!   stops nothing.
//! - A [`Plugin`] is one image that has described itself, in a process of its own. It is loaded here by
//!   the first channel that runs here, and never unloaded: code of it may still be running.
//! - An [`Instance`] is one opened channel; calls on it are pure computation and block. It runs here or
//!   in a [`worker`], by its [`Isolation`]: the same bytes either way.
//!
//! Nothing is run before the file was checked: its id and version are read from its note. Calls
//! can answer garbage, too much, or a panic; each is a [`CallError`] and the daemon goes on. What
//! can't be caught is a crash of foreign code in this process: it ends the daemon once, `blame` knows whose
//! code it was, and the next start has it in [`Quarantine`]. A [`worker`] is ended by one, and no more.

#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "signal handlers")]
mod blame;
mod error;
mod file;
mod image;
mod inspect;
mod instance;
mod isolation;
#[allow(unsafe_code, reason = "the C interface")]
mod library;
mod quarantine;
pub mod sanity;
mod set;
mod speaker;
#[cfg(test)]
mod tests;
pub mod worker;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

pub use error::{CallError, OpenError};
pub use image::Plugin;
pub use inspect::{FileFacts, note_of};
pub use instance::{Instance, Observer};
pub use isolation::Isolation;
pub use library::LinkedTable;
pub use quarantine::{Aftermath, Entry, Quarantine};
pub use set::{PluginSet, Refused};

/// Where plugins are, and what they may do.
#[derive(Debug, Clone)]
pub struct PluginOptions {
    /// Folders with plugins, or single files; of two plugins with one id the first one found is
    /// taken.
    pub paths: Vec<PathBuf>,
    /// The state folder: images are loaded from `<state>/plugins/<sha256>.so`.
    pub state: PathBuf,
    /// How many bytes one call may answer.
    pub output_bytes_max: usize,
    /// SHA-256 in hex by plugin id: a plugin listed here is loaded only if its file has this hash.
    pub pins: BTreeMap<String, String>,
    /// Files that are not run.
    pub quarantine: Arc<Quarantine>,
    /// How a process is started in which a file describes itself, before any of it runs here. None: it is
    /// loaded and described in this process, for tests of adapters.
    pub worker: Option<worker::Program>,
    /// How long a description may take, loading too.
    pub call_timeout: Duration,
    /// Bytes of address space of a process that describes.
    pub memory_bytes_max: u64,
}

impl Default for PluginOptions {
    fn default() -> Self {
        let worker::Limits {
            output_bytes_max,
            memory_bytes_max,
            timeout: call_timeout,
            threads: _,
        } = worker::Limits::default();
        Self {
            paths: Vec::new(),
            state: PathBuf::new(),
            output_bytes_max,
            pins: BTreeMap::new(),
            quarantine: Arc::default(),
            worker: None,
            call_timeout,
            memory_bytes_max,
        }
    }
}
