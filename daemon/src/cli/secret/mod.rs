//! `trunkline secret`: keygen, seal, rotate, list. Works on the files; needs no daemon.
//!
//! Secrets and keys are never taken from the arguments, which every user of the machine can see.

mod hidden;
mod keygen;
mod list;
mod rotate;
mod seal;

use std::path::Path;

use clap::Subcommand;

use super::failure::Failure;
use crate::{
    config::{Config, ConfigErrors, Environment},
    seal::KeyRing,
};

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Secret {
    /// Makes a key that secrets are sealed with.
    Keygen(keygen::Keygen),
    /// Seals a secret, read from standard input, for one place of the configuration.
    Seal(seal::Seal),
    /// Seals every sealed secret of the files anew under the first key of `[secrets] key`.
    Rotate(rotate::Rotate),
    /// Lists the secrets of the configuration and where each is kept, never the secrets.
    List(list::List),
}

impl Secret {
    /// Does it.
    pub(super) fn perform(self, config: &Path) -> Result<(), Failure> {
        match self {
            Self::Keygen(verb) => verb.perform(),
            Self::Seal(verb) => verb.perform(config),
            Self::Rotate(verb) => verb.perform(config),
            Self::List(verb) => verb.perform(config),
        }
    }
}

/// The keys that the configuration and the environment name; at least one.
fn keys(config: &Path) -> Result<KeyRing, Failure> {
    let keys = Config::keys(config, &Environment::of_process()).map_err(refused)?;
    if keys.ids().is_empty() {
        return Err(Failure::said(
            "there is no key to seal with: make one with `trunkline secret keygen --out FILE`, and \
             name it as [secrets] key = { file = \"FILE\" } or in CREDENTIAL_ENCRYPTION_KEY",
        ));
    }
    Ok(keys)
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn refused(errors: ConfigErrors) -> Failure {
    Failure::Configuration(errors.to_string())
}
