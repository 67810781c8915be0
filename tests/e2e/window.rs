//! WhatsApp's 24-hour window: what may go to whom, and what becomes of the rest, by each policy.

use serde_json::{Value, json};
use trunkline_simulator::{ContentTemplate, InboundSms, Simulator, StatusWord};
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::http::Request;
use trunkline_tests::wait::{SOON, eventually};

use crate::outbound::creates;
use crate::stage::{Stage, twilio};

/// The channel of these tests.
pub(crate) const WA: &str = "wa";
pub(crate) const ADA: &str = "+15005550101";
pub(crate) const ADA_WA: &str = "whatsapp:+15005550101";
pub(crate) const US: &str = "whatsapp:+15550100";
/// The template that carries texts.
const NOTE: &str = "note";

/// A WhatsApp channel of the simulator's account.
pub(crate) fn whatsapp(simulator: &Simulator) -> Channel {
    twilio(WA, simulator).config("from", US)
}

/// A stage with one WhatsApp channel with this policy, and the template [`NOTE`].
async fn stage(policy: &str) -> Stage {
    stage_with(|channel| channel.key("outside_window", policy)).await
}

async fn stage_with(change: impl FnOnce(Channel) -> Channel) -> Stage {
    let stage = Stage::new(|simulator| {
        let note = ContentTemplate::approved(NOTE, "You have a message: {{text}}");
        simulator.twilio().add_template(note);
        Config::new().channel(change(whatsapp(simulator)))
    })
    .await;
    crate::templates::wait_listed(&stage, 1).await;
    stage
}

/// Ada writes.
pub(crate) async fn write(stage: &Stage, text: &str) {
    deliver(stage, &InboundSms::text(ADA_WA, US, text)).await;
}

pub(crate) async fn deliver(stage: &Stage, sms: &InboundSms) {
    let url = stage.daemon.url(WA);
    let answer = stage.simulator.twilio().inbound(&url, sms).await;
    assert_eq!(answer.expect("delivered").status, 200);
}

/// The refusal of a text to Ada; none where it is accepted.
async fn refusal(stage: &Stage, content: &Value) -> Option<Value> {
    let body = json!({"channel": WA, "to": ADA, "content": content});
    let answer = stage.daemon.api().post("/api/v1/messages", &body).await;
    match answer.status {
        202 => None,
        422 => Some(answer.json),
        other => panic!("{other}: {}", answer.reply.text()),
    }
}

/// Ada's window as her contact shows it.
async fn window(stage: &Stage) -> Value {
    let contact = stage.daemon.api().contacts(ADA).await.remove(0);
    contact["identities"][0]["window"].clone()
}

async fn wait_window(stage: &Stage, open: bool) -> Value {
    eventually(&format!("the window is open: {open}"), SOON, || async {
        let window = window(stage).await;
        (window["open"] == open).then_some(window)
    })
    .await
}

async fn wait_held(stage: &Stage, id: &str) -> Value {
    eventually("the message is held", SOON, || async {
        let item = stage.daemon.api().outbox_item(id).await?;
        (item["state"] == "held" && item["error"]["code"] == "window_closed").then_some(item)
    })
    .await
}

/// The texts, or template values, that the provider accepted, in order.
fn taken(stage: &Stage) -> Vec<String> {
    let messages = stage.simulator.twilio().messages().into_iter();
    messages
        .map(|message| message.content_variables.unwrap_or(message.body))
        .collect()
}

async fn post(stage: &Stage, path: String) {
    let answer = stage.daemon.api().send(Request::new("POST", path)).await;
    assert_eq!(answer.status, 200, "{}", answer.reply.text());
}

