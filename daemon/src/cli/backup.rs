//! `trunkline backup`: everything in one file.
//!
//! ```text
//! the daemon answers ── GET /api/v1/backup ──┐
//!                                            ├─> FILE.part ─ read back and proved ─ synced ─> FILE
//! it does not ── the store itself, locked ───┘
//! ```

mod offline;

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, IsTerminal as _, Read, Write},
    os::unix::{fs::OpenOptionsExt as _, net::UnixStream},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};

use clap::Args;
use serde_json::{Value, json};

use super::{
    admin::{Admin, Query},
    block_on,
    failure::Failure,
    output,
    progress::Progress,
    socket,
};
use crate::store::{Contents, verify};

/// The verb.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// Where to write it; `-` is standard output. It holds everything that was ever said and every token's hash: keep
    /// it as safe as the store.
    file: PathBuf,
    /// Replaces FILE where it is there.
    #[arg(long)]
    force: bool,
    /// Writes nothing: proves every byte of FILE and says what is in it. Needs no daemon; `-` is standard input.
    #[arg(long, conflicts_with = "force")]
    verify: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    /// The daemon, at work.
    Daemon,
    /// This process, as no daemon runs.
    Store,
}

impl Backup {
    /// Does it.
    pub(super) fn perform(self, config: &Path) -> Result<(), Failure> {
        if self.verify {
            let contents = verify_file(&self.file)?;
            let mut shown = shown(&self.file, &contents);
            shown["verified"] = json!(true);
            return self.say(&shown, &lines("sound", &self.file, &contents));
        }
        if self.file == Path::new("-") {
            return to_output(config);
        }
        if self.file.exists() && !self.force {
            let words = format!(
                "{} is there already: name another file, or replace it with --force",
                self.file.display()
            );
            return Err(Failure::said(words));
        }
        let part = Part::begin(&self.file)?;
        let mut out = BufWriter::with_capacity(1 << 18, &part.file);
        let maker = produce(config, &mut |bytes| {
            out.write_all(bytes)
                .map_err(|error| about(&part.path, &error))
        })?;
        out.flush().map_err(|error| about(&part.path, &error))?;
        drop(out);
        part.file
            .sync_all()
            .map_err(|error| about(&part.path, &error))?;
        let contents = verify_file(&part.path)?;
        part.keep(&self.file, self.force)?;
        let mut shown = shown(&self.file, &contents);
        shown["made_by"] = json!(maker.word());
        shown["verified"] = json!(true);
        let head = match maker {
            Maker::Daemon => "written by the running daemon",
            Maker::Store => "written from the store itself, as no daemon runs",
        };
        self.say(&shown, &lines(head, &self.file, &contents))
    }

    fn say(&self, shown: &Value, lines: &str) -> Result<(), Failure> {
        if self.json {
            output::print_json(shown)
        } else {
            output::print(lines)
        }
    }
}

/// Writes it to standard output; it is proved as it passes.
fn to_output(config: &Path) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        let words = "standard output is a terminal: name a file, or let a program read it";
        return Err(Failure::said(words));
    }
    let (copies, arriving) = mpsc::sync_channel(4);
    let proof = thread::spawn(move || verify(Arriving::new(arriving), &mut |_| ()));
    let made = produce(config, &mut |bytes| {
        // Whoever proves it and has ended says why below.
        let _ = copies.send(bytes.to_vec());
        out.write_all(bytes)
    });
    drop(copies);
    made?;
    out.flush()?;
    let proved = proof.join();
    let proved = proved.map_err(|_| Failure::said("the proof of the backup panicked"))?;
    let contents = proved.map_err(|error| Failure::said(error.to_string()))?;
    output::complain(&lines("written", Path::new("-"), &contents));
    Ok(())
}

impl Maker {
    fn word(self) -> &'static str {
        match self {
            Self::Daemon => "daemon",
            Self::Store => "store",
        }
    }
}

/// Hands the bytes of a backup on: the daemon's, where one answers, else of the store itself.
fn produce(config: &Path, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<Maker, Failure> {
    let socket = socket::path(config)?;
    let progress = Progress::bytes("backing up", None);
    let mut take = |bytes: &[u8]| {
        progress.advance(bytes.len() as u64);
        take(bytes)
    };
    let made = if is_silent(&socket) {
        offline::back_up(config, &socket, &mut take).map(|()| Maker::Store)
    } else {
        let admin = Admin::new(socket)?;
        let asked = async {
            admin
                .stream(&["backup"], &Query::default(), &mut take)
                .await?;
            Ok(Maker::Daemon)
        };
        block_on_for(asked)
    };
    progress.finish();
    made
}

fn block_on_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut result = None;
    block_on(async {
        result = Some(work.await?);
        Ok(())
    })?;
    result.ok_or(Failure::Told)
}

