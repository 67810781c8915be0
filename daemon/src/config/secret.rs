//! Secrets that are kept elsewhere: `{ env = "NAME" }`, `{ file = "/path" }`, `{ credential = "name" }`,
//! or sealed: `{ sealed = "sealed:v1:..." }`, also as a bare string.
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
use zeroize::Zeroizing;

use super::{
    environment::Environment,
    finding::child,
    layer::{Layer, Places},
    secret_use::{SecretForm, SecretSource},
};
use crate::seal::{self, KeyRing};

/// The ways to refer to a secret.
const KINDS: [&str; 4] = ["env", "file", "credential", "sealed"];
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
    /// The channel's id; empty where it holds a key of the installation.
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

impl Sources<'_> {
    /// The file that a reference leads to; none where it leads to none.
    pub(super) fn path(&self, reference: &Reference) -> Result<Option<PathBuf>, String> {
        match reference {
            Reference::File(file) => Ok(Some(self.folder.join(file))),
            Reference::Credential(name) => {
                let folder = self.environment.get("CREDENTIALS_DIRECTORY");
                let folder = folder.ok_or_else(|| {
                    format!(
                        "credential {name:?} can't be read: systemd passes none \
                         (CREDENTIALS_DIRECTORY is not set); LoadCredential= in the unit does"
                    )
                })?;
                let plain = !name.is_empty() && !name.contains('/') && name != "." && name != "..";
                if !plain {
                    return Err(format!("credential {name:?} is not a plain name"));
                }
                Ok(Some(Path::new(folder).join(name)))
            }
            Reference::Env(_) | Reference::Sealed => Ok(None),
        }
    }

    /// The text that a reference leads to, and the mode of its file (0 where there is none).
    pub(super) fn read(&self, reference: &Reference) -> Result<(Zeroizing<String>, u32), String> {
        if let Some(file) = self.path(reference)? {
            let name = file.display().to_string();
            return read(&file).map_err(|error| format!("secret file {name:?}: {error}"));
        }
        let Reference::Env(name) = reference else {
            return Err("is not kept elsewhere".into());
        };
        match self.environment.get(name) {
            Some("") => Err(format!("environment variable {name:?} is empty")),
            Some(secret) => Ok((Zeroizing::new(secret.to_owned()), 0)),
            None => Err(format!(
                "environment variable {name:?} is not set (or not UTF-8)"
            )),
        }
    }
}

/// What to say of a file of secrets with this mode.
pub(super) fn open_to_everyone(file: &Path, mode: u32) -> Option<String> {
    let name = file.display().to_string();
    (mode & 0o007 != 0).then(|| format!("secret file {name:?} is open to everyone: chmod o= it"))
}

/// Puts the secrets of a layer's channels in the place of what refers to them.
pub(super) fn look_up(layer: &mut Layer, sources: &Sources<'_>, keys: &KeyRing) -> LookedUp {
    let mut search = Search {
        sources,
        keys,
        places: &mut layer.places,
        channel: String::new(),
        found: LookedUp::default(),
    };
    let channels = layer.tree.get_mut("channel").and_then(Value::as_object_mut);
    for (id, channel) in channels.into_iter().flatten() {
        let at = Spot::top("channel").step(id);
        search.channel.clone_from(id);
        if let Some(token) = channel.get_mut("webhook_token") {
            search.value(token, &at.step("webhook_token"));
        }
        let section = channel.get_mut("config").and_then(Value::as_object_mut);
        let at = at.step("config");
        for (key, value) in section.into_iter().flatten() {
            search.value(value, &at.step(key));
        }
    }
    search.found
}

/// Where a value is: its pointer, and the place that a sealed one is bound to, which items of a list
/// share.
struct Spot {
    pointer: String,
    place: String,
}

impl Spot {
    fn top(key: &str) -> Self {
        Self {
            pointer: child("", key),
            place: seal::step("", key),
        }
    }

    fn step(&self, key: &str) -> Self {
        Self {
            pointer: child(&self.pointer, key),
            place: seal::step(&self.place, key),
        }
    }