#[tokio::test]
async fn who_has_not_written_gets_no_free_form_message() {
    let stage = stage("reject").await;
    let api = stage.daemon.api();
    let text = json!({"text": "hello"});
    let problem = refusal(&stage, &text).await.expect("it is refused");
    assert_eq!(problem["code"], "window_closed", "{problem}");
    assert_eq!(problem["link"], "https://wa.me/15550100", "{problem}");
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(
        detail.contains("template") && !detail.contains(ADA),
        "{detail}"
    );
    let shown = stage.daemon.cli(&["send", WA, ADA, "hello"]).await;
    assert!(
        shown.code == 1 && shown.stderr.contains("https://wa.me/15550100"),
        "{shown:?}"
    );
    assert_eq!(api.contacts(ADA).await.len(), 0, "nothing was stored");

    let later = jiff::Timestamp::now() + std::time::Duration::from_secs(3600);
    let body = json!({"channel": WA, "to": ADA, "content": text, "send_at": later.to_string()});
    let answer = api.post("/api/v1/messages", &body).await;
    assert_eq!(
        answer.status,
        202,
        "asked when its time comes: {}",
        answer.reply.text()
    );

    let before = jiff::Timestamp::now();
    write(&stage, "hi").await;
    let shown = window(&stage).await;
    assert_eq!(shown["open"], true, "{shown}");
    let expires: jiff::Timestamp = shown["expires_at"].as_str().unwrap().parse().unwrap();
    let hours = expires.duration_since(before).as_secs();
    assert!((86_395..86_460).contains(&hours), "{shown}");
    let thread = api.contacts(ADA).await[0]["thread"].clone();
    let thread = api
        .get(&format!("/api/v1/threads/{}", thread.as_str().unwrap()))
        .await;
    assert_eq!(thread["windows"][0]["open"], true, "{thread}");
    assert_eq!(thread["windows"][0]["channel"], WA);
    let id = api.send_text(WA, ADA, "hello").await;
    api.wait_status(&id, "sent").await;
    assert_eq!(stage.simulator.twilio().problems(), [""; 0]);
}

#[tokio::test]
async fn a_window_belongs_to_one_of_our_numbers() {
    let stage = Stage::new(|simulator| {
        let other = twilio("other", simulator).config("from", "whatsapp:+15550101");
        Config::new().channel(whatsapp(simulator)).channel(other)
    })
    .await;
    write(&stage, "hi").await;
    assert_eq!(refusal(&stage, &json!({"text": "hello"})).await, None);
    let body = json!({"channel": "other", "to": ADA, "content": {"text": "hello"}});
    let answer = stage.daemon.api().post("/api/v1/messages", &body).await;
    assert_eq!(
        answer.json["code"],
        "window_closed",
        "{}",
        answer.reply.text()
    );
    let contact = stage.daemon.api().contacts(ADA).await.remove(0);
    let windows = contact["identities"][0]["windows"].as_array().cloned();
    let open: Vec<_> = windows
        .unwrap_or_default()
        .iter()
        .map(|one| one["open"].clone())
        .collect();
    assert_eq!(open, [false, true], "by channel: {contact}");
}

/// Sends a text while the window is open, to a channel that is switched off until it has closed.
async fn closed_in_the_queue(stage: &Stage, text: &str) -> String {
    write(stage, "hi").await;
    post(stage, format!("/api/v1/channels/{WA}/disable")).await;
    let id = stage.daemon.api().send_text(WA, ADA, text).await;
    wait_window(stage, false).await;
    post(stage, format!("/api/v1/channels/{WA}/enable")).await;
    id
}

