//! `trunkline man`: the manual pages, made from the command line's and the configuration's own
//! definitions, so that they can't be out of date.
//!
//! ```text
//! clap's commands ─> command ─┐
//!                             ├─> pages ─> standard output, or a folder
//! JSON Schema ─────> keys ────┘
//! ```

mod command;
mod keys;

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::{Args, CommandFactory};

use super::{Cli, failure::Failure, output};

/// The verb.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// The page to print, such as "trunkline-channel" or "trunkline.toml".
    #[arg(default_value = "trunkline", conflicts_with = "out")]
    page: String,
    /// Writes every page into this folder instead, which is made where there is none.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// A manual page.
struct Page {
    /// Its name, without the section.
    name: String,
    /// Its section: "1" commands, "5" files.
    section: &'static str,
    /// Its roff.
    text: String,
}

impl Man {
    /// Prints a page, or writes all of them.
    pub(super) fn perform(self) -> Result<(), Failure> {
        let pages = pages();
        if let Some(folder) = self.out {
            return write(&folder, &pages).map_err(Failure::from);
        }
        match pages.iter().find(|page| page.name == self.page) {
            Some(page) => output::print(&page.text),
            None => Err(Failure::said(format!(
                "there is no page {}: the names are {}",
                output::clean(&self.page),
                names(&pages).join(", ")
            ))),
        }
    }
}

/// Every page: one for each verb, those of nested verbs too, and the configuration's.
fn pages() -> Vec<Page> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    command::pages(&command, &mut pages);
    pages.push(keys::page());
    pages
}

fn names(pages: &[Page]) -> Vec<&str> {
    pages.iter().map(|page| page.name.as_str()).collect()
}

fn write(folder: &std::path::Path, pages: &[Page]) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
    for page in pages {
        let file = folder.join(format!("{}.{}", page.name, page.section));
        fs::write(&file, &page.text).with_context(|| format!("can't write {}", file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
