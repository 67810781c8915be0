//! The catalogue of templates: listed, refreshed, previewed, and asked before a template is sent.

use serde_json::{Value, json};
use trunkline_simulator::{Behaviour, ContentTemplate, Endpoint};
use trunkline_tests::config::Config;
use trunkline_tests::http::Request;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};
use crate::window::{ADA, WA, whatsapp};

/// Waits until the catalogue of the WhatsApp channel has this many templates.
pub(crate) async fn wait_listed(stage: &Stage, count: usize) {
    eventually(&format!("{count} templates are listed"), SOON, || async {
        let answer = stage.daemon.api().get("/api/v1/templates?channel=wa").await;
        (answer["channels"][0]["templates"] == count).then_some(())
    })
    .await;
}

async fn listed(stage: &Stage, query: &str) -> Vec<Value> {
    stage
        .daemon
        .api()
        .all(&format!("/api/v1/templates?channel={WA}{query}"))
        .await
}

async fn refresh(stage: &Stage) -> Value {
    let path = format!("/api/v1/channels/{WA}/templates/refresh");
    let answer = stage.daemon.api().send(Request::new("POST", path)).await;
    assert_eq!(answer.status, 200, "{}", answer.reply.text());
    answer.json
}

/// Sends a template to Ada: the message's id, or the refusal.
async fn call(stage: &Stage, template: &Value) -> Result<String, Value> {
    let body = json!({"channel": WA, "to": ADA, "content": {"template": template}});
    let answer = stage.daemon.api().post("/api/v1/messages", &body).await;
    match answer.status {
        202 => Ok(answer.json["id"].as_str().expect("an id").to_owned()),
        422 => Err(answer.json),
        other => panic!("{other}: {}", answer.reply.text()),
    }
}

#[tokio::test]
async fn the_catalogue_follows_the_provider() {
    let stage = Stage::new(|simulator| {
        for number in 0..120 {
            let template = ContentTemplate::approved(&format!("t{number:03}"), "Hi {{1}}");
            simulator.twilio().add_template(template);
        }
        Config::new().channel(whatsapp(simulator))
    })
    .await;
    wait_listed(&stage, 120).await;
    assert_eq!(
        listed(&stage, "").await.len(),
        120,
        "two pages of the provider"
    );
    let shown = listed(&stage, "&name=t007").await.remove(0);
    assert_eq!(shown["status"], "approved", "{shown}");
    assert_eq!(shown["variables"], json!(["1"]));
    assert_eq!(shown["body"], "Hi {{1}}");

    let account = stage.simulator.twilio();
    let new = account.add_template(ContentTemplate::approved("new", "x"));
    let sid = shown["id"].as_str().expect("an id").to_owned();
    account.set_template_status(&sid, "paused", "low quality");
    let first = listed(&stage, "&name=t000").await[0]["id"].clone();
    account.remove_template(first.as_str().expect("an id"));
    let refreshed = refresh(&stage).await;
    assert_eq!(refreshed["templates"], 120, "{refreshed}");
    assert_eq!(
        refreshed["changed"].as_array().map(Vec::len),
        Some(2),
        "{refreshed}"
    );
    assert_eq!(listed(&stage, "&name=new").await[0]["id"], new);
    assert_eq!(listed(&stage, "&name=t000").await.len(), 0);
    assert_eq!(listed(&stage, "&status=PAUSED").await.len(), 1);
    let notice = stage.daemon.api();
    notice
        .wait_notification("template_status", |one| {
            let words = one["words"].as_str().unwrap_or_default();
            words.contains("t007") && words.contains("low quality")
        })
        .await;

    let text = stage
        .daemon
        .cli_ok(&["template", "list", "--channel", WA])
        .await
        .stdout;
    assert!(text.contains("t007") && text.contains("paused"), "{text}");
    let text = stage
        .daemon
        .cli_ok(&["template", "show", WA, "new"])
        .await
        .stdout;
    assert!(text.contains(&new), "{text}");
    let text = stage
        .daemon
        .cli_ok(&["template", "refresh", WA])
        .await
        .stdout;
    assert!(text.starts_with("120 templates"), "{text}");
    assert_eq!(
        stage
            .daemon
            .cli(&["template", "show", WA, "nothing"])
            .await
            .code,
        1
    );
    assert_eq!(account.problems(), [""; 0]);
}

