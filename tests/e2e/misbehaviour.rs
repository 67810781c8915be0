//! Eight classes of misbehaviour, in the daemon's own process and in one of their own: what the daemon does, that
//! the neighbours' messages go through, and that nothing that was accepted is lost.
//!
//! What can be contained puts its channel down. What ends the daemon ends it once: the next start has the
//! culprit in quarantine by itself. Both outlive a restart, until a person releases the plugin.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use trunkline_simulator::Simulator;
use trunkline_tests::built::{binary, set_mode};
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::daemon::Daemon;
use trunkline_tests::http::Request;
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::plugins::compile;
use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";
/// The channel that misbehaves.
const BAD: &str = "bad";
const SIGABRT: i32 = 6;
/// A flood of 1 GB must not be in memory; what the daemon itself takes is a fraction of this.
const RESIDENT_KIB_MAX: u64 = 400 * 1024;

/// What misbehaves.
#[derive(Clone, Copy)]
enum Source {
    /// The example that panics, in Rust.
    Rust,
    /// The faulty plugin in C, built with these definitions.
    C(&'static [&'static str]),
    /// The faulty plugin in C, cut short.
    Truncated,
}

/// What becomes of it.
#[derive(Clone, Copy)]
enum Outcome {
    /// It puts its channel down; the daemon goes on.
    Contained,
    /// The first webhook ends the daemon.
    EndsDaemon,
    /// The file is not loaded.
    Refused,
}

/// A class of misbehaviour.
struct Class {
    name: &'static str,
    source: Source,
    /// The webhook that has it misbehave.
    word: &'static str,
    outcome: Outcome,
    /// What the reason says.
    reason: &'static str,
}

const FAILURES_MAX: u32 = 3;
/// So often it may misbehave until it is given up.
const ATTEMPTS_MAX: u32 = 20;

#[rustfmt::skip]
const CLASSES: [Class; 10] = [
    Class { name: "panic", source: Source::Rust, word: "str", outcome: Outcome::Contained, reason: "panicked" },
    Class { name: "double panic", source: Source::Rust, word: "double", outcome: Outcome::EndsDaemon, reason: "SIGABRT in receive of channel bad" },
    Class { name: "abort", source: Source::C(&[]), word: "abort", outcome: Outcome::EndsDaemon, reason: "SIGABRT in receive of channel bad" },
    Class { name: "stack overflow", source: Source::C(&[]), word: "overflow", outcome: Outcome::EndsDaemon, reason: "SIGSEGV in receive of channel bad" },
    Class { name: "infinite loop", source: Source::C(&[]), word: "loop", outcome: Outcome::Contained, reason: "second time" },
    Class { name: "1 GB output", source: Source::C(&[]), word: "flood", outcome: Outcome::Contained, reason: "garbage" },
    Class { name: "garbage", source: Source::C(&[]), word: "garbage", outcome: Outcome::Contained, reason: "garbage" },
    Class { name: "wrong ABI", source: Source::C(&["FAULTY_ENTRY=tl_adapter_entry_v2"]), word: "fine", outcome: Outcome::Refused, reason: "built for ABI 2, this daemon speaks 1" },
    Class { name: "truncated file", source: Source::Truncated, word: "fine", outcome: Outcome::Refused, reason: "cut short" },
    Class { name: "abort while it is loaded", source: Source::C(&["FAULTY_CONSTRUCTOR"]), word: "fine", outcome: Outcome::Refused, reason: "SIGABRT" },
];

/// A class on a stage.
struct Case {
    class: &'static Class,
    /// In a process of its own.
    is_apart: bool,
    stage: Stage,
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
    fn prepare(class: &'static Class, is_apart: bool) -> Self {
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
        daemon.set_env("RUST_BACKTRACE", "0");
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

    fn adapter(&self) -> &str {
        match self.class.source {
            Source::Rust => "panics",
            _ => BAD,
        }
    }

    /// What becomes of it where it runs.
    fn outcome(&self) -> Outcome {
        match self.class.outcome {
            Outcome::EndsDaemon if self.is_apart => Outcome::Contained,
            outcome => outcome,
        }
    }

    /// What the reason says. The ends of a process of its own have words of their own.
    fn reason(&self) -> &'static str {
        match self.class.outcome {
            Outcome::Refused => self.class.reason,
            _ if self.is_apart => "",
            _ => self.class.reason,
        }
    }

