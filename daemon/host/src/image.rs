//! A loaded plugin.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use serde_json::Value;
use trunkline_plugin_api::{Facts, Manifest, ffi::Export, note::Note};

use super::{
    CallError, Instance, Isolation, OpenError, PluginOptions, Quarantine,
    blame::{self, Suspect},
    error::read,
    isolation::tell_of_landlock,
    library::{LinkedTable, Output, Table},
    worker::{Limits, Program, Worker, WorkerError},
};

/// One image of a plugin, which has described itself.
#[derive(Debug, Clone)]
pub struct Plugin {
    path: PathBuf,
    sha256: String,
    manifest: Arc<Manifest>,
    pub(super) code: Arc<Code>,
    pub(super) output_bytes_max: usize,
}

/// Where a plugin's code is.
#[derive(Debug)]
pub(super) struct Code {
    /// The private copy; empty for an adapter of this process.
    pub(super) copy: PathBuf,
    /// How processes are started that run it.
    pub(super) worker: Option<Program>,
    suspect: Suspect,
    sha256: String,
    quarantine: Arc<Quarantine>,
    /// Its functions in this process, from the first channel on that is opened here.
    table: OnceLock<Result<Table, String>>,
}

impl Code {
    /// Its functions in this process. Loads it where that was not done yet, for good. A file that ended the
    /// daemon is not run here any more.
    pub(super) fn table(&self) -> Result<Table, CallError> {
        if let Some(entry) = self.quarantine.of_file(&self.sha256) {
            return Err(CallError::NotLoaded(entry.verdict()));
        }
        let load = || blame::run(&self.suspect, "load", || Table::load(&self.copy));
        let table = self.table.get_or_init(load);
        table.clone().map_err(CallError::NotLoaded)
    }

    /// What it says of itself: in a process where one can be started, else in this one.
    fn describe(&self, options: &PluginOptions) -> Result<Manifest, String> {
        let unread = |error: CallError| match error {
            CallError::NotLoaded(words) => words,
            error => format!("its manifest can't be read: {error}"),
        };
        let Some(program) = &self.worker else {
            let table = self.table().map_err(unread)?;
            let describe = || described(&table, options.output_bytes_max);
            return blame::run(&self.suspect, "describe", describe).map_err(unread);
        };
        let limits = Limits {
            output_bytes_max: options.output_bytes_max,
            memory_bytes_max: options.memory_bytes_max,
            timeout: options.call_timeout,
            threads: 0,
        };
        let mut output = describe_apart(program, &self.copy, &limits);
        // The machine may have been too busy: nobody asks again before a reload.
        if let Err(WorkerError::NotStarted(_) | WorkerError::Hung(_)) = output {
            output = describe_apart(program, &self.copy, &limits);
        }
        let output = output.map_err(|error| match error {
            WorkerError::NotLoaded(words) => words,
            error => format!("can't be loaded and described: {error}"),
        })?;
        read(&output).map_err(unread)
    }
}

fn describe_apart(program: &Program, copy: &Path, limits: &Limits) -> Result<Output, WorkerError> {
    let mut worker = Worker::start(program, copy, limits)?;
    tell_of_landlock(&worker);
    worker.describe()
}

impl Plugin {
    /// Has a private copy describe itself. Its manifest must say what its note says.
    pub(super) fn load(
        copy: PathBuf,
        path: PathBuf,
        sha256: String,
        note: &Note,
        options: &PluginOptions,
    ) -> Result<Self, String> {
        let code = Code {
            copy,
            worker: options.worker.clone(),
            suspect: Suspect::new(&sha256, &note.id, &note.version, None),
            sha256: sha256.clone(),
            quarantine: options.quarantine.clone(),
            table: OnceLock::new(),
        };
        let manifest = code.describe(options)?;
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
            code: Arc::new(code),
            output_bytes_max: options.output_bytes_max,
        })
    }

    /// An adapter of this process behind the same table and the same bytes as a library: for
    /// adapters that are written inside tests.
    pub fn of<E: Export>(output_bytes_max: usize) -> Result<Self, CallError> {
        Self::linked(LinkedTable(Table::of::<E>()), output_bytes_max)
    }

    /// An adapter that is linked into this process.
    pub fn linked(table: LinkedTable, output_bytes_max: usize) -> Result<Self, CallError> {
        let LinkedTable(table) = table;
        Ok(Self {
            path: PathBuf::new(),
            sha256: String::new(),
            manifest: Arc::new(described(&table, output_bytes_max)?),
            code: Arc::new(Code {
                copy: PathBuf::new(),
                worker: None,
                suspect: Suspect::new("", "", "", None),
                sha256: String::new(),
                quarantine: Arc::default(),
                table: OnceLock::from(Ok(table)),
            }),
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

    /// True where its code was loaded into this process.
    pub fn is_loaded_here(&self) -> bool {
        self.code.table.get().is_some()
    }

    /// Opens a channel in this process. `config` is its `[channel.X.config]` section with secrets resolved.
    pub fn open(&self, channel: &str, config: &Value) -> Result<(Instance, Facts), OpenError> {
        self.open_in(channel, config, &Isolation::None)
    }

    /// The same, in this process or in one of its own.
    pub fn open_in(
        &self,
        channel: &str,
        config: &Value,
        isolation: &Isolation,
    ) -> Result<(Instance, Facts), OpenError> {
        Instance::open(self.clone(), channel, config, isolation)
            .map_err(|error| OpenError::new(channel, error))
    }
}

fn described(table: &Table, output_bytes_max: usize) -> Result<Manifest, CallError> {
    read(&table.describe(output_bytes_max))
}
