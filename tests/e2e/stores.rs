//! Stores of every released version are opened, brought forward, and gone on with.
//!
//! `tests/stores/VERSION.tar.gz` is the store's folder as that version left it, `VERSION.json` what its API showed then.
//! How they are made: `tests/stores/README.md`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trunkline_simulator::{ContentTemplate, Simulator};
use trunkline_tests::api::Api;
use trunkline_tests::config::Config;
use trunkline_tests::daemon::Daemon;
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::SOON;

use crate::chat::{WEB, chat};
use crate::email::ses;
use crate::stage::{SMS, Stage, twilio};
use crate::vonage::sms_channel;
use crate::whatsapp::meta;
use crate::window::whatsapp;

/// The same channels for whoever writes and whoever reads a store.
pub(crate) fn config(simulator: &Simulator) -> Config {
    let note = ContentTemplate::approved("note", "You have a message: {{text}}");
    simulator.twilio().add_template(note);
    Config::new()
        .channel(twilio(SMS, simulator))
        .channel(whatsapp(simulator).key("outside_window", "hold"))
        .channel(meta("whatsapp", simulator, 0))
        .channel(sms_channel("vonage", simulator))
        .channel(ses(simulator))
        .channel(chat(WEB))
        .set("form.contact.title", "Ask us")
        .set("form.contact.channels", json!([SMS]))
        .set("form.contact.reply", "Thank you, we have it.")
        .set("health.interval", "1h")
        // A store of years ago still holds what it held.
        .set("retention.webhook_events", "3650d")
        .set("media.unused_max", "3650d")
        .set("outbound.age_max", "3650d")
}

/// The folder of the stores.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stores")
}

/// The released versions of which there is a store.
pub(crate) fn versions() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the stores can be listed");
    let names = entries.flatten().map(|entry| entry.file_name());
    let names = names.filter_map(|name| name.to_str()?.strip_suffix(".tar.gz").map(str::to_owned));
    let mut versions: Vec<_> = names.collect();
    versions.sort();
    assert!(versions.contains(&"0.1.0".to_owned()), "{versions:?}");
    versions
}

fn expected(version: &str) -> Value {
    let text = fs::read_to_string(folder().join(format!("{version}.json")));
    serde_json::from_str(&text.expect("the listing can be read")).expect("the listing is JSON")
}

/// A daemon that is not started yet, on the store of a released version.
pub(crate) fn prepared(simulator: &Simulator, version: &str) -> Daemon {
    let daemon = Daemon::prepare(config(simulator));
    let packed =
        File::open(folder().join(format!("{version}.tar.gz"))).expect("the store is there");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed));
    archive
        .unpack(daemon.store())
        .expect("the store can be unpacked");
    daemon
}

/// The same, started.
pub(crate) async fn opened(version: &str) -> Stage {
    let simulator = Simulator::start().expect("the simulator starts");
    let mut daemon = prepared(&simulator, version);
    daemon.launch().await;
    Stage { daemon, simulator }
}

/// Everything that the API shows of what people said.
async fn listing(api: &Api) -> Value {
    let mut people = Vec::new();
    for mut contact in api.all("/api/v1/contacts").await {
        // Whether a window is open changes with the time, and with the address that a simulator gives itself.
        for known in contact["identities"].as_array_mut().into_iter().flatten() {
            known["window"] = Value::Null;
            known["windows"] = Value::Null;
        }
        let path = format!(
            "/api/v1/contacts/{}",
            contact["id"].as_str().expect("an id")
        );
        let mut messages = api.all(&format!("{path}/timeline")).await;
        messages.reverse();
        people.push(json!({"contact": contact, "messages": messages}));
    }
    let mut listing = json!({ "people": people });
    for (name, path) in [
        ("threads", "/api/v1/threads"),
        ("outbox", "/api/v1/outbox"),
        ("consents", "/api/v1/consents"),
        ("events", "/api/v1/webhook-events?channel=sms_support"),
    ] {
        listing[name] = api.all(path).await.into();
    }
    listing
}

/// Whether everything expected is found; a newer version may show more members.
fn covers(expected: &Value, found: &Value, path: &str) {
    match (expected, found) {
        (Value::Object(members), Value::Object(_)) => {
            for (name, value) in members {
                covers(value, &found[name], &format!("{path}.{name}"));
            }
        }
        (Value::Array(items), Value::Array(others)) => {
            assert_eq!(items.len(), others.len(), "{path}");
            for (at, (item, other)) in items.iter().zip(others).enumerate() {
                covers(item, other, &format!("{path}[{at}]"));
            }
        }
        _ => assert_eq!(expected, found, "{path}"),
    }
}

