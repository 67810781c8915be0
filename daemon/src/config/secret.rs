//! Secrets that are kept elsewhere: `{ env = "NAME" }`, `{ file = "/path" }`, `{ credential = "name" }`.
//!
//! They may stand for any string of an adapter's section and for `webhook_token`. They are
//! looked up layer by layer, before the layers are merged, so that `{ file = ... }` in one file
//! replaces `{ env = ... }` in another as one value. What can't be looked up is an error only
//! where no later layer replaces it.

use std::{
    fs::File,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{
    environment::Environment,
    finding::child,
    layer::{Layer, Places},
};

/// The ways to refer to a secret.
const KINDS: [&str; 4] = ["env", "file", "credential", "sealed"];
/// What a sealed secret begins with.
const SEALED: &str = "sealed:v1:";
/// Largest secret in bytes; private keys are far below.
const BYTES_MAX: u64 = 64 << 10;

/// Where secrets come from.
pub(super) struct Sources<'a> {
    /// Variables, `CREDENTIALS_DIRECTORY` among them.
    pub environment: &'a Environment,
    /// The folder that relative paths start from.
    pub folder: &'a Path,
}

/// A secret that works but should be looked at.
pub(super) struct Remark {
    pub pointer: String,
    pub message: String,
}

/// A file that holds a secret, and the channel that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile {
    /// The channel's id.
    pub channel: String,
    /// The file.
    pub path: PathBuf,
}

/// What looking up the secrets of a layer brought, beside the secrets.
#[derive(Default)]
pub(super) struct LookedUp {
    pub remarks: Vec<Remark>,
    pub files: Vec<SecretFile>,
}

/// Puts the secrets of a layer's channels in the place of what refers to them.
pub(super) fn look_up(layer: &mut Layer, sources: &Sources<'_>) -> LookedUp {
    let mut search = Search {
        sources,
        places: &mut layer.places,
        channel: String::new(),
        found: LookedUp::default(),
    };
    let channels = layer.tree.get_mut("channel").and_then(Value::as_object_mut);
    for (id, channel) in channels.into_iter().flatten() {
        let pointer = child("/channel", id);
        search.channel.clone_from(id);
        if let Some(token) = channel.get_mut("webhook_token") {
            search.value(token, &child(&pointer, "webhook_token"));
        }
        let section = channel.get_mut("config").and_then(Value::as_object_mut);
        for (key, value) in section.into_iter().flatten() {
            search.value(value, &child(&child(&pointer, "config"), key));
        }
    }
    search.found
}

struct Search<'a> {
    sources: &'a Sources<'a>,
    places: &'a mut Places,
    channel: String,
    found: LookedUp,
}

impl Search<'_> {
    fn value(&mut self, value: &mut Value, pointer: &str) {
        match value {
            Value::Object(table) => match reference(table) {
                Some(reference) => self.replace(value, pointer, reference),
                None => {
                    for (key, value) in table {
                        self.value(value, &child(pointer, key));
                    }
                }
            },
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(item, &child(pointer, &index.to_string()));
                }
            }
            Value::String(text) if text.starts_with(SEALED) => {
                self.replace(value, pointer, Ok(Reference::Sealed));
            }
            _ => {}
        }
    }

    fn replace(&mut self, value: &mut Value, pointer: &str, reference: Result<Reference, String>) {
        let found = reference.and_then(|reference| self.find(pointer, reference));
        match found {
            Ok(secret) => {
                *value = Value::String(secret);
                self.places.look_up(pointer);
            }
            Err(message) => {
                *value = Value::String(String::new());
                self.places.fail(pointer, message);
            }
        }
    }

    fn find(&mut self, pointer: &str, reference: Reference) -> Result<String, String> {
        let environment = self.sources.environment;
        match reference {
            Reference::Env(name) => match environment.get(&name) {
                Some("") => Err(format!("environment variable {name:?} is empty")),
                Some(secret) => Ok(secret.to_owned()),
                None => Err(format!(
                    "environment variable {name:?} is not set (or not UTF-8)"
                )),
            },
            Reference::File(file) => self.file(pointer, &self.sources.folder.join(file)),
            Reference::Credential(name) => {
                let folder = environment.get("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                    format!(
                        "credential {name:?} can't be read: systemd passes none \
                         (CREDENTIALS_DIRECTORY is not set); LoadCredential= in the unit does"
                    )
                })?;
                let plain = !name.is_empty() && !name.contains('/') && name != "." && name != "..";
                if !plain {
                    return Err(format!("credential {name:?} is not a plain name"));
                }
                self.file(pointer, &Path::new(folder).join(name))
            }
            Reference::Sealed => Err("is sealed, which needs a master key, and none is \
                 configured: use { env }, { file } or { credential }"
                .into()),
        }
    }

    fn file(&mut self, pointer: &str, file: &Path) -> Result<String, String> {
        self.found.files.push(SecretFile {
            channel: self.channel.clone(),
            path: file.to_owned(),
        });
        let name = file.display().to_string();
        let (secret, mode) =
            read(file).map_err(|error| format!("secret file {name:?}: {error}"))?;
        if mode & 0o007 != 0 {
            self.found.remarks.push(Remark {
                pointer: pointer.to_owned(),
                message: format!("secret file {name:?} is open to everyone: chmod o= it"),
            });
        }
        Ok(secret)
    }
}

enum Reference {
    Env(String),
    File(PathBuf),
    Credential(String),
    Sealed,
}

/// What a table refers to; none where it is an ordinary table.
fn reference(table: &Map<String, Value>) -> Option<Result<Reference, String>> {
    let all_known = table.keys().all(|key| KINDS.contains(&key.as_str()));
    let (kind, value) = table.iter().next().filter(|_| all_known)?;
    if table.len() > 1 {
        return Some(Err(
            "must have exactly one of env, file, credential, sealed".into(),
        ));
    }
    let Value::String(value) = value else {
        return Some(Err(format!("{kind} must be a string")));
    };
    Some(Ok(match kind.as_str() {
        "env" => Reference::Env(value.clone()),
        "file" => Reference::File(value.into()),
        "credential" => Reference::Credential(value.clone()),
        _ => Reference::Sealed,
    }))
}

/// True where a table looks like a reference with its one key misspelt.
pub(super) fn is_meant(table: &Map<String, Value>) -> bool {
    let near = |key: &str| {
        KINDS
            .iter()
            .any(|kind| strsim::damerau_levenshtein(key, kind) <= 2)
    };
    table.len() == 1 && table.keys().all(|key| near(key))
}

/// A secret file's text without its last line break, and the file's mode.
fn read(path: &Path) -> Result<(String, u32), String> {
    let io = |error: std::io::Error| error.to_string();
    // Opening a pipe would wait for its other end.
    if !path.metadata().map_err(io)?.is_file() {
        return Err("is not a file".into());
    }
    let file = File::open(path).map_err(io)?;
    let mode = file.metadata().map_err(io)?.permissions().mode();
    let mut text = String::new();
    file.take(BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(io)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(format!("is larger than {BYTES_MAX} bytes"));
    }
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err("is empty".into());
    }
    Ok((text.to_owned(), mode))
}
