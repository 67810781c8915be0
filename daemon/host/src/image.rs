//! A loaded plugin.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;
use trunkline_plugin_api::{Facts, Manifest, ffi::Export, note::Note};

use super::{
    CallError, Instance, OpenError,
    blame::{self, Suspect},
    error::read,
    library::Table,
};

/// One loaded image of a plugin, never unloaded.
#[derive(Debug, Clone)]
pub struct Plugin {
    path: PathBuf,
    sha256: String,
    manifest: Arc<Manifest>,
    pub(super) table: Table,
    pub(super) output_bytes_max: usize,
}

impl Plugin {
    /// Loads a private copy. Its manifest must say what its note says.
    pub(super) fn load(
        copy: &Path,
        path: PathBuf,
        sha256: String,
        note: &Note,
        output_bytes_max: usize,
    ) -> Result<Self, String> {
        let suspect = Suspect::new(&sha256, &note.id, &note.version, None);
        let table = blame::run(&suspect, "load", || Table::load(copy))?;
        let manifest = blame::run(&suspect, "describe", || described(&table, output_bytes_max))
            .map_err(|error| format!("its manifest can't be read: {error}"))?;
        if (&manifest.id, &manifest.version) != (&note.id, &note.version) {
            return Err(format!(
                "its note says {} {}, its manifest {} {}",
                note.id, note.version, manifest.id, manifest.version
            ));
        }
        if manifest.media.is_empty() {
            return Err("its manifest names no medium".into());
        }
        if !manifest.config_schema.is_object() {
            return Err("its manifest has no configuration schema".into());
        }
        Ok(Self {
            path,
            sha256,
            manifest: Arc::new(manifest),
            table,
            output_bytes_max,
        })
    }

    /// An adapter of this process behind the same table and the same bytes as a library: for
    /// adapters that are written inside tests.
    pub fn of<E: Export>(output_bytes_max: usize) -> Result<Self, CallError> {
        let table = Table::of::<E>();
        Ok(Self {
            path: PathBuf::new(),
            sha256: String::new(),
            manifest: Arc::new(described(&table, output_bytes_max)?),
            table,
            output_bytes_max,
        })
    }

    /// The same image, found at another path or given another limit.
    pub(super) fn seen_at(&self, path: PathBuf, output_bytes_max: usize) -> Self {
        Self {
            path,
            output_bytes_max,
            ..self.clone()
        }
    }

    /// What `adapter = "..."` names.
    pub fn id(&self) -> &str {
        &self.manifest.id
    }

    /// The plugin's own version.
    pub fn version(&self) -> &str {
        &self.manifest.version
    }

    /// SHA-256 of the file in lower-case hex; empty for an adapter of this process.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The adapter's description.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The file it was found in; empty for an adapter of this process.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a channel. `config` is its `[channel.X.config]` section with secrets resolved.
    pub fn open(&self, channel: &str, config: &Value) -> Result<(Instance, Facts), OpenError> {
        Instance::open(self.clone(), channel, config)
            .map_err(|error| OpenError::new(channel, error))
    }
}

fn described(table: &Table, output_bytes_max: usize) -> Result<Manifest, CallError> {
    read(&table.describe(output_bytes_max))
}
