//! Plugins that do wrong: their channel is down with the reason, everything else goes on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use trunkline_tests::built::set_mode;
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::daemon::Daemon;
use trunkline_tests::http::Request;
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";

/// A folder of the sources, from this package's own.
fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compiles a C source into the daemon's plugin folder, with a package's modes.
pub(crate) fn compile(daemon: &Daemon, id: &str, from: &str, defines: &[&str]) -> PathBuf {
    let to = daemon.file(&format!("plugins/libtrunkline_plugin_{id}.so"));
    let output = Command::new("cc")
        .args([
            "-std=gnu11",
            "-shared",
            "-fPIC",
            "-O1",
            "-Wall",
            "-fvisibility=hidden",
        ])
        .arg(format!("-DFAULTY_ID=\"{id}\""))
        .args(defines.iter().map(|define| format!("-D{define}")))
        .arg("-I")
        .arg(source("../plugin-api/include"))
        .arg("-o")
        .arg(&to)
        .arg(source(from))
        .output()
        .expect("a C compiler is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    set_mode(&to, 0o644);
    to
}

/// A stage whose plugin folder also holds faulty ones, each with a channel of its name.
async fn with_faulty(plugins: &[(&str, &[&str])]) -> Stage {
    let simulator = trunkline_simulator::Simulator::start().expect("the simulator starts");
    let mut config = Config::new()
        .set("plugins.call_watchdog", "1s")
        .set("plugins.failures_max", 3)
        .channel(twilio(SMS, &simulator));
    for (id, _) in plugins {
        config.put(Channel::new(id, id));
    }
    let mut daemon = Daemon::prepare(config);
    for (id, defines) in plugins {
        compile(&daemon, id, "e2e/faulty_plugin.c", defines);
    }
    daemon.launch().await;
    Stage { daemon, simulator }
}

/// Posts a word to a faulty channel; the daemon must answer whatever the plugin does.
async fn say(stage: &Stage, channel: &str, word: &str) -> u16 {
    let request = Request::new("POST", stage.daemon.path(channel)).body("text/plain", word);
    stage.post(&request).await.status
}

/// The reason of a channel that is down.
async fn why_down(stage: &Stage, channel: &str) -> String {
    let shown = stage.daemon.api().wait_health(channel, "down").await;
    let why = shown["health"]["last_error"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        !why.is_empty(),
        "{channel} is down without a reason: {shown}"
    );
    why
}

async fn neighbour_lives(stage: &Stage, text: &str) {
    assert_eq!(
        stage.deliver(SMS, &Sms::new(ADA, text)).await,
        200,
        "while {text}"
    );
    stage.daemon.api().wait_health(SMS, "healthy").await;
}

#[tokio::test]
async fn a_plugin_in_c_receives_and_sends() {
    let simulator = trunkline_simulator::Simulator::start().expect("the simulator starts");
    let channel = Channel::new("plain_c", "example_c").config("secret", "s3cret-words");
    let mut daemon = Daemon::prepare(Config::new().channel(channel));
    compile(&daemon, "example_c", "../plugins/example-c/adapter.c", &[]);
    daemon.launch().await;
    let stage = Stage { daemon, simulator };
    let request = |secret: &str| {
        Request::new("POST", stage.daemon.path("plain_c"))
            .header("x-example-secret", secret)
            .body(
                "application/json",
                r#"{"id":"7","from":"ada","text":"hello from C é😀 "}"#,
            )
    };
    assert_eq!(stage.post(&request("wrong")).await.status, 401);
    assert_eq!(stage.post(&request("s3cret-words")).await.status, 200);
    assert_eq!(stage.post(&request("s3cret-words")).await.status, 200);
    let message = stage.only_message("ada").await;
    assert_eq!(message["content"]["text"], "hello from C é😀 ");
    let list = stage.daemon.cli_ok(&["plugin", "list", "--json"]).await;
    assert!(list.stdout.contains("example_c"), "{list:?}");
}

#[tokio::test]
async fn panics_and_garbage_put_only_their_own_channel_down() {
    let words = ["panic", "garbage", "code", "nothing", "halfpart"];
    let plugins: Vec<(String, &[&str])> = words
        .iter()
        .map(|word| (format!("f_{word}"), &[][..]))
        .collect();
    let plugins: Vec<(&str, &[&str])> = plugins
        .iter()
        .map(|(id, defines)| (id.as_str(), *defines))
        .collect();
    let stage = with_faulty(&plugins).await;
    for (word, (channel, _)) in words.iter().zip(&plugins) {
        assert_eq!(say(&stage, channel, &format!("fine{word}")).await, 200);
        let status = say(&stage, channel, word).await;
        assert!(status >= 500, "{word} was answered {status}");
        assert_eq!(
            say(&stage, channel, &format!("again{word}")).await,
            200,
            "one {word} must be forgiven"
        );
        // Twice as many: a good check in between begins the count anew.
        for _ in 0..6 {
            let status = say(&stage, channel, word).await;
            assert!(status >= 500, "{word} was answered {status}");
            neighbour_lives(&stage, word).await;
        }
        let why = why_down(&stage, channel).await.to_lowercase();
        assert!(
            why.contains("plugin") || why.contains("panic") || why.contains("garbage"),
            "{word}: {why}"
        );
        assert_eq!(
            say(&stage, channel, "fine").await,
            503,
            "a channel that is down by {word}"
        );
    }
}

#[tokio::test]
async fn a_hanging_plugin_is_given_up_and_the_rest_answers_meanwhile() {
    let stage = with_faulty(&[("f_hang", &[])]).await;
    for round in 0..2 {
        let mut hanging = Box::pin(say(&stage, "f_hang", "hang"));
        let neighbour = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            stage.deliver(SMS, &Sms::new(ADA, "meanwhile")).await
        };
        tokio::select! {
            status = &mut hanging => panic!("round {round}: a neighbour waits, the hang got {status}"),
            status = neighbour => assert_eq!(status, 200, "round {round}"),
        }
        let status = hanging.await;
        assert!(status >= 500, "a hang was answered {status}");
    }
    let why = why_down(&stage, "f_hang").await;
    assert!(!why.is_empty());
    assert_eq!(
        say(&stage, "f_hang", "fine").await,
        503,
        "the second hang quarantines"
    );
    neighbour_lives(&stage, "after the hangs").await;
}

