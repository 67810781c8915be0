//! The command line: checks, exit codes, lists in JSON, and the demo.

use std::time::Duration;

use serde_json::Value;
use trunkline_simulator::Simulator;
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::daemon::{Daemon, Output, trunkline};
use trunkline_tests::twilio::Sms;

use crate::reload::assert_names_line;
use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";

/// A daemon that is only configured.
fn configured() -> (Daemon, Simulator) {
    let simulator = Simulator::start().expect("the simulator starts");
    let daemon = Daemon::prepare(Config::new().channel(twilio(SMS, &simulator)));
    (daemon, simulator)
}

#[tokio::test]
async fn check_passes_a_good_configuration() {
    let (daemon, _simulator) = configured();
    daemon.cli_ok(&["check"]).await;
}

#[tokio::test]
async fn check_and_run_name_what_is_wrong_with_file_and_line_and_exit_78() {
    let (daemon, _simulator) = configured();
    let main = std::fs::read_to_string(daemon.config_file()).unwrap();
    let channel_file = daemon.file("channels.d/sms_support.toml");
    let channel = std::fs::read_to_string(&channel_file).unwrap();
    let cases = [
        (
            "a main file that is no TOML",
            true,
            format!("{main}\nthis is not toml"),
            "",
        ),
        (
            "an unknown section",
            true,
            format!("{main}\n[servre]\nx = 1\n"),
            "server",
        ),
        (
            "an unknown key",
            true,
            main.replace("drain", "drian"),
            "drain",
        ),
        (
            "a bad duration",
            true,
            main.replace("\"5s\"", "\"five\""),
            "duration",
        ),
        (
            "a bad address",
            true,
            main.replace("127.0.0.1:0", "localhost-8080"),
            "",
        ),
        (
            "a channel's unknown key",
            false,
            channel.replace("organization", "organisation"),
            "organization",
        ),
        (
            "an adapter's unknown key",
            false,
            channel.replace("auth_token", "auth_tokn"),
            "auth_token",
        ),
        (
            "a missing secret file",
            false,
            secret_file(&channel),
            "nowhere",
        ),
        (
            "a bad id",
            false,
            channel.replace("sms_support", "SMS-Support"),
            "",
        ),
        (
            "a missing adapter",
            false,
            without_line(&channel, "adapter"),
            "adapter",
        ),
    ];
    for (name, in_main, text, word) in cases {
        let file = if in_main {
            daemon.config_file()
        } else {
            channel_file.clone()
        };
        std::fs::write(&file, text).unwrap();
        let checked = daemon.cli(&["check"]).await;
        let ran = daemon.cli(&["run"]).await;
        std::fs::write(daemon.config_file(), &main).unwrap();
        std::fs::write(&channel_file, &channel).unwrap();
        for (verb, output) in [("check", &checked), ("run", &ran)] {
            assert_eq!(output.code, 78, "{name}: {verb}: {output:?}");
            let file = file.file_name().unwrap().to_str().unwrap();
            assert_names_line(&output.all(), file, name);
            assert!(
                output.all().contains(word),
                "{name}: {verb} does not say {word:?}: {output:?}"
            );
        }
    }
}

fn secret_file(channel: &str) -> String {
    let line = channel
        .lines()
        .find(|line| line.starts_with("auth_token"))
        .unwrap();
    channel.replace(line, "auth_token = { file = \"/nowhere/at/all\" }")
}

fn without_line(text: &str, key: &str) -> String {
    let kept: Vec<_> = text.lines().filter(|line| !line.starts_with(key)).collect();
    kept.join("\n")
}

#[tokio::test]
async fn a_missing_file_and_a_wrong_verb_have_their_codes() {
    let missing = trunkline(&["check", "-c", "/nowhere/trunkline.toml"]).await;
    assert_eq!(missing.code, 78, "{missing:?}");
    assert!(
        missing.all().contains("/nowhere/trunkline.toml"),
        "{missing:?}"
    );
    for args in [&["frobnicate"][..], &["run", "--no-such-flag"], &[]] {
        let output = trunkline(args).await;
        assert_eq!(output.code, 64, "{args:?}: {output:?}");
    }
    assert_eq!(
        trunkline(&["--version"])
            .await
            .ok()
            .stdout
            .split_whitespace()
            .next(),
        Some("trunkline")
    );
    assert!(trunkline(&["--help"]).await.ok().stdout.contains("reload"));
}

#[tokio::test]
async fn commands_without_a_daemon_say_so() {
    let (daemon, _simulator) = configured();
    for args in [&["channel", "list"][..], &["reload"], &["token", "list"]] {
        let output = daemon.cli(args).await;
        assert_eq!(output.code, 1, "{args:?}: {output:?}");
        assert!(output.stderr.contains("admin.sock"), "{args:?}: {output:?}");
    }
}

#[tokio::test]
async fn environment_variables_override_the_file() {
    let (daemon, _simulator) = configured();
    let config = daemon.config_file();
    let output = std::process::Command::new(trunkline_tests::built::binary())
        .args(["check", "-c"])
        .arg(config)
        .env("TRUNKLINE__SERVER__DRAIN", "not a time")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("TRUNKLINE__SERVER__DRAIN"), "{said}");
}

