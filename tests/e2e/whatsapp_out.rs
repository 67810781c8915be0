//! WhatsApp by Meta's Cloud API, outbound: every kind of message, states, faults, probes.

use std::time::Duration;

use serde_json::{Value, json};
use trunkline_simulator::{Behaviour, MetaEndpoint, MetaMessage, Reports, WaMessage};
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::Stage;
use crate::whatsapp::{ADA, WA, deliver, stage};

/// Sends content to Ada and gives the message's id.
async fn send(stage: &Stage, content: Value) -> String {
    let body = json!({"channel": WA, "to": ADA, "content": content});
    let answer = stage.daemon.api().post("/api/v1/messages", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.reply.text());
    answer.json["id"].as_str().expect("an id").to_owned()
}

/// What Meta has, after all of these were sent.
async fn arrived(stage: &Stage, ids: &[String]) -> Vec<MetaMessage> {
    for id in ids {
        stage.daemon.api().wait_status(id, "sent").await;
    }
    let meta = stage.simulator.meta();
    assert!(meta.problems().is_empty(), "{:?}", meta.problems());
    meta.messages()
}

/// A message as it is sent, and what must stand where in Meta's request.
type Case = (&'static str, Value, &'static str, Value);

fn plain_cases() -> Vec<Case> {
    let link = |name: &str| json!([{"url": format!("https://m.example/{name}")}]);
    vec![
        (
            "text",
            json!({"text": "Hello 😀 https://x.example"}),
            "/text/preview_url",
            json!(true),
        ),
        (
            "image",
            json!({"text": "Look", "media": link("a.png")}),
            "/image/caption",
            json!("Look"),
        ),
        (
            "video",
            json!({"media": link("a.mp4")}),
            "/video/link",
            json!("https://m.example/a.mp4"),
        ),
        (
            "audio",
            json!({"media": link("a.mp3")}),
            "/audio/link",
            json!("https://m.example/a.mp3"),
        ),
        (
            "sticker",
            json!({"media": link("a.webp")}),
            "/sticker/link",
            json!("https://m.example/a.webp"),
        ),
        (
            "document",
            json!({"media": [{"url": "https://m.example/1", "content_type": "application/pdf", "name": "Bill.pdf"}]}),
            "/document/filename",
            json!("Bill.pdf"),
        ),
    ]
}

fn rich_cases(asked: &str) -> Vec<Case> {
    let buttons = json!({
        "type": "button", "body": {"text": "Sure?"},
        "action": {"buttons": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]},
    });
    let list = json!({
        "type": "list", "body": {"text": "Which?"},
        "action": {"button": "Sizes", "sections": [{"rows": [{"id": "l", "title": "Large"}]}]},
    });
    let template = |name: &str, variables: Value| json!({"template": {"name": name, "language": "en_US", "variables": variables}});
    vec![
        (
            "template",
            template("order_update", json!({"1": "Ada", "2": "42"})),
            "/template/components/0/parameters/1/text",
            json!("42"),
        ),
        (
            "template",
            template("greeting", json!({"first_name": "Ada"})),
            "/template/components/0/parameters/0/parameter_name",
            json!("first_name"),
        ),
        (
            "interactive",
            json!({"interactive": {"kind": "button", "data": buttons}}),
            "/interactive/type",
            json!("button"),
        ),
        (
            "interactive",
            json!({"interactive": {"kind": "list", "data": list}}),
            "/interactive/type",
            json!("list"),
        ),
        (
            "location",
            json!({"location": {"latitude": 52.5, "longitude": 13.4}}),
            "/location/latitude",
            json!(52.5),
        ),
        (
            "contacts",
            json!({"contacts": [{"name": {"formatted_name": "Grace", "first_name": "Grace"}}]}),
            "/contacts/0/name/first_name",
            json!("Grace"),
        ),
        (
            "reaction",
            json!({"reaction": {"target": asked, "emoji": "👍"}}),
            "/reaction/emoji",
            json!("👍"),
        ),
    ]
}

