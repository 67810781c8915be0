//! A plugin's file is exchanged while messages come in and go out: each is taken once and sent once, on whichever
//! version; a file that is no good changes nothing; the old file put back is the old version again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use trunkline_simulator::Simulator;
use trunkline_tests::account::balance;
use trunkline_tests::built::set_mode;
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::daemon::Daemon;
use trunkline_tests::http::Request;
use trunkline_tests::load::{Load, Outcome, Plan};
use trunkline_tests::wait::{SOON, eventually};

use crate::plugins::compile;
use crate::stage::{SMS, Stage};

/// Webhooks a second while versions are exchanged.
const RATE: u32 = 100;
/// Upgrades and returns.
const ROUNDS: usize = 3;
/// Sends before each exchange.
const SENDS: usize = 10;
const FILE: &str = "plugins/libtrunkline_plugin_twilio.so";

/// Puts a file in another's place as a package does: in one step.
fn exchange(file: &Path, bytes: &[u8]) {
    let fresh = file.with_extension("fresh");
    fs::write(&fresh, bytes).expect("the folder can be written");
    set_mode(&fresh, 0o644);
    fs::rename(&fresh, file).expect("the file can be replaced");
}

/// The same library under another version of the same length: what a build after a change of version differs in.
fn with_version(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "places stay where they are");
    let (from, to) = (from.as_bytes(), to.as_bytes());
    let mut out = bytes.to_vec();
    let mut at = 0;
    while let Some(found) = out[at..]
        .windows(from.len())
        .position(|window| window == from)
    {
        at += found;
        out[at..at + to.len()].copy_from_slice(to);
    }
    out
}

/// What `plugin list` says of the plugin that is loaded under this id.
async fn listed(stage: &Stage, id: &str) -> Value {
    let list = stage
        .daemon
        .cli_ok(&["plugin", "list", "--json"])
        .await
        .json();
    let items = list["items"]
        .as_array()
        .or(list.as_array())
        .expect("a list")
        .clone();
    let is_it = |item: &Value| item["id"] == id && item["state"] == "loaded";
    items
        .into_iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("{id} is not loaded: {list}"))
}

/// Sends some messages, each to a person of its own.
async fn send(stage: &Stage, round: usize, sent: &mut Vec<String>) {
    for number in 0..SENDS {
        let to = format!("+1500555{round:02}{number:02}");
        let id = stage.daemon.api().send_text(SMS, &to, "once").await;
        sent.push(id);
    }
}

/// Ends the load and settles: every acknowledged message is there once, every send was made once.
async fn settle(stage: &Stage, load: Load, sent: &[String]) {
    let api = stage.daemon.api();
    for id in sent {
        api.wait_status(id, "sent").await;
    }
    load.reaches(50).await;
    let ledger = load.stop().await;
    let bad = ledger
        .iter()
        .find(|one| one.outcome != Outcome::Acknowledged);
    assert!(bad.is_none(), "a webhook was not taken: {bad:?}");
    balance(&api, &ledger).await.must_be_right();
    let twilio = stage.simulator.twilio();
    let made = twilio.message_count() - twilio.inbound_messages().len();
    assert_eq!(made, sent.len(), "every send was made exactly once");
}

fn load(stage: &Stage) -> Load {
    let plan = Plan::new("1500777").rate(RATE);
    Load::start(stage.daemon.public(), &stage.hook(SMS), &plan)
}

#[tokio::test]
async fn versions_come_and_go_under_load() {
    let stage = Stage::sms().await;
    let api = stage.daemon.api();
    api.wait_health(SMS, "healthy").await;
    let file = stage.daemon.file(FILE);
    let old = fs::read(&file).expect("the plugin");
    let first = listed(&stage, "twilio").await;
    let version = first["version"].as_str().expect("a version").to_owned();
    let next = format!("{}9", &version[..version.len() - 1]);
    let new = with_version(&old, &version, &next);
    let inbound = load(&stage);
    let mut sent = Vec::new();
    for round in 0..ROUNDS {
        for (part, (bytes, wanted)) in [(&new, &next), (&old, &version)].into_iter().enumerate() {
            let before = inbound.acknowledged();
            exchange(&file, bytes);
            send(&stage, round * 2 + part, &mut sent).await;
            stage.daemon.cli_ok(&["reload"]).await;
            let now = listed(&stage, "twilio").await;
            assert_eq!(now["version"], wanted.as_str(), "round {round}");
            assert_eq!(api.channel(SMS).await["plugin"]["sha256"], now["sha256"]);
            eventually("webhooks are taken by this version", SOON, || async {
                (inbound.acknowledged() > before + 5).then_some(())
            })
            .await;
        }
    }
    assert_eq!(
        listed(&stage, "twilio").await["sha256"],
        first["sha256"],
        "rolled back"
    );
    settle(&stage, inbound, &sent).await;
}

