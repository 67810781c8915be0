//! The machine's time is set by an hour, forward and back: order, turns and waits stay as they were.
//!
//! The daemon runs under libfaketime, which shows it another time of day and leaves the time that passes alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trunkline_simulator::{Behaviour, Simulator, standard_signature};
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::daemon::Daemon;
use trunkline_tests::http::Request;
use trunkline_tests::twilio::{Hook, Sms};
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, twilio};

/// Where distributions put the library, below the folders that libraries lie in.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";
const HOUR: i64 = 3_600;
const PERSON: &str = "+15005550111";
/// Messages that wait to be tried again when the time is set.
const WAITING: usize = 60;
/// Calls in the time looked at: of a storm nearly all would be there at once, of the waits about a seventh.
const CALLS_MAX: usize = 30;
const LOOKED_AT: Duration = Duration::from_millis(1_500);
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

#[tokio::test]
async fn a_time_of_day_that_jumps_changes_no_order_and_ends_no_wait() {
    let Some(mut scene) = Scene::start().await else {
        return;
    };
    scene.hear("one").await;
    scene.keep_failing().await;
    scene.set(HOUR);
    scene.must_be_calm("after an hour forward").await;
    scene.hear("two").await;
    scene.must_take_signed_at(HOUR).await;
    scene.set(-HOUR);
    scene.must_be_calm("after two hours back").await;
    scene.hear("three").await;
    scene.must_take_signed_at(-HOUR).await;
    scene.must_send_in(-HOUR, 2).await;
    scene.daemon.restart().await;
    scene.hear("four").await;
    scene.set(0);
    scene.hear("five").await;
    scene.must_send_in(0, 2).await;
    scene
        .must_be_in_order(&["one", "two", "three", "four", "five"])
        .await;
    scene.must_all_be_sent().await;
    scene.must_have_told_little().await;
}

struct Scene {
    daemon: Daemon,
    simulator: Simulator,
    hook: Hook,
    offset: PathBuf,
    waiting: Vec<String>,
    first: Option<Sms>,
}

impl Scene {
    /// None, with words, where the library is not installed.
    async fn start() -> Option<Self> {
        let Some(library) = library() else {
            eprintln!("the clock test is skipped: {LIBRARY} is not installed");
            return None;
        };
        let simulator = Simulator::start().expect("the simulator starts");
        let hook_channel = Channel::webhook("hook").config("signing_secret", SECRET);
        let config = Config::new()
            .set("outbound.backoff_base", "10s")
            .set("outbound.backoff_max", "10s")
            .set("outbound.attempts_max", 1_000)
            .set("health.sends_down_after", 1_000)
            .channel(hook_channel)
            .channel(twilio(SMS, &simulator));
        let account = config.find(SMS).clone();
        let mut daemon = Daemon::prepare(config);
        let offset = daemon.file("offset");
        fs::write(&offset, "+0\n").unwrap();
        daemon.set_env("LD_PRELOAD", library.to_str()?);
        daemon.set_env("FAKETIME_TIMESTAMP_FILE", offset.to_str()?);
        daemon.set_env("FAKETIME_NO_CACHE", "1");
        daemon.set_env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        daemon.set_env("NO_FAKE_STAT", "1");
        daemon.launch().await;
        let hook = Hook {
            url: daemon.url(SMS),
            account_sid: account.get("account_sid").to_owned(),
            auth_token: account.get("auth_token").to_owned(),
        };
        Some(Self {
            daemon,
            simulator,
            hook,
            offset,
            waiting: Vec::new(),
            first: None,
        })
    }

    /// Sets the daemon's time of day to so many seconds from the real one.
    fn set(&self, seconds: i64) {
        let new = self.offset.with_extension("new");
        fs::write(&new, format!("{seconds:+}\n")).unwrap();
        fs::rename(new, &self.offset).unwrap();
    }

    /// A message comes in, twice as providers do, and its turn closes.
    async fn hear(&mut self, body: &str) {
        let sms = Sms::new(PERSON, body);
        for one in [&sms, self.first.as_ref().unwrap_or(&sms)] {
            let reply = self.hook.request(one).send(self.daemon.public()).await;
            assert_eq!(reply.unwrap().status, 200);
        }
        self.first.get_or_insert(sms);
        let api = self.daemon.api();
        eventually(&format!("the turn of {body:?}"), SOON, || async {
            let last = api.timeline(PERSON).await.into_iter().next()?;
            let path = format!("/api/v1/threads/{}/turns", last["thread"].as_str()?);
            let turns = api.all(&path).await;
            let ids: Vec<&Value> = turns
                .iter()
                .flat_map(|turn| turn["messages"].as_array().into_iter().flatten())
                .collect();
            let found = ids.iter().filter(|id| ***id == last["id"]).count();
            assert!(found < 2, "{body} is in two turns");
            (found == 1 && last["content"]["text"] == body).then_some(())
        })
        .await;
    }

