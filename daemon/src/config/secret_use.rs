//! Which secrets a configuration has, where they are kept, and which stand in plain sight. Never shows
//! one.

use serde::Serialize;
use serde_json::Value;

use super::{
    Config, adapters,
    finding::{Place, child, key_path},
};

/// The ways to give a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretForm {
    /// As it is, in a configuration file.
    Plain,
    /// In an environment variable.
    Env,
    /// In a file of its own.
    File,
    /// In a systemd credential.
    Credential,
    /// Sealed, in a configuration file.
    Sealed,
}

impl SecretForm {
    pub(super) fn named(self, name: String) -> SecretSource {
        SecretSource { form: self, name }
    }
}

/// Where a secret that was looked up is kept: the variable, the file, the credential, or the id of
/// the key that it is sealed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SecretSource {
    pub(super) form: SecretForm,
    pub(super) name: String,
}

/// One secret of a configuration, without the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretUse {
    /// Its key by its path.
    pub key: String,
    /// How it is given.
    pub form: SecretForm,
    /// The variable, file, credential or key's id; empty for a plain one.
    pub name: String,
    /// Where it is written.
    pub written: Place,
}

impl Config {
    /// Every secret in force, in the order of their keys. `schema_of` as in [`Config::check_adapters`]:
    /// plain ones are known by the schema of their adapter alone.
    pub fn secrets(&self, schema_of: &dyn Fn(&str) -> Option<Value>) -> Vec<SecretUse> {
        let kept = self.places.looked_up().map(|(pointer, source, written)| {
            (
                pointer.to_owned(),
                source.form,
                source.name.clone(),
                written,
            )
        });
        let plain = self.plain(schema_of).into_iter().map(|pointer| {
            let written = self.places.of(&pointer);
            let (form, name) = match written {
                Place::File { .. } => (SecretForm::Plain, String::new()),
                Place::Environment(name) => (SecretForm::Env, name.to_string()),
            };
            (pointer, form, name, written)
        });
        let mut all: Vec<SecretUse> = kept
            .chain(plain)
            .map(|(pointer, form, name, written)| SecretUse {
                key: key_path(&pointer),
                form,
                name,
                written: written.clone(),
            })
            .collect();
        all.sort_by(|one, other| one.key.cmp(&other.key));
        all
    }

    /// Pointers to the secrets that are given as they are.
    fn plain(&self, schema_of: &dyn Fn(&str) -> Option<Value>) -> Vec<String> {
        let mut found = Vec::new();
        for channel in self.channels.values() {
            let pointer = child("/channel", &channel.id);
            let token = child(&pointer, "webhook_token");
            found.extend(self.places.at_or_below(&token));
            let Some(schema) = schema_of(&channel.adapter) else {
                continue;
            };
            let section = child(&pointer, "config");
            let secrets = adapters::secrets(&schema, channel.config.expose());
            found.extend(secrets.iter().map(|secret| format!("{section}{secret}")));
        }
        found.retain(|pointer| !self.places.is_looked_up(pointer));
        found
    }
}
