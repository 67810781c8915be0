//! `trunkline simulator`: an installation tried offline, with every adapter, and faults.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use trunkline_tests::built::binary;
use trunkline_tests::config::Config;
use trunkline_tests::daemon::{Daemon, trunkline};
use trunkline_tests::wait::{SOON, eventually};

/// Adapter, who writes, and who is answered.
const PEOPLE: [(&str, &str, &str); 6] = [
    ("twilio", "+15005550141", "+15005550141"),
    ("vonage", "+15005550142", "+15005550142"),
    ("whatsapp", "+15005550143", "+15005550143"),
    ("email", "ada@example.org", "ada@example.org"),
    ("telegram", "5001144", "5001144"),
    ("webhook", "order-17", "order-17"),
];

/// With a share of 15 % each, the first call of a provider gets 500, the second 429, and the next ten are taken.
const SEED: &str = "1310";

#[tokio::test]
async fn every_adapter_can_be_tried_offline_with_faults() {
    let mut daemon = Daemon::prepare(Config::new().set("outbound.attempts_max", 50));
    let file = daemon.file("channels.d/simulator.toml");
    let gateway = daemon.config().get("server.public_url").unwrap().to_owned();
    let mut simulator = Played::start(&[
        "--gateway",
        &gateway,
        "--write-config",
        file.to_str().unwrap(),
        "--fault",
        "429:15%",
        "--fault",
        "500:15%",
        "--seed",
        SEED,
        "--reports",
        "doubled",
        "--json",
    ]);
    let started = simulator
        .wait("it has started", |event| event["event"] == "started")
        .await;
    assert_eq!(
        started["channels"].as_array().map(Vec::len),
        Some(7),
        "{started}"
    );
    assert_eq!(started["seed"].to_string(), SEED, "{started}");
    daemon.launch().await;
    let api = daemon.api();
    for (adapter, from, to) in PEOPLE {
        let channel = format!("sim_{adapter}");
        api.wait_health(&channel, "healthy").await;
        simulator.say(&format!("send {adapter} {from} Hello by {adapter}"));
        let sent = simulator
            .wait("it was brought", |event| {
                (event["event"] == "sent" || event["event"] == "failed") && !event.is_null()
            })
            .await;
        assert_eq!(
            (&sent["adapter"], &sent["status"]),
            (&json!(adapter), &json!(200)),
            "{sent}"
        );
        eventually("the message is there", SOON, || async {
            let messages = api.timeline(to).await;
            let expected = format!("Hello by {adapter}");
            let mut texts = messages
                .iter()
                .filter_map(|m| m["content"]["text"].as_str());
            texts.any(|text| text.trim() == expected).then_some(())
        })
        .await;
        if adapter == "telegram" {
            // It has no word by which a send could be told from its repetition: behind a 500 nothing is sent again.
            let id = api.send_text(&channel, to, "Is it there?").await;
            api.wait_status(&id, "uncertain").await;
        }
        let id = api
            .send_text(&channel, to, &format!("Answer by {adapter}"))
            .await;
        eventually("the answer is sent", SOON, || async {
            let message = api.message(&id).await;
            assert_ne!(message["status"], "failed", "{message}");
            let status = message["status"].as_str().unwrap_or_default();
            ["sent", "delivered", "read"]
                .contains(&status)
                .then_some(())
        })
        .await;
        simulator
            .wait("the call was shown", |event| {
                event["event"] == "call" && event["adapter"] == adapter && event["method"] == "POST"
            })
            .await;
    }
    simulator.say("send chat Ada Hello by chat");
    let sent = simulator
        .wait("the visitor wrote", |event| event["adapter"] == "chat")
        .await;
    assert_eq!(sent["status"], 200, "{sent}");
    simulator.say("fault 200:10%");
    simulator
        .wait("that is no fault", |event| event["event"] == "failed")
        .await;
    let disliked = simulator.disliked();
    assert!(disliked.is_empty(), "{disliked:?}");
    simulator.say("quit");
    simulator.must_end().await;
}

#[tokio::test]
async fn the_simulator_speaks_to_this_machine_only_and_prints_what_a_daemon_takes() {
    let refused = trunkline(&["simulator", "--gateway", "http://192.0.2.1:80"]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("not on this machine"),
        "{refused:?}"
    );
    let wrong = trunkline(&["simulator", "--fault", "often"]).await;
    assert_eq!(wrong.code, 64, "{wrong:?}");

    let mut simulator = Played::start(&["--adapter", "twilio,webhook", "--print-config"]);
    simulator.wait_line("Ctrl-C ends it").await;
    let said = simulator.lines().join("\n");
    assert!(said.contains("[channel.sim_twilio.config]"), "{said}");
    assert!(!said.contains("sim_vonage"), "{said}");
    simulator.interrupt();
    simulator.must_end().await;
}

/// A running simulator.
struct Played {
    child: Child,
    input: Option<ChildStdin>,
    lines: Arc<Mutex<Vec<String>>>,
    seen: usize,
}

impl Played {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.arg("simulator").args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the binary can be run");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                kept.lock().expect("nobody panics with it").push(line);
            }
        });
        Self {
            input: child.stdin.take(),
            child,
            lines,
            seen: 0,
        }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("nobody panics with it").clone()
    }

    fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("a pipe");
        writeln!(input, "{line}").expect("it reads");
    }

    /// The next event that `matches`, behind the last one waited for.
    async fn wait(&mut self, what: &str, matches: impl Fn(&Value) -> bool) -> Value {
        let (event, seen) = eventually(what, SOON, || async {
            let lines = self.lines();
            let mut behind = lines.iter().enumerate().skip(self.seen);
            behind.find_map(|(at, line)| {
                let event: Value = serde_json::from_str(line).ok()?;
                matches(&event).then_some((event, at + 1))
            })
        })
        .await;
        self.seen = seen;
        event
    }

    async fn wait_line(&self, part: &str) {
        eventually(part, SOON, || async {
            let lines = self.lines();
            lines.iter().any(|line| line.contains(part)).then_some(())
        })
        .await;
    }

    /// Calls that a provider would dislike.
    fn disliked(&self) -> Vec<String> {
        let lines = self.lines();
        let is_disliked = |line: &String| {
            let event: Value = serde_json::from_str(line).unwrap_or_default();
            event["problem"].is_string()
        };
        lines.into_iter().filter(is_disliked).collect()
    }

    fn interrupt(&self) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", "INT", &pid]).status();
        assert!(status.is_ok_and(|status| status.success()));
    }

    async fn must_end(&mut self) {
        let started = std::time::Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("its state can be read") {
                assert!(status.success(), "it ended with {status}");
                return;
            }
            assert!(started.elapsed() < SOON, "it does not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        // Already ended is as good as killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
