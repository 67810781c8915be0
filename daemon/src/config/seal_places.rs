//! Sealed secrets in the files: where one may stand, and sealing all of them anew under another key.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, fchown},
    path::{Path, PathBuf},
};

use toml_edit::{DocumentMut, Item, Key, TableLike, Value};
use zeroize::Zeroizing;

use super::{
    finding::{ConfigErrors, Finding, Place},
    load::{fragments, read_text},
};
use crate::seal::{self, KeyRing, SealError};

/// A key of the configuration at which a sealed secret may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingPlace {
    /// What the secret is bound to.
    pub place: String,
    /// The table that its key belongs into, as it is written in brackets.
    pub table: String,
    /// The key.
    pub key: String,
}

/// Reads a place such as `channel.sms.config.auth_token` or `channel.sms.webhook_token[0]`. The error is a
/// phrase for people.
pub fn sealing_place(text: &str) -> Result<SealingPlace, String> {
    let keys = Key::parse(&without_indexes(text)).map_err(|_| {
        "is not the path of a key, such as channel.sms_support.config.auth_token".to_owned()
    })?;
    let steps: Vec<&str> = keys.iter().map(Key::get).collect();
    let holds_secrets = match steps.as_slice() {
        ["channel", _, "webhook_token"] => true,
        ["channel", _, "config", rest @ ..] => !rest.is_empty(),
        _ => false,
    };
    if !holds_secrets {
        return Err(
            "is no place for a secret: those are channel.ID.webhook_token and \
             channel.ID.config.KEY"
                .into(),
        );
    }
    let (key, table) = steps.split_last().ok_or("is empty")?;
    let path = |steps: &[&str]| {
        let step = |path: String, step: &&str| seal::step(&path, step);
        steps.iter().fold(String::new(), step)
    };
    Ok(SealingPlace {
        place: path(&steps),
        table: path(table),
        key: seal::step("", key),
    })
}

/// `a.b[0].c` as `a.b.c`: items share the place of their list.
fn without_indexes(text: &str) -> String {
    let mut rest = text;
    let mut path = String::new();
    while let Some((before, after)) = rest.split_once('[') {
        path.push_str(before);
        match after.split_once(']') {
            Some((index, after)) if index.bytes().all(|byte| byte.is_ascii_digit()) => rest = after,
            _ => {
                path.push('[');
                rest = after;
            }
        }
    }
    path + rest
}

/// A file whose sealed secrets were sealed anew; nothing is written yet.
#[derive(Debug)]
pub struct Resealed {
    /// The file.
    pub file: PathBuf,
    /// The places of its sealed secrets, those first that are sealed anew.
    pub anew: Vec<String>,
    /// Those that were sealed with the newest key already.
    pub current: Vec<String>,
    before: String,
    after: String,
}

impl Resealed {
    /// Reads the main file and its fragments, and seals under the first of `keys` what was sealed under
    /// another one. Every value is opened, old and new. Files without sealed values are left out.
    pub fn read_all(main: &Path, keys: &KeyRing) -> Result<Vec<Self>, ConfigErrors> {
        let mut errors = Vec::new();
        let mut files = Vec::new();
        for file in fragments(main, &mut errors) {
            let text = match read_text(&file) {
                Ok(text) => text,
                Err(finding) => {
                    errors.push(finding);
                    continue;
                }
            };
            match reseal(&file, text, keys) {
                Ok(resealed) => files.push(resealed),
                Err(mut found) => errors.append(&mut found),
            }
        }
        if !errors.is_empty() {
            return Err(ConfigErrors(errors));
        }
        files.retain(|file| !file.anew.is_empty() || !file.current.is_empty());
        Ok(files)
    }

    /// Where the text as it was is kept.
    pub fn backup(&self) -> PathBuf {
        let mut name = self.file.as_os_str().to_owned();
        name.push(".before-rotate");
        name.into()
    }

