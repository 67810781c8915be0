//! The doctor names what is wrong with a channel.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use trunkline_simulator::{Simulator, sign_form};
use trunkline_tests::built::set_mode;
use trunkline_tests::config::Config;
use trunkline_tests::daemon::Daemon;
use trunkline_tests::http::Request;
use trunkline_tests::port::free_port;
use trunkline_tests::twilio::{Hook, Sms};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";
const PUBLIC_URL: &str = "https://hooks.example.org";

/// A stage behind a proxy: providers know it by another name.
async fn behind_a_proxy() -> Stage {
    Stage::new(|simulator| proxied(simulator).channel(twilio(SMS, simulator))).await
}

fn proxied(_: &Simulator) -> Config {
    let listen = format!("127.0.0.1:{}", free_port());
    Config::new()
        .set("server.listen", listen)
        .set("server.public_url", PUBLIC_URL)
}

/// A request signed for one URL that arrives at another target.
fn signed_for(hook: &Hook, url: &str, target: &str) -> Request {
    let params = Sms::new(ADA, "hello").params(&hook.account_sid);
    let signature = sign_form(&hook.auth_token, url, &params);
    hook.signed_as(&params, &signature).retarget(target)
}

async fn examine(stage: &Stage, channel: &str) -> Value {
    let path = format!("/api/v1/channels/{channel}/doctor");
    let answer = stage.daemon.api().post(&path, &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.reply.text());
    answer.json
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().expect("checks are a list");
    let found = checks.iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no check {name}: {report:#}"))
}

fn words(value: &Value) -> &str {
    value["words"].as_str().unwrap_or_default()
}

/// Signed URL, what arrives, headers of the proxy, cause, words of the advice.
type Case<'a> = (String, &'a str, Vec<(&'a str, &'a str)>, &'a str, &'a str);

#[tokio::test]
async fn the_url_that_the_provider_signed_is_named() {
    let stage = behind_a_proxy().await;
    let hook = stage.hook(SMS);
    let path = stage.daemon.path(SMS);
    let url = |origin: &str| format!("{origin}{path}");
    let with_query = format!("{path}?b=2&a=1");
    let cases: Vec<Case<'_>> = vec![
        (
            url("http://hooks.example.org"),
            &path,
            vec![],
            "scheme",
            "set server.public_url to \"http://hooks.example.org\"",
        ),
        (
            url("https://hooks.example.org:8443"),
            &path,
            vec![],
            "port",
            "set server.public_url to \"https://hooks.example.org:8443\"",
        ),
        (
            url("https://gate.example.net"),
            &path,
            vec![("x-forwarded-host", "gate.example.net")],
            "host",
            "set server.public_url to \"https://gate.example.net\"",
        ),
        (
            url("https://www.hooks.example.org"),
            &path,
            vec![],
            "host",
            "set server.public_url to \"https://www.hooks.example.org\"",
        ),
        (
            format!("{}/", url(PUBLIC_URL)),
            &path,
            vec![],
            "slash",
            "ends with a slash",
        ),
        (
            url(PUBLIC_URL),
            &with_query,
            vec![],
            "query",
            "keep the proxy from adding it",
        ),
        (
            format!("{}?a=1&b=2", url(PUBLIC_URL)),
            &with_query,
            vec![],
            "query",
            "pass the query as it is",
        ),
        (
            format!("{PUBLIC_URL}/sms/in"),
            &path,
            vec![("x-original-uri", "/sms/in")],
            "path",
            "a proxy changes the path",
        ),
        (
            format!("{}/", url("http://hooks.example.org")),
            &path,
            vec![],
            "scheme+slash",
            "ends with a slash",
        ),
    ];
    for (signed, target, headers, _, _) in &cases {
        let mut request = signed_for(&hook, signed, target);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        assert_eq!(stage.post(&request).await.status, 401, "{signed}");
    }
    let report = examine(&stage, SMS).await;
    let rejected = report["rejected"].as_array().expect("a list");
    assert_eq!(rejected.len(), cases.len(), "{report:#}");
    let token = path.rsplit('/').next().expect("a token");
    for (one, (signed, _, _, cause, advice)) in rejected.iter().rev().zip(&cases) {
        let matched = &one["matched"];
        assert_eq!(matched["cause"], *cause, "signed {signed}: {one:#}");
        assert!(words(matched).contains(advice), "signed {signed}: {one:#}");
        assert!(!words(matched).contains(token), "{one:#}");
    }
    assert_eq!(check(&report, "signatures")["state"], "fault");
    assert!(!report.to_string().contains(&hook.auth_token));

    // A genuine one after them: they matter less.
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, "genuine")).await, 200);
    let report = examine(&stage, SMS).await;
    assert_eq!(check(&report, "signatures")["state"], "warning");
    assert_eq!(check(&report, "public_url")["state"], "ok");
}

