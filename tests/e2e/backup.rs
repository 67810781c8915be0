//! Backups made while the daemon works, and stores made of them: what was there is there, and nothing is sent twice.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use trunkline_simulator::{Behaviour, InboundSms};
use trunkline_tests::built::binary;
use trunkline_tests::config::Config;
use trunkline_tests::daemon::{Daemon, trunkline};
use trunkline_tests::load::{Load, Outcome, Plan};
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";
const BEN: &str = "+15005550102";
const NUMBER: &str = "+15550100";

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are text")
}

/// What `store verify` says of a store that nobody has open.
pub(crate) async fn look(store: &Path) -> Value {
    let args = ["store", "verify", text(store), "--json"];
    trunkline(&args).await.ok().json()
}

pub(crate) async fn stop(daemon: &mut Daemon) {
    let status = daemon.terminate().await;
    assert!(status.success(), "a stop in order ended with {status}");
}

/// A folder that an engine takes for a store: one snapshot, and a log where one is given.
fn store_of(folder: &Path, snapshot: &Path, log: Option<&Path>) {
    for name in ["log", "snapshots"] {
        fs::create_dir_all(folder.join(name)).expect("a folder is made");
    }
    let name = snapshot.file_name().expect("a snapshot has a name");
    fs::copy(snapshot, folder.join("snapshots").join(name)).expect("the snapshot is copied");
    for segment in log
        .into_iter()
        .flat_map(|log| fs::read_dir(log).expect("the log is there"))
    {
        let segment = segment.expect("an entry");
        let to = folder.join("log").join(segment.file_name());
        fs::copy(segment.path(), to).expect("a segment is copied");
    }
}

/// The snapshot that a restore began with.
fn snapshot_of(store: &Path, position: u64) -> PathBuf {
    store.join("snapshots").join(format!("{position:020}.snap"))
}

#[tokio::test]
async fn a_backup_under_load_is_the_source_at_its_moment_record_by_record() {
    let mut stage = Stage::sms().await;
    let hook = stage.hook(SMS);
    let load = Load::start(stage.daemon.public(), &hook, &Plan::new("1500555"));
    let api = stage.daemon.api();
    eventually("messages came in", SOON, || async {
        (load.acknowledged() > 300).then_some(())
    })
    .await;
    let file = stage.daemon.file("all.tar");
    let before = load.acknowledged();
    let made = stage
        .daemon
        .cli_ok(&["backup", text(&file), "--json"])
        .await
        .json();
    assert_eq!(made["made_by"], "daemon", "{made}");
    assert_eq!(made["verified"], true);
    let id = api.send_text(SMS, ADA, "sent after the backup").await;
    api.wait_status(&id, "sent").await;
    eventually("more came in", SOON, || async {
        (load.acknowledged() > before + 200).then_some(())
    })
    .await;
    let ledger = load.stop().await;
    assert!(
        ledger
            .iter()
            .all(|sent| sent.outcome == Outcome::Acknowledged)
    );
    stop(&mut stage.daemon).await;

    let copy = stage.daemon.file("copy");
    let args = [
        "restore",
        text(&file),
        "--to",
        text(&copy),
        "--resume-sends",
        "--json",
    ];
    let restored = trunkline(&args).await.ok().json();
    assert_eq!(restored["kept"], Value::Null);
    let position = made["position"].as_u64().expect("a position");
    let (source, found) = (look(&stage.daemon.store()).await, look(&copy).await);
    assert!(source["position"].as_u64() > Some(position), "{source}");
    let held = made["counts"]["messages"].as_u64().unwrap_or_default();
    assert!(
        held >= before as u64,
        "{held} of {before} acknowledged before"
    );

    // The restored store is the moment, and nothing else.
    let snapshot = snapshot_of(&copy, position);
    let moment = stage.daemon.file("moment");
    store_of(&moment, &snapshot, None);
    let alone = look(&moment).await;
    assert_eq!(alone["position"], position);
    assert_eq!(alone["digest"], found["digest"]);
    // The moment and what the source's own log says came after it are the source.
    let replayed = stage.daemon.file("replayed");
    store_of(
        &replayed,
        &snapshot,
        Some(&stage.daemon.store().join("log")),
    );
    let again = look(&replayed).await;
    assert_eq!(again["position"], source["position"]);
    assert_eq!(again["digest"], source["digest"]);
    assert_eq!(again["kinds"], source["kinds"]);
}