/// What a store holds is enough to tell that something was lost.
fn must_be_rich(listing: &Value) {
    let count = |name: &str| listing[name].as_array().map_or(0, Vec::len);
    assert!(
        count("people") >= 5 && count("threads") >= 5,
        "{}",
        count("people")
    );
    assert!(count("consents") >= 1 && count("events") >= 4);
    let text = listing.to_string();
    for status in ["received", "sent", "failed", "queued"] {
        assert!(
            text.contains(&format!("\"status\":\"{status}\"")),
            "nothing is {status}"
        );
    }
    for state in ["held", "dead", "queued"] {
        assert!(
            text.contains(&format!("\"state\":\"{state}\"")),
            "nothing is {state}"
        );
    }
}

#[tokio::test]
async fn a_store_of_every_released_version_is_brought_forward_and_gone_on_with() {
    for version in versions() {
        let expected = expected(&version);
        must_be_rich(&expected);
        let mut stage = opened(&version).await;
        covers(&expected, &listing(&stage.daemon.api()).await, &version);
        let log = stage.daemon.log();
        assert!(log.contains("the store was migrated"), "{version}: {log}");

        let from = "+15005550199";
        assert_eq!(
            stage
                .deliver(SMS, &Sms::new(from, "after the upgrade"))
                .await,
            200
        );
        let api = stage.daemon.api();
        let answer = api.send_text(SMS, from, "and back").await;
        api.wait_status(&answer, "sent").await;
        let known = "+15005550101";
        let before = api.timeline(known).await.len();
        assert_eq!(stage.deliver(SMS, &Sms::new(known, "still me")).await, 200);
        let after = api.timeline(known).await;
        assert_eq!(after.len(), before + 1, "a known person stays one");

        stage.daemon.restart().await;
        assert!(
            !stage.daemon.log().contains("the store was migrated"),
            "once"
        );
        assert_eq!(stage.daemon.api().timeline(from).await.len(), 2);
    }
}

