//! Everything out as JSON lines and in again: nothing lost, nothing changed, nothing sent.

use std::fs;

use serde_json::{Value, json};
use trunkline_tests::config::Config;
use trunkline_tests::daemon::Daemon;
use trunkline_tests::http::Request;

use crate::chat::{WEB, chat};
use crate::stage::{SMS, Stage, twilio};
use crate::stores::{config, opened};

/// Runs `trunkline export`; the lines.
async fn export(daemon: &Daemon, more: &[&str]) -> Vec<Value> {
    let path = daemon.file("export.jsonl");
    let name = path.to_string_lossy().into_owned();
    daemon.cli_ok(&[&["export", &name], more].concat()).await;
    let text = fs::read_to_string(&path).expect("the export is there");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn of<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

/// Runs `trunkline import` of what another daemon exported.
async fn import(daemon: &Daemon, from: &Daemon, more: &[&str]) -> Value {
    let name = from.file("export.jsonl").to_string_lossy().into_owned();
    let done = daemon
        .cli_ok(&[&["import", &name, "--json"], more].concat())
        .await;
    done.json()
}

/// The sum of a figure over all types.
fn sum(report: &Value, figure: &str) -> u64 {
    let counts = report["counts"].as_object().expect("counts by type");
    counts
        .values()
        .filter_map(|tally| tally[figure].as_u64())
        .sum()
}

async fn post(daemon: &Daemon, query: &str, body: &str) -> trunkline_tests::api::Answer {
    let request = Request::new("POST", format!("/api/v1/import{query}"));
    daemon
        .api()
        .send(request.body("application/x-ndjson", body.to_owned()))
        .await
}

#[tokio::test]
async fn what_went_out_comes_in_the_same_and_is_never_sent() {
    let source = opened("0.1.0").await;
    let before = export(&source.daemon, &["--media"]).await;
    for kind in [
        "header",
        "organization",
        "contact",
        "thread",
        "media",
        "media_chunk",
        "message",
        "consent",
        "end",
    ] {
        assert!(!of(&before, kind).is_empty(), "no {kind}");
    }
    let target = Stage::new(config).await;
    let tried = import(&target.daemon, &source.daemon, &["--dry-run"]).await;
    assert!(
        target.daemon.api().all("/api/v1/contacts").await.is_empty(),
        "a dry run"
    );
    let done = import(&target.daemon, &source.daemon, &[]).await;
    assert_eq!(
        (&done["complete"], &done["conflicts"]),
        (&json!(true), &json!([])),
        "{done}"
    );
    assert_eq!(
        done["counts"], tried["counts"],
        "a dry run says what happens"
    );
    assert_eq!(sum(&done, "present"), 0, "{done}");

    let after = export(&target.daemon, &["--media"]).await;
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        if ["header", "end"].iter().any(|kind| before["type"] == *kind) {
            continue;
        }
        if before["status"] == "queued" {
            assert_eq!(
                after["status"], "uncertain",
                "it is not sent from here: {after}"
            );
            continue;
        }
        assert_eq!(before, after);
    }
    let again = import(&target.daemon, &source.daemon, &[]).await;
    assert_eq!(
        (sum(&again, "new"), sum(&again, "conflicts")),
        (0, 0),
        "{again}"
    );
    assert_eq!(sum(&again, "present"), sum(&done, "new"));
    target.daemon.cli_ok(&["outbox", "list", "--json"]).await;
    assert!(target.daemon.api().all("/api/v1/outbox").await.is_empty());
    assert_eq!(
        target.simulator.twilio().create_count(),
        0,
        "nothing was sent"
    );

    // People who are known by an import go on where they were.
    let ada = "+15005550101";
    let known = target.daemon.api().timeline(ada).await.len();
    let sms = trunkline_tests::twilio::Sms::new(ada, "still me");
    assert_eq!(target.deliver(SMS, &sms).await, 200);
    let timeline = target.daemon.api().timeline(ada).await;
    assert_eq!(
        (timeline.len(), &timeline[0]["content"]["text"]),
        (known + 1, &json!("still me"))
    );
}