#[tokio::test]
async fn everything_comes_back_and_goes_on_in_place() {
    let mut stage = Stage::new(|simulator| {
        Config::new()
            .set("coalesce.quiet", "3s")
            .set("coalesce.max", "10s")
            .set("backfill.after_downtime", "1h")
            .channel(twilio(SMS, simulator))
    })
    .await;
    let account = stage.simulator.twilio();
    let url = stage.daemon.url(SMS);
    let api = stage.daemon.api();
    let media = stage.daemon.file("note.txt");
    fs::write(&media, "a text to keep\n").expect("written");
    let put = stage.daemon.cli_ok(&["media", "put", text(&media)]).await;
    let hash = put.stdout.split(' ').next().unwrap_or_default().to_owned();
    account.set_behaviour(Behaviour::error(503, 20503, "Service Unavailable"));
    let waiting = api.send_text(SMS, BEN, "waits at the moment").await;
    eventually("it waits", SOON, || async {
        api.outbox_item(&waiting).await
    })
    .await;
    let first = InboundSms::text(ADA, NUMBER, "before the backup");
    let answer = account.inbound(&url, &first).await.expect("delivered");
    assert_eq!(answer.status, 200);
    let contacts = api.all("/api/v1/contacts").await;

    let file = stage.daemon.file("all.tar");
    stage.daemon.cli_ok(&["backup", text(&file)]).await;
    // After the moment: the message goes out, and another comes in.
    account.set_behaviour(Behaviour::Accept);
    api.wait_status(&waiting, "sent").await;
    let since = InboundSms::text(ADA, NUMBER, "since the backup");
    let answer = account.inbound(&url, &since).await.expect("delivered");
    assert_eq!(answer.status, 200);
    let sent = account.message_count();
    stop(&mut stage.daemon).await;

    let dry = stage
        .daemon
        .cli_ok(&["restore", text(&file), "--dry-run", "--json"])
        .await
        .json();
    let kept = dry["kept"]
        .as_str()
        .expect("the store that is there is kept");
    assert!(!Path::new(kept).exists(), "{dry}");
    let restored = stage
        .daemon
        .cli_ok(&["restore", text(&file), "--json"])
        .await
        .json();
    assert_eq!(restored["uncertain"], 1, "{restored}");
    let kept = restored["kept"].as_str().expect("the old store is kept");
    assert!(Path::new(kept).join("log").is_dir());
    stage.daemon.launch().await;

    // The token is as old as the store, the file is back, the message of since is fetched, once.
    let api = stage.daemon.api();
    assert_eq!(api.all("/api/v1/contacts").await, contacts);
    let out = stage.daemon.file("again.txt");
    stage
        .daemon
        .cli_ok(&["media", "get", &hash, "-o", text(&out)])
        .await;
    assert_eq!(fs::read(&out).expect("read"), b"a text to keep\n");
    eventually("what came since is fetched", SOON, || async {
        (api.timeline(ADA).await.len() == 2).then_some(())
    })
    .await;
    let again = account.inbound(&url, &since).await.expect("delivered");
    assert_eq!(again.status, 200);
    // What was sent since is found at the provider, and not sent again.
    let found = api.wait_status(&waiting, "sent").await;
    assert_eq!(found["error"], Value::Null, "{found}");
    assert_eq!(account.message_count(), sent);
    // The turn that was open at the moment is closed once.
    let thread = api.timeline(ADA).await[0]["thread"]
        .as_str()
        .expect("a thread")
        .to_owned();
    let turns = format!("/api/v1/threads/{thread}/turns");
    let closed = eventually("the turn is closed", SOON, || async {
        let turns = api.all(&turns).await;
        (!turns.is_empty()).then_some(turns)
    })
    .await;
    let first = closed.last().expect("a turn")["messages"].to_string();
    let first_id = api.timeline(ADA).await.pop().expect("a message")["id"].to_string();
    assert!(first.contains(&first_id), "{closed:?}");
    assert_eq!(api.timeline(ADA).await.len(), 2);
}