#[tokio::test]
async fn a_file_that_is_no_good_leaves_the_old_one_at_work() {
    let stage = Stage::sms().await;
    let api = stage.daemon.api();
    api.wait_health(SMS, "healthy").await;
    let file = stage.daemon.file(FILE);
    let old = fs::read(&file).expect("the plugin");
    let first = listed(&stage, "twilio").await["sha256"].clone();
    let built = |define: &str| {
        let path = compile(&stage.daemon, "twilio", "e2e/faulty_plugin.c", &[define]);
        fs::read(path).expect("a plugin")
    };
    let bad = [
        ("truncated", old[..old.len() / 2].to_vec(), "cut short"),
        (
            "garbage",
            b"not a library at all".repeat(1000),
            "is not a shared library",
        ),
        (
            "another section",
            built("FAULTY_SECOND"),
            "unknown key; known here are depth",
        ),
        (
            "ABI 2",
            built("FAULTY_ENTRY=tl_adapter_entry_v2"),
            "built for ABI 2",
        ),
        (
            "its section",
            built("FAULTY_REFUSES"),
            "no section is good enough",
        ),
    ];
    exchange(&file, &old);
    let inbound = load(&stage);
    let mut sent = Vec::new();
    for (round, (what, bytes, reason)) in bad.iter().enumerate() {
        exchange(&file, bytes);
        send(&stage, round * 2, &mut sent).await;
        let output = stage.daemon.cli(&["reload"]).await;
        assert_ne!(output.code, 0, "{what}: {output:?}");
        assert!(output.all().contains(reason), "{what}: {output:?}");
        send(&stage, round * 2 + 1, &mut sent).await;
        let channel = api.channel(SMS).await;
        assert_eq!(channel["plugin"]["sha256"], first, "{what}: {channel}");
        assert_eq!(channel["health"]["status"], "healthy", "{what}: {channel}");
    }
    exchange(&file, &old);
    stage.daemon.cli_ok(&["reload"]).await;
    let channel = api.channel(SMS).await;
    assert_eq!(channel["configuration"]["state"], "current", "{channel}");
    settle(&stage, inbound, &sent).await;
}

/// Also a channel in trouble keeps the plugin that it runs on.
#[tokio::test]
async fn a_channel_in_trouble_is_not_robbed_of_its_plugin_either() {
    let simulator = Simulator::start().expect("the simulator starts");
    let config = Config::new().set("reload.on_failed_probe", "keep");
    let config = config.channel(Channel::new("troubled", "f_probe"));
    let mut daemon = Daemon::prepare(config);
    let file = compile(&daemon, "f_probe", "e2e/faulty_plugin.c", &["FAULTY_PROBE"]);
    daemon.launch().await;
    let stage = Stage { daemon, simulator };
    let request = Request::new("POST", stage.daemon.path("troubled")).body("text/plain", "fine");
    assert_eq!(stage.post(&request).await.status, 200);
    exchange(&file, b"not a library");
    let output = stage.daemon.cli(&["reload"]).await;
    assert_eq!(output.code, 1, "{output:?}");
    assert!(
        output.all().contains("is not a shared library"),
        "{output:?}"
    );
    assert_eq!(stage.post(&request).await.status, 200);
}

#[tokio::test]
async fn a_wrong_pin_is_told_by_check_and_the_right_one_is_listed() {
    let stage = Stage::sms().await;
    let sha256 = listed(&stage, "twilio").await["sha256"].clone();
    let pinned = |stage: &Stage, pin: &str| {
        let pin = pin.to_owned();
        let config = stage.daemon.config().clone();
        config.set("plugins.pins.twilio", pin)
    };
    let mut stage = stage;
    assert_eq!(listed(&stage, "twilio").await["pinned"], false);
    let right = pinned(&stage, sha256.as_str().expect("a hash"));
    stage.daemon.rewrite(|config| *config = right);
    stage.daemon.cli_ok(&["reload"]).await;
    assert_eq!(listed(&stage, "twilio").await["pinned"], true);
    let wrong = pinned(&stage, &"0".repeat(64));
    stage.daemon.rewrite(|config| *config = wrong);
    let told = stage.daemon.cli(&["check"]).await.all();
    for words in [
        "is pinned to SHA-256 0000",
        "but the file has",
        sha256.as_str().unwrap_or_default(),
    ] {
        assert!(told.contains(words), "{words} is not in: {told}");
    }
}

