//! The author's guide, typed as it stands: its commands in their order, its channel, its package, the names of its
//! checks. What it shows in Rust, C and JSON is tried beside it, in the interface's own tests.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use trunkline_tests::built::{binary, set_mode};
use trunkline_tests::config::Config;
use trunkline_tests::daemon::{Daemon, Output, trunkline};
use trunkline_tests::port::free_port;
use trunkline_tests::wait::blocking;

const GUIDE: &str = include_str!("../../plugin-api/README.md");
const FILE: &str = "libtrunkline_plugin_acme_sms.so";

/// The blocks of a kind.
fn blocks(kind: &str) -> Vec<&'static str> {
    let all = GUIDE.split("\n```").skip(1).step_by(2);
    let found = all.filter_map(|block| block.strip_prefix(kind)?.strip_prefix('\n'));
    found.collect()
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).expect("it can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it can be made a program");
}

async fn run(mut command: Command) -> Output {
    let output = blocking(move || command.output()).await;
    let output = output.expect("it can be started");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// An author's machine: `trunkline` installed, cargo without a network (with the versions that are at hand).
fn machine(folder: &Path) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir(&bin).expect("a folder");
    symlink(binary(), bin.join("trunkline")).expect("a link");
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let lock = project.join("Cargo.lock");
    let binary = binary();
    let target = binary.ancestors().nth(2).expect("TARGET/release/trunkline");
    let target = target.join("plugin-new");
    fs::create_dir_all(&target).expect("a folder");
    let (lock, target, cargo) = (lock.display(), target.display(), env!("CARGO"));
    let text = format!(
        "#!/bin/sh\ncp '{lock}' Cargo.lock\nln -sfn '{target}' target\nexec '{cargo}' \"$@\" --offline\n"
    );
    script(&bin.join("cargo"), &text);
    bin
}

fn path_with(bin: &Path) -> String {
    format!(
        "{}:{}",
        bin.display(),
        std::env::var("PATH").unwrap_or_default()
    )
}

#[tokio::test]
async fn its_commands_lead_from_nothing_to_a_package() {
    let place = tempfile::Builder::new()
        .prefix("tl-guide-")
        .tempdir()
        .unwrap();
    let bin = machine(place.path());
    let commands = blocks("sh");
    assert!(commands.len() >= 2, "{}", commands.len());
    let mut shell = Command::new("sh");
    shell
        .args(["-euc", &commands.join("\n")])
        .current_dir(place.path());
    shell
        .env("PATH", path_with(&bin))
        .env("PORT", free_port().to_string());
    shell.env_remove("RUST_LOG").env_remove("RUSTFLAGS");
    let told = run(shell).await;
    assert_eq!(told.code, 0, "{}", told.all());
    assert!(
        told.stdout.contains("It receives and sends."),
        "{}",
        told.all()
    );

    let folder = place.path().join("acme_sms");
    must_be_packed(&folder).await;
    let file = folder.join("target/release").join(FILE);
    the_checks_exist(&file).await;
    the_channel_is_taken(&file).await;
}

/// The package holds the file, and asks a daemon that runs for a reload, and no other.
async fn must_be_packed(folder: &Path) {
    let package = fs::read_dir(folder)
        .unwrap()
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    let mut package = package.filter(|path| path.extension().is_some_and(|end| end == "deb"));
    let package = package.next().expect("a package");
    let mut contents = Command::new("dpkg-deb");
    contents.arg("--contents").arg(&package);
    let told = run(contents).await.ok();
    let wanted = format!("./usr/lib/trunkline/plugins/{FILE}");
    let line = told.stdout.lines().find(|line| line.ends_with(&wanted));
    let line = line.unwrap_or_else(|| panic!("{}", told.stdout));
    assert!(line.starts_with("-rw-r--r-- root/root"), "{line}");
    let files = told
        .stdout
        .lines()
        .filter(|line| line.starts_with('-'))
        .count();
    assert_eq!(files, 1, "{}", told.stdout);

    let place = tempfile::tempdir().unwrap();
    let control = place.path().join("control");
    let mut unpack = Command::new("dpkg-deb");
    unpack.arg("--control").arg(&package).arg(&control);
    assert_eq!(run(unpack).await.code, 0);
    for (active, action, wanted) in [
        (true, "configure", 1),
        (false, "configure", 0),
        (true, "abort-upgrade", 0),
    ] {
        let asked = place.path().join("asked");
        fs::write(&asked, "").unwrap();
        let active = if active { "exit 0" } else { "exit 3" };
        let text = format!(
            "#!/bin/sh\ncase $1 in is-active) {active} ;; *) echo \"$@\" >>'{}' ;; esac\n",
            asked.display()
        );
        script(&place.path().join("systemctl"), &text);
        let mut postinst = Command::new("sh");
        postinst.arg(control.join("postinst")).arg(action);
        postinst.env("PATH", path_with(place.path()));
        assert_eq!(run(postinst).await.code, 0, "{action}");
        let asked = fs::read_to_string(&asked).unwrap();
        assert_eq!(
            asked.matches("reload trunkline\n").count(),
            wanted,
            "{action}: {asked}"
        );
    }
}

/// Every check that the contract names is one of the kit's, and it names nearly all of them.
async fn the_checks_exist(file: &Path) {
    let told = trunkline(&["plugin", "test", file.to_str().expect("UTF-8"), "--json"]).await;
    let report = told.json();
    let checks = report["checks"].as_array().expect("checks").iter();
    let known: BTreeSet<&str> = checks.filter_map(|check| check["id"].as_str()).collect();
    let rows = GUIDE.lines().filter(|line| {
        let number = line
            .strip_prefix("| ")
            .and_then(|line| line.split(' ').next());
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    });
    let mut named = BTreeSet::new();
    for row in rows {
        let proof = row
            .trim_end_matches(" |")
            .rsplit(" | ")
            .next()
            .expect("a column");
        named.extend(proof.split('`').skip(1).step_by(2));
    }
    assert!(
        named.is_subset(&known),
        "the kit has {known:?}, the guide names {named:?}"
    );
    assert!(named.len() >= 15, "{named:?}");
}

/// Its channel is one that `check` takes.
async fn the_channel_is_taken(file: &Path) {
    let channels = blocks("toml");
    assert!(!channels.is_empty());
    for channel in channels {
        let daemon = Daemon::prepare(Config::new());
        let to = daemon.file("plugins").join(FILE);
        fs::copy(file, &to).unwrap();
        set_mode(&to, 0o644);
        fs::write(daemon.file("channels.d/guide.toml"), channel).unwrap();
        let mut check = Command::new(binary());
        check
            .args(["check", "--json", "-c"])
            .arg(daemon.config_file());
        check
            .env("ACME_TOKEN", "made-up-token")
            .env_remove("RUST_LOG");
        let told: Value = run(check).await.ok().json();
        assert!(told.to_string().contains("support"), "{told}");
    }
}
