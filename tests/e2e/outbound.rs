//! A reply out: accepted durably, sent as Twilio's API expects it, followed to its delivery.

use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};
use trunkline_simulator::{Callbacks, RecordedRequest, StatusWord};
use trunkline_tests::config::Config;
use trunkline_tests::http::Request;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";

/// The Create calls that reached the provider.
pub(crate) fn creates(stage: &Stage) -> Vec<RecordedRequest> {
    let requests = stage.simulator.twilio().requests().into_iter();
    requests
        .filter(|r| r.method == "POST" && r.path.ends_with("/Messages.json"))
        .collect()
}

/// The (status, source) pairs of a message's history.
pub(crate) fn history(message: &Value) -> Vec<(String, String)> {
    let entries = message["history"]
        .as_array()
        .expect("a message has a history");
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    entries
        .iter()
        .map(|entry| (text(entry, "status"), text(entry, "source")))
        .collect()
}

/// True where the history holds the pair.
fn has(message: &Value, status: &str, source: &str) -> bool {
    history(message).contains(&(status.to_owned(), source.to_owned()))
}

async fn with_callbacks(callbacks: Callbacks) -> Stage {
    let stage = Stage::sms().await;
    stage.simulator.twilio().set_callbacks(callbacks);
    stage
}

#[tokio::test]
async fn a_send_reaches_twilio_as_its_api_expects_and_comes_back_delivered() {
    let delay = Duration::from_millis(50);
    let stage = with_callbacks(Callbacks::InOrder { delay }).await;
    let (account, api) = (stage.simulator.twilio(), stage.daemon.api());
    let id = api
        .send_text(SMS, ADA, "Your order is on its way 😀 & more ")
        .await;
    let message = api.wait_status(&id, "delivered").await;

    let creates = creates(&stage);
    assert_eq!(creates.len(), 1, "{creates:?}");
    let create = &creates[0];
    assert_eq!(
        create.path,
        format!(
            "/2010-04-01/Accounts/{}/Messages.json",
            account.account_sid()
        )
    );
    let credentials = format!("{}:{}", account.account_sid(), account.auth_token());
    let basic = format!("Basic {}", BASE64.encode(credentials.as_bytes()));
    assert_eq!(create.header("authorization"), Some(basic.as_str()));
    assert_eq!(create.param("To"), Some(ADA));
    assert_eq!(create.param("From"), Some("+15550100"));
    assert_eq!(
        create.param("Body"),
        Some("Your order is on its way 😀 & more ")
    );
    let callback = create.param("StatusCallback").unwrap_or_default();
    assert!(callback.starts_with(&stage.daemon.url(SMS)), "{callback}");
    assert!(account.problems().is_empty(), "{:?}", account.problems());
    assert!(
        account.complaints().is_empty(),
        "{:?}",
        account.complaints()
    );

    assert_eq!(message["direction"], "outbound");
    assert_eq!(message["external_id"], account.messages()[0].sid.as_str());
    assert!(message["error"].is_null(), "{message}");
    assert_eq!(
        history(&message)[0],
        ("queued".to_owned(), "accept".to_owned())
    );
    assert!(has(&message, "sent", "receipt"), "{message}");
    assert!(has(&message, "delivered", "callback"), "{message}");
    for answer in account.callback_answers() {
        assert_eq!(answer.http_status, Some(200), "{answer:?}");
    }
    assert!(
        api.outbox_item(&id).await.is_none(),
        "a delivered message is not in the outbox"
    );
    let timeline = api.timeline(ADA).await;
    assert_eq!(timeline.len(), 1);
    assert_eq!(timeline[0]["id"], id.as_str());
}

#[tokio::test]
async fn a_reply_goes_into_the_conversation_it_answers() {
    let stage = Stage::sms().await;
    stage
        .deliver(SMS, &trunkline_tests::twilio::Sms::new(ADA, "a question"))
        .await;
    let question = stage.only_message(ADA).await;
    let api = stage.daemon.api();
    let body = json!({"channel": SMS, "to": ADA, "thread": question["thread"], "content": {"text": "an answer"}});
    let answer = api.post("/api/v1/messages", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.reply.text());
    assert_eq!(answer.json["status"], "queued");
    let timeline = api.timeline(ADA).await;
    assert_eq!(timeline.len(), 2, "{timeline:?}");
    assert_eq!(timeline[0]["thread"], question["thread"]);
    assert_eq!(timeline[0]["contact"], question["contact"]);
}