/// A file is read without a daemon, and without being run: this one would end whoever loads it.
#[tokio::test]
async fn a_file_is_inspected_without_running_it() {
    let daemon = Daemon::prepare(Config::new());
    let file = compile(
        &daemon,
        "f_load",
        "e2e/faulty_plugin.c",
        &["FAULTY_CONSTRUCTOR"],
    );
    let path = file.display().to_string();
    let shown = daemon
        .cli_ok(&["plugin", "inspect", &path, "--json"])
        .await
        .json();
    assert_eq!(
        (&shown["id"], &shown["version"]),
        (&"f_load".into(), &"0.1.0".into())
    );
    assert_eq!(shown["needs"], serde_json::json!(["libc.so.6"]));
    assert_eq!(shown["bytes"], fs::metadata(&file).expect("there").len());
    assert_eq!(shown["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(
        (&shown["abi"], &shown["loadable"]),
        (&"1.0".into(), &true.into())
    );
    exchange(&file, b"not a library");
    let told = daemon.cli(&["plugin", "inspect", &path]).await;
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.stdout.contains("is not a shared library"), "{told:?}");
    let missing = daemon.cli(&["plugin", "inspect", "./nowhere.so"]).await;
    assert!(
        missing.code == 1 && missing.stderr.contains("is not there"),
        "{missing:?}"
    );
}

/// Compilers that may be there beside the usual one, with what they are told.
const COMPILERS: [(&str, &[&str]); 4] = [
    ("tcc", &["-shared"]),
    ("clang", &["-shared", "-fPIC", "-O2"]),
    (
        "gcc",
        &[
            "-shared",
            "-fPIC",
            "-O3",
            "-fno-plt",
            "-fomit-frame-pointer",
            "-Wl,-z,now",
        ],
    ),
    ("gcc", &["-shared", "-fPIC", "-O0", "-Wl,--hash-style=sysv"]),
];

/// Builds the example in C with a compiler; none, said in words, where there is no such compiler.
fn build_with(compiler: &str, flags: &[&str], to: &Path) -> Option<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let built = Command::new(compiler)
        .args(flags)
        .arg("-I")
        .arg(sources.join("plugin-api/include"))
        .arg("-o")
        .arg(to)
        .arg(sources.join("plugins/example-c/adapter.c"))
        .output();
    match built {
        Ok(output) if output.status.success() => Some(to.to_owned()),
        Ok(output) => panic!("{compiler}: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            println!("not tested: {compiler} can't be started: {error}");
            None
        }
    }
}

#[tokio::test]
async fn plugins_of_other_compilers_work() {
    let channel = Channel::new("plain_c", "example_c").config("secret", "s3cret-words");
    let mut tried = 0;
    for (compiler, flags) in COMPILERS {
        let mut daemon = Daemon::prepare(Config::new().channel(channel.clone()));
        let file = daemon.file("plugins/libtrunkline_plugin_example_c.so");
        let Some(file) = build_with(compiler, flags, &file) else {
            continue;
        };
        tried += 1;
        set_mode(&file, 0o644);
        daemon.launch().await;
        let simulator = Simulator::start().expect("the simulator starts");
        let stage = Stage { daemon, simulator };
        let body = r#"{"id":"7","from":"ada","text":"from another compiler"}"#;
        let request = |secret: &str| {
            Request::new("POST", stage.daemon.path("plain_c"))
                .header("x-example-secret", secret)
                .body("application/json", body)
        };
        assert_eq!(
            stage.post(&request("wrong")).await.status,
            401,
            "{compiler}"
        );
        assert_eq!(
            stage.post(&request("s3cret-words")).await.status,
            200,
            "{compiler}"
        );
        let message = stage.only_message("ada").await;
        assert_eq!(
            message["content"]["text"], "from another compiler",
            "{compiler}"
        );
    }
    assert!(tried > 1, "gcc is there, twice");
}