/// One daemon all the while: the policy is read anew by a reload, without a restart of the channel.
#[tokio::test]
async fn a_window_that_closes_in_the_queue_is_noticed_and_the_policy_is_read_live() {
    let short = |channel: Channel| channel.key("reply_window", "4s");
    let mut stage = stage_with(short).await;
    let id = closed_in_the_queue(&stage, "too late").await;
    let message = stage.daemon.api().wait_status(&id, "failed").await;
    assert_eq!(message["error"]["class"], "window_closed", "{message}");
    let item = stage
        .daemon
        .api()
        .outbox_item(&id)
        .await
        .expect("a dead letter");
    assert_eq!(
        (&item["state"], &item["attempts"]),
        (&json!("dead"), &json!(0))
    );
    assert_eq!(creates(&stage).len(), 0, "no call was made");

    let started = stage.daemon.api().channel(WA).await["started_at"].clone();
    let policy = format!("template:{NOTE}");
    let change = |config: &mut Config| {
        config.put(
            config
                .find(WA)
                .clone()
                .key("outside_window", policy.as_str()),
        );
    };
    stage.daemon.rewrite(change);
    stage.daemon.cli_ok(&["reload"]).await;
    let id = closed_in_the_queue(&stage, "in a\ntemplate").await;
    stage.daemon.api().wait_status(&id, "sent").await;
    assert_eq!(taken(&stage), [r#"{"text":"in a template"}"#]);

    let change = |config: &mut Config| {
        config.put(config.find(WA).clone().key("outside_window", "hold"));
    };
    stage.daemon.rewrite(change);
    stage.daemon.cli_ok(&["reload"]).await;
    let id = closed_in_the_queue(&stage, "held").await;
    wait_held(&stage, &id).await;
    write(&stage, "again").await;
    stage.daemon.api().wait_status(&id, "sent").await;
    assert_eq!(taken(&stage).last().map(String::as_str), Some("held"));
    assert_eq!(stage.daemon.api().channel(WA).await["started_at"], started);
}

#[tokio::test]
async fn held_messages_go_out_in_order_when_the_person_writes() {
    let mut stage = stage("hold").await;
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(stage.daemon.api().send_text(WA, ADA, text).await);
    }
    for id in &ids {
        let item = wait_held(&stage, id).await;
        assert_eq!(item["error"]["class"], "window_closed", "{item}");
        assert_eq!(stage.daemon.api().message(id).await["status"], "queued");
    }
    let held = stage.daemon.api().all("/api/v1/outbox?state=held").await;
    assert_eq!(held.len(), 3, "{held:?}");
    stage.daemon.kill9().await;
    stage.daemon.launch().await;
    assert_eq!(creates(&stage).len(), 0);
    write(&stage, "here I am").await;
    for id in &ids {
        let message = stage.daemon.api().wait_status(id, "sent").await;
        let codes: Vec<_> = message["history"]
            .as_array()
            .into_iter()
            .flatten()
            .collect();
        assert!(
            codes.iter().any(|entry| entry["code"] == "window_open"),
            "{message}"
        );
    }
    assert_eq!(taken(&stage), ["one", "two", "three"]);
}

#[tokio::test]
async fn what_is_held_for_too_long_is_given_up() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .set("outbound.age_max", "1s")
            .channel(whatsapp(simulator).key("outside_window", "hold"))
    })
    .await;
    let id = stage
        .daemon
        .api()
        .send_text(WA, ADA, "nobody answers")
        .await;
    let message = stage.daemon.api().wait_status(&id, "failed").await;
    assert_eq!(message["error"]["class"], "window_closed", "{message}");
    let item = stage
        .daemon
        .api()
        .outbox_item(&id)
        .await
        .expect("a dead letter");
    assert_eq!(item["state"], "dead");
}

