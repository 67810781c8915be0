//! Finding the daemon's admin socket through the configuration.
//!
//! Reads `[admin] socket` and nothing else: an operator who may use the socket often may not read
//! the channels' secrets, and a mistake elsewhere in the files must not keep anyone from asking
//! the daemon that runs. The layers are those of the daemon: the file, `channels.d/*.toml` in the
//! order of their names, the environment.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use toml_edit::Document;

use super::{failure::Failure, output};

/// Where the socket is by default.
const DEFAULT: &str = "/run/trunkline/admin.sock";
/// The variable that wins over the files.
const VARIABLE: &str = "TRUNKLINE__ADMIN__SOCKET";

/// The socket's path; a relative one starts from the folder of `file`.
pub(super) fn path(file: &Path) -> Result<PathBuf, Failure> {
    let variable = std::env::var_os(VARIABLE).map(PathBuf::from);
    let named = match variable {
        Some(path) => Some(path),
        None => named(file)?,
    };
    let folder = file.parent().unwrap_or(Path::new(""));
    Ok(folder.join(named.unwrap_or_else(|| DEFAULT.into())))
}

fn named(file: &Path) -> Result<Option<PathBuf>, Failure> {
    let text = fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    let mut socket = parse(&text).map_err(|(line, reason)| broken(file, line, &reason))?;
    for fragment in fragments(file) {
        // A fragment that is secret or broken says nothing about the socket; the daemon and
        // `trunkline check` say what is wrong with it.
        let text = fs::read_to_string(fragment).unwrap_or_default();
        socket = parse(&text).ok().flatten().or(socket);
    }
    Ok(socket)
}

fn fragments(file: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(file.with_file_name("channels.d")) else {
        return Vec::new();
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    files.sort();
    files
}

/// The socket that a file names; or the line (from 1) of a syntax error and what is wrong.
fn parse(text: &str) -> Result<Option<PathBuf>, (usize, String)> {
    let document = Document::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..start]
            .iter()
            .filter(|byte| **byte == b'\n');
        (line.count() + 1, error.message().to_owned())
    })?;
    let socket = document.get("admin").and_then(|admin| admin.get("socket"));
    Ok(socket.and_then(|socket| socket.as_str()).map(PathBuf::from))
}

fn unreadable(file: &Path, error: &io::Error) -> Failure {
    broken(file, 1, &format!("can't be read: {error}"))
}

fn broken(file: &Path, line: usize, reason: &str) -> Failure {
    let reason = output::clean(reason);
    Failure::Configuration(format!("{}:{line}: {reason}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("channels.d")).expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        let main = folder.path().join("trunkline.toml");
        (folder, main)
    }

    #[test]
    fn later_layers_win_and_broken_fragments_do_not_matter() {
        let (folder, main) = written(&[
            (
                "trunkline.toml",
                "[admin]\nsocket = \"a.sock\"\n[nonsense]\nx = 1",
            ),
            ("channels.d/10.toml", "[admin]\nsocket = \"/tmp/b.sock\""),
            ("channels.d/20.toml", "[channel.x\n"),
        ]);
        assert_eq!(path(&main).expect("a path"), Path::new("/tmp/b.sock"));
        fs::remove_file(folder.path().join("channels.d/10.toml")).expect("removed");
        assert_eq!(path(&main).expect("a path"), folder.path().join("a.sock"));
    }

    #[test]
    fn the_default_holds_where_no_file_names_one() {
        let (_folder, main) = written(&[("trunkline.toml", "[server]\n")]);
        assert_eq!(path(&main).expect("a path"), Path::new(DEFAULT));
    }

    #[test]
    fn mistakes_in_the_file_are_told_with_file_and_line() {
        let (_folder, main) = written(&[("trunkline.toml", "[admin]\nsocket = \n")]);
        let failure = path(&main).expect_err("broken");
        assert_eq!(failure.code(), 78);
        let start = format!("{}:2: ", main.display());
        assert!(failure.to_string().starts_with(&start), "{failure}");

        let missing = main.with_file_name("missing.toml");
        let failure = path(&missing).expect_err("missing");
        assert!(
            failure
                .to_string()
                .contains("missing.toml:1: can't be read")
        );
    }
}
