//! `trunkline plugin test`: the conformance kit on one file. Needs no daemon; the plugin runs in
//! processes of its own.

use std::path::PathBuf;

use clap::Args;
use trunkline_host::worker::Program;
use trunkline_kit::Options;

use super::super::{failure::Failure, output};

/// Tries a plugin.
#[derive(Debug, Args)]
pub(in super::super) struct Test {
    /// The plugin: a shared library.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The folder of fixtures; looked for beside the file and beside its crate where it is not given.
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
    /// The highest version of glibc that the file may need; else that of the oldest supported system.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    glibc: Option<(u32, u32)>,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
}

impl Test {
    /// Tries it; a failure where a check fails.
    pub(super) fn perform(self) -> Result<(), Failure> {
        let mut options = Options::new(self.file, Program::this());
        options.fixtures = self.fixtures;
        options.glibc_max = self.glibc.unwrap_or(options.glibc_max);
        let report = trunkline_kit::test(&options);
        if self.json {
            let json = serde_json::to_value(&report).map_err(anyhow::Error::from)?;
            output::print_json(&json)?;
        } else {
            output::print(&format!("{report}\n"))?;
        }
        if report.passed {
            Ok(())
        } else {
            Err(Failure::Told)
        }
    }
}

/// `2.36` as numbers.
fn version(text: &str) -> Result<(u32, u32), String> {
    let numbers = text
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    numbers.ok_or_else(|| "a version of glibc is two numbers: 2.36".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_two_numbers() {
        assert_eq!(version("2.36"), Ok((2, 36)));
        for wrong in ["2", "2.x", "", "2.36.1"] {
            assert!(version(wrong).is_err(), "{wrong}");
        }
    }
}
