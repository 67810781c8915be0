//! Finding what the release build made, and installing plugins as a package would.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The bundled plugins, by file name.
const PLUGINS: [&str; 7] = [
    "libtrunkline_plugin_chat.so",
    "libtrunkline_plugin_email.so",
    "libtrunkline_plugin_telegram.so",
    "libtrunkline_plugin_twilio.so",
    "libtrunkline_plugin_vonage.so",
    "libtrunkline_plugin_webhook.so",
    "libtrunkline_plugin_whatsapp.so",
];

/// The built daemon.
pub fn binary() -> PathBuf {
    built("trunkline")
}

/// Names another folder with a built daemon and its plugins: how fixtures of released versions are made.
const VARIABLE: &str = "TRUNKLINE_BUILT";

/// A file in the folder of the release build, which is where this program was built too.
fn built(name: &str) -> PathBuf {
    if let Some(folder) = std::env::var_os(VARIABLE) {
        return PathBuf::from(folder).join(name);
    }
    let own = std::env::current_exe().expect("a running program has a path");
    let folder = own.ancestors().find(|folder| folder.ends_with("release"));
    let path = folder.map(|folder| folder.join(name));
    path.filter(|path| path.exists()).unwrap_or_else(|| {
        panic!("{name} is not built: first `cargo build --release --workspace`, and test with `--release`")
    })
}

/// Copies the built plugins into `folder`, with the modes that a package would give them.
pub fn install_plugins(folder: &Path) {
    fs::create_dir_all(folder).expect("the plugin folder can be made");
    set_mode(folder, 0o755);
    for name in PLUGINS {
        let to = folder.join(name);
        fs::copy(built(name), &to).expect("a plugin can be copied");
        set_mode(&to, 0o644);
    }
}

/// Sets a file's mode whatever the umask.
pub fn set_mode(path: &Path, mode: u32) {
    let changed = fs::set_permissions(path, fs::Permissions::from_mode(mode));
    changed.expect("the mode can be set");
}
