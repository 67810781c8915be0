//! `trunkline plugin new`: a folder with an adapter that builds, passes the kit and sends through
//! the simulator. Everything is in this program: it needs neither a daemon nor a network.
//!
//! The sources are `plugin-api/template/`; in code the adapter is called `"acme"` there, in all
//! other files `@NAME@`.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use include_dir::{Dir, include_dir};
use serde_json::json;
use trunkline_plugin_api::ffi::is_id;

use super::{
    super::{failure::Failure, output},
    interface,
};

/// The cases, which are the same in every language.
static FIXTURES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugin-api/template/fixtures");

/// A file of the template: its path, and what is in it.
type File = (&'static str, &'static str);

const RUST: [File; 4] = [
    (
        "Cargo.toml",
        include_str!("../../../../plugin-api/template/rust/Cargo.toml.in"),
    ),
    (
        "src/lib.rs",
        include_str!("../../../../plugin-api/template/rust/src/lib.rs"),
    ),
    (
        "README.md",
        include_str!("../../../../plugin-api/template/rust/README.md.in"),
    ),
    (
        ".gitignore",
        include_str!("../../../../plugin-api/template/rust/gitignore.in"),
    ),
];

const C: [File; 9] = [
    (
        "adapter.c",
        include_str!("../../../../plugin-api/template/c/adapter.c"),
    ),
    (
        "export.h",
        include_str!("../../../../plugin-api/template/c/export.h"),
    ),
    (
        "helpers.h",
        include_str!("../../../../plugin-api/template/c/helpers.h"),
    ),
    (
        "json.h",
        include_str!("../../../../plugins/example-c/json.h"),
    ),
    (
        "sha256.h",
        include_str!("../../../../plugin-api/template/c/sha256.h"),
    ),
    (
        "trunkline_plugin.h",
        include_str!("../../../../plugin-api/include/trunkline_plugin.h"),
    ),
    (
        "Makefile",
        include_str!("../../../../plugin-api/template/c/Makefile.in"),
    ),
    (
        "README.md",
        include_str!("../../../../plugin-api/template/c/README.md.in"),
    ),
    (
        ".gitignore",
        include_str!("../../../../plugin-api/template/c/gitignore.in"),
    ),
];

const BOTH: [File; 2] = [
    (
        "try.sh",
        include_str!("../../../../plugin-api/template/try/try.sh.in"),
    ),
    (
        "try/trunkline.toml",
        include_str!("../../../../plugin-api/template/try/trunkline.toml"),
    ),
];

/// Files that are the same in every adapter.
const AS_THEY_ARE: [&str; 3] = ["json.h", "sha256.h", "trunkline_plugin.h"];

/// What the adapter is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// A crate, with the interface's own crate beside it.
    Rust,
    /// C11 without dependencies, and a Makefile.
    C,
}

/// The verb.
#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// The adapter's id: what `adapter = "..."` will name, and the folder's name.
    #[arg(value_parser = name)]
    name: String,
    /// What it is written in.
    #[arg(long, value_name = "LANGUAGE", default_value = "rust")]
    lang: Language,
    /// The folder in which NAME is made; the current one by default.
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,
    /// Prints the folder and its files as JSON.
    #[arg(long)]
    json: bool,
}

impl New {
    /// Writes the folder, or nothing: it is made under another name, and renamed when all is there.
    pub(super) fn perform(&self) -> Result<(), Failure> {
        let folder = self.into.join(&self.name);
        let shown = folder.display();
        if fs::symlink_metadata(&folder).is_ok() {
            return Err(Failure::said(format!(
                "{shown} is there already: choose another name, or another folder by --into"
            )));
        }
        let files = self.files()?;
        let failed = |error: io::Error| Failure::said(format!("can't write {shown}: {error}"));
        let made = tempfile::Builder::new()
            .prefix(".trunkline-new-")
            .tempdir_in(&self.into)
            .map_err(failed)?;
        for (path, text) in &files {
            write(&made.path().join(path), text).map_err(failed)?;
        }
        fs::set_permissions(made.path(), fs::Permissions::from_mode(0o755)).map_err(failed)?;
        fs::rename(made.path(), &folder).map_err(failed)?;
        self.tell(&folder, &files)
    }