#[tokio::test]
async fn every_kind_arrives_in_the_documented_form() {
    let stage = stage().await;
    let meta = stage.simulator.meta();
    for (name, text) in [
        ("order_update", "Hi {{1}}, order {{2}}"),
        ("greeting", "Hi {{first_name}}"),
    ] {
        meta.add_template(json!({
            "name": name, "language": "en_US", "status": "APPROVED", "category": "UTILITY",
            "components": [{"type": "BODY", "text": text}],
        }));
    }
    let path = format!("/api/v1/channels/{WA}/templates/refresh");
    let refreshed = stage.daemon.api().post(&path, &json!({})).await;
    assert_eq!(refreshed.json["templates"], 3, "{refreshed:?}");
    let asked = WaMessage::text(ADA, "Hi");
    deliver(&stage, &asked).await;
    let cases = [plain_cases(), rich_cases(&asked.id)].concat();
    let mut ids = Vec::new();
    for (_, content, _, _) in &cases {
        ids.push(send(&stage, content.clone()).await);
    }
    let arrived = arrived(&stage, &ids).await;
    assert_eq!(arrived.len(), cases.len());
    for (id, (kind, _, place, want)) in ids.iter().zip(&cases) {
        let sent = arrived
            .iter()
            .find(|sent| sent.body["biz_opaque_callback_data"] == *id);
        let sent = sent.unwrap_or_else(|| panic!("{kind} did not arrive"));
        assert_eq!(sent.kind, *kind);
        assert_eq!(sent.body.pointer(place), Some(want), "{}", sent.body);
        assert_eq!(sent.to, ADA);
    }
}

#[tokio::test]
async fn answers_quote_and_people_without_numbers_are_reached() {
    let stage = stage().await;
    let id = "US.13491208655302741918";
    let asked = WaMessage::text(ADA, "Hi").with_user_id(id).without_number();
    deliver(&stage, &asked).await;
    let body = json!({"channel": WA, "to": id, "reply_to": asked.id, "content": {"text": "Hello"}});
    let answer = stage.daemon.api().post("/api/v1/messages", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.reply.text());
    let sent = arrived(
        &stage,
        &[answer.json["id"].as_str().expect("an id").to_owned()],
    )
    .await;
    assert_eq!(sent[0].body["recipient"], id);
    assert_eq!(sent[0].body["context"]["message_id"], asked.id.as_str());
}

#[tokio::test]
async fn states_advance_in_whatever_order_they_come() {
    for (reports, end) in [
        (
            Reports::InOrder {
                delay: Duration::from_millis(20),
            },
            "read",
        ),
        (Reports::Reversed, "read"),
        (Reports::ReadAtOnce, "read"),
        (Reports::Doubled, "delivered"),
        (Reports::BeforeAnswer, "delivered"),
        (Reports::Failed { code: 131_026 }, "failed"),
    ] {
        let stage = stage().await;
        let meta = stage.simulator.meta();
        meta.set_reports(reports.clone());
        deliver(&stage, &WaMessage::text(ADA, "Hello?")).await;
        let id = send(&stage, json!({"text": "Hi"})).await;
        let message = stage.daemon.api().wait_status(&id, end).await;
        if end == "failed" {
            assert_eq!(message["error"]["class"], "recipient", "{message}");
            assert_eq!(message["error"]["provider_code"], "131026");
        }
        let answers = meta.reports();
        assert!(
            answers.iter().all(|report| report.http_status == Some(200)),
            "{answers:?}"
        );
    }
}

#[tokio::test]
async fn refusals_have_their_class() {
    let stage = stage().await;
    let meta = stage.simulator.meta();
    let api = stage.daemon.api();
    let failed = async |content: Value| {
        let id = send(&stage, content).await;
        api.wait_status(&id, "failed").await["error"].clone()
    };
    let template = |variables: Value| json!({"template": {"name": "hello_world", "language": "en_US", "variables": variables}});
    let unlisted = json!({"channel": WA, "to": ADA, "content": template(json!({"1": "too many"}))});
    let refused = api.post("/api/v1/messages", &unlisted).await;
    assert_eq!(
        refused.json["code"], "template_variables",
        "told before it is sent"
    );
    // The template has changed at Meta since it was listed.
    meta.behave_once(Behaviour::error(
        400,
        132_000,
        "Number of parameters does not match",
    ));
    let wrong_count = failed(template(json!({}))).await;
    assert_eq!(
        (&wrong_count["class"], &wrong_count["provider_code"]),
        (&json!("content"), &json!("132000"))
    );
    meta.make_unreachable(ADA);
    let unreachable = failed(template(json!({}))).await;
    assert_eq!(unreachable["class"], "recipient");
}

