//! A full disk: webhooks are answered 503, sends pause, health says so, and all goes on by itself when room returns.
//! Nothing acknowledged is lost, and nothing is sent twice, also where the daemon dies meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinHandle;
use trunkline_simulator::{Behaviour, Simulator};
use trunkline_tests::account::balance;
use trunkline_tests::api::Api;
use trunkline_tests::config::Config;
use trunkline_tests::daemon::Daemon;
use trunkline_tests::http::Request;
use trunkline_tests::load::{Load, Plan, Sent, redeliver_patiently};
use trunkline_tests::twilio::{Hook, Sms};
use trunkline_tests::wait::{SOON, blocking, eventually};

use crate::disk::{Disk, in_namespace};
use crate::stage::{SMS, twilio};

const IMAGE_MIB: u64 = 256;
/// Lines at levels above `info` that a full disk may cost in these seconds.
const LINES_MAX: usize = 150;

#[test]
fn a_full_disk_holds_everything_up_and_loses_nothing() {
    in_namespace("disk_full::fills_up");
}

#[test]
fn a_daemon_that_dies_on_a_full_disk_loses_nothing_and_starts_again() {
    in_namespace("disk_full::dies_while_full");
}

#[test]
fn a_disk_without_free_inodes_is_a_full_disk() {
    in_namespace("disk_full::has_no_inodes");
}

#[tokio::test]
#[ignore = "run by a test above, in a mount namespace"]
async fn fills_up() {
    let Some(mut scene) = Scene::start().await else {
        return;
    };
    scene.warm_up().await;
    let before = scene.lines();
    let ballast = scene.fill().await;
    scene.must_refuse().await;
    scene.must_pause().await;
    let said = scene.lines() - before;
    assert!(said < LINES_MAX, "{said} lines");
    let freed = Instant::now();
    fs::remove_file(ballast).unwrap();
    scene.must_be_ready().await;
    println!("took all again after {:?}", freed.elapsed());
    scene
        .daemon
        .api()
        .wait_notification("store_full", |_| true)
        .await;
    scene.account().await;
}

