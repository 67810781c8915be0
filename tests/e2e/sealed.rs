//! Secrets: sealed ones open where they belong and nowhere else, keys rotate, files are read anew by a
//! reload, and nothing of all that is ever printed.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use trunkline_simulator::Simulator;
use trunkline_tests::built::{binary, set_mode};
use trunkline_tests::config::Config;
use trunkline_tests::daemon::{Daemon, Output};
use trunkline_tests::http::Request;
use trunkline_tests::twilio::{Hook, Sms};
use trunkline_tests::wait::blocking;

use crate::reload::assert_names_line;
use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";

/// Runs a command with this on its standard input.
async fn say(daemon: &Daemon, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(binary());
    command.args(args).arg("-c").arg(daemon.config_file());
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let input = input.to_owned();
    blocking(move || {
        let mut child = command.spawn().expect("the binary can be run");
        let mut stdin = child.stdin.take().expect("piped");
        stdin
            .write_all(input.as_bytes())
            .expect("it reads its input");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    })
    .await
}

/// Seals a secret for a place, by the command line.
async fn seal(daemon: &Daemon, place: &str, secret: &str) -> Value {
    let args = ["secret", "seal", place, "--json"];
    let sealed = say(daemon, &args, &format!("{secret}\n")).await.ok().json();
    assert_eq!(sealed["place"], place);
    json!({"sealed": sealed["sealed"]})
}

/// Makes a key in a file of the daemon's folder.
async fn keygen(daemon: &Daemon, name: &str) {
    let file = daemon.file(name);
    let path = file.to_string_lossy().into_owned();
    daemon.cli_ok(&["secret", "keygen", "--out", &path]).await;
}

/// A folder with a key and one channel whose token is sealed; the daemon does not run yet.
async fn prepared() -> Stage {
    let simulator = Simulator::start().expect("the simulator starts");
    let config = Config::new()
        .set("secrets.key", json!({"file": "one.key"}))
        .channel(twilio(SMS, &simulator));
    let mut daemon = Daemon::prepare(config);
    keygen(&daemon, "one.key").await;
    let token = simulator.twilio().auth_token();
    let sealed = seal(&daemon, "channel.sms_support.config.auth_token", &token).await;
    daemon.rewrite(|config| config.put(config.find(SMS).clone().config("auth_token", sealed)));
    Stage { daemon, simulator }
}

/// Delivers a message signed with the account's token.
async fn deliver(stage: &Stage, channel: &str, text: &str) -> u16 {
    let hook = Hook {
        url: stage.daemon.url(channel),
        account_sid: stage.simulator.twilio().account_sid(),
        auth_token: stage.simulator.twilio().auth_token(),
    };
    stage.post(&hook.request(&Sms::new(ADA, text))).await.status
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("the file can be read")
}

#[tokio::test]
async fn a_channel_runs_on_a_sealed_secret_and_nothing_shows_it() {
    let mut stage = prepared().await;
    stage.daemon.launch().await;
    stage.daemon.api().wait_health(SMS, "healthy").await;
    assert_eq!(deliver(&stage, SMS, "sealed").await, 200);
    let key = read(&stage.daemon.file("one.key")).trim().to_owned();
    let token = stage.simulator.twilio().auth_token();
    let commands: [&[&str]; 9] = [
        &["check"],
        &["check", "--json"],
        &["reload", "--json"],
        &["secret", "list"],
        &["secret", "list", "--json"],
        &["secret", "rotate"],
        &["secret", "rotate", "--dry-run", "--json"],
        &["channel", "show", SMS],
        &["doctor", SMS],
    ];
    let mut seen = stage.daemon.log();
    for args in commands {
        seen.push_str(&stage.daemon.cli(args).await.all());
    }
    seen.push_str(&stage.daemon.api().channel(SMS).await.to_string());
    seen.push_str(&read(Path::new(&format!(
        "/proc/{}/cmdline",
        stage.daemon.pid()
    ))));
    for secret in [&key, &token] {
        assert!(
            !seen.contains(secret.as_str()),
            "{secret} is shown in\n{seen}"
        );
    }
    let listed = stage
        .daemon
        .cli_ok(&["secret", "list", "--json"])
        .await
        .json();
    let items = listed["items"].as_array().expect("a list");
    let form = |place: &str| {
        let found = items.iter().find(|item| item["place"] == place);
        found.map(|item| item["form"].clone())
    };
    assert_eq!(
        form("channel.sms_support.config.auth_token"),
        Some(json!("sealed"))
    );
    assert_eq!(
        form("channel.sms_support.webhook_token"),
        Some(json!("plain"))
    );
    let check = stage.daemon.cli_ok(&["check"]).await;
    let warned = check
        .stderr
        .lines()
        .filter(|line| line.contains("plain sight"));
    let warned: Vec<_> = warned.collect();
    assert_eq!(warned.len(), 1, "{check:?}");
    assert!(
        warned[0].contains("sms_support.toml:") && warned[0].contains("webhook_token"),
        "{warned:?}"
    );
}