#[tokio::test]
async fn files_that_are_no_plugins_are_refused_with_the_reason() {
    let stage = with_faulty(&[
        ("f_magic", &["FAULTY_MAGIC"]),
        ("f_size", &["FAULTY_SIZE"]),
        ("f_symbol", &["FAULTY_ENTRY=some_other_name"]),
        ("f_version", &["FAULTY_ENTRY=tl_adapter_entry_v2"]),
        ("f_note", &["FAULTY_NO_NOTE"]),
        ("f_description", &["FAULTY_DESCRIPTION"]),
    ])
    .await;
    let listed = stage.daemon.cli_ok(&["plugin", "list", "--json"]).await;
    for id in [
        "f_magic",
        "f_size",
        "f_symbol",
        "f_version",
        "f_note",
        "f_description",
    ] {
        let why = why_down(&stage, id).await;
        assert!(why.contains(id), "{id}: the reason does not name it: {why}");
        assert!(
            listed.stdout.contains(id),
            "{id} is not in plugin list: {}",
            listed.stdout
        );
        assert_eq!(say(&stage, id, "fine").await, 503, "{id}");
    }
    neighbour_lives(&stage, "six refusals").await;
}

#[tokio::test]
async fn a_plugin_others_could_change_is_refused() {
    let simulator = trunkline_simulator::Simulator::start().expect("the simulator starts");
    let config = Config::new()
        .channel(twilio(SMS, &simulator))
        .channel(Channel::new("f_open", "f_open"))
        .channel(Channel::new("f_group", "f_group"));
    let mut daemon = Daemon::prepare(config);
    for (id, mode) in [("f_open", 0o666), ("f_group", 0o664)] {
        set_mode(&compile(&daemon, id, "e2e/faulty_plugin.c", &[]), mode);
    }
    daemon.launch().await;
    let stage = Stage { daemon, simulator };
    for id in ["f_open", "f_group"] {
        let why = why_down(&stage, id).await;
        assert!(why.contains("writ"), "{id}: {why}");
    }
    for args in [&["check"][..], &["doctor", "f_open", "--json"]] {
        let told = stage.daemon.cli(args).await.all();
        for words in ["libtrunkline_plugin_f_open.so", "mode 0666", "chmod go-w"] {
            assert!(
                told.contains(words),
                "{args:?} does not say {words}: {told}"
            );
        }
    }
    neighbour_lives(&stage, "a writable plugin").await;
}

