//! Plugins good and bad, in C, in Rust and in this process.

mod blamed;
mod example_c;
mod in_process;
mod isolated;
mod misbehaved;
mod quarantined;
mod refused;
mod rust_library;

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;
use trunkline_plugin_api::{RawBody, WebhookRequest};

use super::{PluginOptions, PluginSet, worker::program};

/// A folder with plugins and a state folder, gone when dropped.
pub(super) struct Place {
    root: TempDir,
    options: PluginOptions,
}

impl Place {
    pub(super) fn new() -> Self {
        let root = TempDir::new().expect("a temp folder");
        let plugins = root.path().join("plugins");
        fs::create_dir(&plugins).expect("a new folder");
        set_mode(&plugins, 0o755);
        let options = PluginOptions {
            paths: vec![plugins],
            state: root.path().join("state"),
            output_bytes_max: 64 * 1024,
            ..PluginOptions::default()
        };
        Self { root, options }
    }

    fn folder(&self) -> &Path {
        &self.options.paths[0]
    }

    /// Builds `source` into the plugins' folder.
    fn build(&self, file: &str, source: &Path, flags: &[&str]) -> PathBuf {
        let output = self.folder().join(file);
        let cc = Command::new("cc")
            .args([
                "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared",
            ])
            .args(flags)
            .arg("-I")
            .arg(repository().join("plugin-api/include"))
            .arg("-o")
            .args([&output, source])
            .output()
            .expect("a C compiler named cc");
        assert!(
            cc.status.success(),
            "{}",
            String::from_utf8_lossy(&cc.stderr)
        );
        set_mode(&output, 0o644);
        output
    }

    /// Builds the plugin that does what its flags say.
    pub(super) fn build_bad(&self, file: &str, flags: &[&str]) -> PathBuf {
        let source = repository().join("daemon/host/src/tests/bad.c");
        self.build(file, &source, flags)
    }

    /// The same place, whose files describe themselves in a process of their own.
    fn apart() -> Self {
        let mut place = Self::new();
        place.options.worker = Some(program());
        place
    }

    fn scan(&self) -> PluginSet {
        PluginSet::scan(&self.options, None)
    }
}

pub(super) fn repository() -> PathBuf {
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    host.ancestors().nth(2).expect("the workspace").to_owned()
}

/// Builds a crate's examples beside this test's binary; gives their folder.
pub(super) fn examples_of(package: &str) -> PathBuf {
    let binary = env::current_exe().expect("a path");
    let profile_folder = binary.ancestors().nth(2).expect("PROFILE/deps/BINARY");
    let profile = match profile_folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let target = profile_folder.parent().expect("TARGET/PROFILE");
    let cargo = Command::new(env!("CARGO"))
        .current_dir(repository())
        .args(["build", "--offline", "--quiet", "--profile", profile])
        .args(["-p", package, "--examples", "--target-dir"])
        .arg(target)
        .output()
        .expect("cargo");
    assert!(
        cargo.status.success(),
        "{}",
        String::from_utf8_lossy(&cargo.stderr)
    );
    profile_folder.join("examples")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own file");
}

fn webhook(body: impl Into<RawBody>) -> WebhookRequest {
    WebhookRequest {
        method: "POST".into(),
        url: "https://hooks.example.org/webhooks/x".into(),
        body: body.into(),
        ..WebhookRequest::default()
    }
}