/// The daemon dies at any moment of its first start on an old store.
#[tokio::test]
async fn an_upgrade_that_is_killed_loses_nothing() {
    let version = "0.1.0";
    let expected = expected(version);
    let mut interrupted = 0;
    for round in 0..50_u64 {
        // As many more as it takes to hit one under way, on a machine where it is over before that is seen.
        if round >= 10 && interrupted > 0 {
            break;
        }
        let simulator = Simulator::start().expect("the simulator starts");
        let mut daemon = prepared(&simulator, version);
        for again in 0..2 {
            let before = segments(&daemon);
            daemon.spawn();
            let started = Instant::now();
            while segments(&daemon) <= before {
                assert!(started.elapsed() < SOON, "round {round}: no new log");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // Which moment behind this one is hit is left to chance: all have to be survived.
            tokio::time::sleep(Duration::from_millis(round % 10 * 3 + again * 5)).await;
            daemon.kill9().await;
            // Written when it is done.
            interrupted += usize::from(!daemon.store().join("format").exists());
        }
        daemon.launch().await;
        let found = listing(&daemon.api()).await;
        covers(&expected, &found, &format!("round {round}"));
    }
    assert!(interrupted > 0, "no migration was hit");
    println!("{interrupted} kills hit a migration under way");
}

/// How many segments the log has.
fn segments(daemon: &Daemon) -> usize {
    let entries = fs::read_dir(daemon.store().join("log")).expect("the log is there");
    let is_segment = |path: &Path| path.extension().is_some_and(|end| end == "log");
    entries
        .flatten()
        .filter(|entry| is_segment(&entry.path()))
        .count()
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_the_kept_snapshot_leads_back() {
    let simulator = Simulator::start().expect("the simulator starts");
    let mut daemon = prepared(&simulator, "0.1.0");
    let told = daemon.cli_ok(&["store", "info", "--json"]).await.json();
    assert_eq!(told["format"], 1, "{told}");
    assert!(told["records"]["messages"].as_u64() > Some(5), "{told}");
    let tried = daemon
        .cli_ok(&["store", "migrate", "--dry-run", "--json"])
        .await
        .json();
    assert_eq!(
        (&tried["from"], &tried["to"], &tried["dry_run"]),
        (&json!(1), &json!(2), &json!(true))
    );
    assert_eq!(
        daemon.cli_ok(&["store", "info", "--json"]).await.json(),
        told,
        "nothing changed"
    );

    let done = daemon.cli_ok(&["store", "migrate", "--json"]).await.json();
    let kept = PathBuf::from(done["kept"].as_str().expect("a snapshot is kept"));
    assert!(
        kept.exists() && kept.to_string_lossy().contains("format-1-"),
        "{done}"
    );
    let now = daemon.cli_ok(&["store", "info", "--json"]).await.json();
    assert_eq!(
        (&now["format"], &now["migrating"]),
        (&json!(2), &json!(false))
    );

    // Back: nothing but the kept snapshot, which is migrated once more.
    for name in ["log", "snapshots"] {
        fs::remove_dir_all(daemon.store().join(name)).expect("removed");
        fs::create_dir(daemon.store().join(name)).expect("made");
    }
    for turn in ["checkpoint-0", "checkpoint-1", "format"] {
        let _ = fs::remove_file(daemon.store().join(turn));
    }
    let name = kept
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name");
    let name = name.strip_prefix("format-1-").expect("its format first");
    fs::copy(&kept, daemon.store().join("snapshots").join(name)).expect("copied");
    daemon.launch().await;
    covers(&expected("0.1.0"), &listing(&daemon.api()).await, "back");
    let live = daemon.cli_ok(&["store", "info", "--json"]).await.json();
    assert_eq!(live["format"], 2, "asked of the daemon: {live}");
}

#[tokio::test]
async fn a_deleted_index_is_rebuilt_before_readiness_with_progress() {
    let mut stage = opened("0.1.0").await;
    let before = listing(&stage.daemon.api()).await;
    assert!(stage.daemon.terminate().await.success());
    for entry in fs::read_dir(stage.daemon.store())
        .expect("a folder")
        .flatten()
    {
        if entry.file_name().to_string_lossy().starts_with("index-") {
            fs::remove_dir_all(entry.path()).expect("removed");
        }
    }
    stage.daemon.launch().await;
    covers(&before, &listing(&stage.daemon.api()).await, "rebuilt");
    let log = stage.daemon.log();
    let line = |words: &str| {
        let found = log.lines().position(|line| line.contains(words));
        found.unwrap_or_else(|| panic!("no {words:?} in {log}"))
    };
    let begun = line("building the index anew");
    let records = line("building the index from the snapshot");
    let commits = line("applying the log to the index");
    assert!(begun < records && records < commits && commits < line("\"ready\""));
    let told = log
        .lines()
        .rev()
        .find(|line| line.contains("building the index from the snapshot"));
    let last: Value = serde_json::from_str(told.unwrap_or_default()).expect("JSON");
    let fields = last.get("fields").unwrap_or(&last);
    assert!(
        fields["total"].as_u64() > Some(20) && fields["done"] == fields["total"],
        "{last}"
    );
}

#[tokio::test]
async fn a_store_that_others_can_read_is_warned_of() {
    let daemon = Daemon::start(Config::new()).await;
    let warned = |output: String| output.contains("can be read by every user");
    assert!(
        !warned(daemon.cli_ok(&["check"]).await.all()),
        "we make it for us alone"
    );
    trunkline_tests::built::set_mode(&daemon.store(), 0o755);
    assert!(warned(daemon.cli_ok(&["check"]).await.all()));
}

/// Writes the store of the version at hand into `tests/stores`: see the README there.
#[tokio::test]
#[ignore = "makes a fixture of a released version"]
async fn write() {
    let stage = Stage::new(config).await;
    crate::stores_fill::fill(&stage).await;
    let shown = listing(&stage.daemon.api()).await;
    must_be_rich(&shown);
    let version = trunkline_tests::daemon::trunkline(&["--version"])
        .await
        .ok()
        .stdout;
    let version = version
        .trim()
        .rsplit(' ')
        .next()
        .expect("a version")
        .to_owned();
    let mut daemon = stage.daemon;
    assert!(daemon.terminate().await.success());
    let path = folder().join(format!("{version}.tar.gz"));
    let packed = File::create(&path).expect("the store can be written");
    let packed = flate2::write::GzEncoder::new(packed, flate2::Compression::best());
    let mut archive = tar::Builder::new(packed);
    for entry in fs::read_dir(daemon.store()).expect("a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        // Copies of the plugins are made at each start.
        if name == "plugins" {
            continue;
        }
        let added = if path.is_dir() {
            archive.append_dir_all(name, path)
        } else {
            archive.append_path_with_name(path, name)
        };
        added.expect("packed");
    }
    archive
        .into_inner()
        .and_then(flate2::write::GzEncoder::finish)
        .expect("packed");
    let size = fs::metadata(&path).expect("it is there").len();
    assert!(size < 300_000, "{size} bytes are too many for a repository");
    let shown = serde_json::to_string_pretty(&shown).expect("JSON");
    fs::write(folder().join(format!("{version}.json")), shown + "\n").expect("written");
}