/// True where no daemon listens.
fn is_silent(socket: &Path) -> bool {
    let refused = UnixStream::connect(socket).err().map(|error| error.kind());
    matches!(
        refused,
        Some(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
    )
}

/// Reads what comes through a channel.
struct Arriving {
    chunks: mpsc::Receiver<Vec<u8>>,
    rest: io::Cursor<Vec<u8>>,
}

impl Arriving {
    fn new(chunks: mpsc::Receiver<Vec<u8>>) -> Self {
        Self {
            chunks,
            rest: io::Cursor::default(),
        }
    }
}

impl Read for Arriving {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let got = self.rest.read(bytes)?;
            if got > 0 || bytes.is_empty() {
                return Ok(got);
            }
            match self.chunks.recv() {
                Ok(chunk) => self.rest = io::Cursor::new(chunk),
                Err(_) => return Ok(0),
            }
        }
    }
}

/// The file until it is whole; removed where it does not become so.
struct Part {
    file: File,
    path: PathBuf,
    kept: bool,
}

impl Part {
    fn begin(target: &Path) -> Result<Self, Failure> {
        let mut name = target
            .file_name()
            .ok_or_else(|| Failure::said(format!("{} names no file", target.display())))?
            .to_owned();
        name.push(".part");
        let path = target.with_file_name(name);
        // One that was killed left it.
        let _ = fs::remove_file(&path);
        let mut options = File::options();
        let file = options.write(true).create_new(true).mode(0o600);
        let file = file.open(&path).map_err(|error| about(&path, &error))?;
        Ok(Self {
            file,
            path,
            kept: false,
        })
    }

    /// Gives it its name, durably.
    fn keep(mut self, target: &Path, force: bool) -> Result<(), Failure> {
        if target.exists() && !force {
            let words = format!("{} has appeared meanwhile", target.display());
            return Err(Failure::said(words));
        }
        fs::rename(&self.path, target).map_err(|error| about(target, &error))?;
        self.kept = true;
        let folder = target.parent().filter(|p| !p.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(synced.map_err(|error| about(folder, &error))?)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept {
            // Half a backup is none.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Proves a file and gives what is in it.
pub(super) fn verify_file(path: &Path) -> Result<Contents, Failure> {
    let (input, bytes) = input(path)?;
    let progress = Progress::bytes("verifying", bytes);
    let verified = verify(input, &mut |done| progress.reach(done));
    progress.finish();
    verified.map_err(|error| {
        let words = format!("{}: {error}", path.display());
        Failure::said(words)
    })
}

/// A file, or standard input; its bytes where they are known.
pub(super) fn input(path: &Path) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let file = File::open(path).map_err(|error| about(path, &error))?;
    let bytes = file.metadata().map_err(|error| about(path, &error))?.len();
    Ok((
        Box::new(BufReader::with_capacity(1 << 18, file)),
        Some(bytes),
    ))
}

/// What is in a backup, for programs.
pub(super) fn shown(path: &Path, contents: &Contents) -> Value {
    let Contents {
        manifest, moment, ..
    } = contents;
    json!({
        "file": path.display().to_string(),
        "bytes": contents.bytes,
        "members": contents.members,
        "files": contents.files,
        "files_missing": contents.missing,
        "files_missing_names": contents.missing_names,
        "trunkline": manifest.trunkline,
        "format": manifest.format,
        "store_format": manifest.store_format,
        "organizations": manifest.organizations,
        "at": moment.at,
        "position": moment.position,
        "records": moment.records,
        "counts": moment.counts,
    })
}

/// The same for people.
pub(super) fn lines(head: &str, path: &Path, contents: &Contents) -> String {
    let Contents {
        manifest, moment, ..
    } = contents;
    let counts = &moment.counts;
    let mut lines = vec![
        format!("{}: {head}", path.display()),
        format!("moment    {} (commit {})", moment.at, moment.position),
        format!(
            "written   by Trunkline {}",
            output::clean(&manifest.trunkline)
        ),
        format!(
            "holds     {} messages ({} in the queue), {} contacts, {} threads, {} webhooks, {} consents",
            counts.messages,
            counts.outbox,
            counts.contacts,
            counts.threads,
            counts.webhooks,
            counts.consents
        ),
        format!("files     {}", contents.files),
        format!("bytes     {}, every one proved", contents.bytes),
    ];
    if contents.missing > 0 {
        lines.push(format!(
            "missing   {} files were damaged or gone when it was made: see the daemon's log of then",
            contents.missing
        ));
        let names = contents.missing_names.iter();
        lines.extend(names.map(|name| format!("          {name}")));
        let told = contents.missing_names.len() as u64;
        let more = contents.missing.saturating_sub(told);
        if more > 0 {
            lines.push(format!("          and {more} more"));
        }
    }
    lines.join("\n")
}
