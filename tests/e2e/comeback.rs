//! A channel that a reload would break goes on with what it ran with, says so, and loses nothing.

use serde_json::json;
use trunkline_simulator::{Behaviour, Endpoint};
use trunkline_tests::account::balance;
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::daemon::Daemon;
use trunkline_tests::load::{Load, Outcome, Plan};
use trunkline_tests::wait::{SOON, eventually};

use crate::plugins::compile;
use crate::stage::{SMS, Stage, twilio};

/// Writes another auth token into the channel's file.
fn set_token(stage: &mut Stage, token: &str) {
    let changed = stage
        .daemon
        .config()
        .find(SMS)
        .clone()
        .config("auth_token", token);
    stage.daemon.rewrite(|config| config.put(changed));
}

/// One channel whose last check was good.
async fn good(config: Config) -> Stage {
    let stage = Stage::new(|simulator| config.channel(twilio(SMS, simulator))).await;
    stage.daemon.api().wait_health(SMS, "healthy").await;
    stage
}

#[tokio::test]
async fn a_refused_credential_is_taken_back_under_load() {
    let mut stage = good(Config::new()).await;
    let api = stage.daemon.api();
    let right = stage.simulator.twilio().auth_token();
    let inbound = Load::start(
        stage.daemon.public(),
        &stage.hook(SMS),
        &Plan::new("1500777").rate(200),
    );
    let mut sent = Vec::new();
    for round in 0..4 {
        set_token(&mut stage, &format!("wrong-{round}"));
        for number in 0..5 {
            let to = format!("+1500666{round}{number:03}");
            sent.push(api.send_text(SMS, &to, "once").await);
        }
        let output = stage.daemon.cli(&["reload"]).await;
        assert_eq!(output.code, 1, "{output:?}");
        for words in [
            "went back to its previous configuration",
            "config.auth_token",
        ] {
            assert!(output.stderr.contains(words), "{output:?}");
        }
        assert!(
            !output.all().contains("wrong-"),
            "a secret is shown: {output:?}"
        );
    }
    let channel = api.channel(SMS).await;
    assert_eq!(channel["configuration"]["state"], "previous", "{channel}");
    assert_eq!(
        channel["configuration"]["keys"],
        json!(["config.auth_token"])
    );
    assert_eq!(channel["health"]["status"], "healthy", "{channel}");
    let list = stage.daemon.cli_ok(&["channel", "list"]).await.stdout;
    assert!(list.contains("previous"), "{list}");
    let notice = api
        .wait_notification("configuration_returned", |_| true)
        .await;
    assert!(
        notice.to_string().contains("a restart of the daemon"),
        "{notice}"
    );
    assert_eq!(api.metric("trunkline_configuration_returns_total").await, 4);
    assert!(
        stage
            .daemon
            .log()
            .contains("went back to its previous configuration")
    );

    set_token(&mut stage, &right);
    stage.daemon.cli_ok(&["reload"]).await;
    assert_eq!(api.channel(SMS).await["configuration"]["state"], "current");
    for id in &sent {
        api.wait_status(id, "sent").await;
    }
    assert_eq!(
        stage.simulator.twilio().message_count() - inbound_count(&stage),
        sent.len()
    );
    inbound.reaches(50).await;
    let ledger = inbound.stop().await;
    let bad = ledger
        .iter()
        .find(|sent| sent.outcome != Outcome::Acknowledged);
    assert!(bad.is_none(), "a webhook was not taken: {bad:?}");
    balance(&api, &ledger).await.must_be_right();
}

/// Messages that came from people, by the simulator's ledger.
fn inbound_count(stage: &Stage) -> usize {
    stage.simulator.twilio().inbound_messages().len()
}

#[tokio::test]
async fn a_provider_in_trouble_is_no_reason_to_go_back() {
    let mut stage = good(Config::new().set("health.interval", "1h")).await;
    let trouble = Behaviour::Status {
        code: 503,
        twilio_code: None,
        message: "unavailable".into(),
        times: None,
        retry_after: None,
    };
    stage
        .simulator
        .twilio()
        .set_behaviour_of(Endpoint::Account, trouble);
    stage
        .simulator
        .twilio()
        .set_behaviour_of(Endpoint::Balance, Behaviour::ResetAfterRead);
    let changed = stage
        .daemon
        .config()
        .find(SMS)
        .clone()
        .config("max_len", 300);
    stage.daemon.rewrite(|config| config.put(changed));
    stage.daemon.cli_ok(&["reload"]).await;
    let channel = stage.daemon.api().channel(SMS).await;
    assert_eq!(channel["configuration"]["state"], "current", "{channel}");
}

#[tokio::test]
async fn the_policy_can_keep_the_new_configuration() {
    let mut stage = good(Config::new().set("reload.on_failed_probe", "keep")).await;
    set_token(&mut stage, "wrong");
    stage.daemon.cli_ok(&["reload"]).await;
    let channel = stage.daemon.api().wait_health(SMS, "down").await;
    assert_eq!(channel["configuration"]["state"], "current", "{channel}");
    // What was in trouble before has nothing to go back to.
    stage.daemon.rewrite(|config| {
        *config = config.clone().set("reload.on_failed_probe", "return");
    });
    set_token(&mut stage, "also wrong");
    stage.daemon.cli_ok(&["reload"]).await;
    let channel = stage.daemon.api().channel(SMS).await;
    assert_eq!(channel["configuration"]["state"], "current", "{channel}");
}

#[tokio::test]
async fn a_plugin_that_breaks_its_channel_is_taken_back_for_it() {
    let simulator = trunkline_simulator::Simulator::start().expect("the simulator starts");
    let config = Config::new().channel(Channel::new("faulty", "f_back"));
    let mut daemon = Daemon::prepare(config);
    compile(&daemon, "f_back", "e2e/faulty_plugin.c", &[]);
    daemon.launch().await;
    let stage = Stage { daemon, simulator };
    let api = stage.daemon.api();
    api.wait_health("faulty", "healthy").await;
    let old = api.channel("faulty").await["plugin"]["sha256"].clone();
    compile(
        &stage.daemon,
        "f_back",
        "e2e/faulty_plugin.c",
        &["FAULTY_SECOND", "FAULTY_PROBE"],
    );
    for _ in 0..2 {
        let output = stage.daemon.cli(&["reload"]).await;
        assert_eq!(output.code, 1, "{output:?}");
        let channel = api.channel("faulty").await;
        assert_eq!(channel["configuration"]["state"], "previous", "{channel}");
        assert_eq!(channel["plugin"]["sha256"], old, "{channel}");
    }
    // Switching it off and on starts it from what it runs with.
    stage.daemon.cli_ok(&["channel", "disable", "faulty"]).await;
    stage.daemon.cli_ok(&["channel", "enable", "faulty"]).await;
    assert_eq!(api.channel("faulty").await["plugin"]["sha256"], old);
    compile(
        &stage.daemon,
        "f_back",
        "e2e/faulty_plugin.c",
        &["FAULTY_SECOND"],
    );
    eventually("its check is good again", SOON, || async {
        let channel = api.channel("faulty").await;
        (channel["health"]["status"] == "healthy").then_some(())
    })
    .await;
    stage.daemon.cli_ok(&["reload"]).await;
    let channel = api.channel("faulty").await;
    assert_eq!(channel["configuration"]["state"], "current", "{channel}");
    assert_eq!(channel["plugin"]["version"], "0.2.0");
}