#[tokio::test]
async fn a_status_before_the_send_has_returned_is_not_lost() {
    let stage = with_callbacks(Callbacks::BeforeResponse).await;
    let api = stage.daemon.api();
    let id = api.send_text(SMS, ADA, "fast").await;
    let message = api.wait_status(&id, "delivered").await;
    assert!(has(&message, "delivered", "callback"), "{message}");
    let message = eventually("the receipt in the history", SOON, || async {
        let message = api.message(&id).await;
        has(&message, "sent", "receipt").then_some(message)
    })
    .await;
    assert_eq!(
        message["status"], "delivered",
        "the receipt must not set it back"
    );
    for answer in stage.simulator.twilio().callback_answers() {
        assert_eq!(answer.http_status, Some(200), "{answer:?}");
    }
}

#[tokio::test]
async fn sent_after_delivered_changes_only_the_history() {
    let stage = with_callbacks(Callbacks::Reversed).await;
    let api = stage.daemon.api();
    let id = api.send_text(SMS, ADA, "out of order").await;
    let message = eventually("both reports in the history", SOON, || async {
        let message = api.message(&id).await;
        (has(&message, "delivered", "callback") && has(&message, "sent", "callback"))
            .then_some(message)
    })
    .await;
    assert_eq!(message["status"], "delivered");
}

#[tokio::test]
async fn doubled_reports_are_answered_and_change_nothing() {
    let stage = with_callbacks(Callbacks::Doubled).await;
    let (account, api) = (stage.simulator.twilio(), stage.daemon.api());
    let id = api.send_text(SMS, ADA, "twice told").await;
    account
        .wait_until(|account| account.callback_answers().len() == 4, SOON)
        .await
        .unwrap();
    let message = api.wait_status(&id, "delivered").await;
    let delivered = history(&message)
        .iter()
        .filter(|(status, _)| status == "delivered")
        .count();
    assert_eq!(delivered, 1, "{message}");
    assert!(
        account
            .callback_answers()
            .iter()
            .all(|answer| answer.http_status == Some(200))
    );
}

#[tokio::test]
async fn a_report_of_failure_fails_the_message_and_never_resends_it() {
    let stage = with_callbacks(Callbacks::Failed { code: 30003 }).await;
    let (account, api) = (stage.simulator.twilio(), stage.daemon.api());
    let id = api.send_text(SMS, ADA, "unreachable").await;
    let message = api.wait_status(&id, "failed").await;
    assert_eq!(message["error"]["provider_code"], "30003", "{message}");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(
        account.message_count(),
        1,
        "a failure after sending is never sent again by itself"
    );
    // What was reported failed can still turn out to have arrived.
    let sid = message["external_id"].as_str().unwrap();
    account
        .report(sid, StatusWord::Delivered, None)
        .await
        .unwrap();
    api.wait_status(&id, "delivered").await;
}