#[tokio::test]
async fn a_wrong_a_missing_and_a_cut_request_are_told_apart() {
    let stage = behind_a_proxy().await;
    let mut hook = stage.hook(SMS);
    let url = hook.url.clone();
    let right = hook.auth_token.clone();
    hook.auth_token = "0123456789abcdef0123456789abcdef".to_owned();
    let sms = Sms::new(ADA, "a-text-that-belongs-to-nobody");
    assert_eq!(stage.post(&hook.request(&sms)).await.status, 401);
    let params = sms.params(&hook.account_sid);
    assert_eq!(stage.post(&hook.unsigned(&params)).await.status, 401);
    let marker = "a-text-that-belongs-to-nobody";
    let long = Sms::new(ADA, &format!("{marker}{}", "x".repeat(40_000)));
    hook.auth_token = right;
    let signature = sign_form(
        &hook.auth_token,
        &url.replace("https", "http"),
        &long.params(&hook.account_sid),
    );
    let request = hook.signed_as(&long.params(&hook.account_sid), &signature);
    assert_eq!(stage.post(&request).await.status, 401);

    let report = examine(&stage, SMS).await;
    let notes: Vec<&str> = report["rejected"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            assert!(one["matched"].is_null(), "{one:#}");
            one["note"].as_str().expect("words")
        })
        .collect();
    // What is not genuine is neither stored nor logged.
    assert!(!stage.daemon.log().contains(marker));
    assert!(!holds(&stage.daemon.store(), marker.as_bytes()));
    assert!(notes[0].contains("larger than the 16 kB"), "{notes:?}");
    assert!(notes[1].contains("carries no signature"), "{notes:?}");
    assert!(
        notes[2].contains("compare") && notes[2].contains("auth_token"),
        "{notes:?}"
    );
}

/// Whether any file below a folder holds these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, bytes);
        }
        let file = fs::read(&path).unwrap_or_default();
        file.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[tokio::test]
async fn swapped_secrets_and_the_one_of_a_list_are_named() {
    let one = "11111111111111111111111111111111";
    let two = "22222222222222222222222222222222";
    let old = "33333333333333333333333333333333";
    let stage = Stage::new(|simulator| {
        let channel = |id: &str, number: &str| twilio(id, simulator).config("from", number);
        proxied(simulator)
            .channel(channel("north", "+15550100").config("auth_token", two))
            .channel(channel("south", "+15550101").config("auth_token", one))
            .channel(channel("east", "+15550102").config(
                "auth_token",
                json!([old, "44444444444444444444444444444444"]),
            ))
    })
    .await;
    let post = |channel: &'static str, secret: &'static str, origin: &'static str| {
        let hook = Hook {
            auth_token: secret.to_owned(),
            ..stage.hook(channel)
        };
        let path = stage.daemon.path(channel);
        signed_for(&hook, &format!("{origin}{path}"), &path)
    };
    for request in [
        post("north", one, PUBLIC_URL),
        post("south", two, "http://hooks.example.org"),
        post("east", old, "http://hooks.example.org"),
    ] {
        assert_eq!(stage.post(&request).await.status, 401);
    }
    let report = examine(&stage, "north").await;
    let matched = &report["rejected"][0]["matched"];
    assert!(words(matched).contains("channel south"), "{report:#}");
    assert!(words(matched).contains("swapped"), "{report:#}");

    let report = examine(&stage, "south").await;
    let matched = &report["rejected"][0]["matched"];
    assert_eq!(matched["cause"], "secret+scheme", "{report:#}");
    assert!(
        words(matched).contains("auth_token of channel north"),
        "{report:#}"
    );

    let report = examine(&stage, "east").await;
    let matched = &report["rejected"][0]["matched"];
    assert_eq!(matched["cause"], "scheme", "{report:#}");
    assert!(
        words(matched).contains("secret 1 of the list auth_token"),
        "{report:#}"
    );
    for secret in [one, two, old] {
        assert!(!stage.daemon.log().contains(secret));
    }
}

