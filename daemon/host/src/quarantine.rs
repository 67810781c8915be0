//! Which plugin files are not trusted any more, and for which channels: kept across restarts.
//!
//! - A whole file, because its code ended the process: no channel runs it in this process.
//! - One channel with one file, because the channel was given up: the file's other channels go on.
//!
//! Entries hold for a file by its hash: another file in its place is another matter. They are lifted by a
//! person, and by nothing else. The list is `<state>/plugins/quarantine.json`; what is in memory is in force
//! also where it can't be written.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use super::{
    blame,
    blame::Crash,
    error::{cut, printable},
    file::private_folder,
};

/// As many are kept; beyond, the oldest goes.
const ENTRIES_MAX: usize = 256;
/// A larger file is none of ours.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Bytes of a reason that are kept.
const REASON_BYTES_MAX: usize = 512;

/// One file that is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The file, in lower-case hex.
    pub sha256: String,
    /// Its id.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// With which channel; none for the whole file.
    pub channel: Option<String>,
    /// Why, in words that follow the plugin's name.
    pub reason: String,
    /// When that happened, in milliseconds since 1970.
    pub at_ms: i64,
}

impl Entry {
    /// What is said of whatever does not run for it: why, and how it would again.
    pub fn words(&self) -> String {
        format!("the plugin {}", self.verdict())
    }

    /// The same, to follow the plugin's name or path.
    pub(super) fn verdict(&self) -> String {
        let again = match &self.channel {
            Some(channel) => format!("`trunkline channel enable {channel}`"),
            None => format!("`trunkline plugin release {}`", self.plugin),
        };
        format!(
            "is quarantined: {}; put another version in its place, or run {again}",
            self.reason
        )
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct List {
    entries: Vec<Entry>,
}

/// What a start found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aftermath {
    /// Files that ended the last run and are in quarantine for it.
    pub culprits: Vec<Entry>,
    /// How else the last run was ended, in words.
    pub unexplained: Vec<String>,
    /// What could not be read or written, in words.
    pub troubles: Vec<String>,
}

/// The files that are not trusted.
#[derive(Debug, Default)]
pub struct Quarantine {
    /// None for a list that is in memory alone.
    state: Option<PathBuf>,
    entries: RwLock<Vec<Entry>>,
}

impl Quarantine {
    /// Begins a run of the daemon: reads the list, adds who ended the last run, and has the handlers
    /// installed by which the next start will know. To be called before any plugin is loaded. Where the
    /// folder can't be used, the run goes on without, and `Aftermath` says so.
    pub fn begin(state: &Path, now_ms: i64) -> (Self, Aftermath) {
        let mut found = Aftermath::default();
        if let Err(error) = private_folder(state) {
            let folder = state.join("plugins");
            let words = format!("{} can't be made: {error}", folder.display());
            found.troubles.push(words);
        }
        let quarantine = Self::read(state, &mut found.troubles);
        for crash in blame::take(state) {
            match crash {
                Crash::Nobody(signal) => found.unexplained.push(format!(
                    "{signal}, outside of any call into a plugin: in its own code, or in a thread that a plugin \
                     made; nobody is blamed"
                )),
                Crash::Unreadable(why) => found
                    .troubles
                    .push(format!("the record of the last crash can't be read: {why}")),
                culprit @ Crash::Plugin { .. } => found.culprits.extend(entry_of(culprit, now_ms)),
            }
        }
        // The record stays where the list could not be written, so that the next start knows as well.
        let mut outcome = Ok(());
        for culprit in &found.culprits {
            outcome = quarantine.add(culprit.clone()).and(outcome);
        }
        let outcome = outcome.and_then(|()| blame::forget(state));
        if let Err(error) = blame::watch(state).and(outcome) {
            found.troubles.push(format!(
                "what a plugin that ends the daemon leaves behind can't be kept in {}: {error}",
                state.join("plugins").display()
            ));
        }
        (quarantine, found)
    }

    /// The list as it is, for those who only look. What can't be read counts as empty.
    pub fn look(state: &Path) -> Self {
        let entries = load(&path(state)).unwrap_or_default();
        Self {
            state: None,
            entries: RwLock::new(entries),
        }
    }

    fn read(state: &Path, troubles: &mut Vec<String>) -> Self {
        let path = path(state);
        let entries = load(&path).unwrap_or_else(|error| {
            let aside = path.with_extension("json.broken");
            let outcome = match fs::rename(&path, &aside) {
                Ok(()) => format!("it is set aside as {}", aside.display()),
                Err(error) => format!("it can't be set aside: {error}"),
            };
            troubles.push(format!(
                "{} can't be read, and counts as empty ({error}); {outcome}",
                path.display()
            ));
            Vec::new()
        });
        Self {
            state: Some(state.to_owned()),
            entries: RwLock::new(entries),
        }
    }

