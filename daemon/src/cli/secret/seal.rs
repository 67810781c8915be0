//! `trunkline secret seal`: a secret as a line for the configuration.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::{
    super::{failure::Failure, output},
    hidden, keys,
};
use crate::{
    config::{SealingPlace, sealing_place},
    seal::key_of,
};

/// The verb.
#[derive(Debug, Args)]
pub(in crate::cli) struct Seal {
    /// Where the secret will stand: channel.ID.webhook_token or channel.ID.config.KEY. It opens nowhere
    /// else.
    #[arg(value_parser = sealing_place)]
    place: SealingPlace,
    /// Reads the secret from this file instead of standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

impl Seal {
    pub(super) fn perform(self, config: &Path) -> Result<(), Failure> {
        let keys = keys(config)?;
        let secret = hidden::secret(self.file.as_deref());
        let secret = secret.context("the secret can't be read")?;
        let SealingPlace { place, table, key } = &self.place;
        let sealed = keys.seal(place, &secret).map_err(anyhow::Error::from)?;
        let line = format!("{key} = {{ sealed = \"{sealed}\" }}");
        if self.json {
            return output::print_json(&json!({
                "place": place,
                "key": key_of(&sealed),
                "sealed": sealed,
                "toml": line,
            }));
        }
        output::complain(&format!("# belongs into [{table}]"));
        output::print(&line)
    }
}
