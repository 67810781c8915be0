//! Reading the files and the environment, and putting them together.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Map, Value};

use super::{
    Config, Files,
    document::{Document, SCHEMA},
    environment::Environment,
    finding::{ConfigErrors, Finding, Place, child},
    inbound::Commands,
    layer::{Layer, Places},
    master_key,
    report::{Report, in_order},
    rules,
    schema::Checker,
    secret,
};
use crate::seal::KeyRing;

/// Largest configuration file in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

impl Config {
    /// Reads `file`, then `channels.d/*.toml` beside it in the order of their names, then the
    /// variables of `environment` that begin with `TRUNKLINE__`; what comes later wins, key by key.
    ///
    /// Relative paths in the configuration start from the folder of `file`. Nothing is written
    /// and nothing outside these files, the secrets that they name and `environment` is read.
    pub fn load(file: &Path, environment: &Environment) -> Result<Self, ConfigErrors> {
        let mut loading = Loading::default();
        let folder = file.parent().unwrap_or(Path::new(""));
        let root = Place::line(&file.into(), 1);
        loading.files.configuration = fragments(file, &mut loading.errors);
        for fragment in loading.files.configuration.clone() {
            match read(&fragment) {
                Ok(layer) => loading.layers.push(layer),
                Err(finding) => loading.errors.push(finding),
            }
        }
        let (layer, findings) = environment.layer(&SCHEMA, &loading.layers, &root);
        loading.layers.push(layer);
        loading.errors.extend(findings);

        let sources = secret::Sources {
            environment,
            folder,
        };
        let keys = loading.find_keys(&sources);
        loading.check_layers(&sources, &keys);
        let (tree, places) = loading.merge(&root);
        let document = loading.document(tree, &places);
        loading.finish(document, &places, folder)
    }
}

impl Config {
    /// The keys that sealed secrets are opened with, whatever else the files say. Their errors are those
    /// of the files' form and of the keys.
    pub fn keys(file: &Path, environment: &Environment) -> Result<KeyRing, ConfigErrors> {
        let mut loading = Loading::default();
        for fragment in fragments(file, &mut loading.errors) {
            match read(&fragment) {
                Ok(layer) => loading.layers.push(layer),
                Err(finding) => loading.errors.push(finding),
            }
        }
        let root = Place::line(&file.into(), 1);
        let (layer, _) = environment.layer(&SCHEMA, &loading.layers, &root);
        loading.layers.push(layer);
        let folder = file.parent().unwrap_or(Path::new(""));
        let keys = loading.find_keys(&secret::Sources {
            environment,
            folder,
        });
        if loading.errors.is_empty() {
            Ok(keys)
        } else {
            Err(ConfigErrors(in_order(loading.errors)))
        }
    }
}

