//! Eight classes of misbehaviour, in the daemon's own process and in one of their own: what the daemon does, that
//! the neighbours' messages go through, and that nothing that was accepted is lost.
//!
//! What can be contained puts its channel down. What ends the daemon ends it once: the next start has the
//! culprit in quarantine by itself. Both outlive a restart, until a person releases the plugin.

mod case;

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;
use trunkline_tests::config::Channel;
use trunkline_tests::http::Request;
use trunkline_tests::wait::SOON;

use self::case::Case;
use crate::plugins::compile;

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
    /// What it says where the plugin runs in a process of its own.
    reason_apart: &'static str,
    /// What the log says of the call, where the reason alone does not tell one class from another.
    logged: Option<&'static str>,
}

const FAILURES_MAX: u32 = 3;
/// So long it may misbehave until it is given up.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(30);

#[rustfmt::skip]
const CLASSES: [Class; 10] = [
    Class { name: "panic", source: Source::Rust, word: "str", outcome: Outcome::Contained, reason: "panicked", reason_apart: "panicked", logged: Some("the plugin panicked: plain words") },
    Class { name: "double panic", source: Source::Rust, word: "double", outcome: Outcome::EndsDaemon, reason: "SIGABRT in receive of channel bad", reason_apart: "ended by signal 6 (SIGABRT)", logged: None },
    Class { name: "abort", source: Source::C(&[]), word: "abort", outcome: Outcome::EndsDaemon, reason: "SIGABRT in receive of channel bad", reason_apart: "ended by signal 6 (SIGABRT)", logged: None },
    Class { name: "stack overflow", source: Source::C(&[]), word: "overflow", outcome: Outcome::EndsDaemon, reason: "SIGSEGV in receive of channel bad", reason_apart: "was ended by signal", logged: None },
    Class { name: "infinite loop", source: Source::C(&[]), word: "loop", outcome: Outcome::Contained, reason: "second time", reason_apart: "gave no answer within 1000 ms", logged: None },
    Class { name: "1 GB output", source: Source::C(&[]), word: "flood", outcome: Outcome::Contained, reason: "garbage", reason_apart: "garbage", logged: Some("answer is larger than allowed") },
    Class { name: "garbage", source: Source::C(&[]), word: "garbage", outcome: Outcome::Contained, reason: "garbage", reason_apart: "garbage", logged: Some("the plugin answered garbage: ") },
    Class { name: "wrong ABI", source: Source::C(&["FAULTY_ENTRY=tl_adapter_entry_v2"]), word: "fine", outcome: Outcome::Refused, reason: "built for ABI 2, this daemon speaks 1", reason_apart: "built for ABI 2, this daemon speaks 1", logged: None },
    Class { name: "truncated file", source: Source::Truncated, word: "fine", outcome: Outcome::Refused, reason: "cut short", reason_apart: "cut short", logged: None },
    Class { name: "abort while it is loaded", source: Source::C(&["FAULTY_CONSTRUCTOR"]), word: "fine", outcome: Outcome::Refused, reason: "SIGABRT", reason_apart: "SIGABRT", logged: None },
];

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