    fn name(&self) -> &str {
        self.class.name
    }

    /// The status of an answer; none where the daemon ended before it gave one.
    async fn say(&self, word: &str) -> Option<u16> {
        let path = self.stage.daemon.path(BAD);
        let request = Request::new("POST", path).body("text/plain", word);
        let answer = tokio::time::timeout(SOON, request.send(self.stage.daemon.public())).await;
        let answer = answer.unwrap_or_else(|_| panic!("{}: no answer", self.name()));
        answer.ok().map(|reply| reply.status)
    }

    /// The neighbour's message goes through.
    async fn neighbour(&mut self) {
        let sms = Sms::new(ADA, self.class.name);
        let status = self.stage.deliver(SMS, &sms).await;
        assert_eq!(status, 200, "a neighbour of {}", self.name());
        self.accepted.push(sms.sid);
    }

    /// What was accepted is there, once.
    async fn nothing_is_lost(&self) {
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

    async fn misbehave(&mut self) {
        match self.outcome() {
            Outcome::Contained => {
                // A good answer in between, such as a check's, begins the count anew.
                for _ in 0..ATTEMPTS_MAX {
                    let status = self.say(self.class.word).await;
                    assert!(
                        status.is_some_and(|status| status >= 500),
                        "{}: {status:?}",
                        self.name()
                    );
                    self.neighbour().await;
                    if self.listed().await["state"] == "quarantined" {
                        return;
                    }
                }
                panic!("{}: it is never given up", self.name());
            }
            Outcome::EndsDaemon => {
                let word = self.class.word;
                let status = self.say(word).await;
                assert_eq!(status, None, "{}", self.name());
                self.has_ended().await;
                self.stage.daemon.launch().await;
            }
            Outcome::Refused => {}
        }
    }

    /// The daemon ended as it would have without anybody watching.
    async fn has_ended(&mut self) {
        let status = self.stage.daemon.wait_exit(SOON).await;
        assert_eq!(status.signal(), Some(SIGABRT), "{}", self.name());
    }

    /// What `plugin list` says of the culprit.
    async fn listed(&self) -> Value {
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
    async fn is_down(&self) {
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
    async fn release(&self) {
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

async fn run(class: &'static Class, is_apart: bool) {
    println!("{} {is_apart}", class.name);
    let mut case = Case::prepare(class, is_apart);
    case.stage.daemon.launch().await;
    case.neighbour().await;
    case.misbehave().await;
    case.neighbour().await;
    case.is_down().await;
    let resident = resident_kib(case.stage.daemon.pid());
    assert!(resident < RESIDENT_KIB_MAX, "{}: {resident} kB", class.name);
    case.stage.daemon.restart().await;
    case.neighbour().await;
    case.is_down().await;
    if !matches!(class.outcome, Outcome::Refused) {
        case.release().await;
    }
    case.neighbour().await;
    case.nothing_is_lost().await;
}

/// The most memory that a process has had.
fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("a size")
}

/// Runs the classes that `pick` picks.
async fn run_all(is_apart: bool, pick: impl Fn(Outcome) -> bool) {
    for class in CLASSES.iter().filter(|class| pick(class.outcome)) {
        run(class, is_apart).await;
    }
}

#[tokio::test]
async fn what_can_be_contained_puts_its_channel_down_and_nothing_else() {
    run_all(false, |outcome| matches!(outcome, Outcome::Contained)).await;
}

#[tokio::test]
async fn what_ends_the_daemon_ends_it_once() {
    run_all(false, |outcome| matches!(outcome, Outcome::EndsDaemon)).await;
}

/// In a process of its own nothing ends the daemon.
#[tokio::test]
async fn what_would_end_the_daemon_ends_its_own_process() {
    run_all(true, |outcome| matches!(outcome, Outcome::EndsDaemon)).await;
}

#[tokio::test]
async fn what_is_contained_here_is_contained_apart() {
    run_all(true, |outcome| !matches!(outcome, Outcome::EndsDaemon)).await;
}

#[tokio::test]
async fn what_is_no_plugin_of_this_version_is_refused_in_words() {
    run_all(false, |outcome| matches!(outcome, Outcome::Refused)).await;
}

/// A panic in each call that the daemon makes by itself or by a person's word: the channel fails, nothing else.
#[tokio::test]
async fn a_panic_in_each_call_costs_that_channel_alone() {
    for call in ["open", "receive", "send", "probe"] {
        let mut case = Case::prepare(&CLASSES[0], false);
        let section = match call {
            "open" => Channel::new(BAD, "panics").config("on_open", true),
            call => Channel::new(BAD, "panics").config("panics_in", vec![call.to_owned()]),
        };
        case.stage.daemon.rewrite(|config| config.put(section));
        case.stage.daemon.launch().await;
        for _ in 0..ATTEMPTS_MAX {
            match call {
                "receive" => assert!(case.say("fine").await.is_some_and(|status| status >= 500)),
                "send" => {
                    case.stage.daemon.api().send_text(BAD, "ada", "hello").await;
                }
                _ => {
                    case.stage.daemon.cli(&["channel", "test", BAD]).await;
                }
            }
            case.neighbour().await;
            let channel = case.stage.daemon.api().channel(BAD).await;
            if channel["health"]["status"] == "down" {
                break;
            }
        }
        let shown = case.stage.daemon.api().wait_health(BAD, "down").await;
        assert!(shown.to_string().contains("panic"), "{call}: {shown}");
        assert!(!case.stage.daemon.log().contains("crash_unexplained"));
        case.nothing_is_lost().await;
    }
}

/// `channel enable` lifts what keeps that channel down, and only that; another file makes the rest good.
#[tokio::test]
async fn one_channel_is_quarantined_and_the_plugins_other_goes_on() {
    let mut case = Case::prepare(&CLASSES[6], false);
    case.stage
        .daemon
        .rewrite(|config| config.put(Channel::new("other", BAD)));
    case.stage.daemon.launch().await;
    case.misbehave().await;
    case.is_down().await;
    let other = Request::new("POST", case.stage.daemon.path("other")).body("text/plain", "fine");
    assert_eq!(case.stage.post(&other).await.status, 200);
    case.stage.daemon.restart().await;
    assert_eq!(case.stage.post(&other).await.status, 200);
    assert_eq!(case.say("fine").await, Some(503));
    case.stage.daemon.cli_ok(&["channel", "enable", BAD]).await;
    assert_eq!(case.say("fine").await, Some(200));
    assert_eq!(case.listed().await["state"], "loaded");
    case.misbehave().await;
    case.is_down().await;
    compile(
        &case.stage.daemon,
        BAD,
        "e2e/faulty_plugin.c",
        &["FAULTY_SECOND"],
    );
    case.stage.daemon.cli_ok(&["reload"]).await;
    assert_eq!(case.say("fine").await, Some(200));
    assert_eq!(case.listed().await["version"], "0.2.0");
    // What is held against the old file holds where it is put back.
    compile(&case.stage.daemon, BAD, "e2e/faulty_plugin.c", &[]);
    case.stage.daemon.cli(&["reload"]).await;
    case.stage.daemon.restart().await;
    assert_eq!(case.say("fine").await, Some(503));
    assert_eq!(case.stage.post(&other).await.status, 200);
    tokio::time::timeout(Duration::from_secs(10), case.release())
        .await
        .expect("in time");
}