    /// Sends what the provider does not take; all of it waits to be tried again.
    async fn keep_failing(&mut self) {
        let fault = Behaviour::error(500, 20500, "Internal Server Error");
        self.simulator.twilio().set_behaviour(fault);
        let api = self.daemon.api();
        for number in 0..WAITING {
            let to = format!("+1500999{number:04}");
            self.waiting.push(api.send_text(SMS, &to, "again").await);
        }
        eventually("all were tried", SOON, || async {
            (self.simulator.twilio().create_count() >= WAITING).then_some(())
        })
        .await;
    }

    /// Neither do all waits end at once, nor does any last an hour.
    async fn must_be_calm(&self, when: &str) {
        let account = self.simulator.twilio();
        let (before, started) = (account.create_count(), Instant::now());
        let mut in_time = before;
        eventually(&format!("calls go on {when}"), SOON * 2, || {
            let count = account.create_count();
            if started.elapsed() < LOOKED_AT {
                in_time = count;
            }
            let done = started.elapsed() >= LOOKED_AT && count >= before + WAITING / 2;
            async move { done.then_some(()) }
        })
        .await;
        let called = in_time - before;
        println!("{when}: {called} calls in {LOOKED_AT:?}");
        assert!(called < CALLS_MAX, "{called} calls at once {when}");
    }

    /// The tolerance of signed times is that of the machine's time.
    async fn must_take_signed_at(&self, offset: i64) {
        for (at, expected) in [(offset, 200), (offset + HOUR, 401), (offset - HOUR, 401)] {
            let timestamp = jiff::Timestamp::now().as_second() + at;
            let id = format!("signed {offset} {at}");
            let body = json!({"id": id, "from": "someone", "text": "signed"}).to_string();
            let signature = standard_signature(SECRET, &id, timestamp, body.as_bytes()).unwrap();
            let reply = Request::new("POST", self.daemon.path("hook"))
                .header("webhook-id", id)
                .header("webhook-timestamp", timestamp.to_string())
                .header("webhook-signature", signature)
                .body("application/json", body)
                .send(self.daemon.public())
                .await
                .unwrap();
            assert_eq!(reply.status, expected, "signed at {at}, set to {offset}");
        }
    }

    /// A message for a time of the machine leaves at that time.
    async fn must_send_in(&self, offset: i64, seconds: i64) {
        self.simulator.twilio().set_behaviour(Behaviour::Accept);
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(offset + seconds);
        let started = Instant::now();
        let body = json!({
            "channel": SMS, "to": "+15005550122", "send_at": at.to_string(),
            "content": {"text": "at its time"},
        });
        let api = self.daemon.api();
        let answer = api.post("/api/v1/messages", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.reply.text());
        api.wait_status(answer.json["id"].as_str().unwrap(), "sent")
            .await;
        let least = Duration::from_millis(1_500);
        assert!(
            started.elapsed() > least,
            "sent after {:?}",
            started.elapsed()
        );
    }

    async fn must_be_in_order(&self, expected: &[&str]) {
        let mut messages = self.daemon.api().timeline(PERSON).await;
        messages.reverse();
        let texts: Vec<_> = messages
            .iter()
            .map(|m| m["content"]["text"].clone())
            .collect();
        assert_eq!(texts, expected);
        let times = messages.iter().map(|m| {
            let at = m["created_at"].as_str().expect("a time");
            at.parse::<jiff::Timestamp>().expect("a time")
        });
        assert!(times.is_sorted());
        assert!(messages.iter().map(|m| m["id"].to_string()).is_sorted());
    }

    async fn must_all_be_sent(&self) {
        for id in &self.waiting {
            eventually("a message that waited is sent", SOON * 3, || async {
                let message = self.daemon.api().message(id).await;
                assert_ne!(message["status"], "failed", "{message}");
                let is_sent = message["status"] != "queued";
                is_sent.then_some(())
            })
            .await;
        }
    }

    /// Each jump is one line of the log, and owners are not woken.
    async fn must_have_told_little(&self) {
        let log = fs::read_to_string(self.daemon.file("daemon.log")).unwrap();
        let jumps = log.matches("the machine's time was set").count();
        assert_eq!(jumps, 3, "{log}");
        let open = self
            .daemon
            .api()
            .all("/api/v1/notifications?acknowledged=false")
            .await;
        let wild: Vec<_> = open
            .iter()
            .filter(|one| one["kind"] != "health_changed" && one["kind"] != "signature_mismatch")
            .collect();
        assert!(wild.is_empty(), "{wild:?}");
    }
}

fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    let folders = folders.map(|entry| entry.path());
    folders
        .chain([
            Path::new("/usr/lib").to_owned(),
            Path::new("/usr/lib64").to_owned(),
        ])
        .map(|folder| folder.join(LIBRARY))
        .find(|path| path.exists())
}