/// A panic in calls that the daemon makes by itself or by a person's word: the channel fails, nothing else. That
/// each of the ten calls of an open channel is contained in the same way the host's own tests show.
#[tokio::test]
async fn a_panic_in_a_call_costs_that_channel_alone() {
    let calls = [
        "open",
        "receive",
        "send",
        "probe",
        "list_inbound",
        "templates",
    ];
    for call in calls {
        let mut case = Case::prepare(&CLASSES[0], false);
        let section = match call {
            "open" => Channel::new(BAD, "panics").config("on_open", true),
            call => Channel::new(BAD, "panics").config("in_calls", vec![call.to_owned()]),
        };
        case.stage.daemon.rewrite(|config| config.put(section));
        case.stage.daemon.launch().await;
        let begun = Instant::now();
        while begun.elapsed() < GIVEN_UP_WITHIN {
            match call {
                "receive" => assert!(case.say("fine").await.is_some_and(|status| status >= 500)),
                "send" => {
                    case.stage.daemon.api().send_text(BAD, "ada", "hello").await;
                }
                "list_inbound" => {
                    let backfill = ["channel", "backfill", BAD, "--since", "1h"];
                    case.stage.daemon.cli(&backfill).await;
                }
                "templates" => {
                    let refresh = ["template", "refresh", BAD];
                    case.stage.daemon.cli(&refresh).await;
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

/// A file that ended the daemon is not trusted in it any more; in a process of its own it goes on.
#[tokio::test]
async fn a_file_that_ended_the_daemon_goes_on_apart() {
    let mut case = Case::prepare(&CLASSES[2], false);
    case.stage.daemon.rewrite(|config| {
        config.put(Channel::new("apart", BAD).key("isolation", "process"));
    });
    case.stage.daemon.launch().await;
    let apart = Request::new("POST", case.stage.daemon.path("apart")).body("text/plain", "fine");
    assert_eq!(case.stage.post(&apart).await.status, 200);
    case.misbehave().await;
    case.is_down().await;
    assert_eq!(case.stage.post(&apart).await.status, 200);
    case.neighbour().await;
    case.stage.daemon.restart().await;
    case.is_down().await;
    assert_eq!(case.stage.post(&apart).await.status, 200);
    case.release().await;
    case.nothing_is_lost().await;
}

/// A plugin that panics or hangs whenever it is to open a channel is tried again, and then held to account.
#[tokio::test]
async fn what_never_opens_is_given_up() {
    static HANGS: Class = Class {
        name: "hang in open",
        source: Source::C(&["FAULTY_OPEN"]),
        word: "fine",
        outcome: Outcome::Contained,
        reason: "hung while it was opened (2 times in a row)",
        reason_apart: "",
        logged: None,
    };
    for class in [&CLASSES[0], &HANGS] {
        let mut case = Case::prepare(class, false);
        if let Source::Rust = class.source {
            let section = Channel::new(BAD, case.adapter()).config("on_open", true);
            case.stage.daemon.rewrite(|config| config.put(section));
        }
        case.stage.daemon.launch().await;
        case.neighbour().await;
        case.is_quarantined().await;
        case.is_down().await;
        case.neighbour().await;
        case.stage.daemon.restart().await;
        case.is_down().await;
        case.neighbour().await;
        case.nothing_is_lost().await;
        let status = case.stage.daemon.terminate().await;
        assert!(status.success(), "{}: {status}", class.name);
    }
}

/// What never comes back from `close` costs its own thread: reloads, neighbours and the daemon's end go on.
#[tokio::test]
async fn a_hang_in_close_stops_nothing_else() {
    static CLASS: Class = Class {
        name: "hang in close",
        source: Source::C(&["FAULTY_CLOSE"]),
        word: "fine",
        outcome: Outcome::Contained,
        reason: "",
        reason_apart: "",
        logged: None,
    };
    let mut case = Case::prepare(&CLASS, false);
    case.stage.daemon.launch().await;
    for round in 1..=2 {
        assert_eq!(case.say("fine").await, Some(200));
        let section = Channel::new(BAD, BAD).config("round", round);
        case.stage.daemon.rewrite(|config| config.put(section));
        let reload = case.stage.daemon.cli_ok(&["reload"]);
        tokio::time::timeout(SOON, reload)
            .await
            .expect("the reload ends");
        case.neighbour().await;
    }
    assert_eq!(case.say("fine").await, Some(200));
    case.nothing_is_lost().await;
    let status = case.stage.daemon.terminate().await;
    assert!(status.success(), "{status}");
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
    // An owner may let it go, nobody else, and it is known who did.
    let api = case.stage.daemon.api();
    let path = format!("/api/v1/plugins/{BAD}/release");
    let admin = case.stage.daemon.create_token("admin").await;
    let refused = api.with_token(&admin).post(&path, &json!({})).await;
    assert_eq!(refused.status, 403, "{}", refused.reply.text());
    tokio::time::timeout(Duration::from_secs(10), case.release())
        .await
        .expect("in time");
    let entered = api.all("/api/v1/audit?action=plugin.release").await;
    assert_eq!(entered.len(), 1, "{entered:?}");
    assert_eq!(entered[0]["object"], json!({"plugin": BAD}));
}