    /// Why a file is not to be run in this process by anybody.
    pub fn of_file(&self, sha256: &str) -> Option<Entry> {
        self.find(|entry| entry.sha256 == sha256 && entry.channel.is_none())
    }

    /// Why a channel is not to run with a file, though others may.
    pub fn of_channel(&self, sha256: &str, channel: &str) -> Option<Entry> {
        self.find(|entry| entry.sha256 == sha256 && entry.channel.as_deref() == Some(channel))
    }

    /// All that is held against a file, the whole file first.
    pub fn against(&self, sha256: &str) -> Vec<Entry> {
        let entries = self.entries.read();
        let mut found: Vec<Entry> = entries
            .iter()
            .filter(|entry| entry.sha256 == sha256)
            .cloned()
            .collect();
        found.sort_by(|a, b| a.channel.cmp(&b.channel));
        found
    }

    fn find(&self, is_it: impl Fn(&Entry) -> bool) -> Option<Entry> {
        self.entries
            .read()
            .iter()
            .find(|entry| is_it(entry))
            .cloned()
    }

    /// Adds an entry, which is in force at once; one on the same file and channel is replaced. Blocks until it
    /// is on the disk. Fails where it could not be written.
    pub fn add(&self, mut entry: Entry) -> io::Result<()> {
        entry.reason = printable(&entry.reason);
        cut(&mut entry.reason, REASON_BYTES_MAX);
        let mut entries = self.entries.write();
        entries.retain(|other| (&other.sha256, &other.channel) != (&entry.sha256, &entry.channel));
        if entries.len() >= ENTRIES_MAX {
            entries.remove(0);
        }
        entries.push(entry);
        self.save(&entries)
    }

    /// Lifts all that is held against the files of an id. Blocks until that is on the disk; where it can't be,
    /// everything stays as it was.
    pub fn release(&self, plugin: &str) -> io::Result<Vec<Entry>> {
        self.lift(|entry| entry.plugin == plugin)
    }

    /// Lifts what keeps one channel down. As [`Quarantine::release`].
    pub fn forgive(&self, channel: &str) -> io::Result<Vec<Entry>> {
        self.lift(|entry| entry.channel.as_deref() == Some(channel))
    }

    fn lift(&self, is_lifted: impl Fn(&Entry) -> bool) -> io::Result<Vec<Entry>> {
        let mut entries = self.entries.write();
        let (lifted, stay): (Vec<_>, Vec<_>) = entries.iter().cloned().partition(is_lifted);
        if !lifted.is_empty() {
            self.save(&stay)?;
            *entries = stay;
        }
        Ok(lifted)
    }

    fn save(&self, entries: &[Entry]) -> io::Result<()> {
        let Some(state) = &self.state else {
            return Ok(());
        };
        let folder = private_folder(state)?;
        let list = List {
            entries: entries.to_vec(),
        };
        let mut fresh = tempfile::NamedTempFile::new_in(&folder)?;
        serde_json::to_writer_pretty(&mut fresh, &list)?;
        fresh.write_all(b"\n")?;
        fresh.as_file().sync_all()?;
        fresh.persist(path(state))?;
        fs::File::open(folder)?.sync_all()
    }
}

fn path(state: &Path) -> PathBuf {
    state.join("plugins").join("quarantine.json")
}

fn load(path: &Path) -> io::Result<Vec<Entry>> {
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other("it is too large"));
    }
    let mut entries = serde_json::from_slice::<List>(&bytes)?.entries;
    let beyond = entries.len().saturating_sub(ENTRIES_MAX);
    entries.drain(..beyond);
    Ok(entries)
}

fn entry_of(crash: Crash, at_ms: i64) -> Option<Entry> {
    let Crash::Plugin {
        sha256,
        plugin,
        version,
        channel,
        op,
        signal,
    } = crash
    else {
        return None;
    };
    let of = channel.map_or_else(String::new, |channel| format!(" of channel {channel}"));
    let how = match signal.as_str() {
        "exit" => "by calling exit".to_owned(),
        signal => format!("by {signal}"),
    };
    Some(Entry {
        sha256,
        plugin,
        version,
        channel: None,
        reason: format!("it ended the daemon {how} in {op}{of}"),
        at_ms,
    })
}
