//! Reload by command and by signal: only what changed restarts, and nobody outside notices.

use std::time::Duration;

use serde_json::Value;
use trunkline_tests::account::balance;
use trunkline_tests::config::Config;
use trunkline_tests::load::{Load, Outcome, Plan};
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{Stage, twilio};

/// Three channels on three numbers of one account.
async fn three() -> Stage {
    Stage::new(|simulator| {
        let on = |id: &str, number: &str| twilio(id, simulator).config("from", number);
        Config::new()
            .channel(on("one", "+15550100"))
            .channel(on("two", "+15550101"))
            .channel(on("three", "+15550102"))
    })
    .await
}

async fn started_at(stage: &Stage, channel: &str) -> Value {
    let channel = stage.daemon.api().channel(channel).await;
    assert!(channel["started_at"].is_string(), "{channel}");
    channel["started_at"].clone()
}

#[tokio::test]
async fn adding_changing_and_removing_a_channel_under_load_disturbs_nobody() {
    let mut stage = three().await;
    let before = [
        started_at(&stage, "one").await,
        started_at(&stage, "two").await,
    ];
    let loads: Vec<_> = ["one", "two"]
        .into_iter()
        .enumerate()
        .map(|(number, channel)| {
            let plan = Plan::new(format!("170000{number}")).rate(250);
            Load::start(stage.daemon.public(), &stage.hook(channel), &plan)
        })
        .collect();
    for load in &loads {
        load.reaches(50).await;
    }

    let three_before = started_at(&stage, "three").await;
    stage
        .daemon
        .rewrite(|config| config.put(config.find("three").clone().config("max_len", 300)));
    stage.daemon.cli_ok(&["reload"]).await;
    assert_ne!(
        started_at(&stage, "three").await,
        three_before,
        "a changed channel starts anew"
    );

    let added = stage
        .daemon
        .config()
        .find("three")
        .clone()
        .renamed("four")
        .config("from", "+15550103");
    stage.daemon.rewrite(|config| config.put(added));
    stage.daemon.cli_ok(&["reload"]).await;
    assert_eq!(
        stage
            .deliver("four", &Sms::new("+15005550104", "to the new one"))
            .await,
        200
    );

    stage.daemon.rewrite(|config| config.remove("three"));
    stage.daemon.cli_ok(&["reload"]).await;
    let channels = stage.daemon.api().all("/api/v1/channels").await;
    let ids: Vec<_> = channels
        .iter()
        .filter_map(|channel| channel["id"].as_str())
        .collect();
    assert!(ids.contains(&"four") && !ids.contains(&"three"), "{ids:?}");

    for load in &loads {
        load.reaches(load.acknowledged() + 50).await;
    }
    let after = [
        started_at(&stage, "one").await,
        started_at(&stage, "two").await,
    ];
    assert_eq!(before, after, "untouched channels must not restart");
    for load in loads {
        let ledger = load.stop().await;
        let bad: Vec<_> = ledger
            .iter()
            .filter(|sent| sent.outcome != Outcome::Acknowledged)
            .collect();
        assert!(
            bad.is_empty(),
            "{} of {} failed: {:?}",
            bad.len(),
            ledger.len(),
            bad.first()
        );
        balance(&stage.daemon.api(), &ledger).await.must_be_right();
    }
}