#[tokio::test]
async fn a_call_is_checked_before_it_is_accepted() {
    let stage = Stage::new(|simulator| {
        let account = simulator.twilio();
        account.add_template(ContentTemplate::approved("order", "Hi {{name}}, {{2}}"));
        let sale = ContentTemplate::approved("sale", "x").with_status("rejected", "promotional");
        account.add_template(sale);
        account.add_template(ContentTemplate::approved("both", "x"));
        account.add_template(ContentTemplate::approved("both", "x").in_language("de"));
        Config::new().channel(whatsapp(simulator))
    })
    .await;
    wait_listed(&stage, 4).await;
    for (template, code, word) in [
        (json!({"name": "nothing"}), "template_unknown", "nothing"),
        (json!({"name": "both"}), "template_unknown", "de, en"),
        (
            json!({"name": "both", "language": "fr"}),
            "template_unknown",
            "de, en",
        ),
        (
            json!({"name": "sale"}),
            "template_not_approved",
            "promotional",
        ),
        (
            json!({"name": "order", "variables": {"name": "Ada"}}),
            "template_variables",
            "\"2\"",
        ),
        (
            json!({"name": "order", "variables": {"name": "Ada", "2": "b", "x": "c"}}),
            "template_variables",
            "\"x\"",
        ),
    ] {
        let problem = call(&stage, &template).await.expect_err("refused");
        assert_eq!(problem["code"], code, "{problem}");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap_or_default()
                .contains(word),
            "{problem}"
        );
    }
    let good = json!({"name": "order", "variables": {"name": "Ada", "2": 7}});
    let body = json!({"channel": WA, "template": good});
    let preview = stage
        .daemon
        .api()
        .post("/api/v1/templates/preview", &body)
        .await;
    assert_eq!(
        preview.json["text"],
        "Hi Ada, 7",
        "{}",
        preview.reply.text()
    );
    let id = call(&stage, &good).await.expect("accepted");
    stage.daemon.api().wait_status(&id, "sent").await;
    let sent = stage.simulator.twilio().messages().remove(0);
    assert_eq!(sent.content_sid.as_deref(), preview.json["id"].as_str());
    let values = sent.content_variables.as_deref().unwrap_or_default();
    let values: Value = serde_json::from_str(values).expect("values are JSON");
    assert_eq!(
        values,
        json!({"name": "Ada", "2": "7"}),
        "all of them texts"
    );
    assert_eq!(sent.error_code, None);
    let line = ["send", WA, ADA, "--template", "both", "--language", "de"];
    stage.daemon.cli_ok(&line).await;
    assert_eq!(stage.simulator.twilio().problems(), [""; 0]);
}

#[tokio::test]
async fn without_a_catalogue_the_provider_decides() {
    let stage = Stage::new(|simulator| {
        let account = simulator.twilio();
        account.set_behaviour_of(Endpoint::Content, Behaviour::status(503));
        Config::new().channel(whatsapp(simulator))
    })
    .await;
    let sid = stage
        .simulator
        .twilio()
        .add_template(ContentTemplate::approved("order", "Hi"));
    let why = eventually("the failure shows", SOON, || async {
        let answer = stage.daemon.api().get("/api/v1/templates").await;
        answer["channels"][0]["error"].as_str().map(str::to_owned)
    })
    .await;
    assert!(why.contains("503"), "{why}");
    let path = format!("/api/v1/channels/{WA}/templates/refresh");
    let answer = stage.daemon.api().send(Request::new("POST", path)).await;
    assert_eq!(
        (answer.status, &answer.json["code"]),
        (502, &json!("provider"))
    );
    let id = call(&stage, &json!({"name": sid})).await.expect("accepted");
    stage.daemon.api().wait_status(&id, "sent").await;
    stage
        .simulator
        .twilio()
        .set_behaviour_of(Endpoint::Content, Behaviour::Accept);
    assert_eq!(refresh(&stage).await["templates"], 1);
    let problem = call(&stage, &json!({"name": "other"}))
        .await
        .expect_err("refused");
    assert_eq!(problem["code"], "template_unknown");
}

#[tokio::test]
async fn a_catalogue_survives_a_restart() {
    let mut stage = Stage::new(|simulator| {
        let template = ContentTemplate::approved("order", "Hi");
        simulator.twilio().add_template(template);
        Config::new().channel(whatsapp(simulator))
    })
    .await;
    wait_listed(&stage, 1).await;
    let account = stage.simulator.twilio();
    account.set_behaviour_of(Endpoint::Content, Behaviour::status(503));
    stage.daemon.kill9().await;
    stage.daemon.launch().await;
    let problem = call(&stage, &json!({"name": "other"}))
        .await
        .expect_err("refused");
    assert_eq!(problem["code"], "template_unknown");
    call(&stage, &json!({"name": "order"}))
        .await
        .expect("accepted");
}

#[tokio::test]
async fn links_lead_people_to_a_channel() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .channel(whatsapp(simulator))
            .channel(twilio(SMS, simulator))
            .channel(
                twilio("named", simulator)
                    .config("from", "ACME Shop")
                    .key("address", "+1 555 010-0199"),
            )
            .channel(twilio("nameless", simulator).config("from", "ACME"))
    })
    .await;
    let api = stage.daemon.api();
    let link = async |channel: &str| {
        let path = format!("/api/v1/channels/{channel}/link?text=Hi%20%26%20you");
        api.get_any(&path).await.json
    };
    assert_eq!(
        link(WA).await["link"],
        "https://wa.me/15550100?text=Hi%20%26%20you"
    );
    assert_eq!(link(SMS).await["link"], "sms:+15550100?body=Hi%20%26%20you");
    assert_eq!(
        link("named").await["link"],
        "sms:+15550100199?body=Hi%20%26%20you"
    );
    let problem = link("nameless").await;
    assert_eq!(problem["code"], "no_address", "{problem}");
    let printed = stage
        .daemon
        .cli_ok(&["channel", "link", WA, "--text", "Ünì"])
        .await;
    assert_eq!(
        printed.stdout.trim(),
        "https://wa.me/15550100?text=%C3%9Cn%C3%AC"
    );
}
