//! One class of misbehaviour on a stage: a daemon with a neighbour, and what is looked at.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use trunkline_simulator::Simulator;
use trunkline_tests::built::{binary, set_mode};
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::daemon::Daemon;
use trunkline_tests::http::Request;
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use super::{ADA, BAD, Class, FAILURES_MAX, GIVEN_UP_WITHIN, Outcome, SIGABRT, Source};
use crate::plugins::compile;
use crate::stage::{SMS, Stage, twilio};

/// A class on a stage.
pub(super) struct Case {
    pub(super) class: &'static Class,
    /// In a process of its own.
    is_apart: bool,
    pub(super) stage: Stage,
    /// The neighbour's messages that were acknowledged.
    accepted: Vec<String>,
}

/// The example that panics, built beside this program.
fn example() -> PathBuf {
    let release = binary().parent().expect("a folder").to_owned();
    let target = release.parent().expect("a folder");
    let cargo = Command::new(env!("CARGO"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .args(["build", "--offline", "--quiet", "--release", "-p"])
        .args([
            "trunkline-plugin-api",
            "--example",
            "panics",
            "--target-dir",
        ])
        .arg(target)
        .output()
        .expect("cargo can be run");
    let said = String::from_utf8_lossy(&cargo.stderr);
    assert!(cargo.status.success(), "{said}");
    release.join("examples/libpanics.so")
}

impl Case {
    pub(super) fn prepare(class: &'static Class, is_apart: bool) -> Self {
        let simulator = Simulator::start().expect("the simulator starts");
        let adapter = match class.source {
            Source::Rust => "panics",
            _ => BAD,
        };
        let mut channel = Channel::new(BAD, adapter);
        if is_apart {
            channel = channel.key("isolation", "process");
        }
        let config = Config::new()
            .set("plugins.call_watchdog", "1s")
            .set("plugins.failures_max", FAILURES_MAX)
            .set("outbound.backoff_base", "50ms")
            .channel(twilio(SMS, &simulator))
            .channel(channel);
        let mut daemon = Daemon::prepare(config);
        daemon.set_env("RUST_BACKTRACE", "1");
        match class.source {
            Source::Rust => {
                let file = daemon.file("plugins/libtrunkline_plugin_panics.so");
                fs::copy(example(), &file).expect("the example can be copied");
                set_mode(&file, 0o644);
            }
            Source::C(defines) => {
                compile(&daemon, BAD, "e2e/faulty_plugin.c", defines);
            }
            Source::Truncated => {
                let file = compile(&daemon, BAD, "e2e/faulty_plugin.c", &[]);
                let bytes = fs::read(&file).expect("a plugin");
                fs::write(&file, &bytes[..bytes.len() / 2]).expect("a plugin can be cut");
            }
        }
        Self {
            class,
            is_apart,
            stage: Stage { daemon, simulator },
            accepted: Vec::new(),
        }
    }

    pub(super) fn adapter(&self) -> &str {
        match self.class.source {
            Source::Rust => "panics",
            _ => BAD,
        }
    }

    /// What becomes of it where it runs.
    pub(super) fn outcome(&self) -> Outcome {
        match self.class.outcome {
            Outcome::EndsDaemon if self.is_apart => Outcome::Contained,
            outcome => outcome,
        }
    }

    /// What the reason says. The ends of a process of its own have words of their own.
    pub(super) fn reason(&self) -> &'static str {
        match self.class.outcome {
            Outcome::Refused => self.class.reason,
            _ if self.is_apart => self.class.reason_apart,
            _ => self.class.reason,
        }
    }

    pub(super) fn name(&self) -> &str {
        self.class.name
    }

    /// The status of an answer; none where the daemon ended before it gave one.
    pub(super) async fn say(&self, word: &str) -> Option<u16> {
        let path = self.stage.daemon.path(BAD);
        let request = Request::new("POST", path).body("text/plain", word);
        let answer = tokio::time::timeout(SOON, request.send(self.stage.daemon.public())).await;
        let answer = answer.unwrap_or_else(|_| panic!("{}: no answer", self.name()));
        answer.ok().map(|reply| reply.status)
    }

    /// The neighbour's message goes through.
    pub(super) async fn neighbour(&mut self) {
        let sms = Sms::new(ADA, self.class.name);
        let status = self.stage.deliver(SMS, &sms).await;
        assert_eq!(status, 200, "a neighbour of {}", self.name());
        self.accepted.push(sms.sid);
    }

    /// What was accepted is there, once.
    pub(super) async fn nothing_is_lost(&self) {
        let mut found: BTreeMap<String, u32> = BTreeMap::new();
        for message in self.stage.daemon.api().timeline(ADA).await {
            let id = message["external_id"].as_str().expect("an id").to_owned();
            *found.entry(id).or_default() += 1;
        }
        for id in &self.accepted {
            assert_eq!(found.get(id), Some(&1), "{}: {id}", self.name());
        }
        assert_eq!(found.len(), self.accepted.len(), "{}", self.name());
    }

    pub(super) async fn misbehave(&mut self) {
        match self.outcome() {
            Outcome::Contained => {
                // Not so many times: a good answer in between, such as a check's, begins the count anew, and
                // while it waits to be started again nothing counts.
                let begun = Instant::now();
                while begun.elapsed() < GIVEN_UP_WITHIN {
                    let status = self.say(self.class.word).await;
                    assert!(
                        status.is_some_and(|status| status >= 500),
                        "{}: {status:?}",
                        self.name()
                    );
                    self.neighbour().await;
                    if self.listed().await["state"] == "quarantined" {
                        return self.is_logged().await;
                    }
                }
                panic!("{}: it is never given up", self.name());
            }
            Outcome::EndsDaemon => {
                let word = self.class.word;
                // Its last words may take longer than the provider's request is kept waiting.
                let status = self.say(word).await;
                let failed = status.is_none_or(|status| status >= 500);
                assert!(failed, "{}: {status:?}", self.name());
                self.has_ended().await;
                self.stage.daemon.launch().await;
            }
            Outcome::Refused => {}
        }
    }

    /// The log says how its calls went wrong.
    async fn is_logged(&self) {
        let Some(words) = self.class.logged else {
            return;
        };
        eventually(words, SOON, || async {
            self.stage.daemon.log().contains(words).then_some(())
        })
        .await;
    }

    /// The daemon ended as it would have without anybody watching.
    pub(super) async fn has_ended(&mut self) {
        let status = self.stage.daemon.wait_exit(SOON).await;
        assert_eq!(status.signal(), Some(SIGABRT), "{}", self.name());
    }

    /// It was tried again until it was given up.
    pub(super) async fn is_quarantined(&self) {
        eventually("it is given up", GIVEN_UP_WITHIN, || async {
            (self.listed().await["state"] == "quarantined").then_some(())
        })
        .await;
    }

    /// What `plugin list` says of the culprit.
    pub(super) async fn listed(&self) -> Value {
        let list = self
            .stage
            .daemon
            .cli_ok(&["plugin", "list", "--json"])
            .await
            .json();
        let items = list["items"]
            .as_array()
            .or(list.as_array())
            .expect("a list");
        let mut items = items.iter();
        let file = format!("libtrunkline_plugin_{}.so", self.adapter());
        let is_it = |item: &&Value| {
            item["path"]
                .as_str()
                .is_some_and(|path| path.ends_with(&file))
        };
        items.find(is_it).expect("it is listed").clone()
    }

    /// The channel is down, and everybody is told why.
    pub(super) async fn is_down(&self) {
        let api = self.stage.daemon.api();
        let shown = api.wait_health(BAD, "down").await;
        let why = shown["health"]["last_error"].as_str().unwrap_or_default();
        assert!(why.contains(self.reason()), "{}: {why}", self.name());
        let status = self.say("fine").await;
        assert_eq!(status, Some(503), "{}: providers come back", self.name());
        let listed = self.listed().await;
        let reason = listed["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(self.reason()), "{}: {listed}", self.name());
        let told = self.stage.daemon.cli(&["doctor", BAD]).await.all();
        assert!(told.contains(self.reason()), "{}: {told}", self.name());
        eventually("owners are told", SOON, || async {
            let told = api.open_notifications("plugin_fault").await;
            let says = |notice: &Value| notice.to_string().contains(self.reason());
            told.iter().any(says).then_some(())
        })
        .await;
        let (state, scope) = match self.outcome() {
            Outcome::Contained => ("quarantined", Some("quarantined for bad: ")),
            Outcome::EndsDaemon => ("quarantined", Some("it ended the daemon")),
            Outcome::Refused => ("refused", None),
        };
        assert_eq!(listed["state"], state, "{}: {listed}", self.name());
        assert!(
            scope.is_none_or(|scope| reason.starts_with(scope)),
            "{reason}"
        );
        let held = u64::from(scope.is_some());
        assert_eq!(
            api.metric("trunkline_plugin_quarantined").await,
            held,
            "{}",
            self.name()
        );
    }

    /// A person says that it is good again: at once it is.
    pub(super) async fn release(&self) {
        let said = self
            .stage
            .daemon
            .cli(&["plugin", "release", self.adapter()])
            .await;
        let said = said.ok().stdout;
        assert!(
            said.contains("is released") && said.contains("bad runs"),
            "{said}"
        );
        assert_eq!(self.say("fine").await, Some(200), "{}", self.name());
        let listed = self.listed().await;
        assert_eq!(listed["state"], "loaded", "{listed}");
        let again = self
            .stage
            .daemon
            .cli(&["plugin", "release", self.adapter()])
            .await;
        assert_eq!(again.code, 1, "{again:?}");
        assert!(again.all().contains("nothing is held against"), "{again:?}");
    }
}
