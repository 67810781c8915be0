//! Vonage's Messages API: webhooks with a token, attachments, statuses, and both APIs side by side.

use std::time::Duration;

use serde_json::json;
use trunkline_simulator::{Behaviour, Receipts, SignedRequest};
use trunkline_tests::config::Config;
use trunkline_tests::wait::{SOON, eventually};

use crate::outbound::history;
use crate::stage::{SMS, Stage};
use crate::vonage::{ADA, from_ada, messages_channel, on_messages, post, sms_channel};

#[tokio::test]
async fn messages_of_every_kind_are_in_the_timeline() {
    let stage = on_messages().await;
    let (account, url) = (stage.simulator.vonage(), stage.daemon.url(SMS));
    let picture = account.host_media("image/jpeg", b"a picture".to_vec());
    let kinds = [
        from_ada(&stage, "Grüße & mehr 😀 "),
        from_ada(&stage, "")
            .member("channel", json!("mms"))
            .member("message_type", json!("image"))
            .member(
                "image",
                json!({"url": picture, "name": "cat.jpg", "caption": "A cat"}),
            ),
        from_ada(&stage, "")
            .member("channel", json!("mms"))
            .member("message_type", json!("location"))
            .member(
                "location",
                json!({"lat": 52.5, "long": 13.4, "name": "Office"}),
            ),
    ];
    for message in &kinds {
        let answer = account
            .inbound_message(&url, message)
            .await
            .expect("an answer");
        assert_eq!(answer.status, 200);
    }
    let messages = eventually("all of them", SOON, || async {
        let messages = stage.daemon.api().timeline(ADA).await;
        (messages.len() == kinds.len()).then_some(messages)
    })
    .await;
    let of = |index: usize| {
        let id = kinds[index].message_uuid.as_str();
        let found = messages.iter().find(|message| message["external_id"] == id);
        found.unwrap_or_else(|| panic!("no {id} in {messages:?}"))
    };
    assert_eq!(of(0)["content"]["text"], "Grüße & mehr 😀 ");
    assert_eq!(of(0)["metadata"]["sms"]["num_messages"], "1");
    assert_eq!(of(1)["content"]["text"], "A cat");
    assert_eq!(of(1)["content"]["media"][0]["name"], "cat.jpg");
    assert_eq!(of(2)["content"]["location"]["latitude"], 52.5);
}

#[tokio::test]
async fn forged_replayed_and_cut_webhooks_are_refused() {
    let stage = on_messages().await;
    let (account, url) = (stage.simulator.vonage(), stage.daemon.url(SMS));
    let genuine = account.prepare_message(&url, &from_ada(&stage, "Pay 100"));
    let with_body = |body: Vec<u8>| SignedRequest {
        body,
        ..genuine.clone()
    };
    let text = String::from_utf8_lossy(&genuine.body).into_owned();
    let mut unsigned = genuine.clone();
    unsigned.headers.retain(|(name, _)| name != "authorization");
    let mut cut_token = genuine.clone();
    let (_, token) = cut_token.headers.last_mut().expect("the token");
    token.truncate(token.len() - 4);
    let cases = [
        (
            "changed",
            with_body(text.replace("100", "900").into_bytes()),
        ),
        ("cut", with_body(genuine.body[..30].to_vec())),
        ("empty", with_body(Vec::new())),
        ("unsigned", unsigned),
        ("with half a token", cut_token),
        (
            "old",
            account.prepare_message(&url, &from_ada(&stage, "old").aged(3_600)),
        ),
        // A proof of the other API is none.
        (
            "of the other API",
            account.prepare_sms(&url, &from_ada(&stage, "Hi")),
        ),
    ];
    for (name, request) in cases {
        assert_eq!(post(&stage, &request).await, 401, "{name}");
    }
    assert!(stage.daemon.api().contacts(ADA).await.is_empty());
    assert_eq!(post(&stage, &genuine).await, 200);
    assert_eq!(post(&stage, &genuine).await, 200);
    stage.only_message(ADA).await;
}

#[tokio::test]
async fn a_send_carries_a_token_and_comes_back_delivered() {
    let stage = on_messages().await;
    let (account, api) = (stage.simulator.vonage(), stage.daemon.api());
    let delay = Duration::from_millis(50);
    account.set_receipts(Receipts::InOrder { delay });
    let id = api.send_text(SMS, ADA, "Your order 😀 & more ").await;
    let message = api.wait_status(&id, "delivered").await;
    let sends = account.sends();
    assert_eq!(sends.len(), 1, "{sends:?}");
    assert_eq!(sends[0].path, "/v1/messages");
    let authorization = sends[0].header("authorization").unwrap_or_default();
    assert!(authorization.starts_with("Bearer "));
    assert_eq!(sends[0].param("to"), Some("447700900001"));
    assert_eq!(sends[0].param("from"), Some("15550101"));
    assert_eq!(sends[0].param("text"), Some("Your order 😀 & more "));
    assert_eq!(sends[0].param("client_ref"), Some(id.as_str()));
    assert_eq!(
        sends[0].param("webhook_url"),
        Some(stage.daemon.url(SMS).as_str())
    );
    assert_eq!(
        message["external_id"],
        account.messages()[0].ids[0].as_str()
    );
    assert!(account.problems().is_empty(), "{:?}", account.problems());
    let words: Vec<_> = history(&message)
        .into_iter()
        .map(|(status, _)| status)
        .collect();
    assert!(words.contains(&"delivered".to_owned()), "{message}");
    for answer in account.receipt_answers() {
        assert_eq!(answer.http_status, Some(200), "{answer:?}");
    }
}

