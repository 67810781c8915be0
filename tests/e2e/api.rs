//! The admin API: lists, pages, roles, errors, health endpoints, metrics, audit.

use serde_json::{Value, json};
use trunkline_tests::api::Api;
use trunkline_tests::http::Request;
use trunkline_tests::twilio::Sms;

use crate::stage::{SMS, Stage};

const ADA: &str = "+15005550101";

#[tokio::test]
async fn a_channel_shows_what_people_need_to_set_it_up() {
    let stage = Stage::sms().await;
    let channel = stage.daemon.api().wait_health(SMS, "healthy").await;
    assert_eq!(channel["id"], SMS);
    assert_eq!(channel["adapter"], "twilio");
    assert_eq!(channel["medium"], "sms");
    assert_eq!(channel["media"], json!(["sms"]));
    assert_eq!(channel["organization"], "default");
    assert_eq!(channel["enabled"], true);
    assert_eq!(channel["origin"], "file");
    assert_eq!(channel["restarts"], 0);
    assert_eq!(
        channel["webhook_url"],
        format!("{}#rc=3&rp=all", stage.daemon.url(SMS))
    );
    assert_eq!(channel["plugin"]["id"], "twilio");
    assert!(channel["plugin"]["version"].is_string(), "{channel}");
    assert_eq!(
        channel["plugin"]["sha256"].as_str().map(str::len),
        Some(64),
        "{channel}"
    );
    assert!(
        channel["started_at"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z')),
        "{channel}"
    );
    let health = &channel["health"];
    assert!(health["last_checked_at"].is_string(), "{channel}");
    assert!(health["last_error"].is_null(), "{channel}");
    assert!(health["latency_ms"].is_number(), "{channel}");
    let list = stage.daemon.api().all("/api/v1/channels").await;
    assert_eq!(list.len(), 1);
}

#[tokio::test]
async fn lists_come_in_pages_without_gap_or_repeat() {
    let stage = Stage::sms().await;
    for number in 0..25 {
        assert_eq!(
            stage
                .deliver(SMS, &Sms::new(ADA, &format!("{number}")))
                .await,
            200
        );
    }
    let api = stage.daemon.api();
    let contact = api.contacts(ADA).await.remove(0);
    let path = format!(
        "/api/v1/contacts/{}/timeline",
        contact["id"].as_str().unwrap()
    );
    let mut texts = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("{path}?limit=10{cursor}")).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 10, "a page of {}", items.len());
        texts.extend(
            items
                .iter()
                .map(|m| m["content"]["text"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={}", trunkline_tests::api::encode(next)),
            None => break,
        }
    }
    let expected: Vec<_> = (0..25).rev().map(|number| number.to_string()).collect();
    assert_eq!(texts, expected, "newest first, each once");
    for bad in ["limit=101", "limit=0", "limit=many", "cursor=nonsense"] {
        let answer = api.get_any(&format!("{path}?{bad}")).await;
        assert_problem(&answer.json, answer.status, &[400, 422], bad);
    }
}

/// A problem+json body of one of these statuses.
fn assert_problem(body: &Value, status: u16, expected: &[u16], case: &str) {
    assert!(expected.contains(&status), "{case}: {status} {body}");
    assert_eq!(body["status"], status, "{case}: {body}");
    assert!(body["title"].is_string(), "{case}: {body}");
}

#[tokio::test]
async fn errors_are_problem_json() {
    let stage = Stage::sms().await;
    let api = stage.daemon.api();
    for (path, status) in [
        ("/api/v1/channels/nobody", 404),
        ("/api/v1/contacts/nobody", 404),
        ("/api/v1/messages/0197a000-0000-7000-8000-000000000000", 404),
        ("/api/v1/no-such-thing", 404),
    ] {
        let answer = api.get_any(path).await;
        assert_problem(&answer.json, answer.status, &[status], path);
        assert_eq!(
            answer.reply.header("content-type"),
            Some("application/problem+json"),
            "{path}"
        );
    }
    let broken = Request::new("POST", "/api/v1/messages").body("application/json", "{");
    let answer = api.send(broken).await;
    assert_problem(&answer.json, answer.status, &[400, 422], "broken JSON");
}

#[tokio::test]
async fn tokens_and_roles_are_enforced() {
    let stage = Stage::sms().await;
    let nobody = Api::new(stage.daemon.admin(), "");
    let wrong = nobody.with_token("tl_0000000000000000000000000000000000000000");
    let member = nobody.with_token(&stage.daemon.create_token("member").await);
    let admin = nobody.with_token(&stage.daemon.create_token("admin").await);
    for (name, api) in [("no token", &nobody), ("a wrong token", &wrong)] {
        let answer = api.get_any("/api/v1/channels").await;
        assert_problem(&answer.json, answer.status, &[401], name);
    }
    let body = json!({"channel": SMS, "to": ADA, "content": {"text": "hi"}});
    for path in [
        "/api/v1/messages".to_owned(),
        format!("/api/v1/channels/{SMS}/disable"),
        format!("/api/v1/channels/{SMS}/test"),
    ] {
        let answer = member.post(&path, &body).await;
        assert_problem(&answer.json, answer.status, &[403], &path);
    }
    member.get("/api/v1/channels").await;
    assert_eq!(admin.post("/api/v1/messages", &body).await.status, 202);
}