/// The files to read, in their order.
pub(super) fn fragments(file: &Path, errors: &mut Vec<Finding>) -> Vec<PathBuf> {
    let folder = file.with_file_name("channels.d");
    let mut files = Vec::new();
    match fs::read_dir(&folder) {
        Ok(entries) => {
            for entry in entries.flatten() {
                let name = entry.file_name();
                let hidden = name.as_encoded_bytes().starts_with(b".");
                if !hidden
                    && Path::new(&name)
                        .extension()
                        .is_some_and(|end| end == "toml")
                {
                    files.push(entry.path());
                }
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => errors.push(unreadable(&folder, &error.to_string())),
    }
    files.sort();
    files.insert(0, file.to_owned());
    files
}

fn read(file: &Path) -> Result<Layer, Finding> {
    Layer::parse(&file.into(), &read_text(file)?)
}

/// The text of a configuration file.
pub(super) fn read_text(file: &Path) -> Result<String, Finding> {
    let io = |error: std::io::Error| unreadable(file, &error.to_string());
    // Opening a pipe would wait for its other end.
    if !file.metadata().map_err(io)?.is_file() {
        return Err(unreadable(file, "is not a file"));
    }
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(io)?;
    opened
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(unreadable(
            file,
            &format!("is larger than {FILE_BYTES_MAX} bytes"),
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let readable = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = readable.split(|byte| *byte == b'\n').count();
        Finding {
            place: Place::line(&file.into(), line),
            key: String::new(),
            message: "is not UTF-8".into(),
        }
    })
}

fn unreadable(path: &Path, message: &str) -> Finding {
    Finding {
        place: Place::line(&path.into(), 1),
        key: String::new(),
        message: format!("can't be read: {message}"),
    }
}

#[derive(Default)]
struct Loading {
    layers: Vec<Layer>,
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    files: Files,
}

impl Loading {
    /// The keys that sealed secrets are opened with.
    fn find_keys(&mut self, sources: &secret::Sources<'_>) -> KeyRing {
        let found = master_key::find(&mut self.layers, sources);
        self.errors.extend(found.errors);
        self.warnings.extend(found.warnings);
        self.files.secrets.extend(found.files);
        found.ring
    }

    /// Looks up each layer's secrets and checks its keys and types, whatever the others say.
    fn check_layers(&mut self, sources: &secret::Sources<'_>, keys: &KeyRing) {
        let checker = checker();
        for layer in &mut self.layers {
            let secret::LookedUp { remarks, files } = secret::look_up(layer, sources, keys);
            self.files.secrets.extend(files);
            let tree = Value::Object(layer.tree.clone());
            let mut report = Report::new(&layer.places);
            for fault in checker.check(&tree).iter().filter(|fault| !fault.missing) {
                report.error(&fault.pointer, fault.message.clone());
            }
            for remark in remarks {
                report.warn(&remark.pointer, remark.message);
            }
            self.errors.append(&mut report.errors);
            self.warnings.append(&mut report.warnings);
        }
        rules::definitions(&self.layers, &mut self.errors, &mut self.warnings);
    }

    /// All layers as one.
    fn merge(&mut self, root: &Place) -> (Value, Places) {
        let known = |key: &str| SCHEMA["properties"].get(key).is_some();
        let mut places = Places::new(root.clone());
        let mut builder = ::config::Config::builder();
        for layer in &self.layers {
            places.overlay(&layer.places);
            let mut layer = layer.clone();
            // The crate reads a name at the top as a path; an unknown one is reported already.
            layer.tree.retain(|key, _| known(key));
            builder = builder.add_source(layer);
        }
        self.errors.extend(places.failures());
        let merged = builder.build().and_then(::config::Config::try_deserialize);
        let tree = merged.unwrap_or_else(|error| {
            self.errors.push(Finding {
                place: root.clone(),
                key: String::new(),
                message: error.to_string(),
            });
            Value::Object(Map::new())
        });
        (tree, places)
    }

    /// The sections. What does not fit is left out, so that the rest can still be checked.
    fn document(&mut self, mut tree: Value, places: &Places) -> Document {
        let checker = checker();
        let mut report = Report::new(places);
        let mut faults = checker.check(&tree);
        for fault in &faults {
            report.error(&fault.pointer, fault.message.clone());
        }
        while !faults.is_empty() {
            for fault in &faults {
                prune(&mut tree, &fault.pointer);
            }
            // What is missing now is missing because of us.
            faults = checker.check(&tree);
        }
        let document = serde_json::from_value(tree).unwrap_or_else(|error| {
            // Reached only where a type reads less than its schema accepts.
            report.error("", error.to_string());
            Document::default()
        });
        self.errors.append(&mut report.errors);
        document
    }

    /// Checks what concerns several keys, and makes the configuration.
    fn finish(
        mut self,
        document: Document,
        places: &Places,
        folder: &Path,
    ) -> Result<Config, ConfigErrors> {
        let mut report = Report::new(places);
        let mut channels = BTreeMap::new();
        for (id, section) in document.channel {
            let tokens = child(&child("/channel", &id), "webhook_token");
            let (channel, refused) = section.resolve(&id, &document.coalesce, &document.inbound);
            for (index, message) in refused {
                let item = child(&tokens, &index.to_string());
                let at = if places.has(&item) { &item } else { &tokens };
                report.error(at, message);
            }
            channels.insert(id, Arc::new(channel));
        }
        let mut config = Config {
            server: document.server,
            admin: document.admin,
            store: document.store,
            retention: document.retention,
            plugins: document.plugins,
            health: document.health,
            delivery: document.delivery,
            lmtp: document.lmtp,
            secrets: document.secrets,
            backfill: document.backfill,
            reload: document.reload,
            media: document.media,
            coalesce: document.coalesce,
            outbound: document.outbound,
            accounts: document.account,
            forms: document.form,
            inbound: document.inbound,
            keywords: document.consent.keywords(),
            consent: document.consent,
            commands: Commands::new(document.commands),
            thread: document.thread,
            templates: document.templates,
            log: document.log,
            telemetry: document.telemetry,
            organizations: document.organization,
            channels,
            warnings: Vec::new(),
            files: std::mem::take(&mut self.files),
            places: Arc::new(places.clone()),
        };
        rules::check(&config, &mut report);
        config.start_paths_from(folder);
        self.errors.append(&mut report.errors);
        self.warnings.append(&mut report.warnings);
        config.warnings = in_order(self.warnings);
        if self.errors.is_empty() {
            Ok(config)
        } else {
            Err(ConfigErrors(in_order(self.errors)))
        }
    }
}

impl Config {
    fn start_paths_from(&mut self, folder: &Path) {
        let plugins = self.plugins.path.iter_mut();
        let single = [&mut self.store.path, &mut self.admin.socket];
        for path in plugins.chain(single).chain(self.lmtp.listen.socket_mut()) {
            *path = folder.join(&*path);
        }
        for path in self.server.tls.paths_mut() {
            *path = folder.join(&*path);
        }
        if !self.outbound.extra_ca.as_os_str().is_empty() {
            self.outbound.extra_ca = folder.join(&self.outbound.extra_ca);
        }
    }
}

fn checker() -> Checker<'static> {
    Checker::new(&SCHEMA).expect("the schema of our own sections is valid")
}

/// Removes the value that a pointer leads to; an item goes with its whole list, so that the
/// pointers of the others stay right.
fn prune(tree: &mut Value, pointer: &str) {
    let Some((parent, key)) = pointer.rsplit_once('/') else {
        *tree = Value::Object(Map::new());
        return;
    };
    match tree.pointer_mut(parent) {
        Some(Value::Object(table)) => {
            table.remove(&key.replace("~1", "/").replace("~0", "~"));
        }
        Some(Value::Array(_)) => prune(tree, parent),
        _ => {}
    }
}