#[tokio::test]
async fn every_list_is_a_table_for_people_and_json_for_programs() {
    let stage = Stage::sms().await;
    stage.deliver(SMS, &Sms::new(ADA, "listed")).await;
    let sent = stage
        .daemon
        .cli(&["send", SMS, ADA, "by hand", "--json"])
        .await;
    let id = sent.ok().json()["id"]
        .as_str()
        .expect("send prints the id")
        .to_owned();
    stage.daemon.api().wait_status(&id, "sent").await;
    for (verb, word) in [
        ("channel", SMS),
        ("contact", ADA),
        ("thread", "open"),
        ("event", SMS),
        ("outbox", ""),
        ("plugin", "twilio"),
        ("token", "owner"),
    ] {
        let table = stage.daemon.cli_ok(&[verb, "list"]).await;
        assert!(
            serde_json::from_str::<Value>(&table.stdout).is_err(),
            "{verb}: JSON for people: {table:?}"
        );
        let json = stage.daemon.cli_ok(&[verb, "list", "--json"]).await;
        assert!(
            !items(&json).is_empty() || word.is_empty(),
            "{verb}: {json:?}"
        );
        assert!(
            json.stdout.contains(word),
            "{verb} list --json lacks {word}: {json:?}"
        );
    }
}

/// The items of a printed list, whether bare or as the API wraps them.
fn items(output: &Output) -> Vec<Value> {
    let json = output.json();
    let items = json.get("items").unwrap_or(&json);
    items
        .as_array()
        .unwrap_or_else(|| panic!("not a list: {json}"))
        .clone()
}

#[tokio::test]
async fn channels_are_tested_and_toggled() {
    let stage = Stage::sms().await;
    let tested = stage.daemon.cli_ok(&["channel", "test", SMS]).await;
    assert!(tested.all().contains("healthy"), "{tested:?}");
    stage.daemon.cli_ok(&["channel", "disable", SMS]).await;
    assert_eq!(stage.daemon.api().channel(SMS).await["enabled"], false);
    stage.daemon.cli_ok(&["channel", "enable", SMS]).await;
    assert_eq!(stage.daemon.api().channel(SMS).await["enabled"], true);
    let unknown = stage.daemon.cli(&["channel", "test", "nobody"]).await;
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert!(unknown.stderr.contains("no such channel"), "{unknown:?}");
    stage.simulator.twilio().rotate_auth_token();
    let failed = stage.daemon.cli(&["channel", "test", SMS]).await;
    assert_eq!(
        failed.code, 1,
        "a failed test must not look like a success: {failed:?}"
    );
}

#[tokio::test]
async fn check_says_what_a_reload_would_do() {
    let mut stage = Stage::sms().await;
    let second = twilio("second", &stage.simulator).config("from", "+15550101");
    stage.daemon.rewrite(|config| config.put(second));
    let output = stage.daemon.cli_ok(&["check"]).await;
    assert!(output.all().contains("second"), "{output:?}");
}

#[tokio::test]
async fn secrets_stay_out_of_everything_printed() {
    let stage = Stage::sms().await;
    let secret = stage.hook(SMS).auth_token;
    for args in [
        &["check"][..],
        &["channel", "list", "--json"],
        &["channel", "test", SMS],
        &["plugin", "list", "--json"],
    ] {
        let output = stage.daemon.cli(args).await;
        assert!(
            !output.all().contains(&secret),
            "{args:?} prints the auth token"
        );
    }
    assert!(
        !stage
            .daemon
            .api()
            .channel(SMS)
            .await
            .to_string()
            .contains(&secret)
    );
}

#[tokio::test]
async fn the_demo_tells_its_story_and_exits_0() {
    let demo = trunkline(&["demo", "--once"]);
    let output = tokio::time::timeout(Duration::from_secs(60), demo).await;
    let output = output.expect("the demo ends by itself").ok();
    let text = output.stdout.to_lowercase();
    for word in [
        "duplicate",
        "forger",
        "burst",
        "one signed webhook",
        "delivered",
    ] {
        assert!(text.contains(word), "the story lacks {word:?}: {output:?}");
    }
    for channel in [
        "sms by twilio",
        "sms by vonage",
        "whatsapp by meta",
        "whatsapp by twilio",
    ] {
        assert!(text.contains(channel), "{channel} is not there: {output:?}");
    }
    for channel in ["e-mail", "chat", "webhook"] {
        assert!(
            text.contains(&format!("✓ {channel}: ")),
            "{channel}: {output:?}"
        );
    }
}

#[tokio::test]
async fn the_demo_stays_until_it_is_interrupted_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = std::process::Command::new(trunkline_tests::built::binary())
        .arg("demo")
        .env("TMPDIR", folder.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let pid = demo.id().to_string();
    let stdout = demo.stdout.take().unwrap();
    let read = tokio::task::spawn_blocking(move || {
        use std::io::BufRead as _;
        let mut said = String::new();
        for line in std::io::BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
        {
            said.push_str(&line);
            said.push('\n');
            if line.contains("http://127.0.0.1:") && line.to_lowercase().contains("admin") {
                // On screen and left there: now it waits.
                let _ = std::process::Command::new("kill")
                    .args(["-s", "INT", &pid])
                    .status();
            }
        }
        said
    });
    let said = tokio::time::timeout(Duration::from_secs(60), read).await;
    let Ok(said) = said else {
        demo.kill().unwrap();
        demo.wait().unwrap();
        panic!("the demo showed no admin address or did not end on Ctrl-C");
    };
    let status = demo.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{}", said.unwrap());
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn check_misses_a_webhook_token_only_where_webhooks_come_in() {
    let bare = |id: &str, adapter: &str| Channel::new(id, adapter).without("webhook_token");
    let daemon = Daemon::prepare(
        Config::new()
            .channel(bare("page", "chat"))
            .channel(bare("mails", "email").config("from", "us@example.org"))
            .channel(bare("hooks", "webhook").config("secret", "s".repeat(32))),
    );
    let said = daemon.cli_ok(&["check"]).await.stderr;
    let missed: Vec<_> = said
        .lines()
        .filter(|line| line.contains("no webhook_token"))
        .collect();
    assert!(
        missed.len() == 1 && missed[0].contains("channel.hooks"),
        "{said}"
    );
}