#[tokio::test]
async fn forged_status_reports_are_refused() {
    let stage = Stage::sms().await;
    let api = stage.daemon.api();
    let id = api.send_text(SMS, ADA, "mine").await;
    let message = api.wait_status(&id, "sent").await;
    let hook = stage.hook(SMS);
    let params: Vec<_> = [
        ("MessageSid", message["external_id"].as_str().unwrap()),
        ("MessageStatus", "delivered"),
        ("AccountSid", hook.account_sid.as_str()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    assert_eq!(stage.post(&hook.unsigned(&params)).await.status, 401);
    assert_eq!(api.message(&id).await["status"], "sent");
    assert_eq!(stage.post(&hook.form(&params)).await.status, 200);
    api.wait_status(&id, "delivered").await;
}

#[tokio::test]
async fn a_report_on_a_message_nobody_knows_is_taken() {
    let stage = Stage::sms().await;
    let hook = stage.hook(SMS);
    let params: Vec<_> = [
        ("MessageSid", "SM0000000000000000000000000000dead"),
        ("MessageStatus", "delivered"),
        ("AccountSid", hook.account_sid.as_str()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    assert_eq!(stage.post(&hook.form(&params)).await.status, 200);
}

#[tokio::test]
async fn the_poller_finds_what_callbacks_did_not_tell() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .set("delivery.interval", "300ms")
            .channel(twilio(SMS, simulator))
    })
    .await;
    let (account, api) = (stage.simulator.twilio(), stage.daemon.api());
    let id = api.send_text(SMS, ADA, "quiet").await;
    let message = api.wait_status(&id, "sent").await;
    let sid = message["external_id"].as_str().unwrap();
    account.settle(sid, StatusWord::Delivered, None).unwrap();
    let message = api.wait_status(&id, "delivered").await;
    assert!(has(&message, "delivered", "poll"), "{message}");
}

#[tokio::test]
async fn an_idempotency_key_makes_one_message() {
    let stage = Stage::sms().await;
    let api = stage.daemon.api();
    let send = |key: &'static str, text: &'static str| {
        let body = json!({"channel": SMS, "to": ADA, "content": {"text": text}});
        let request = Request::new("POST", "/api/v1/messages")
            .header("idempotency-key", key)
            .body("application/json", body.to_string());
        api.send(request)
    };
    let (first, again) = (send("order-1", "hi").await, send("order-1", "hi").await);
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!(first.json["id"], again.json["id"]);
    let conflict = send("order-1", "other words").await;
    assert_eq!(conflict.status, 409, "{}", conflict.reply.text());
    let other = send("order-2", "hi").await;
    assert_ne!(first.json["id"], other.json["id"]);
    for answer in [&first, &other] {
        api.wait_status(answer.json["id"].as_str().unwrap(), "sent")
            .await;
    }
    assert_eq!(stage.simulator.twilio().message_count(), 2);
}

#[tokio::test]
async fn idempotency_keys_outlive_a_crash() {
    let mut stage = Stage::sms().await;
    let body = json!({"channel": SMS, "to": ADA, "content": {"text": "hi"}}).to_string();
    let request = Request::new("POST", "/api/v1/messages")
        .header("idempotency-key", "survivor")
        .body("application/json", body);
    let first = stage.daemon.api().send(request.clone()).await;
    stage.daemon.kill9().await;
    stage.daemon.launch().await;
    let again = stage.daemon.api().send(request).await;
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!(first.json["id"], again.json["id"]);
}

#[tokio::test]
async fn what_can_not_be_sent_is_refused_with_a_code() {
    let stage = Stage::sms().await;
    let api = stage.daemon.api();
    let cases = [
        (
            "unknown channel",
            json!({"channel": "nobody", "to": ADA, "content": {"text": "hi"}}),
        ),
        (
            "empty content",
            json!({"channel": SMS, "to": ADA, "content": {}}),
        ),
        (
            "empty text",
            json!({"channel": SMS, "to": ADA, "content": {"text": ""}}),
        ),
        (
            "no recipient",
            json!({"channel": SMS, "content": {"text": "hi"}}),
        ),
        (
            "empty recipient",
            json!({"channel": SMS, "to": "", "content": {"text": "hi"}}),
        ),
        (
            "unknown member",
            json!({"channel": SMS, "to": ADA, "contents": {"text": "hi"}}),
        ),
    ];
    for (name, body) in cases {
        let answer = api.post("/api/v1/messages", &body).await;
        let right = answer.status == 422 || (answer.status == 400 && body.get("content").is_none());
        assert!(right, "{name}: {} {}", answer.status, answer.reply.text());
        assert!(
            answer.json["code"].is_string() || answer.status == 400,
            "{name}: {}",
            answer.json
        );
    }
    assert_eq!(stage.simulator.twilio().message_count(), 0);
}

#[tokio::test]
async fn a_scheduled_message_waits_for_its_time() {
    let stage = Stage::sms().await;
    let api = stage.daemon.api();
    let due = std::time::SystemTime::now() + Duration::from_millis(1_500);
    let at = rfc3339(due);
    let body = json!({"channel": SMS, "to": ADA, "content": {"text": "later"}, "send_at": at});
    let answer = api.post("/api/v1/messages", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.reply.text());
    let id = answer.json["id"].as_str().unwrap();
    api.wait_status(id, "sent").await;
    assert!(std::time::SystemTime::now() >= due, "sent before its time");
}

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn rfc3339(at: std::time::SystemTime) -> String {
    let since = at.duration_since(std::time::UNIX_EPOCH).unwrap();
    let timestamp = jiff::Timestamp::from_millisecond(i64::try_from(since.as_millis()).unwrap());
    timestamp.unwrap().to_string()
}