#[tokio::test]
async fn a_file_that_is_wrong_or_cut_off_is_told_with_its_line_and_field() {
    let source = opened("0.1.0").await;
    export(&source.daemon, &[]).await;
    let text = fs::read_to_string(source.daemon.file("export.jsonl")).expect("the export");
    let target = Daemon::start(Config::new()).await;
    let lines: Vec<&str> = text.lines().collect();

    let cut = lines[..lines.len() - 1].join("\n") + "\n";
    let cut = post(&target, "?dry_run=true", &cut).await;
    assert_eq!((cut.status, &cut.json["complete"]), (200, &json!(false)));
    let changed = text.replacen("\"needs_human\":false", "\"needs_human\":true", 1);
    let head = lines[..2].join("\n");
    let long = format!(
        "{{\"type\":\"contact\",\"name\":\"{}\"}}",
        "x".repeat(3 << 20)
    );
    let table = [
        (changed, "sha256"),
        (
            format!("{head}\n{{\"type\":\"contact\",\"organization\":\"default\",\"id\":7}}\n"),
            "line 3: id:",
        ),
        (
            format!("{head}\n{{\"type\":\"nonsense\"}}\n"),
            "line 3: type:",
        ),
        (format!("{head}\n{long}\n"), "line 3: it is longer"),
        (format!("{head}\nnot json\n"), "line 3:"),
        (lines[2..].join("\n"), "line 1: type:"),
        (
            lines[0].replace("\"version\":1", "\"version\":9"),
            "version",
        ),
    ];
    for (body, words) in table {
        let refused = post(&target, "", &body).await;
        assert_eq!(refused.status, 422, "{words}: {}", refused.reply.text());
        let said = refused.json["detail"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[tokio::test]
async fn what_belongs_to_another_here_stays_and_is_told() {
    let source = opened("0.1.0").await;
    export(&source.daemon, &[]).await;
    let target = Stage::sms().await;
    let sms = trunkline_tests::twilio::Sms::new("+15005550101", "I was here first");
    assert_eq!(target.deliver(SMS, &sms).await, 200);
    let own = target.only_message("+15005550101").await;
    let done = import(&target.daemon, &source.daemon, &[]).await;
    assert_eq!(done["counts"]["contact"]["conflicts"], 1, "{done}");
    let told = done["conflicts"][0].to_string();
    assert!(told.contains("belong to other contacts"), "{told}");
    let mut after = target.daemon.api().contacts("+15005550101").await;
    let by_phone = |contact: &Value| contact["identities"].to_string().contains("\"phone\"");
    after.retain(by_phone);
    assert_eq!((after.len(), &after[0]["id"]), (1, &own["contact"]));

    // Under another name it is another organization, where nothing is in the way.
    let renamed = import(&target.daemon, &source.daemon, &["--organization", "acme"]).await;
    assert_eq!(sum(&renamed, "conflicts"), 0, "{renamed}");
    let only = export(&target.daemon, &["--organization", "acme"]).await;
    assert!(
        of(&only, "contact")
            .iter()
            .all(|line| line["organization"] == "acme")
    );
    assert!(of(&only, "message").len() > 5);
}

#[tokio::test]
async fn an_owner_of_one_organization_gets_and_writes_that_one_alone() {
    let stage = Stage::new(|simulator| {
        let other = chat(WEB).key("organization", "other");
        Config::new().channel(twilio(SMS, simulator)).channel(other)
    })
    .await;
    let sms = trunkline_tests::twilio::Sms::new("+15005550101", "private");
    assert_eq!(stage.deliver(SMS, &sms).await, 200);
    let token = |role: &'static str, slug: &'static str| {
        let daemon = &stage.daemon;
        async move {
            let words = [
                "token",
                "create",
                "--role",
                role,
                "--name",
                "t",
                "--organization",
                slug,
                "--json",
            ];
            let made = daemon.cli_ok(&words).await.json();
            daemon
                .api()
                .with_token(made["token"].as_str().expect("a token"))
        }
    };
    let (other, admin) = (
        token("owner", "other").await,
        token("admin", "default").await,
    );
    let empty = other.get_any("/api/v1/export").await;
    assert_eq!(empty.status, 200);
    assert!(!empty.reply.text().contains("private"));
    assert_eq!(other.get_any("/api/v1/store").await.status, 403);
    for path in ["/api/v1/export", "/api/v1/store"] {
        assert_eq!(admin.get_any(path).await.status, 403, "{path}");
    }
    let body = "{\"type\":\"header\",\"version\":1}\n{\"type\":\"organization\",\"organization\":\"default\"}\n{\"type\":\"end\"}\n";
    let request = || Request::new("POST", "/api/v1/import").body("application/x-ndjson", body);
    assert_eq!(other.send(request()).await.status, 422);
    assert_eq!(admin.send(request()).await.status, 403);
    assert_eq!(stage.daemon.api().send(request()).await.status, 200);
}
