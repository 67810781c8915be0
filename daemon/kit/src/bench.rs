//! The plugin on the bench: its file, its fixtures, the processes that it runs in, and the calls.

use std::{fs, path::PathBuf, rc::Rc, time::Duration};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use trunkline_host::worker::Worker;
use trunkline_plugin_api::{
    Facts, Manifest, ffi,
    note::{self, Note},
    testkit::{
        case::{CaseChannel, NamedCase, read_channels},
        secret_values,
    },
    wire::{Call, Code},
};

use crate::{
    Options,
    calls::decoded,
    elf::{self, Elf},
    findings::Trouble,
    watch::Watch,
};

/// A larger file is no adapter.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A channel of the fixtures.
#[derive(Debug)]
pub(crate) struct Channel {
    /// For people: its folder.
    pub(crate) name: String,
    /// Its configuration.
    pub(crate) config: Value,
    /// Its cases.
    pub(crate) cases: Vec<Rc<NamedCase>>,
    /// What came of opening it.
    pub(crate) opened: Result<Facts, Trouble>,
}

/// A case with the channel that it runs on.
#[derive(Debug, Clone)]
pub(crate) struct CaseAt {
    /// Index of the channel.
    pub(crate) channel: usize,
    /// The case.
    pub(crate) named: Rc<NamedCase>,
}

/// One call, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Its number.
    pub(crate) op: u32,
    /// Its input.
    pub(crate) parts: Vec<Vec<u8>>,
}

impl From<Call<'_>> for Asked {
    fn from(call: Call<'_>) -> Self {
        Self {
            op: call.op.number(),
            parts: vec![call.json, call.raw.to_vec()],
        }
    }
}

/// Everything that the checks work on.
pub(crate) struct Bench {
    pub(crate) options: Options,
    pub(crate) bytes: Vec<u8>,
    pub(crate) sha256: String,
    pub(crate) elf: Result<Elf, String>,
    pub(crate) note: Option<Note>,
    /// Whether a process can load the file at all.
    pub(crate) loaded: Result<(), Trouble>,
    pub(crate) manifest: Result<Manifest, Trouble>,
    pub(crate) fixtures: Option<PathBuf>,
    /// Why the fixtures can't be read.
    pub(crate) unreadable: Option<String>,
    pub(crate) channels: Rc<Vec<Channel>>,
    pub(crate) watch: Watch,
    /// False where the kernel lacks landlock.
    pub(crate) is_landlocked: bool,
    /// The process of each channel, open.
    pub(crate) sessions: Vec<Option<Worker>>,
    /// A process without a channel of its own.
    pub(crate) spare: Option<Worker>,
    /// Processes that the plugin ended or hung.
    pub(crate) broken: u32,
}

impl Bench {
    /// Reads file and fixtures, loads the file in a process, and opens every channel.
    pub(crate) fn new(options: &Options) -> Self {
        let (bytes, read) = match read_file(options) {
            Ok(bytes) => (bytes, Ok(())),
            Err(words) => (Vec::new(), Err(words)),
        };
        let elf = read.and_then(|()| elf::read(&bytes));
        let note = elf
            .as_ref()
            .ok()
            .and_then(|elf| note::read(elf.note.as_deref()?));
        let mut bench = Self {
            sha256: HEXLOWER.encode(&Sha256::digest(&bytes)),
            bytes,
            elf,
            note,
            // A worker's working folder is another.
            options: Options {
                file: options
                    .file
                    .canonicalize()
                    .unwrap_or_else(|_| options.file.clone()),
                ..options.clone()
            },
            loaded: Err(Trouble::Elsewhere("file")),
            manifest: Err(Trouble::Elsewhere("load")),
            fixtures: None,
            unreadable: None,
            channels: Rc::new(Vec::new()),
            watch: Watch::default(),
            is_landlocked: true,
            sessions: Vec::new(),
            spare: None,
            broken: 0,
        };
        bench.load();
        if bench.manifest.is_ok() {
            bench.open_channels();
        }
        bench
    }

