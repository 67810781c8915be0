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
//! - A [`Plugin`] is one loaded image. It is never unloaded: code of it may still be running.
//! - An [`Instance`] is one opened channel; calls on it are pure computation and block.
//!
//! Nothing is run before the file was checked: its id and version are read from its note. Calls
//! can answer garbage, too much, or a panic; each is a [`CallError`] and the daemon goes on. What
//! can't be caught is a crash of foreign code in this process, which is why the checks come first. It
//! ends the daemon once: `blame` knows whose code it was, and the next start has it in [`Quarantine`].

#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "signal handlers")]
mod blame;
mod error;
mod file;
mod image;
mod inspect;
mod instance;
#[allow(unsafe_code, reason = "the C interface")]
mod library;
mod quarantine;
mod sanity;
mod set;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

pub use error::{CallError, OpenError};
pub use image::Plugin;
pub use inspect::FileFacts;
pub use instance::Instance;
pub use quarantine::{Aftermath, Entry, Quarantine};
pub use set::{PluginSet, Refused};

/// Where plugins are, and what they may do.
#[derive(Debug, Clone, Default)]
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
}