#[tokio::test]
async fn a_key_is_made_once_and_for_its_owner_alone() {
    let daemon = Daemon::prepare(Config::new());
    keygen(&daemon, "one.key").await;
    let file = daemon.file("one.key");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let before = read(&file);
    let path = file.to_string_lossy().into_owned();
    let again = daemon.cli(&["secret", "keygen", "--out", &path]).await;
    assert_eq!(again.code, 1, "{again:?}");
    assert_eq!(read(&file), before, "a key is never replaced");
    let printed = daemon.cli_ok(&["secret", "keygen"]).await;
    assert_eq!(printed.stdout.trim().len(), 44, "32 bytes in base64");
    let misplaced = daemon.cli(&["secret", "seal", "server.listen"]).await;
    assert_eq!(misplaced.code, 64, "{misplaced:?}");
    let without = daemon
        .cli(&["secret", "seal", "channel.a.webhook_token"])
        .await;
    assert_eq!(without.code, 1);
    assert!(without.stderr.contains("secret keygen"), "{without:?}");
}

#[tokio::test]
async fn keys_rotate_under_a_running_daemon() {
    let mut stage = prepared().await;
    stage.daemon.launch().await;
    let started = stage.daemon.api().channel(SMS).await["started_at"].clone();
    keygen(&stage.daemon, "two.key").await;
    let both = json!([{"file": "two.key"}, {"file": "one.key"}]);
    stage
        .daemon
        .rewrite(|config| *config = config.clone().set("secrets.key", both));
    let file = stage.daemon.file("channels.d/sms_support.toml");
    let text = format!("# kept\n{}", read(&file));
    std::fs::write(&file, &text).expect("written");
    set_mode(&file, 0o640);
    let dry = stage
        .daemon
        .cli_ok(&["secret", "rotate", "--dry-run"])
        .await;
    assert!(dry.stdout.contains("auth_token"), "{dry:?}");
    assert_eq!(read(&file), text);
    let done = stage
        .daemon
        .cli_ok(&["secret", "rotate", "--json"])
        .await
        .json();
    assert_eq!(
        done["files"][0]["sealed_anew"],
        json!(["channel.sms_support.config.auth_token"])
    );
    let now = read(&file);
    assert!(now.starts_with("# kept\n") && now != text);
    let backup = done["files"][0]["backup"].as_str().expect("a path");
    assert_eq!(read(Path::new(backup)), text);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o640);
    // The old key is no longer needed.
    let main = stage.daemon.config_file();
    let without = read(&main).replace(", {\"file\" = \"one.key\"}", "");
    let without = without.replace(", { \"file\" = \"one.key\" }", "");
    assert!(!without.contains("one.key"), "{without}");
    std::fs::write(&main, without).expect("written");
    std::fs::remove_file(stage.daemon.file("one.key")).expect("removed");
    stage.daemon.cli_ok(&["reload"]).await;
    assert_eq!(
        stage.daemon.api().channel(SMS).await["started_at"],
        started,
        "it is the same secret"
    );
    assert_eq!(deliver(&stage, SMS, "after the rotation").await, 200);
    let again = stage.daemon.cli_ok(&["secret", "rotate"]).await;
    assert!(again.stdout.contains("Nothing to do"), "{again:?}");
}