    /// Replaces the file as a whole, with its mode and owner; the text as it was is kept beside it.
    /// Refuses where the file was changed since it was read.
    pub fn write(&self) -> io::Result<()> {
        // A link stays one: what it leads to is replaced.
        let file = fs::canonicalize(&self.file)?;
        if fs::read_to_string(&file)? != self.before {
            return Err(io::Error::other("was changed meanwhile: try again"));
        }
        put(&self.backup(), &self.before, &file)?;
        put(&file, &self.after, &file)?;
        match file.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

/// Writes a file as a whole, with mode and owner of another.
fn put(path: &Path, text: &str, like: &Path) -> io::Result<()> {
    let like = fs::metadata(like)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    let now = fresh.as_file().metadata()?;
    if (now.uid(), now.gid()) != (like.uid(), like.gid()) {
        fchown(fresh.as_file(), Some(like.uid()), Some(like.gid()))?;
    }
    fresh.as_file().set_permissions(like.permissions())?;
    fresh.write_all(text.as_bytes())?;
    fresh.as_file().sync_all()?;
    fresh.persist(path)?;
    Ok(())
}

fn reseal(file: &Path, before: String, keys: &KeyRing) -> Result<Resealed, Vec<Finding>> {
    let at = |line: usize, key: &str, message: String| Finding {
        place: Place::line(&file.into(), line),
        key: key.to_owned(),
        message,
    };
    let line = |offset: usize| {
        let head = before.get(..offset).unwrap_or_default();
        head.matches('\n').count() + 1
    };
    let mut document: DocumentMut = before.parse().map_err(|error: toml_edit::TomlError| {
        let start = error.span().map_or(0, |span| span.start);
        vec![at(
            line(start),
            "",
            error.message().trim().replace('\n', "; "),
        )]
    })?;
    let (mut anew, mut current, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    each_sealed(&mut document, &mut |value, place| {
        let Some(sealed) = value.as_str() else { return };
        match seal_anew(place, sealed, keys) {
            Ok(None) => current.push(place.to_owned()),
            Ok(Some(fresh)) => {
                anew.push(place.to_owned());
                let decor = value.decor().clone();
                *value = Value::from(fresh);
                *value.decor_mut() = decor;
            }
            Err(error) => {
                let offset = before.find(sealed).unwrap_or(0);
                errors.push(at(line(offset), place, error.to_string()));
            }
        }
    });
    if !errors.is_empty() {
        return Err(errors);
    }
    let after = document.to_string();
    Ok(Resealed {
        file: file.to_owned(),
        anew,
        current,
        before,
        after,
    })
}

/// The value under the key that seals now; none where it is that already.
fn seal_anew(place: &str, sealed: &str, keys: &KeyRing) -> Result<Option<String>, SealError> {
    let secret: Zeroizing<String> = keys.open(place, sealed)?;
    if keys.is_current(sealed) {
        return Ok(None);
    }
    let fresh = keys.seal(place, &secret)?;
    if keys.open(place, &fresh)? != secret {
        return Err(SealError::Damaged);
    }
    Ok(Some(fresh))
}

type Visit<'a> = &'a mut dyn FnMut(&mut Value, &str);

/// Visits every sealed value of a file where one may stand.
fn each_sealed(document: &mut DocumentMut, visit: Visit<'_>) {
    let channels = document
        .get_mut("channel")
        .and_then(Item::as_table_like_mut);
    for (id, channel) in channels.into_iter().flat_map(TableLike::iter_mut) {
        let at = seal::step("channel", id.get());
        let Some(channel) = channel.as_table_like_mut() else {
            continue;
        };
        if let Some(token) = channel.get_mut("webhook_token") {
            item(token, &seal::step(&at, "webhook_token"), visit);
        }
        let section = channel.get_mut("config").and_then(Item::as_table_like_mut);
        if let Some(section) = section {
            keys_of(section, &seal::step(&at, "config"), visit);
        }
    }
}

fn item(found: &mut Item, place: &str, visit: Visit<'_>) {
    match found {
        Item::None => {}
        Item::Value(found) => value(found, place, visit),
        Item::Table(found) => table(found, place, visit),
        Item::ArrayOfTables(tables) => {
            for found in tables.iter_mut() {
                table(found, place, visit);
            }
        }
    }
}

fn value(found: &mut Value, place: &str, visit: Visit<'_>) {
    match found {
        Value::String(text) if seal::is_sealed(text.value()) => visit(found, place),
        Value::Array(items) => {
            for found in items.iter_mut() {
                value(found, place, visit);
            }
        }
        Value::InlineTable(found) => table(found, place, visit),
        _ => {}
    }
}

/// `{ sealed = "..." }` stands for the value itself, any other table has places of its own.
fn table(found: &mut dyn TableLike, place: &str, visit: Visit<'_>) {
    if found.len() == 1
        && let Some(sealed) = found.get_mut("sealed")
    {
        return item(sealed, place, visit);
    }
    keys_of(found, place, visit);
}

fn keys_of(found: &mut dyn TableLike, place: &str, visit: Visit<'_>) {
    for (key, found) in found.iter_mut() {
        item(found, &seal::step(place, key.get()), visit);
    }
}
