//! The record of a crash: `sha256 id version channel call signal`, one line for each thread that crashed.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Bytes of a line with its end.
pub(super) const LINE_BYTES_MAX: usize = super::LINE_BYTES_MAX + 64;
/// Stands for hash, id, version, channel and call where no plugin was called on the thread.
pub(super) const NOBODY: &str = "- - - - -";
/// As many lines as are believed.
const LINES_MAX: usize = 8;

/// How the process was ended the last time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Crash {
    /// By this plugin's code.
    Plugin {
        /// The file.
        sha256: String,
        /// Its id.
        plugin: String,
        /// Its version.
        version: String,
        /// For which channel it ran.
        channel: Option<String>,
        /// In which call.
        op: String,
        /// By which signal, or `exit`.
        signal: String,
    },
    /// Outside of any call into a plugin, by this signal.
    Nobody(String),
    /// The record can't be read.
    Unreadable(String),
}

pub(super) fn path(state: &Path) -> PathBuf {
    state.join("plugins").join("crash")
}

/// A word of a line: never empty, and without anything that would end it.
pub(super) fn word(text: &str) -> String {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    match text {
        "" => "-".into(),
        text => text.replace(odd, "_"),
    }
}

/// What the last run left, each culprit once. The record stays until it is forgotten.
pub(in super::super) fn take(state: &Path) -> Vec<Crash> {
    let mut text = String::new();
    let bytes_max = LINE_BYTES_MAX * LINES_MAX;
    let read = fs::File::open(path(state))
        .and_then(|file| file.take(bytes_max as u64).read_to_string(&mut text));
    match read {
        Ok(_) => parse(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => vec![Crash::Unreadable(error.to_string())],
    }
}

/// Empties what the last run left, for good. The file itself stays: where another daemon runs on this folder,
/// which is found only later, it goes on to write its own end into it.
pub(in super::super) fn forget(state: &Path) -> io::Result<()> {
    let opened = fs::OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path(state));
    let record = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    if record.metadata()?.len() > 0 {
        record.set_len(0)?;
        record.sync_all()?;
    }
    Ok(())
}

fn parse(text: &str) -> Vec<Crash> {
    let mut crashes: Vec<Crash> = Vec::new();
    for line in text.lines().take(LINES_MAX) {
        let crash = read_line(line);
        // An overflown stack is recorded as the fault, and as the abort that std makes of it.
        let is_known = |known: &Crash| match (known, &crash) {
            (Crash::Plugin { sha256, .. }, Crash::Plugin { sha256: other, .. }) => sha256 == other,
            (known, crash) => known == crash,
        };
        if !crashes.iter().any(is_known) {
            crashes.push(crash);
        }
    }
    crashes
}

fn read_line(line: &str) -> Crash {
    let words: Vec<&str> = line.split(' ').collect();
    let [sha256, plugin, version, channel, op, signal] = words[..] else {
        return Crash::Unreadable("it is cut short".into());
    };
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    match sha256 {
        "-" => Crash::Nobody(signal.into()),
        _ if !is_hash => Crash::Unreadable("it names no file".into()),
        _ => Crash::Plugin {
            sha256: sha256.into(),
            plugin: plugin.into(),
            version: version.into(),
            channel: (channel != "-").then(|| channel.into()),
            op: op.into(),
            signal: signal.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn a_record_names_each_culprit_once() {
        let text = format!(
            "{SHA256} bad 1.0 sms receive SIGSEGV\n{SHA256} bad 1.0 sms receive SIGABRT\n\
             - - - - - SIGBUS\n- - - - - SIGBUS\n"
        );
        let culprit = Crash::Plugin {
            sha256: SHA256.into(),
            plugin: "bad".into(),
            version: "1.0".into(),
            channel: Some("sms".into()),
            op: "receive".into(),
            signal: "SIGSEGV".into(),
        };
        assert_eq!(parse(&text), [culprit, Crash::Nobody("SIGBUS".into())]);
        assert_eq!(parse(""), []);
    }

    #[test]
    fn nonsense_blames_nobody() {
        for line in ["x", "a b c d e f", "\u{0}\u{0}\u{0}", &SHA256[..40], ""] {
            let crashes = parse(&format!("{line}\n"));
            assert!(matches!(crashes[..], [Crash::Unreadable(_)]), "{line:?}");
        }
    }

    #[test]
    fn a_word_stays_one() {
        assert_eq!(word("1.0 beta\n2"), "1.0_beta_2");
        assert_eq!(word(""), "-");
    }
}
