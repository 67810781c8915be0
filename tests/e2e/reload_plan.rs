//! What a reload would do is told beforehand, in the same words everywhere, and changes nothing.

use trunkline_tests::built::set_mode;
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::daemon::Daemon;

use crate::plugins::compile;
use crate::stage::{SMS, Stage, twilio};

#[tokio::test]
async fn check_dry_run_and_api_tell_the_same_plan() {
    let mut stage = Stage::new(|simulator| {
        Config::new()
            .channel(twilio(SMS, simulator))
            .channel(twilio("gone", simulator).config("from", "+15550101"))
            .channel(twilio("kept", simulator).config("from", "+15550102"))
    })
    .await;
    let api = stage.daemon.api();
    let before = api.all("/api/v1/channels").await;
    let changed = stage.daemon.config().find(SMS).clone();
    let changed = changed
        .config("max_len", 300)
        .key("display_name", "Support");
    let added = twilio("new", &stage.simulator).config("from", "+15550103");
    stage.daemon.rewrite(|config| {
        config.remove("gone");
        config.put(changed);
        config.put(added);
        *config = config
            .clone()
            .set("server.permits_per_channel", 128)
            .set("server.drain", "6s");
    });
    let dry = stage.daemon.cli_ok(&["reload", "--dry-run"]).await.stdout;
    let words = "\
start    new
stop     gone
restart  sms_support (config.max_len, display_name)
keep     kept
apply    server.drain
waits for a restart of the daemon: server.permits_per_channel
";
    assert_eq!(dry, words);
    assert_eq!(stage.daemon.cli_ok(&["check"]).await.stdout, words);
    let json = stage.daemon.cli_ok(&["check", "--json"]).await.json();
    assert_eq!(
        (json["valid"].clone(), json["daemon"].clone()),
        (true.into(), true.into())
    );
    let got = api.get("/api/v1/reload").await;
    let posted = api
        .post("/api/v1/reload?dry_run=true", &serde_json::Value::Null)
        .await;
    assert_eq!(posted.status, 200, "{posted:?}");
    for plan in [&json["plan"], &got, &posted.json] {
        assert_eq!(plan["summary"], words.trim_end());
        assert_eq!(plan["start"], serde_json::json!(["new"]));
        assert_eq!(
            plan["needs_restart"],
            serde_json::json!(["server.permits_per_channel"])
        );
    }
    let after = api.all("/api/v1/channels").await;
    let started = |channels: &[serde_json::Value]| {
        let started = channels.iter().map(|channel| channel["started_at"].clone());
        started.collect::<Vec<_>>()
    };
    assert_eq!(started(&before), started(&after), "nothing was touched");
}

#[tokio::test]
async fn a_plugins_new_version_is_told_with_what_it_changes() {
    let simulator = trunkline_simulator::Simulator::start().expect("the simulator starts");
    let config = Config::new()
        .channel(twilio(SMS, &simulator))
        .channel(Channel::new("faulty", "f_new"));
    let mut daemon = Daemon::prepare(config);
    compile(&daemon, "f_new", "e2e/faulty_plugin.c", &[]);
    daemon.launch().await;
    let api = daemon.api();
    let old = api.channel("faulty").await["plugin"]["sha256"].clone();
    compile(&daemon, "f_new", "e2e/faulty_plugin.c", &["FAULTY_SECOND"]);
    let bad = daemon.file("plugins/libtrunkline_plugin_bad.so");
    std::fs::write(&bad, "not a library").expect("written");
    set_mode(&bad, 0o644);
    let open = compile(&daemon, "f_open", "e2e/faulty_plugin.c", &[]);
    set_mode(&open, 0o666);

    let plan = daemon.cli_ok(&["check", "--json"]).await.json()["plan"].clone();
    let change = &plan["plugins"][0];
    assert_eq!(change["adapter"], "f_new");
    assert_eq!(change["from"]["version"], "0.1.0");
    assert_eq!(change["from"]["sha256"], old);
    assert_eq!(change["to"]["version"], "0.2.0");
    assert_eq!(
        change["capabilities_added"],
        serde_json::json!(["fetch_media"])
    );
    assert_eq!(change["keys_added"], serde_json::json!(["depth"]));
    assert_eq!(change["channels"], serde_json::json!(["faulty"]));
    let words = plan["summary"].as_str().expect("words");
    for line in [
        "restart  faulty (plugin f_new changed)",
        "keep     sms_support",
        "plugin   f_new 0.1.0 (",
        "           keys that are new: depth",
        &format!("refuse   {}: is not a shared library", bad.display()),
        &format!("chmod go-w {}", open.display()),
    ] {
        assert!(words.contains(line), "{line} is not in\n{words}");
    }
    assert_eq!(
        api.channel("faulty").await["plugin"]["sha256"],
        old,
        "nothing was touched"
    );
    let said = daemon.cli_ok(&["reload"]).await.stdout;
    assert!(
        said.contains("Plugin f_new: version 0.1.0, now 0.2.0."),
        "{said}"
    );
    assert_eq!(api.channel("faulty").await["plugin"]["version"], "0.2.0");
    // Without a daemon the refused files are told too.
    daemon.terminate().await;
    let plan = daemon.cli_ok(&["check"]).await.stdout;
    assert!(
        plan.contains("start    faulty") && plan.contains("chmod go-w"),
        "{plan}"
    );
}
