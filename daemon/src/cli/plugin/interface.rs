//! The crate that adapters are written against, as it is in this program: its sources, and a manifest
//! that stands by itself, made of the workspace's.

use include_dir::{Dir, include_dir};
use toml_edit::{DocumentMut, InlineTable, Item, TableLike};

use super::super::failure::Failure;

/// The folder that it is written to, beside the adapter's own manifest.
const FOLDER: &str = "trunkline-plugin-api";

static SOURCE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugin-api/src");
const MANIFEST: &str = include_str!("../../../../plugin-api/Cargo.toml");
const WORKSPACE: &str = include_str!("../../../../Cargo.toml");
const HEADER: &str = include_str!("../../../../plugin-api/include/trunkline_plugin.h");
const GUIDE: &str = include_str!("../../../../plugin-api/README.md");
const JSON: &str = include_str!("../../../../plugin-api/JSON.md");

/// Its files, with their paths from the adapter's folder.
pub(super) fn files() -> Result<Vec<(String, String)>, Failure> {
    let mut files = vec![
        (format!("{FOLDER}/Cargo.toml"), manifest()?),
        (
            format!("{FOLDER}/include/trunkline_plugin.h"),
            HEADER.to_owned(),
        ),
        (format!("{FOLDER}/README.md"), GUIDE.to_owned()),
        (format!("{FOLDER}/JSON.md"), JSON.to_owned()),
    ];
    collect(&SOURCE, &mut files);
    Ok(files)
}

fn collect(folder: &Dir<'_>, files: &mut Vec<(String, String)>) {
    for file in folder.files() {
        let path = format!("{FOLDER}/src/{}", file.path().display());
        files.push((path, file.contents_utf8().unwrap_or_default().to_owned()));
    }
    for inner in folder.dirs() {
        collect(inner, files);
    }
}

/// The manifest without its workspace: what it inherits is written out, what only this project's own
/// builds need is left out.
fn manifest() -> Result<String, Failure> {
    let wrong = |what: &str| Failure::said(format!("the manifest in this program has no {what}"));
    let mut manifest: DocumentMut = MANIFEST.parse().map_err(|_| wrong("form"))?;
    let workspace: DocumentMut = WORKSPACE.parse().map_err(|_| wrong("workspace"))?;
    let shared = &workspace["workspace"];
    for left_out in ["dev-dependencies", "lints", "example", "test"] {
        manifest.remove(left_out);
    }
    for (part, from) in [("package", "package"), ("dependencies", "dependencies")] {
        let table = manifest[part].as_table_mut().ok_or_else(|| wrong(part))?;
        for (key, item) in table.iter_mut() {
            if is_inherited(item) {
                let found = shared[from].get(key.get());
                let found = found.cloned().ok_or_else(|| wrong(key.get()))?;
                *item = if is_true(item, "optional") {
                    optional(&found).ok_or_else(|| wrong(key.get()))?
                } else {
                    found
                };
            }
        }
    }
    Ok(manifest.to_string())
}

/// `key.workspace = true`.
fn is_inherited(item: &Item) -> bool {
    is_true(item, "workspace")
}

fn is_true(item: &Item, key: &str) -> bool {
    let inner: Option<&dyn TableLike> = item.as_table_like();
    inner.is_some_and(|inner| inner.get(key).and_then(Item::as_bool) == Some(true))
}

/// A dependency, given by its version, that a feature asks for.
fn optional(version: &Item) -> Option<Item> {
    let mut table = InlineTable::new();
    table.insert("version", version.as_str()?.into());
    table.insert("optional", true.into());
    Some(Item::Value(table.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_stands_by_itself() {
        let manifest = manifest().expect("it can be made");
        let read: DocumentMut = manifest.parse().expect("TOML");
        assert!(!manifest.contains("workspace"), "{manifest}");
        assert_eq!(
            read["package"]["version"].as_str(),
            Some(env!("CARGO_PKG_VERSION"))
        );
        for (name, item) in read["dependencies"].as_table().expect("a table") {
            let version = item.as_str().or_else(|| item.get("version")?.as_str());
            assert!(version.is_some(), "{name} has no version:\n{manifest}");
        }
        assert!(read["features"].get("testkit").is_some());
        let url = &read["dependencies"]["url"];
        assert!(is_true(url, "optional"), "{manifest}");
    }

    #[test]
    fn every_module_is_there() {
        let files = files().expect("they can be made");
        let lib = files
            .iter()
            .find(|(path, _)| path.ends_with("src/lib.rs"))
            .expect("lib.rs");
        let modules = lib.1.lines().filter_map(|line| {
            let line = line.trim_start_matches("pub ");
            line.strip_prefix("mod ")?.strip_suffix(';')
        });
        for module in modules {
            let path = format!("{FOLDER}/src/{module}.rs");
            assert!(files.iter().any(|(known, _)| *known == path), "{path}");
        }
    }
}