    /// Every file with its path below the folder.
    fn files(&self) -> Result<Vec<(String, String)>, Failure> {
        let own: &[File] = match self.lang {
            Language::Rust => &RUST,
            Language::C => &C,
        };
        let mut files: Vec<(String, String)> = own
            .iter()
            .chain(&BOTH)
            .map(|(path, text)| ((*path).to_owned(), self.named(path, text)))
            .collect();
        for file in FIXTURES.files() {
            let path = format!("fixtures/{}", file.path().display());
            let text = file.contents_utf8().unwrap_or_default();
            files.push((path, text.to_owned()));
        }
        if self.lang == Language::Rust {
            files.extend(interface::files()?);
        }
        files.sort();
        Ok(files)
    }

    /// A template's text, for this adapter.
    fn named(&self, path: &str, text: &str) -> String {
        if AS_THEY_ARE.contains(&path) {
            return text.to_owned();
        }
        text.replace("@FILE@", &self.built())
            .replace("@NAME@", &self.name)
            .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
            .replace("\"acme\"", &format!("\"{}\"", self.name))
    }

    /// The file that a build makes, from the folder.
    fn built(&self) -> String {
        let file = format!("libtrunkline_plugin_{}.so", self.name);
        match self.lang {
            Language::Rust => format!("target/release/{file}"),
            Language::C => file,
        }
    }

    /// The commands that follow.
    fn next(&self) -> [String; 3] {
        let build = match self.lang {
            Language::Rust => "cargo build --release",
            Language::C => "make",
        };
        let test = format!("trunkline plugin test {} --fixtures fixtures", self.built());
        [build.to_owned(), test, "sh try.sh".to_owned()]
    }

    fn tell(&self, folder: &Path, files: &[(String, String)]) -> Result<(), Failure> {
        let next = self.next();
        if self.json {
            let files: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
            return output::print_json(&json!({"folder": folder, "files": files, "next": next}));
        }
        let [build, test, tried] = next;
        output::print(&format!(
            "{} is made. Next, in it:\n  {build}\n  {test}\n  {tried}",
            output::clean(&folder.display().to_string())
        ))
    }
}

/// A name that is an adapter's id.
fn name(text: &str) -> Result<String, String> {
    let words = "an adapter's id is 1 to 32 lower-case letters, digits and _, such as acme_sms";
    is_id(text)
        .then(|| text.to_owned())
        .ok_or_else(|| words.to_owned())
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: &str, lang: Language) -> Vec<(String, String)> {
        let new = New {
            name: name.into(),
            lang,
            into: ".".into(),
            json: false,
        };
        new.files().expect("the templates are whole")
    }

    #[test]
    fn nothing_of_the_template_is_left() {
        for lang in [Language::Rust, Language::C] {
            let files = made("pigeon_post", lang);
            for (path, text) in &files {
                assert!(
                    !text.contains("@NAME@") && !text.contains("@FILE@"),
                    "{path}"
                );
                // What tells of the interface has an example of its own.
                let is_interface =
                    path.starts_with("trunkline-plugin-api/") || path == "trunkline_plugin.h";
                assert!(is_interface || !text.contains("\"acme\""), "{path}");
                assert!(!text.is_empty(), "{path}");
            }
            let cases = files
                .iter()
                .filter(|(path, _)| path.starts_with("fixtures/"));
            assert!(cases.count() >= 6);
            assert!(
                files
                    .iter()
                    .any(|(_, text)| text.contains("\"pigeon_post\""))
            );
        }
    }

    #[test]
    fn the_adapter_is_short() {
        for (lang, file) in [(Language::Rust, "src/lib.rs"), (Language::C, "adapter.c")] {
            let files = made("pigeon_post", lang);
            let (_, text) = files
                .iter()
                .find(|(path, _)| path == file)
                .expect("it is written");
            assert!(
                text.lines().count() < 100,
                "{file}: {}",
                text.lines().count()
            );
        }
    }

    #[test]
    fn a_name_is_an_id() {
        for wrong in [
            "",
            "Acme",
            "acme-sms",
            "acme/sms",
            "..",
            "ä",
            &"a".repeat(33),
        ] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
        assert!(name("acme_sms2").is_ok());
    }
}