#[tokio::test]
async fn a_folder_others_could_change_is_refused_until_it_is_safe() {
    let simulator = trunkline_simulator::Simulator::start().expect("the simulator starts");
    let mut daemon = Daemon::prepare(Config::new().channel(twilio(SMS, &simulator)));
    set_mode(&daemon.file("plugins"), 0o777);
    daemon.launch().await;
    let stage = Stage { daemon, simulator };
    let why = why_down(&stage, SMS).await;
    assert!(why.contains("writ"), "{why}");
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, "not yet")).await, 503);
    set_mode(&stage.daemon.file("plugins"), 0o755);
    stage.daemon.cli_ok(&["reload"]).await;
    stage.daemon.api().wait_health(SMS, "healthy").await;
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, "now")).await, 200);
}

#[tokio::test]
async fn a_missing_plugin_answers_503_and_names_itself() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .channel(twilio(SMS, simulator))
            .channel(Channel::new("lost", "nosuch"))
    })
    .await;
    let why = why_down(&stage, "lost").await;
    assert!(why.contains("nosuch"), "{why}");
    assert_eq!(say(&stage, "lost", "hello").await, 503);
    let reply = stage
        .post(&Request::new("POST", stage.daemon.path("lost")).body("text/plain", "x"))
        .await;
    assert!(
        reply.header("retry-after").is_some(),
        "the provider should know when to come back"
    );
    neighbour_lives(&stage, "a missing plugin").await;
}

#[tokio::test]
async fn a_pinned_plugin_must_be_the_very_file() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .set("plugins.pins.twilio", "0".repeat(64))
            .channel(twilio(SMS, simulator))
    })
    .await;
    let why = why_down(&stage, SMS).await;
    assert!(
        why.to_lowercase().contains("pin") || why.contains("SHA-256"),
        "{why}"
    );
}

#[tokio::test]
async fn a_channel_whose_section_the_adapter_refuses_is_a_configuration_error() {
    let simulator = trunkline_simulator::Simulator::start().expect("the simulator starts");
    let broken = twilio(SMS, &simulator).config("max_len", "many");
    let daemon = Daemon::prepare(Config::new().channel(broken));
    let output = daemon.cli(&["check"]).await;
    assert_eq!(output.code, 78, "{output:?}");
    crate::reload::assert_names_line(&output.all(), "sms_support.toml", "a wrong type");
}

#[tokio::test]
async fn inspect_shows_what_a_plugin_is_and_takes() {
    let stage = Stage::sms().await;
    let shown = stage
        .daemon
        .cli_ok(&["plugin", "inspect", "twilio", "--json"])
        .await
        .json();
    assert_eq!(shown["id"], "twilio");
    let keys = shown.to_string();
    assert!(
        keys.contains("auth_token") && keys.contains("max_len"),
        "{keys}"
    );
    let told = stage.daemon.cli_ok(&["plugin", "inspect", "twilio"]).await;
    assert!(told.stdout.contains("auth_token"), "{told:?}");
    assert_eq!(
        stage
            .daemon
            .cli(&["plugin", "inspect", "nosuch"])
            .await
            .code,
        1
    );
}

#[tokio::test]
async fn a_quarantined_plugin_that_is_replaced_comes_back() {
    let stage = with_faulty(&[("f_panic", &[])]).await;
    // Twice as many: a good check in between begins the count anew.
    for _ in 0..6 {
        say(&stage, "f_panic", "panic").await;
    }
    why_down(&stage, "f_panic").await;
    let file = stage.daemon.file("plugins/libtrunkline_plugin_f_panic.so");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.extend_from_slice(b"repaired");
    std::fs::write(&file, bytes).unwrap();
    stage.daemon.cli_ok(&["reload"]).await;
    eventually("the channel answers again", SOON, || async {
        (say(&stage, "f_panic", "fine").await == 200).then_some(())
    })
    .await;
}