#[tokio::test]
async fn webhooks_of_the_changed_channel_itself_never_fail() {
    let mut stage = three().await;
    let plan = Plan::new("1700020").rate(500);
    let load = Load::start(stage.daemon.public(), &stage.hook("three"), &plan);
    for max_len in 0..5 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let changed = stage
            .daemon
            .config()
            .find("three")
            .clone()
            .config("max_len", 300 + max_len);
        stage.daemon.rewrite(|config| config.put(changed));
        stage.daemon.cli_ok(&["reload"]).await;
    }
    let ledger = load.stop().await;
    let bad: Vec<_> = ledger
        .iter()
        .filter(|sent| sent.outcome != Outcome::Acknowledged)
        .collect();
    assert!(
        bad.is_empty(),
        "{} of {} failed: {:?}",
        bad.len(),
        ledger.len(),
        bad.first()
    );
    balance(&stage.daemon.api(), &ledger).await.must_be_right();
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_is_named_with_its_line() {
    let stage = three().await;
    let file = stage.daemon.file("channels.d/two.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    let before = started_at(&stage, "two").await;
    let cases = [
        ("not TOML", good.replace("adapter = ", "adapter ")),
        (
            "an unknown key",
            good.replace(
                "[channel.two.config]",
                "enabeld = true\n[channel.two.config]",
            ),
        ),
        (
            "a wrong type",
            good.replace(
                "[channel.two.config]",
                "enabled = \"yes\"\n[channel.two.config]",
            ),
        ),
        (
            "an adapter's unknown key",
            format!("{good}fron = \"+15550101\"\n"),
        ),
    ];
    for (name, text) in cases {
        std::fs::write(&file, text).unwrap();
        let output = stage.daemon.cli(&["reload"]).await;
        assert_ne!(output.code, 0, "{name}: {output:?}");
        assert_names_line(&output.all(), "two.toml", name);
        assert_eq!(started_at(&stage, "two").await, before, "{name}");
        let from = "+15005550110";
        assert_eq!(
            stage.deliver("two", &Sms::new(from, name)).await,
            200,
            "{name}"
        );
    }
    std::fs::write(&file, good).unwrap();
    stage.daemon.cli_ok(&["reload"]).await;
    assert_eq!(
        started_at(&stage, "two").await,
        before,
        "the same file again is no change"
    );
}

/// Some line begins with the file's path, a line number and a message.
pub(crate) fn assert_names_line(text: &str, file: &str, case: &str) {
    let named = text.lines().any(|line| {
        let Some((_, rest)) = line.split_once(&format!("{file}:")) else {
            return false;
        };
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        digits > 0 && rest[digits..].starts_with(':')
    });
    assert!(named, "{case}: nothing begins with {file}:LINE: in\n{text}");
}

#[tokio::test]
async fn sighup_reloads_too() {
    let mut stage = three().await;
    stage.daemon.rewrite(|config| config.remove("two"));
    stage.daemon.signal("HUP");
    let path = stage.daemon.path("one");
    eventually("channel two is gone", SOON, || async {
        let channels = stage.daemon.api().all("/api/v1/channels").await;
        (channels.len() == 2).then_some(())
    })
    .await;
    assert!(path.starts_with("/webhooks/one/"));
    std::fs::write(stage.daemon.file("channels.d/three.toml"), "nonsense = [").unwrap();
    stage.daemon.signal("HUP");
    eventually("the log names the broken file", SOON, || async {
        stage.daemon.log().contains("three.toml:1:").then_some(())
    })
    .await;
    assert_eq!(
        stage
            .deliver("three", &Sms::new("+15005550101", "still here"))
            .await,
        200
    );
}

#[tokio::test]
async fn a_rotated_token_may_overlap_the_old_one() {
    let mut stage = three().await;
    let old = stage.hook("one");
    let tokens = vec![
        "one.0123456789abcdef0123456789abcdef".to_owned(),
        "one.fedcba9876543210fedcba9876543210".to_owned(),
    ];
    stage
        .daemon
        .rewrite(|config| config.put(config.find("one").clone().key("webhook_token", tokens)));
    stage.daemon.cli_ok(&["reload"]).await;
    let mut new = old.clone();
    new.url = new.url.replace(
        "one.0123456789abcdef0123456789abcdef",
        "one.fedcba9876543210fedcba9876543210",
    );
    for hook in [old, new] {
        let request = hook.request(&Sms::new("+15005550101", "either token"));
        assert_eq!(stage.post(&request).await.status, 200, "{}", hook.url);
    }
}

#[tokio::test]
async fn a_replaced_plugin_is_taken_by_a_reload() {
    let stage = three().await;
    let before = stage.daemon.api().channel("one").await["plugin"]["sha256"].clone();
    let plugin = stage.daemon.file("plugins/libtrunkline_plugin_twilio.so");
    let mut bytes = std::fs::read(&plugin).unwrap();
    // Bytes behind the end of an ELF file change its hash and nothing else.
    bytes.extend_from_slice(b"another build");
    std::fs::write(&plugin, bytes).unwrap();
    stage.daemon.cli_ok(&["reload"]).await;
    let after = stage.daemon.api().channel("one").await["plugin"]["sha256"].clone();
    assert_ne!(before, after);
    assert_eq!(
        stage
            .deliver("one", &Sms::new("+15005550101", "by the new plugin"))
            .await,
        200
    );
}