#[tokio::test]
async fn a_template_carries_the_text() {
    let stage = stage(&format!("template:{NOTE}")).await;
    let api = stage.daemon.api();
    let body = json!({"channel": WA, "to": ADA, "content": {"text": "Hi\nAda"}});
    let preview = api.post("/api/v1/messages/preview", &body).await.json;
    assert_eq!(
        preview["window"]["then"],
        format!("template:{NOTE}"),
        "{preview}"
    );
    let id = api.send_text(WA, ADA, "Hi\nAda").await;
    let message = api.wait_status(&id, "sent").await;
    assert_eq!(
        message["content"]["text"], "Hi\nAda",
        "kept as it was written"
    );
    assert_eq!(message["content"]["template"]["name"], NOTE, "{message}");
    let history = message["history"].as_array().cloned().unwrap_or_default();
    let words = history
        .iter()
        .find(|entry| entry["code"] == "window_closed");
    let words = words
        .and_then(|entry| entry["detail"].as_str())
        .unwrap_or_default();
    assert!(words.contains(NOTE), "{message}");
    let sent = stage.simulator.twilio().messages().remove(0);
    assert_eq!(
        sent.content_variables.as_deref(),
        Some(r#"{"text":"Hi Ada"}"#)
    );
    assert_eq!((sent.body.as_str(), sent.error_code), ("", None));

    let media = json!({"text": "look", "media": [{"url": "https://example.org/a.png"}]});
    let problem = refusal(&stage, &media).await.expect("refused");
    assert_eq!(problem["code"], "window_closed", "{problem}");
    write(&stage, "hi").await;
    assert_eq!(refusal(&stage, &media).await, None, "inside it may go");
    assert_eq!(stage.simulator.twilio().problems(), [""; 0]);
}

/// Accepted by Twilio and refused by WhatsApp a moment later, although our own clock says open.
async fn refused_later(stage: &Stage, text: &str) -> (String, String) {
    write(stage, "hi").await;
    stage.simulator.twilio().close_window(ADA_WA);
    let id = stage.daemon.api().send_text(WA, ADA, text).await;
    let first = eventually("Twilio has it", SOON, || async {
        let messages = stage.simulator.twilio().messages();
        messages.into_iter().find(|message| message.body == text)
    });
    (id, first.await.sid)
}

#[tokio::test]
async fn the_providers_word_closes_the_window() {
    let stage = stage("reject").await;
    let (id, _) = refused_later(&stage, "free-form").await;
    let message = stage.daemon.api().wait_status(&id, "failed").await;
    assert_eq!(message["error"]["provider_code"], "63016", "{message}");
    wait_window(&stage, false).await;
    let problem = refusal(&stage, &json!({"text": "again"}))
        .await
        .expect("refused");
    assert_eq!(problem["code"], "window_closed");
    assert_eq!(creates(&stage).len(), 1, "never a blind retry");
    write(&stage, "I am back").await;
    assert_eq!(refusal(&stage, &json!({"text": "again"})).await, None);
}

#[tokio::test]
async fn what_the_provider_refused_is_held_or_goes_as_a_template_once() {
    let stage = stage("hold").await;
    let account = stage.simulator.twilio();
    let (id, first) = refused_later(&stage, "waits").await;
    wait_held(&stage, &id).await;
    write(&stage, "I am back").await;
    let message = stage.daemon.api().wait_status(&id, "sent").await;
    let second = message["external_id"].as_str().expect("an id").to_owned();
    assert_ne!(second, first);
    let again = account
        .report(&first, StatusWord::Failed, Some(63016))
        .await;
    assert_eq!(again.expect("known").map(|answer| answer.status), Some(200));
    let message = stage.daemon.api().message(&id).await;
    assert_eq!(
        message["status"], "sent",
        "a late word on the first send: {message}"
    );
    account
        .report(&second, StatusWord::Delivered, None)
        .await
        .expect("known");
    stage.daemon.api().wait_status(&id, "delivered").await;
    assert_eq!(taken(&stage), ["waits", "waits"]);
}

#[tokio::test]
async fn what_the_provider_refused_goes_as_a_template() {
    let stage = stage(&format!("template:{NOTE}")).await;
    let (id, _) = refused_later(&stage, "carried").await;
    eventually("the template goes", SOON, || async {
        (taken(&stage) == ["carried", r#"{"text":"carried"}"#]).then_some(())
    })
    .await;
    let message = stage.daemon.api().wait_status(&id, "sent").await;
    assert_eq!(message["content"]["template"]["name"], NOTE, "{message}");
    let statuses = message["history"].as_array().cloned().unwrap_or_default();
    assert!(
        statuses.iter().any(|entry| entry["status"] == "failed"),
        "{message}"
    );
}
