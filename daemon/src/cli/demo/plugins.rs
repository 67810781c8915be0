//! The plugins that the demo's daemon loads: copies with modes that it accepts, whatever the umask.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// Where packages install plugins.
const INSTALLED: &str = "/usr/lib/trunkline/plugins";
/// How the file of a plugin begins.
const PREFIX: &str = "libtrunkline_plugin_";
/// The adapters that the story needs.
const NEEDED: [&str; 7] = [
    "chat", "email", "telegram", "twilio", "vonage", "webhook", "whatsapp",
];

/// Copies the plugins found beside this program, or else installed, into `folder`.
pub(super) fn install(folder: &Path) -> anyhow::Result<()> {
    let own = std::env::current_exe().context("this program's path is not known")?;
    let beside = own.parent().unwrap_or(Path::new("/"));
    let places = [beside, Path::new(INSTALLED)];
    let Some(found) = places.into_iter().find_map(complete) else {
        bail!(
            "the plugins {} are neither beside {} nor in {INSTALLED}; \
             in a source tree `cargo build --release --workspace` builds them",
            NEEDED.join(", "),
            own.display(),
        );
    };
    copy(&found, folder).with_context(|| format!("can't copy plugins to {}", folder.display()))
}

/// The plugins in a folder, where all that are needed are among them.
fn complete(folder: &Path) -> Option<Vec<PathBuf>> {
    let name = |adapter: &&str| folder.join(format!("{PREFIX}{adapter}.so"));
    if !NEEDED.iter().all(|adapter| name(adapter).is_file()) {
        return None;
    }
    let entries = fs::read_dir(folder).ok()?.flatten();
    let plugins = entries.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(PREFIX) && name.ends_with(".so")
    });
    Some(plugins.collect())
}

fn copy(files: &[PathBuf], folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)?;
    set_mode(folder, 0o755)?;
    for file in files {
        let target = folder.join(file.file_name().unwrap_or_default());
        fs::copy(file, &target)?;
        set_mode(&target, 0o644)?;
    }
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("metadata").permissions().mode() & 0o777
    }

    #[test]
    fn copies_have_safe_modes_whatever_the_originals_had() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("built");
        fs::create_dir(&source).expect("a folder");
        for adapter in NEEDED.into_iter().chain(["other"]) {
            let file = source.join(format!("{PREFIX}{adapter}.so"));
            fs::write(&file, adapter).expect("a file");
            set_mode(&file, 0o777).expect("a mode");
        }
        fs::write(source.join("libsomething.so"), "").expect("a file");
        let target = folder.path().join("plugins");
        copy(&complete(&source).expect("complete"), &target).expect("copied");
        assert_eq!(mode(&target), 0o755);
        assert_eq!(
            fs::read_dir(&target).expect("listed").count(),
            NEEDED.len() + 1
        );
        assert_eq!(mode(&target.join("libtrunkline_plugin_twilio.so")), 0o644);
    }

    #[test]
    fn a_folder_without_all_that_is_needed_does_not_count() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("libtrunkline_plugin_twilio.so"), "").expect("a file");
        assert_eq!(complete(folder.path()), None);
    }
}