#[tokio::test]
async fn attachments_go_as_mms_by_their_public_url() {
    let stage = on_messages().await;
    let (account, api) = (stage.simulator.vonage(), stage.daemon.api());
    for (urls, kind) in [
        (&["https://files.example.org/cat.jpg"][..], "image"),
        (
            &[
                "https://files.example.org/cat.jpg",
                "https://files.example.org/ada.vcf",
            ],
            "content",
        ),
    ] {
        let media: Vec<_> = urls.iter().map(|url| json!({"url": url})).collect();
        let content = json!({"text": "Look", "media": media});
        let body = json!({"channel": SMS, "to": ADA, "content": content});
        let answer = api.post("/api/v1/messages", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.reply.text());
        api.wait_status(answer.json["id"].as_str().expect("an id"), "sent")
            .await;
        let sent = account.messages().pop().expect("a message");
        assert_eq!(
            (sent.channel.as_deref(), sent.kind.as_str()),
            (Some("mms"), kind)
        );
        assert_eq!(
            (sent.media, sent.text.as_str()),
            (urls.iter().map(ToString::to_string).collect(), "Look")
        );
    }
    assert!(account.problems().is_empty(), "{:?}", account.problems());
}

#[tokio::test]
async fn refusals_and_statuses_say_why() {
    let stage = on_messages().await;
    let (account, api) = (stage.simulator.vonage(), stage.daemon.api());
    account.set_receipts(Receipts::Failed { code: 1190 });
    let id = api.send_text(SMS, ADA, "to nobody").await;
    let message = api.wait_status(&id, "failed").await;
    assert_eq!(message["error"]["class"], "recipient", "{message}");
    assert_eq!(message["error"]["provider_code"], "1190");
    account.behave_once(Behaviour::error(422, 1150, "Invalid params"));
    let id = api.send_text(SMS, ADA, "refused").await;
    let message = api.wait_status(&id, "failed").await;
    assert_eq!(message["error"]["class"], "content", "{message}");
    account.set_receipts(Receipts::Failed { code: 1240 });
    let id = api.send_text(SMS, ADA, "not wanted").await;
    api.wait_status(&id, "failed").await;
    let body = json!({"channel": SMS, "to": ADA, "content": {"text": "again"}});
    eventually("the opt-out is known", SOON, || async {
        let answer = api.post("/api/v1/messages", &body).await;
        (answer.status == 422 && answer.json["code"] == "opted_out").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_throttled_send_waits_as_it_is_told() {
    let stage = on_messages().await;
    let (account, api) = (stage.simulator.vonage(), stage.daemon.api());
    account.set_behaviour(Behaviour::Status {
        code: 429,
        twilio_code: Some(1000),
        message: "Throttled".to_owned(),
        times: Some(2),
        retry_after: Some(1),
    });
    let id = api.send_text(SMS, ADA, "patiently").await;
    api.wait_status(&id, "sent").await;
    assert_eq!(account.message_count(), 1);
    assert!(account.sends().len() >= 2);
}

#[tokio::test]
async fn an_application_is_checked_by_a_message_that_can_not_be_sent() {
    let stage = Stage::new(|simulator| {
        let wrong = messages_channel("wrong", simulator)
            .config("application_id", "00000000-0000-4000-8000-000000000000")
            .config("from", simulator.vonage().numbers()[3].as_str());
        Config::new()
            .channel(messages_channel(SMS, simulator))
            .channel(wrong)
    })
    .await;
    let api = stage.daemon.api();
    api.wait_health(SMS, "healthy").await;
    let down = api.wait_health("wrong", "down").await;
    let why = down["health"]["last_error"].as_str().unwrap_or_default();
    assert!(why.contains("application_id and private_key"), "{down}");
    assert_eq!(stage.simulator.vonage().message_count(), 0);
}

/// Each has its own API, secret, number and state.
#[tokio::test]
async fn two_channels_of_the_adapter_work_side_by_side() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .channel(sms_channel("sms_support", simulator))
            .channel(messages_channel("sms_marketing", simulator))
    })
    .await;
    let (account, api) = (stage.simulator.vonage(), stage.daemon.api());
    account.set_receipts(Receipts::InOrder {
        delay: Duration::from_millis(20),
    });
    let to_support = from_ada(&stage, "by the SMS API");
    let mut to_marketing = from_ada(&stage, "by the Messages API");
    to_marketing.to.clone_from(&account.numbers()[1]);
    let support = account.prepare_sms(&stage.daemon.url("sms_support"), &to_support);
    let marketing = account.prepare_message(&stage.daemon.url("sms_marketing"), &to_marketing);
    assert_eq!(post(&stage, &support).await, 200);
    assert_eq!(post(&stage, &marketing).await, 200);
    let messages = eventually("both messages", SOON, || async {
        let messages = api.timeline(ADA).await;
        (messages.len() == 2).then_some(messages)
    })
    .await;
    for message in &messages {
        let by_sms = message["content"]["text"] == "by the SMS API";
        let channel = if by_sms {
            "sms_support"
        } else {
            "sms_marketing"
        };
        assert_eq!(message["channel"], channel);
    }
    for (channel, from) in [("sms_support", "15550100"), ("sms_marketing", "15550101")] {
        let id = api.send_text(channel, ADA, channel).await;
        api.wait_status(&id, "delivered").await;
        let sent = account.messages().pop().expect("a message");
        assert_eq!(sent.from, from);
        assert_eq!(sent.channel.is_some(), channel == "sms_marketing");
    }
    assert!(account.problems().is_empty(), "{:?}", account.problems());
}