#[tokio::test]
async fn a_revoked_token_is_refused() {
    let stage = Stage::sms().await;
    let made = stage
        .daemon
        .cli(&[
            "token", "create", "--role", "member", "--name", "short", "--json",
        ])
        .await;
    let made = made.ok().json();
    let (id, token) = (
        made["id"].as_str().unwrap(),
        made["token"].as_str().unwrap(),
    );
    assert!(token.starts_with("tl_"), "{token}");
    let api = stage.daemon.api().with_token(token);
    api.get("/api/v1/channels").await;
    let listed = stage.daemon.cli_ok(&["token", "list", "--json"]).await;
    assert!(
        listed.stdout.contains(id) && !listed.stdout.contains(token),
        "{listed:?}"
    );
    stage.daemon.cli_ok(&["token", "revoke", id]).await;
    assert_eq!(api.get_any("/api/v1/channels").await.status, 401);
}

#[tokio::test]
async fn channels_can_be_toggled_and_tested() {
    let mut stage = Stage::sms().await;
    let api = stage.daemon.api();
    let tested = api
        .post(&format!("/api/v1/channels/{SMS}/test"), &json!({}))
        .await;
    assert!(
        (200..300).contains(&tested.status),
        "{}",
        tested.reply.text()
    );
    let off = api
        .post(&format!("/api/v1/channels/{SMS}/disable"), &json!({}))
        .await;
    assert!((200..300).contains(&off.status), "{}", off.reply.text());
    let channel = api.wait_health(SMS, "disabled").await;
    assert_eq!(channel["enabled"], false);
    assert_eq!(
        stage.deliver(SMS, &Sms::new(ADA, "inbound goes on")).await,
        200
    );
    stage.daemon.restart().await;
    let api = stage.daemon.api();
    assert_eq!(
        api.channel(SMS).await["enabled"],
        false,
        "the toggle outlives a restart"
    );
    let on = api
        .post(&format!("/api/v1/channels/{SMS}/enable"), &json!({}))
        .await;
    assert!((200..300).contains(&on.status), "{}", on.reply.text());
    api.wait_health(SMS, "healthy").await;
}

#[tokio::test]
async fn health_endpoints_and_metrics_answer() {
    let stage = Stage::sms().await;
    stage.deliver(SMS, &Sms::new(ADA, "counted")).await;
    let get = |address, path: &'static str| async move {
        Request::new("GET", path)
            .send(address)
            .await
            .expect("an answer")
    };
    assert_eq!(get(stage.daemon.public(), "/healthz").await.status, 200);
    assert_eq!(get(stage.daemon.admin(), "/healthz").await.status, 200);
    assert_eq!(get(stage.daemon.admin(), "/readyz").await.status, 200);
    let metrics = stage.daemon.api().get_any("/metrics").await;
    assert_eq!(metrics.status, 200);
    let text = metrics.reply.text();
    assert!(text.contains("# TYPE trunkline_"), "{text}");
    assert!(text.contains(SMS), "no metric names the channel:\n{text}");
    assert!(!text.contains("5005550101"), "a number is in the metrics");
    for path in ["/api/v1/channels", "/metrics", "/readyz", "/openapi.json"] {
        assert_eq!(
            get(stage.daemon.public(), path).await.status,
            404,
            "{path} on the public side"
        );
    }
}

#[tokio::test]
async fn what_the_command_line_changes_is_recorded_with_its_user() {
    let stage = Stage::sms().await;
    stage.daemon.cli_ok(&["channel", "disable", SMS]).await;
    let uid = format!("uid {}", rustix::process::geteuid().as_raw());
    let log = stage.daemon.log();
    let mut lines = log.lines().filter(|line| line.contains("\"by\""));
    let found = lines.any(|line| line.contains(SMS) && line.contains(&uid));
    assert!(found, "nothing says that {uid} changed {SMS}:\n{log}");
}

#[tokio::test]
async fn threads_can_be_closed_and_reopen_with_the_next_message() {
    let stage = Stage::sms().await;
    stage.deliver(SMS, &Sms::new(ADA, "first")).await;
    let api = stage.daemon.api();
    let thread = stage.only_message(ADA).await["thread"]
        .as_str()
        .unwrap()
        .to_owned();
    let shown = api.get(&format!("/api/v1/threads/{thread}")).await;
    assert_eq!(shown["id"], thread.as_str());
    stage.deliver(SMS, &Sms::new(ADA, "second")).await;
    assert_eq!(
        api.all(&format!("/api/v1/threads/{thread}/messages"))
            .await
            .len(),
        2
    );
    assert_eq!(api.all("/api/v1/threads").await.len(), 1);
}
