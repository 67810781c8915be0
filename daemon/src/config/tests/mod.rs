//! Tests of the whole configuration, through [`Config::load`].

mod adapters;
mod consent;
mod layers;
mod listener;
mod lmtp;
mod messages;
mod plan;
mod robust;
mod sealed;
mod secrets;
mod shipped;
mod watching;

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::{Config, ConfigErrors, Environment, Finding};

/// A configuration on disk.
struct Written {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Written {
    /// A main file with this text.
    fn new(main: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("trunkline.toml"), main).unwrap();
        fs::create_dir(folder.path().join("channels.d")).unwrap();
        Self {
            folder,
            environment: Vec::new(),
        }
    }

    /// Another file beside it.
    fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load(&self) -> Result<Config, ConfigErrors> {
        let environment: Environment = self.environment.iter().cloned().collect();
        Config::load(&self.path("trunkline.toml"), &environment)
    }

    fn valid(&self) -> Config {
        self.load().unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn errors(&self) -> Vec<String> {
        self.lines(&self.load().expect_err("something is wrong with it").0)
    }

    /// Findings as people see them, the folder's name cut off.
    fn lines(&self, findings: &[Finding]) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        findings
            .iter()
            .map(|finding| finding.to_string().replace(&folder, ""))
            .collect()
    }
}

/// A token as one should be.
const TOKEN: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEF";
