//! Channels whose plugin runs in a process of its own: the same messages, and no end of it ends the daemon.

use std::fs;
use std::path::Path;
use std::time::Duration;

use trunkline_simulator::{Behaviour, Endpoint};
use trunkline_tests::account::balance;
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::daemon::Daemon;
use trunkline_tests::http::Request;
use trunkline_tests::load::{Load, Plan, redeliver};
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::plugins::compile;
use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";
const APART: &str = "sms_apart";

/// A stage with one SMS channel in a process of its own.
async fn apart() -> Stage {
    Stage::new(|simulator| {
        let channel = twilio(APART, simulator).key("isolation", "process");
        Config::new()
            .set("plugins.failures_max", 50)
            .channel(channel)
    })
    .await
}

/// The process of a channel's plugin.
async fn worker(stage: &Stage, channel: &str) -> u64 {
    eventually("a process of the plugin", SOON, || async {
        let shown = stage.daemon.api().channel(channel).await;
        assert_eq!(shown["isolation"], "process");
        shown["worker_pid"].as_u64()
    })
    .await
}

fn is_there(pid: u64) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// The processes that a daemon has started and that are still there.
fn children(daemon: u32) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("a process list").flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        if after_name.split_whitespace().nth(1) == Some(&daemon.to_string()) {
            found.push(stat);
        }
    }
    found
}

/// Ends a process that the daemon started for a plugin.
fn kill9(pid: u64) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    // It may have ended meanwhile.
    let _ = rustix::process::kill_process(pid.expect("a pid"), rustix::process::Signal::KILL);
}

#[tokio::test]
async fn it_receives_and_sends_and_leaves_no_process() {
    let mut stage = apart().await;
    let pid = worker(&stage, APART).await;
    assert_eq!(stage.deliver(APART, &Sms::new(ADA, "hello")).await, 200);
    assert_eq!(stage.only_message(ADA).await["content"]["text"], "hello");
    let api = stage.daemon.api();
    let sent = api.send_text(APART, "+15005550102", "hello back").await;
    api.wait_status(&sent, "sent").await;
    let listed = stage.daemon.cli_ok(&["channel", "list", "--json"]).await;
    assert!(listed.stdout.contains("\"isolation\""), "{}", listed.stdout);
    let daemon = stage.daemon.pid();
    assert_eq!(children(daemon).len(), 1, "one process a channel");

    stage.daemon.rewrite(|config| {
        config.put(Channel::clone(config.find(APART)).key("isolation", "none"));
    });
    let done = stage.daemon.cli_ok(&["reload"]).await;
    assert!(done.stdout.contains("isolation"), "{}", done.stdout);
    eventually("the process is gone", SOON, || async {
        (!is_there(pid)).then_some(())
    })
    .await;
    assert_eq!(stage.deliver(APART, &Sms::new(ADA, "again")).await, 200);
    assert_eq!(children(daemon), Vec::<String>::new());

    stage.daemon.rewrite(|config| {
        config.put(Channel::clone(config.find(APART)).key("isolation", "process"));
    });
    stage.daemon.cli_ok(&["reload"]).await;
    let pid = worker(&stage, APART).await;
    stage.daemon.terminate().await;
    assert!(!is_there(pid), "it ends with the daemon");
}