#[tokio::test]
#[ignore = "run by a test above, in a mount namespace"]
async fn dies_while_full() {
    let Some(mut scene) = Scene::start().await else {
        return;
    };
    scene.warm_up().await;
    let ballast = scene.fill().await;
    scene.must_refuse().await;
    scene.pause_load().await;
    scene.daemon.kill9().await;
    // Where it can't start, it says so.
    scene.daemon.spawn();
    let started = Instant::now();
    loop {
        if let Some(status) = scene.daemon.exited() {
            let log = scene.daemon.log();
            assert_eq!(status.code(), Some(1), "{log}");
            assert!(
                log.contains("No space left") || log.contains("free"),
                "{log}"
            );
            scene.daemon.wait_exit(SOON).await;
            break;
        }
        if scene.daemon.log().contains("\"ready\"") {
            scene.daemon.kill9().await;
            break;
        }
        assert!(started.elapsed() < SOON * 3, "{}", scene.daemon.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    fs::remove_file(ballast).unwrap();
    scene.daemon.launch().await;
    scene.must_be_ready().await;
    scene.account().await;
}

#[tokio::test]
#[ignore = "run by a test above, in a mount namespace"]
async fn has_no_inodes() {
    let Some(mut scene) = Scene::start().await else {
        return;
    };
    scene.warm_up().await;
    let folder = scene.disk.mount.join("many");
    let many = folder.clone();
    blocking(move || {
        fs::create_dir(&many).unwrap();
        let mut files = 0..;
        while fs::File::create(many.join(files.next().unwrap_or(0).to_string())).is_ok() {}
    })
    .await;
    scene.must_refuse().await;
    fs::remove_dir_all(folder).unwrap();
    scene.must_be_ready().await;
    scene.account().await;
}

/// A daemon on a small disk, webhooks and sends.
struct Scene {
    disk: Disk,
    daemon: Daemon,
    simulator: Simulator,
    hook: Hook,
    load: Option<Load>,
    sends: Option<Sends>,
    ledger: Vec<Sent>,
    accepted: BTreeMap<String, String>,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// None, with words, where no disk can be mounted.
    async fn start() -> Option<Self> {
        let folder = tempfile::Builder::new()
            .prefix("trunkline-disk-full-")
            .tempdir()
            .unwrap();
        let disk = match Disk::new(folder.path(), IMAGE_MIB) {
            Ok(disk) => disk,
            Err(why) => {
                eprintln!("the disk full test is skipped: {why}");
                return None;
            }
        };
        let simulator = Simulator::start().expect("the simulator starts");
        simulator
            .twilio()
            .set_behaviour(Behaviour::Slow(Duration::from_millis(500)));
        let store = disk.mount.join("store").to_string_lossy().into_owned();
        let config = Config::new()
            .set("store.path", store)
            .set("store.reserve_bytes", "12MiB")
            .set("outbound.attempts_max", 1_000)
            .set("outbound.concurrency", 4)
            .channel(twilio(SMS, &simulator));
        let account = config.find(SMS).clone();
        let daemon = Daemon::start(config).await;
        let hook = Hook {
            url: daemon.url(SMS),
            account_sid: account.get("account_sid").to_owned(),
            auth_token: account.get("auth_token").to_owned(),
        };
        Some(Self {
            disk,
            daemon,
            simulator,
            hook,
            load: None,
            sends: None,
            ledger: Vec::new(),
            accepted: BTreeMap::new(),
            _folder: folder,
        })
    }

    /// Puts the daemon under load, more sends than the provider takes at once.
    async fn warm_up(&mut self) {
        let plan = Plan::new("1600777").rate(200);
        let load = Load::start(self.daemon.public(), &self.hook, &plan);
        let sends = Sends::start(self.daemon.api());
        eventually("webhooks and sends are taken", SOON * 3, || async {
            let called = self.simulator.twilio().create_count();
            (load.acknowledged() > 200 && sends.count() > called + 100 && called > 10).then_some(())
        })
        .await;
        (self.load, self.sends) = (Some(load), Some(sends));
    }

    /// Leaves no byte free.
    async fn fill(&self) -> PathBuf {
        let path = self.disk.mount.join("ballast");
        let file = path.clone();
        blocking(move || fill(&file)).await;
        path
    }

    async fn must_refuse(&self) {
        let admin = self.daemon.admin();
        let words = eventually("/readyz says why not", SOON, || async {
            let reply = Request::new("GET", "/readyz").send(admin).await.ok()?;
            (reply.status == 503).then(|| reply.text())
        })
        .await;
        assert!(words.contains("free"), "{words}");
        let refused = eventually("a webhook is refused", SOON, || async {
            let request = self.hook.request(&Sms::new("+15005550199", "too late"));
            let reply = request.send(self.daemon.public()).await.ok()?;
            (reply.status == 503).then_some(reply)
        })
        .await;
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
        let message = json!({"channel": SMS, "to": "+15005550198", "content": {"text": "no"}});
        let answer = self.daemon.api().post("/api/v1/messages", &message).await;
        assert_eq!(answer.status, 503, "{}", answer.reply.text());
        assert!(answer.reply.header("retry-after").is_some());
        let store = self.daemon.api().get("/api/v1/store").await;
        assert_eq!(store["state"], "refusing", "{store}");
        eventually("the metric says so", SOON, || async {
            (self.daemon.api().metric("trunkline_store_refuses").await == 1).then_some(())
        })
        .await;
    }

    /// Messages wait, and the provider gets no more calls.
    async fn must_pause(&self) {
        let mut seen = (usize::MAX, Instant::now());
        let started = Instant::now();
        while seen.1.elapsed() < Duration::from_millis(1_500) {
            let count = self.simulator.twilio().create_count();
            if count != seen.0 {
                seen = (count, Instant::now());
            }
            assert!(started.elapsed() < SOON * 2, "sends do not pause");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let accepted = self.sends.as_ref().map_or(0, Sends::count);
        assert!(
            seen.0 < accepted,
            "nothing waited: {} of {accepted}",
            seen.0
        );
    }

    async fn must_be_ready(&self) {
        let admin = self.daemon.admin();
        eventually("/readyz answers 200", SOON, || async {
            let reply = Request::new("GET", "/readyz").send(admin).await.ok()?;
            if reply.status != 200 {
                println!("{} {}", reply.status, reply.text());
            }
            (reply.status == 200).then_some(())
        })
        .await;
    }

    /// Ends the load and keeps its ledgers.
    async fn pause_load(&mut self) {
        if let Some(load) = self.load.take() {
            self.ledger.extend(load.stop().await);
        }
        if let Some(sends) = self.sends.take() {
            self.accepted.extend(sends.stop().await);
        }
    }

    /// What was acknowledged is there once, what was accepted was sent once.
    async fn account(&mut self) {
        self.pause_load().await;
        self.simulator.twilio().set_behaviour(Behaviour::Accept);
        let api = self.daemon.api();
        let after = balance(&api, &self.ledger).await;
        assert!(after.is_right(), "{after}");
        redeliver_patiently(self.daemon.public(), &self.hook, &mut self.ledger).await;
        balance(&api, &self.ledger).await.must_be_right();
        let (mut counts, mut unsure) = (BTreeMap::new(), 0);
        for id in self.accepted.keys() {
            let status = eventually("a send comes to its end", SOON * 3, || async {
                let message = api.message(id).await;
                let status = message["status"].as_str().unwrap_or_default().to_owned();
                (status != "queued").then_some(status)
            })
            .await;
            unsure += usize::from(status == "uncertain");
            assert_ne!(status, "failed");
        }
        for message in self.simulator.twilio().messages() {
            *counts.entry(message.body.clone()).or_insert(0) += 1;
        }
        let doubled: Vec<_> = counts.iter().filter(|(_, n)| **n > 1).collect();
        assert!(doubled.is_empty(), "sent more than once: {doubled:?}");
        let sent = self
            .accepted
            .values()
            .filter(|body| counts.contains_key(*body));
        let missing = self.accepted.len() - sent.count();
        assert!(missing <= unsure, "{missing} never sent, {unsure} unsure");
        println!(
            "{} webhooks, {} sends, {unsure} of unknown outcome",
            self.ledger.len(),
            self.accepted.len()
        );
    }

    /// Lines of the log above `info`.
    fn lines(&self) -> usize {
        let log = self.daemon.log();
        let loud = |line: &&str| line.contains("\"WARN\"") || line.contains("\"ERROR\"");
        log.lines().filter(loud).count()
    }
}

/// Sends, one after the other, until they are stopped: accepted ids with what they say.
struct Sends {
    stop: Arc<AtomicBool>,
    accepted: Arc<Mutex<BTreeMap<String, String>>>,
    task: JoinHandle<()>,
}

impl Sends {
    fn start(api: Api) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let accepted = Arc::new(Mutex::new(BTreeMap::new()));
        let task = tokio::spawn(send(api, Arc::clone(&stop), Arc::clone(&accepted)));
        Self {
            stop,
            accepted,
            task,
        }
    }

    fn count(&self) -> usize {
        self.accepted.lock().expect("the task does not panic").len()
    }

    async fn stop(self) -> BTreeMap<String, String> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the task does not panic");
        std::mem::take(&mut self.accepted.lock().expect("it has ended"))
    }
}

async fn send(api: Api, stop: Arc<AtomicBool>, accepted: Arc<Mutex<BTreeMap<String, String>>>) {
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let body = format!("send {number}");
        let to = format!("+1500888{:04}", number % 50);
        let message = json!({"channel": SMS, "to": to, "content": {"text": body}});
        let answer = api.post("/api/v1/messages", &message).await;
        match (answer.status, answer.json["id"].as_str()) {
            (202, Some(id)) => {
                let mut accepted = accepted.lock().expect("nobody panics with it");
                accepted.insert(id.to_owned(), body);
            }
            (503, _) => {}
            other => panic!("{other:?}: {}", answer.reply.text()),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Writes until the last byte is taken.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    for bytes in [1 << 20, 64 << 10, 4 << 10, 1] {
        let chunk = vec![7; bytes];
        while file.write_all(&chunk).is_ok() && file.sync_data().is_ok() {}
    }
}
