//! What owners are told: grouped, kept, acknowledged.

use serde_json::json;
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage};

const ADA: &str = "+15005550101";
const MISMATCH: &str = "signature_mismatch";

/// Sends webhooks that are not signed, some at a time; every one is refused.
async fn forge(stage: &Stage, count: usize) {
    let hook = stage.hook(SMS);
    let forged: Vec<_> = (0..count)
        .map(|number| {
            let sms = Sms::new(ADA, &format!("forged {number}"));
            hook.unsigned(&sms.params(&hook.account_sid))
        })
        .collect();
    for batch in forged.chunks(50) {
        let answers = batch.iter().map(|request| stage.post(request));
        for answer in futures_util::future::join_all(answers).await {
            assert!(matches!(answer.status, 401 | 403), "{}", answer.status);
        }
    }
}

#[tokio::test]
async fn a_flood_of_forged_webhooks_is_one_notification() {
    const FLOOD: usize = 600;
    let mut stage = Stage::sms().await;
    let frames_before = log_lines(&stage);
    assert_eq!(frames_before, 0);
    let began = std::time::Instant::now();
    forge(&stage, FLOOD).await;
    let took = began.elapsed();
    let api = stage.daemon.api();
    let told = api
        .wait_notification(MISMATCH, |one| one["count"] == FLOOD)
        .await;
    assert_eq!(told["channel"], SMS, "{told}");
    assert_eq!(told["organization"], "default", "{told}");
    assert!(told["first_at"].as_str() <= told["last_at"].as_str());
    assert_eq!(told["acknowledged_at"], json!(null));
    assert_eq!(
        api.metric("trunkline_notifications_total").await,
        u64::try_from(FLOOD).unwrap()
    );
    // One line in the log for each second or so, and never one for each webhook.
    let lines = log_lines(&stage);
    let most = usize::try_from(took.as_secs()).unwrap() + 3;
    assert!((1..=most).contains(&lines), "{lines} lines in {took:?}");
    stage.daemon.kill9().await;
    stage.daemon.launch().await;
    let kept = stage.daemon.api().open_notifications(MISMATCH).await;
    assert_eq!(kept, [told]);
}

/// Log lines about refused webhooks.
fn log_lines(stage: &Stage) -> usize {
    let log = stage.daemon.log();
    log.lines()
        .filter(|line| line.contains("was refused"))
        .count()
}

#[tokio::test]
async fn what_was_acknowledged_stays_so_and_the_next_begins_anew() {
    let stage = Stage::sms().await;
    let api = stage.daemon.api();
    forge(&stage, 2).await;
    let first = api
        .wait_notification(MISMATCH, |one| one["count"] == 2)
        .await;
    let id = first["id"].as_str().expect("an id");
    let member = api.with_token(&stage.daemon.create_token("member").await);
    let path = format!("/api/v1/notifications/{id}/acknowledge");
    assert_eq!(member.post(&path, &json!({})).await.status, 403);
    assert_eq!(member.open_notifications(MISMATCH).await.len(), 1);
    let done = api.post(&path, &json!({})).await;
    assert_eq!(done.status, 200, "{}", done.reply.text());
    assert!(done.json["acknowledged_at"].is_string() && done.json["acknowledged_by"].is_string());
    assert!(api.open_notifications(MISMATCH).await.is_empty());

    forge(&stage, 1).await;
    let next = api
        .wait_notification(MISMATCH, |one| one["count"] == 1)
        .await;
    assert_ne!(next["id"], first["id"]);
    let all = api.all("/api/v1/notifications").await;
    assert_eq!(all.iter().filter(|one| one["kind"] == MISMATCH).count(), 2);
    let old = api.all("/api/v1/notifications?acknowledged=true").await;
    assert_eq!(old, [done.json]);

    for (body, status) in [
        (json!({"kind": "nonsense"}), 422),
        (json!({"color": "red"}), 422),
        (json!({"kind": "dead_letter"}), 200),
    ] {
        let answer = api.post("/api/v1/notifications/acknowledge", &body).await;
        assert_eq!(answer.status, status, "{body}");
    }
    assert_eq!(api.open_notifications(MISMATCH).await.len(), 1);
    let missing = "/api/v1/notifications/00000000-0000-7000-8000-000000000000/acknowledge";
    assert_eq!(api.post(missing, &json!({})).await.status, 404);
}

#[tokio::test]
async fn the_command_line_lists_and_acknowledges() {
    let stage = Stage::sms().await;
    forge(&stage, 3).await;
    let api = stage.daemon.api();
    api.wait_notification(MISMATCH, |one| one["count"] == 3)
        .await;
    let daemon = &stage.daemon;
    let listed = daemon.cli_ok(&["notification", "list"]).await;
    assert!(listed.stdout.contains(MISMATCH), "{listed:?}");
    let listed = daemon.cli_ok(&["notification", "list", "--json"]).await;
    assert_eq!(listed.json()["items"][0]["count"], 3);
    let which = [
        "notification",
        "acknowledge",
        "--kind",
        MISMATCH,
        "--channel",
        SMS,
    ];
    let done = daemon.cli_ok(&which).await;
    assert!(done.stdout.contains("1 notification"), "{done:?}");
    let listed = daemon.cli_ok(&["notification", "list", "--json"]).await;
    assert_eq!(listed.json()["items"], json!([]));
    let old = daemon
        .cli_ok(&["notification", "list", "--old", "--json"])
        .await;
    let by = old.json()["items"][0]["acknowledged_by"].clone();
    assert!(by.as_str().is_some_and(|by| by.starts_with("uid ")), "{by}");
}

#[tokio::test]
async fn a_channel_without_its_plugin_is_told() {
    let stage = Stage::new(|simulator| {
        let lost = trunkline_tests::config::Channel::new("lost", "telegraph");
        trunkline_tests::config::Config::new()
            .channel(crate::stage::twilio(SMS, simulator))
            .channel(lost)
    })
    .await;
    let told = stage
        .daemon
        .api()
        .wait_notification("plugin_fault", |_| true)
        .await;
    assert_eq!(told["channel"], "lost", "{told}");
    let words = told["words"].as_str().unwrap_or_default();
    assert!(words.contains("telegraph"), "{told}");
    eventually("its health is told too", SOON, || async {
        let told = stage
            .daemon
            .api()
            .open_notifications("health_changed")
            .await;
        (told.len() == 1).then_some(())
    })
    .await;
}
