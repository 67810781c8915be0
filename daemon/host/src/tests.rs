//! Plugins good and bad, in C, in Rust and in this process.

mod blamed;
mod example_c;
mod in_process;
mod misbehaved;
mod quarantined;
mod refused;
mod rust_library;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;
use trunkline_plugin_api::{RawBody, WebhookRequest};

use super::{PluginOptions, PluginSet};

/// A folder with plugins and a state folder, gone when dropped.
struct Place {
    root: TempDir,
    options: PluginOptions,
}

impl Place {
    fn new() -> Self {
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
    fn build_bad(&self, file: &str, flags: &[&str]) -> PathBuf {
        let source = repository().join("daemon/host/src/tests/bad.c");
        self.build(file, &source, flags)
    }

    fn scan(&self) -> PluginSet {
        PluginSet::scan(&self.options, None)
    }
}

fn repository() -> PathBuf {
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    host.ancestors().nth(2).expect("the workspace").to_owned()
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