#[tokio::test]
async fn a_flood_of_forgeries_is_bounded_and_webhooks_pass_meanwhile() {
    let stage = behind_a_proxy().await;
    let hook = Hook {
        auth_token: "no".repeat(16),
        ..stage.hook(SMS)
    };
    for number in 0..70 {
        let sms = Sms::new(ADA, &format!("forged {number}"));
        let request = hook
            .request(&sms)
            .retarget(format!("{}?n={number}&m=1", hook.target()))
            .header("x-forwarded-host", format!("h{number}.example"));
        assert_eq!(stage.post(&request).await.status, 401);
    }
    let examination = examine(&stage, SMS);
    let genuine = async {
        for number in 0..20 {
            let sms = Sms::new(ADA, &format!("genuine {number}"));
            assert_eq!(stage.deliver(SMS, &sms).await, 200);
        }
    };
    let (report, ()) = tokio::join!(examination, genuine);
    let rejected = report["rejected"].as_array().expect("a list");
    assert_eq!(rejected.len(), 50, "the last fifty");
    assert!(rejected.iter().all(|one| one["matched"].is_null()));
    let trials = report["trials"].as_u64().expect("a count");
    assert!((50..=20_100).contains(&trials), "{trials}");
    assert_eq!(stage.daemon.api().channel(SMS).await["restarts"], 0);
}

#[tokio::test]
async fn files_plugin_and_disk_are_looked_at() {
    let simulator = Simulator::start().expect("the simulator starts");
    let mut daemon = Daemon::prepare(Config::new());
    let secret = daemon.file("auth.secret");
    fs::write(&secret, simulator.twilio().auth_token()).expect("written");
    set_mode(&secret, 0o600);
    let channel =
        twilio(SMS, &simulator).config("auth_token", json!({"file": secret.to_string_lossy()}));
    daemon.rewrite(|config| config.put(channel));
    daemon.launch().await;
    set_mode(&daemon.store(), 0o700);
    let stage = Stage { daemon, simulator };

    let report = examine(&stage, SMS).await;
    for name in [
        "channel",
        "signatures",
        "clock",
        "plugin",
        "permissions",
        "disk",
    ] {
        assert_eq!(check(&report, name)["state"], "ok", "{report:#}");
    }
    let output = stage.daemon.cli_ok(&["doctor", SMS]).await;
    assert!(output.stdout.contains("permissions"), "{output:?}");

    set_mode(&secret, 0o644);
    let plugin = stage.daemon.file("plugins/libtrunkline_plugin_twilio.so");
    let mut bytes = fs::read(&plugin).expect("the plugin can be read");
    bytes.push(0);
    fs::remove_file(&plugin).expect("removed");
    fs::write(&plugin, bytes).expect("written");
    let output = stage.daemon.cli(&["doctor", SMS, "--json"]).await;
    assert_eq!(output.code, 1, "a fault is a failure: {output:?}");
    let report = output.json();
    assert_eq!(check(&report, "permissions")["state"], "fault");
    assert!(words(check(&report, "permissions")).contains("auth.secret is open to everyone"));
    assert_eq!(check(&report, "plugin")["state"], "warning");
    assert!(words(check(&report, "plugin")).contains("trunkline reload"));

    stage.daemon.signal("TERM");
    let mut stage = stage;
    stage.daemon.wait_exit(trunkline_tests::wait::SOON).await;
    let output = stage.daemon.cli(&["doctor", SMS]).await;
    assert_eq!(output.code, 1, "{output:?}");
    assert!(
        output.stdout.contains("needs the running daemon"),
        "{output:?}"
    );
    assert!(output.stdout.contains("is open to everyone"), "{output:?}");
}

#[tokio::test]
async fn members_may_not_and_strangers_do_not_learn_of_others() {
    let stage = behind_a_proxy().await;
    let member = stage.daemon.create_token("member").await;
    let api = stage.daemon.api().with_token(&member);
    let path = format!("/api/v1/channels/{SMS}/doctor");
    assert_eq!(api.post(&path, &json!({})).await.status, 403);
    let missing = stage.daemon.cli(&["doctor", "missing"]).await;
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(missing.stderr.contains("no such channel"), "{missing:?}");
}