    fn item(&self, index: usize) -> Self {
        Self {
            pointer: child(&self.pointer, &index.to_string()),
            place: self.place.clone(),
        }
    }
}

struct Search<'a> {
    sources: &'a Sources<'a>,
    keys: &'a KeyRing,
    places: &'a mut Places,
    channel: String,
    found: LookedUp,
}

impl Search<'_> {
    fn value(&mut self, value: &mut Value, at: &Spot) {
        match value {
            Value::Object(table) => match reference(table) {
                Some(Ok(Reference::Sealed)) => {
                    let sealed = table.values().next().and_then(Value::as_str);
                    let sealed = sealed.unwrap_or_default().to_owned();
                    self.open(value, at, &sealed);
                }
                Some(reference) => self.replace(value, at, reference),
                None => {
                    for (key, value) in table {
                        self.value(value, &at.step(key));
                    }
                }
            },
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(item, &at.item(index));
                }
            }
            Value::String(text) if seal::is_sealed(text) => {
                let sealed = std::mem::take(text);
                self.open(value, at, &sealed);
            }
            _ => {}
        }
    }

    /// Puts a sealed secret in the place of its seal.
    fn open(&mut self, value: &mut Value, at: &Spot, sealed: &str) {
        let name = seal::key_of(sealed).unwrap_or_default().to_owned();
        let opened = self.keys.open(&at.place, sealed);
        let opened = opened.map_err(|error| error.to_string());
        self.put(value, at, opened, SecretForm::Sealed.named(name));
    }

    fn replace(&mut self, value: &mut Value, at: &Spot, reference: Result<Reference, String>) {
        match reference {
            Ok(reference) => {
                let found = self.find(at, &reference);
                self.put(value, at, found, reference.source());
            }
            Err(message) => {
                *value = Value::String(String::new());
                self.places.fail(&at.pointer, message);
            }
        }
    }

    fn put(
        &mut self,
        value: &mut Value,
        at: &Spot,
        found: Result<Zeroizing<String>, String>,
        source: SecretSource,
    ) {
        match found {
            Ok(secret) => {
                *value = Value::String(secret.to_string());
                self.places.look_up(&at.pointer, source);
            }
            Err(message) => {
                *value = Value::String(String::new());
                self.places.fail(&at.pointer, message);
            }
        }
    }

    fn find(&mut self, at: &Spot, reference: &Reference) -> Result<Zeroizing<String>, String> {
        let path = self.sources.path(reference)?;
        if let Some(path) = &path {
            self.found.files.push(SecretFile {
                channel: self.channel.clone(),
                path: path.clone(),
            });
        }
        let (secret, mode) = self.sources.read(reference)?;
        if let Some(message) = path.and_then(|path| open_to_everyone(&path, mode)) {
            self.found.remarks.push(Remark {
                pointer: at.pointer.clone(),
                message,
            });
        }
        Ok(secret)
    }
}

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference {
    Env(String),
    File(PathBuf),
    Credential(String),
    Sealed,
}

impl Reference {
    fn source(&self) -> SecretSource {
        match self {
            Self::Env(name) => SecretForm::Env.named(name.clone()),
            Self::File(file) => SecretForm::File.named(file.display().to_string()),
            Self::Credential(name) => SecretForm::Credential.named(name.clone()),
            Self::Sealed => SecretForm::Sealed.named(String::new()),
        }
    }
}

/// What a table refers to; none where it is an ordinary table.
pub(super) fn reference(table: &Map<String, Value>) -> Option<Result<Reference, String>> {
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
fn read(path: &Path) -> Result<(Zeroizing<String>, u32), String> {
    let io = |error: std::io::Error| error.to_string();
    // Opening a pipe would wait for its other end.
    if !path.metadata().map_err(io)?.is_file() {
        return Err("is not a file".into());
    }
    let file = File::open(path).map_err(io)?;
    let mode = file.metadata().map_err(io)?.permissions().mode();
    let mut text = Zeroizing::new(String::new());
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
    Ok((Zeroizing::new(text.to_owned()), mode))
}
