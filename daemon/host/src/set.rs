//! The plugins of the configured folders, and the files that were refused.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::Arc,
};

use trunkline_plugin_api::note::Note;

use super::{
    Plugin, PluginOptions,
    file::{self, Folder, Image},
    inspect::{Inspected, inspect},
};

/// A file or folder that can't be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Where it is.
    pub path: PathBuf,
    /// The id in its note, where that can be read.
    pub id: Option<String>,
    /// The version in its note.
    pub version: Option<String>,
    /// SHA-256 of the file in lower-case hex, where it could be read.
    pub sha256: Option<String>,
    /// Why, and what to do, in words that follow the path.
    pub reason: String,
}

impl Refused {
    /// Something of which nothing is known but where it is.
    fn path(path: PathBuf, reason: String) -> Self {
        Self {
            path,
            id: None,
            version: None,
            sha256: None,
            reason,
        }
    }
}

/// What one look at the folders found.
#[derive(Debug, Clone, Default)]
pub struct PluginSet {
    paths: Vec<PathBuf>,
    plugins: BTreeMap<String, Arc<Plugin>>,
    refused: Vec<Refused>,
    /// Every image that ever described itself, by hash: what is mapped stays mapped.
    loaded: BTreeMap<String, Arc<Plugin>>,
}

impl PluginSet {
    /// Looks at the folders. Images that `previous` knows are taken from it; files are
    /// checked anew. Reads whole files and has new ones describe themselves: not for an async thread.
    pub fn scan(options: &PluginOptions, previous: Option<&Self>) -> Self {
        let mut set = Self {
            paths: options.paths.clone(),
            loaded: previous.map(|set| set.loaded.clone()).unwrap_or_default(),
            ..Self::default()
        };
        for path in &options.paths {
            if let Err(reason) = set.scan_path(options, path) {
                set.refuse(Refused::path(path.clone(), reason));
            }
        }
        set
    }

    /// A set of plugins that are there already: adapters of this process.
    pub fn of(plugins: impl IntoIterator<Item = Plugin>) -> Self {
        let by_id = |plugin: Plugin| (plugin.id().to_owned(), Arc::new(plugin));
        Self {
            plugins: plugins.into_iter().map(by_id).collect(),
            ..Self::default()
        }
    }

    /// The same set with this plugin in the place of the one with its id, and of what was refused of its file.
    #[must_use]
    pub fn with(mut self, plugin: Arc<Plugin>) -> Self {
        self.refused.retain(|refused| refused.path != plugin.path());
        self.loaded
            .insert(plugin.sha256().to_owned(), Arc::clone(&plugin));
        self.plugins.insert(plugin.id().to_owned(), plugin);
        self
    }

    /// The plugin of an id.
    pub fn get(&self, id: &str) -> Option<Arc<Plugin>> {
        self.plugins.get(id).cloned()
    }

    /// All plugins, by id.
    pub fn plugins(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.plugins.values()
    }

    /// What was refused, in the order found.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// Why there is no plugin of this id, in one sentence.
    pub fn why_missing(&self, id: &str) -> String {
        let named = |refused: &&Refused| match &refused.id {
            Some(other) => other == id,
            None => names(&refused.path, id),
        };
        if let Some(refused) = self.refused.iter().find(named) {
            let path = refused.path.display();
            return format!(
                "the plugin of adapter {id} was refused: {path} {}",
                refused.reason
            );
        }
        let paths: Vec<_> = self
            .paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        format!("there is no plugin of adapter {id} in {}", paths.join(", "))
    }

    /// Looks at one configured path; an error is for the path as a whole.
    fn scan_path(&mut self, options: &PluginOptions, path: &Path) -> Result<(), String> {
        if path.is_dir() {
            let folder = Folder::open(path)?;
            for name in folder.libraries()? {
                self.scan_file(options, &folder, path, name.as_os_str());
            }
            return Ok(());
        }
        let (folder, name) = Folder::of(path)?;
        let parent = path.parent().unwrap_or(Path::new(""));
        self.scan_file(options, &folder, parent, name);
        Ok(())
    }

    fn scan_file(&mut self, options: &PluginOptions, folder: &Folder, at: &Path, name: &OsStr) {
        let path = at.join(name);
        let image = match folder.read(name) {
            Ok(image) => image,
            Err(reason) => return self.refuse(Refused::path(path, reason)),
        };
        let Inspected { note, verdict } = inspect(&image.bytes);
        let mut refused = Refused {
            path: path.clone(),
            id: note.as_ref().map(|note| note.id.clone()),
            version: note.as_ref().map(|note| note.version.clone()),
            sha256: Some(image.sha256.clone()),
            reason: String::new(),
        };
        let loaded = image
            .trusted
            .clone()
            .and(verdict)
            .and_then(|()| note.ok_or_else(|| "has no note".to_owned()))
            .and_then(|note| self.load(options, &path, image, &note));
        match loaded {
            Ok(plugin) => {
                self.plugins.insert(plugin.id().to_owned(), plugin);
            }
            Err(reason) => {
                refused.reason = reason;
                self.refuse(refused);
            }
        }
    }

    fn load(
        &mut self,
        options: &PluginOptions,
        path: &Path,
        image: Image,
        note: &Note,
    ) -> Result<Arc<Plugin>, String> {
        if let Some(first) = self.plugins.get(&note.id) {
            let first = first.path().display();
            return Err(format!(
                "has the id {}, as {first} has, which comes first",
                note.id
            ));
        }
        if let Some(pin) = options.pins.get(&note.id)
            && !pin.eq_ignore_ascii_case(&image.sha256)
        {
            return Err(format!(
                "is pinned to SHA-256 {pin}, but the file has {}",
                image.sha256
            ));
        }
        // It would describe itself in this process.
        if options.worker.is_none()
            && let Some(entry) = options.quarantine.of_file(&image.sha256)
        {
            return Err(entry.verdict());
        }
        let limit = options.output_bytes_max;
        if let Some(loaded) = self.loaded.get(&image.sha256) {
            return Ok(Arc::new(loaded.seen_at(path.to_owned(), limit)));
        }
        let copy = file::private_copy(&options.state, &image)?;
        let plugin = Plugin::load(copy, path.to_owned(), image.sha256, note, options)?;
        let plugin = Arc::new(plugin);
        self.loaded
            .insert(plugin.sha256().to_owned(), Arc::clone(&plugin));
        Ok(plugin)
    }

    fn refuse(&mut self, refused: Refused) {
        let Refused { path, reason, .. } = &refused;
        tracing::warn!(event = "plugin_refused", path = %path.display(), %reason, "plugin refused");
        self.refused.push(refused);
    }
}

/// True where a file whose note can't be read is named after this id (`libtrunkline_plugin_ID.so`).
fn names(path: &Path, id: &str) -> bool {
    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let stem = stem.strip_prefix("lib").unwrap_or(stem);
    stem.strip_prefix("trunkline_plugin_").unwrap_or(stem) == id
}
