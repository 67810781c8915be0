//! Adapters are pure: what they are made of can't open a socket or a file, start a thread or read a clock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates whose purpose is what an adapter may not do, by the beginning of their names.
const IMPURE: [&str; 22] = [
    "actix",
    "async-",
    "crossbeam",
    "curl",
    "dirs",
    "fs2",
    "futures-executor",
    "getrandom",
    "h2",
    "hyper",
    "memmap",
    "mio",
    "native-tls",
    "notify",
    "num_cpus",
    "rand",
    "rayon",
    "reqwest",
    "rustls",
    "smol",
    "socket",
    "tokio",
];
/// What an adapter's own code may not name.
const FORBIDDEN: [&str; 11] = [
    "std::env",
    "std::fs",
    "std::os",
    "std::process",
    "std::thread",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are a folder of the workspace")
        .to_owned()
}

/// The bundled adapters' folders.
fn adapters() -> Vec<PathBuf> {
    let folders = fs::read_dir(root().join("plugins")).expect("plugins/ is there");
    let folders = folders.map(|entry| entry.expect("an entry").path());
    folders
        .filter(|path| path.join("Cargo.toml").exists())
        .collect()
}

#[test]
fn adapters_link_nothing_that_talks_to_the_world() {
    let adapters = adapters();
    assert!(adapters.len() >= 6, "{adapters:?}");
    for adapter in adapters {
        let name = adapter
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let package = format!("trunkline-plugin-{name}");
        let tree = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--locked",
                "--offline",
                "--edges",
                "normal",
                "--prefix",
                "none",
                "-p",
                &package,
            ])
            .current_dir(root())
            .output()
            .expect("cargo runs");
        let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
        assert!(tree.contains("trunkline-plugin-api"), "{package}: {tree}");
        for line in tree.lines() {
            let linked = line.split(' ').next().unwrap_or_default();
            // ring draws what it needs for blinding itself; its signatures are the same each time.
            let by_ring = linked == "getrandom" && tree.contains("\nring ");
            let is_impure = IMPURE.iter().any(|impure| linked.starts_with(impure));
            assert!(by_ring || !is_impure, "{package} links {linked}");
        }
    }
}

#[test]
fn adapters_name_no_clock_file_socket_or_thread() {
    for adapter in adapters() {
        for file in sources(&adapter.join("src")) {
            let text = fs::read_to_string(&file).expect("source is text");
            for forbidden in FORBIDDEN {
                assert!(
                    !text.contains(forbidden),
                    "{} names {forbidden}",
                    file.display()
                );
            }
        }
    }
}

/// The files of a folder and below, without tests: those read fixtures.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("tests") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
    found
}