#[tokio::test]
async fn its_process_ends_with_a_daemon_that_is_killed() {
    let mut stage = apart().await;
    let pid = worker(&stage, APART).await;
    stage.daemon.kill9().await;
    eventually("the process is gone", SOON, || async {
        (!is_there(pid)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_where_its_process_is_killed_under_load() {
    let stage = apart().await;
    let hook = stage.hook(APART);
    let load = Load::start(stage.daemon.public(), &hook, &Plan::new("1500777"));
    let mut killed = Vec::new();
    for round in 1..=4 {
        let enough = round * 50;
        eventually("messages", SOON, || async {
            (load.acknowledged() > enough).then_some(())
        })
        .await;
        let pid = worker(&stage, APART).await;
        kill9(pid);
        killed.push(pid);
        eventually("another process", SOON, || async {
            let shown = stage.daemon.api().channel(APART).await;
            let now = shown["worker_pid"].as_u64()?;
            (!killed.contains(&now)).then_some(())
        })
        .await;
    }
    let mut ledger = load.stop().await;
    redeliver(stage.daemon.public(), &hook, &mut ledger).await;
    let total = balance(&stage.daemon.api(), &ledger).await;
    total.must_be_right();
    assert_eq!(total.found, ledger.len(), "{total}");
    let restarts = stage.daemon.api().channel(APART).await["restarts"].clone();
    assert!(restarts.as_u64() >= Some(4), "{restarts}");
}

#[tokio::test]
async fn a_provider_that_answers_while_its_process_is_gone_is_heard_once_it_is_back() {
    let stage = apart().await;
    let api = stage.daemon.api();
    let mut killed = Vec::new();
    // Each end has the next start wait longer: the fourth lasts longer than the provider takes to answer.
    for _ in 0..3 {
        let pid = eventually("another process", SOON, || async {
            let pid = worker(&stage, APART).await;
            (!killed.contains(&pid)).then_some(pid)
        })
        .await;
        kill9(pid);
        killed.push(pid);
    }
    let pid = eventually("another process", SOON, || async {
        let pid = worker(&stage, APART).await;
        (!killed.contains(&pid)).then_some(pid)
    })
    .await;
    let account = stage.simulator.twilio();
    // What is uncertain stays so.
    account.set_behaviour_of(Endpoint::List, Behaviour::status(500));
    account.set_behaviour(Behaviour::Slow(Duration::from_millis(300)));
    let mut sent = Vec::new();
    for number in 0..4 {
        let to = format!("+1500555020{number}");
        sent.push(api.send_text(APART, &to, "hello").await);
    }
    eventually("all are with the provider", SOON, || async {
        (account.message_count() == sent.len()).then_some(())
    })
    .await;
    kill9(pid);
    for id in &sent {
        api.wait_status(id, "sent").await;
    }
    assert_eq!(account.message_count(), sent.len());
}

#[tokio::test]
async fn no_end_of_a_plugin_is_the_end_of_the_daemon() {
    let simulator = trunkline_simulator::Simulator::start().expect("the simulator starts");
    let config = Config::new()
        .set("plugins.call_watchdog", "1s")
        .set("plugins.failures_max", 50)
        .channel(twilio(SMS, &simulator))
        .channel(Channel::new("faulty", "f_apart").key("isolation", "process"));
    let mut daemon = Daemon::prepare(config);
    compile(&daemon, "f_apart", "e2e/faulty_plugin.c", &[]);
    daemon.launch().await;
    let stage = Stage { daemon, simulator };
    let pid = stage.daemon.pid();
    let cases = [
        ("abort", "signal 6 (SIGABRT)"),
        ("overflow", "was ended by signal"),
        ("loop", "gave no answer within 1000 ms"),
        ("exit", "exit code 0"),
        ("socket", "opened a socket (socket)"),
        ("file", "opened a file (openat)"),
        ("garbage", "the plugin answered garbage: "),
        ("flood", "answer is larger than allowed"),
        ("panic", "the plugin panicked: told to panic"),
    ];
    for (word, words) in cases {
        eventually(word, SOON, || async {
            let request =
                Request::new("POST", stage.daemon.path("faulty")).body("text/plain", "good");
            (stage.post(&request).await.status == 200).then_some(())
        })
        .await;
        let before = stage.daemon.log().len();
        let request = Request::new("POST", stage.daemon.path("faulty")).body("text/plain", word);
        let status = stage.post(&request).await.status;
        assert!(status >= 500, "{word}: {status}");
        assert_eq!(
            stage.deliver(SMS, &Sms::new(ADA, word)).await,
            200,
            "{word}"
        );
        eventually(word, SOON, || async {
            let log = stage.daemon.log();
            let said = log.get(before..).unwrap_or_default();
            said.contains(words).then_some(())
        })
        .await;
    }
    assert_eq!(stage.daemon.pid(), pid);
    stage.daemon.api().wait_health(SMS, "healthy").await;
    eventually("one process at most", Duration::from_secs(20), || async {
        (children(pid).len() <= 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_file_that_can_not_describe_itself_is_refused_by_daemon_and_check() {
    let config = Config::new().channel(Channel::new("faulty", "f_dies"));
    let mut daemon = Daemon::prepare(config);
    compile(
        &daemon,
        "f_dies",
        "e2e/faulty_plugin.c",
        &["FAULTY_CONSTRUCTOR"],
    );
    daemon.launch().await;
    let listed = daemon.cli_ok(&["plugin", "list", "--json"]).await.stdout;
    let words = "its process was ended by signal 6 (SIGABRT)";
    assert!(listed.contains(words), "{listed}");
    let checked = daemon.cli(&["check"]).await.all();
    assert!(checked.contains(words), "{checked}");
}