#[tokio::test]
async fn without_a_daemon_the_store_itself_is_backed_up() {
    let mut stage = Stage::sms().await;
    for n in 0..20 {
        let sms = Sms::new(ADA, &format!("message {n}"));
        assert_eq!(stage.deliver(SMS, &sms).await, 200);
    }
    let consent = ["consent", "set", ADA, "opt_out", "--channel", SMS];
    let consent = [&consent[..], &["--reason", "said so by phone"]].concat();
    stage.daemon.cli_ok(&consent).await;
    stop(&mut stage.daemon).await;
    let expected = look(&stage.daemon.store()).await;
    let file = stage.daemon.file("all.tar");
    let made = stage
        .daemon
        .cli_ok(&["backup", text(&file), "--json"])
        .await
        .json();
    assert_eq!(made["made_by"], "store");
    assert_eq!(made["position"], expected["position"]);

    let refused = stage.daemon.cli(&["backup", text(&file)]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    stage
        .daemon
        .cli_ok(&["backup", text(&file), "--force"])
        .await;
    let rights = fs::metadata(&file).expect("written").permissions();
    assert_eq!(rights.mode() & 0o777, 0o600);
    assert!(!stage.daemon.file("all.tar.part").exists());

    let copy = stage.daemon.file("copy");
    let piped = format!(
        "{0} backup - -c {1} | {0} restore - --to {2} --resume-sends",
        text(binary().as_path()),
        text(&stage.daemon.config_file()),
        text(&copy)
    );
    let status = Command::new("sh")
        .args(["-c", &piped])
        .status()
        .expect("sh runs");
    assert!(status.success());
    let found = look(&copy).await;
    assert_eq!(found["digest"], expected["digest"]);

    let sound = trunkline(&["backup", "--verify", text(&file), "--json"])
        .await
        .ok();
    assert_eq!(sound.json()["records"], expected["records"]);
    let mut bytes = fs::read(&file).expect("read");
    let at = bytes
        .windows(8)
        .position(|some| some == b"TLSNAPSH")
        .expect("it has a snapshot");
    bytes[at + 100] ^= 1;
    fs::write(&file, bytes).expect("written");
    let before = look(&stage.daemon.store()).await;
    for args in [&["backup", "--verify"][..], &["restore"]] {
        let args = [args, &[text(&file)]].concat();
        let refused = stage.daemon.cli(&args).await;
        assert_eq!(refused.code, 1);
        assert!(
            refused.stderr.contains("store/000001 does not match"),
            "{refused:?}"
        );
    }
    assert_eq!(
        look(&stage.daemon.store()).await["digest"],
        before["digest"]
    );
}

#[tokio::test]
async fn only_owners_of_everything_may_and_one_at_a_time() {
    let stage = Stage::sms().await;
    let api = stage.daemon.api();
    let admin = api.with_token(&stage.daemon.create_token("admin").await);
    assert_eq!(admin.get_any("/api/v1/backup").await.status, 403);
    let one = [
        "token",
        "create",
        "--role",
        "owner",
        "--name",
        "one",
        "--organization",
        "default",
        "--json",
    ];
    let one = stage.daemon.cli_ok(&one).await.json();
    let one = api.with_token(one["token"].as_str().expect("a token"));
    assert_eq!(one.get_any("/api/v1/backup").await.status, 403);
    let running = stage
        .daemon
        .cli(&["restore", text(&stage.daemon.config_file())])
        .await;
    assert!(
        running.stderr.contains("stop the daemon first"),
        "{running:?}"
    );
}