#[tokio::test]
async fn a_value_that_does_not_open_is_refused_and_the_old_one_goes_on() {
    let mut stage = prepared().await;
    stage.daemon.launch().await;
    let file = stage.daemon.file("channels.d/sms_support.toml");
    let good = read(&file);
    std::fs::write(
        &file,
        good.replace("[channel.sms_support", "[channel.sms_other"),
    )
    .expect("written");
    let copied = stage.daemon.cli(&["check"]).await;
    assert_eq!(copied.code, 78, "{copied:?}");
    assert!(
        copied.stderr.contains("sealed for another place"),
        "{copied:?}"
    );
    assert_names_line(&copied.stderr, "sms_support.toml", "a copied value");
    std::fs::write(&file, &good).expect("written");
    let key = stage.daemon.file("one.key");
    let old = read(&key);
    std::fs::remove_file(&key).expect("removed");
    keygen(&stage.daemon, "one.key").await;
    for args in [&["reload"][..], &["check"], &["secret", "rotate"]] {
        let refused = stage.daemon.cli(args).await;
        assert_eq!(refused.code, 78, "{refused:?}");
        assert!(
            refused.stderr.contains("was sealed with key"),
            "{refused:?}"
        );
    }
    let json = stage.daemon.cli(&["check", "--json"]).await;
    assert_eq!(
        (json.code, json.json()["valid"].clone()),
        (78, json!(false))
    );
    assert_eq!(deliver(&stage, SMS, "still here").await, 200);
    std::fs::write(&key, old).expect("written");
    stage.daemon.cli_ok(&["reload"]).await;
}

#[tokio::test]
async fn files_of_secrets_are_read_anew_and_touch_their_channels_alone() {
    let mut stage = Stage::new(|simulator| {
        Config::new()
            .channel(twilio("one", simulator))
            .channel(twilio("two", simulator).config("from", "+15550101"))
    })
    .await;
    let write = |stage: &Stage, name: &str, text: &str| {
        let file = stage.daemon.file(name);
        std::fs::write(&file, format!("{text}\n")).expect("written");
        set_mode(&file, 0o600);
    };
    let token = |letter: &str| format!("one.{}", letter.repeat(32));
    write(&stage, "auth", &stage.simulator.twilio().auth_token());
    write(&stage, "old", &token("a"));
    let tokens = json!([{"file": "old"}]);
    let changed = stage.daemon.config().find("one").clone();
    let changed = changed
        .config("auth_token", json!({"file": "auth"}))
        .key("webhook_token", tokens);
    stage.daemon.rewrite(|config| config.put(changed));
    stage.daemon.cli_ok(&["reload"]).await;
    let started = |channel: Value| channel["started_at"].clone();
    let one = started(stage.daemon.api().channel("one").await);
    let two = started(stage.daemon.api().channel("two").await);

    let fresh = stage.simulator.twilio().rotate_auth_token();
    write(&stage, "auth", &fresh);
    let plan = stage.daemon.cli_ok(&["reload", "--dry-run"]).await.stdout;
    assert!(plan.contains("restart  one (config.auth_token)"), "{plan}");
    stage.daemon.cli_ok(&["reload"]).await;
    assert_ne!(started(stage.daemon.api().channel("one").await), one);
    assert_eq!(started(stage.daemon.api().channel("two").await), two);
    stage.daemon.api().wait_health("one", "healthy").await;

    // Both tokens while one is being replaced, then the new one alone.
    let post = async |stage: &Stage, token: &str| {
        let hook = Hook {
            url: stage
                .daemon
                .url("two")
                .replace(&stage.daemon.path("two"), &format!("/webhooks/one/{token}")),
            account_sid: stage.simulator.twilio().account_sid(),
            auth_token: fresh.clone(),
        };
        let request: Request = hook.request(&Sms::new(ADA, "by a token"));
        stage.post(&request).await.status
    };
    write(&stage, "new", &token("b"));
    for (files, old_answer) in [
        (json!([{"file": "new"}, {"file": "old"}]), 200),
        (json!([{"file": "new"}]), 404),
    ] {
        let changed = stage
            .daemon
            .config()
            .find("one")
            .clone()
            .key("webhook_token", files);
        stage.daemon.rewrite(|config| config.put(changed));
        let plan = stage.daemon.cli_ok(&["reload", "--dry-run"]).await.stdout;
        assert!(plan.contains("update   one (webhook_token)"), "{plan}");
        stage.daemon.cli_ok(&["reload"]).await;
        assert_eq!(post(&stage, &token("b")).await, 200);
        assert_eq!(post(&stage, &token("a")).await, old_answer);
    }
}