/// The window is Meta's to judge as well: what it says is understood.
#[tokio::test]
async fn a_closed_window_is_told() {
    let stage = stage().await;
    deliver(&stage, &WaMessage::text(ADA, "Hi")).await;
    stage.simulator.meta().close_window(ADA);
    let id = send(&stage, json!({"text": "too late"})).await;
    let message = stage.daemon.api().wait_status(&id, "failed").await;
    assert_eq!(message["error"]["class"], "window_closed", "{message}");
    assert_eq!(message["error"]["provider_code"], "131047");
}

#[tokio::test]
async fn faults_are_survived_without_doubling() {
    let stage = stage().await;
    let meta = stage.simulator.meta();
    deliver(&stage, &WaMessage::text(ADA, "Hello?")).await;
    meta.behave_once(Behaviour::error(400, 130_429, "Rate limit hit"));
    meta.behave_once(Behaviour::error(500, 131_000, "Something went wrong"));
    meta.behave_once(Behaviour::status(503));
    let id = send(&stage, json!({"text": "in the end"})).await;
    assert_eq!(arrived(&stage, &[id]).await.len(), 1);
    meta.behave_once(Behaviour::ResetAfterRead.after_accepting());
    let lost = send(&stage, json!({"text": "once"})).await;
    stage.daemon.api().wait_status(&lost, "uncertain").await;
    assert_eq!(meta.messages().len(), 2);
    // A report that carries our id settles it.
    let sent = meta.messages().swap_remove(1);
    let report = meta
        .report(&stage.daemon.url(WA), &sent.id, "delivered", None)
        .await;
    assert_eq!(report.expect("an answer").status, 200);
    let settled = stage.daemon.api().wait_status(&lost, "delivered").await;
    assert_eq!(settled["external_id"], sent.id.as_str());
}

#[tokio::test]
async fn the_probe_reports_the_number_and_says_what_to_do() {
    let stage = stage().await;
    let meta = stage.simulator.meta();
    let api = stage.daemon.api();
    api.wait_health(WA, "healthy").await;
    let tested = api
        .post(&format!("/api/v1/channels/{WA}/test"), &json!({}))
        .await;
    let text = tested.reply.text();
    for shown in ["Acme 0", "+1 555-020-0000", "GREEN"] {
        assert!(text.contains(shown), "{shown} is not in {text}");
    }
    meta.change_number(&meta.phone_number_id(), |number| {
        number.quality_rating = "RED".to_owned();
    });
    api.wait_health(WA, "degraded").await;
    meta.change_number(&meta.phone_number_id(), |number| {
        number.quality_rating = "GREEN".to_owned();
    });
    meta.expire_token();
    let words = "access token expired: make a system-user token";
    eventually("the words about the token", SOON, || async {
        let channel = api.channel(WA).await;
        let health = channel["health"].clone();
        let said = health["last_error"].to_string().contains(words);
        (health["status"] == "down" && said).then_some(())
    })
    .await;
    // What comes in goes on coming in.
    assert_eq!(
        deliver(&stage, &WaMessage::text(ADA, "still here"))
            .await
            .status,
        200
    );
    stage.only_message(ADA).await;
}

#[tokio::test]
async fn a_failing_check_is_no_finding() {
    let stage = stage().await;
    let meta = stage.simulator.meta();
    meta.set_behaviour_of(MetaEndpoint::Number, Behaviour::status(500));
    let health = stage.daemon.api().wait_health(WA, "degraded").await;
    assert_ne!(health["health"]["status"], "healthy");
}