    fn load(&mut self) {
        // Whoever is no shared library of this machine is told so better than a loader can.
        let fits = self
            .elf
            .as_ref()
            .is_ok_and(|elf| elf.end <= self.bytes.len() as u64);
        if !fits {
            return;
        }
        if !self.elf.as_ref().is_ok_and(Elf::has_entry) {
            self.loaded = Err(Trouble::Elsewhere("exports"));
            return;
        }
        self.loaded = self.with_spare("loading", |_| Ok(None)).map(|_| ());
        if self.loaded.is_err() {
            return;
        }
        let output = self.with_spare("describe", |worker| worker.describe().map(Some));
        self.manifest = match output {
            Ok(Some(output)) => decoded("describe", &output),
            Ok(None) => Err(Trouble::Elsewhere("load")),
            Err(trouble) => Err(trouble),
        };
    }

    fn open_channels(&mut self) {
        let id = self.note.as_ref().map_or("", |note| note.id.as_str());
        self.fixtures = self.options.fixtures_of(id);
        let read = self.fixtures.as_deref().map(read_channels);
        let mut found = match read {
            Some(Ok(channels)) => channels,
            Some(Err(error)) => {
                self.unreadable = Some(error.to_string());
                Vec::new()
            }
            None => Vec::new(),
        };
        if found.is_empty() && self.unreadable.is_none() {
            // What needs nothing but a channel can be tried where no key is required.
            found.extend(self.channel_of_nothing());
        }
        let mut channels = Vec::new();
        for channel in found {
            let secrets = self
                .manifest
                .as_ref()
                .map(|manifest| secret_values(&manifest.config_schema, &channel.config));
            self.watch.add_secrets(&secrets.unwrap_or_default());
            let name = match channel.name.as_str() {
                "" => "channel".to_owned(),
                name => format!("channel {name}"),
            };
            let opened = self.open(&name, &channel.config);
            channels.push(Channel {
                opened,
                name,
                config: channel.config,
                cases: channel.cases.into_iter().map(Rc::new).collect(),
            });
        }
        self.sessions = channels.iter().map(|_| None).collect();
        self.channels = Rc::new(channels);
    }

    fn channel_of_nothing(&mut self) -> Option<CaseChannel> {
        let output = self.try_open(
            "open with an empty configuration",
            &json!({}),
            ffi::HOST_SIZE,
        );
        let is_open = output.is_ok_and(|output| output.code == Code::Ok as i32);
        is_open.then(|| CaseChannel {
            name: String::new(),
            config: json!({}),
            cases: Vec::new(),
        })
    }

    /// True where there are cases to compare with.
    pub(crate) fn has_cases(&self) -> bool {
        self.channels
            .iter()
            .any(|channel| !channel.cases.is_empty())
    }

    /// The channels that open.
    pub(crate) fn open_indexes(&self) -> Vec<usize> {
        let channels = self.channels.iter().enumerate();
        let open = channels.filter(|(_, channel)| channel.opened.is_ok());
        open.map(|(index, _)| index).collect()
    }

    /// The cases of the channels that open.
    pub(crate) fn cases(&self) -> Vec<CaseAt> {
        let open = self.open_indexes().into_iter();
        let cases = open.flat_map(|channel| {
            let cases = self.channels[channel].cases.iter();
            cases.map(move |named| CaseAt {
                channel,
                named: Rc::clone(named),
            })
        });
        cases.collect()
    }
}

fn read_file(options: &Options) -> Result<Vec<u8>, String> {
    let unreadable = |error| format!("can't be read: {error}");
    let metadata = fs::metadata(&options.file).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err("is not a regular file".into());
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(format!("is larger than {FILE_BYTES_MAX} bytes"));
    }
    fs::read(&options.file).map_err(unreadable)
}

/// How long calls took: the middle one, and the one of a hundred that took longest.
pub(crate) fn percentiles(times: &[Duration]) -> Option<(Duration, Duration)> {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = |share: usize| {
        times
            .get((times.len().checked_sub(1)?) * share / 100)
            .copied()
    };
    Some((at(50)?, at(99)?))
}
