//! `trunkline secret keygen`: a new key, printed or in a file of its own.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;

use super::super::{failure::Failure, output};
use crate::seal::MasterKey;

/// The verb.
#[derive(Debug, Args)]
pub(in crate::cli) struct Keygen {
    /// Writes the key to this new file, readable by its owner alone, instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Keygen {
    pub(super) fn perform(self) -> Result<(), Failure> {
        let key = MasterKey::generate().map_err(anyhow::Error::from)?;
        match &self.out {
            Some(file) => {
                write(file, &key).with_context(|| explain(file))?;
                let file = file.display();
                output::complain(&format!(
                    "Key {} is in {file}. Keep a copy of it where the backups are not: without it \
                     sealed secrets can't be opened.\nName it in the configuration: [secrets] key = \
                     {{ file = \"{file}\" }}",
                    key.id()
                ));
                Ok(())
            }
            None => output::print(&key.expose()),
        }
    }
}

/// Writes a file that was not there before.
fn write(file: &Path, key: &MasterKey) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut new = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    new.write_all(key.expose().as_bytes())?;
    new.write_all(b"\n")?;
    new.sync_all()
}

fn explain(file: &Path) -> String {
    let file = file.display();
    format!("{file} can't be made (a file that is there already is never replaced)")
}
