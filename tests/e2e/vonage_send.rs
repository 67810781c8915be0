//! Vonage's SMS API, outbound: what reaches it, its statuses a part, receipts in every order.

use std::time::Duration;

use serde_json::json;
use trunkline_simulator::{Behaviour, Carrier, Receipts};
use trunkline_tests::wait::{SOON, eventually};

use crate::outbound::history;
use crate::stage::{SMS, Stage};
use crate::vonage::{ADA, on_sms};

async fn with_receipts(receipts: Receipts) -> Stage {
    let stage = on_sms().await;
    stage.simulator.vonage().set_receipts(receipts);
    stage
}

#[tokio::test]
async fn a_send_reaches_vonage_as_its_api_expects_and_comes_back_delivered() {
    let delay = Duration::from_millis(50);
    let stage = with_receipts(Receipts::InOrder { delay }).await;
    let (account, api) = (stage.simulator.vonage(), stage.daemon.api());
    for (text, kind) in [
        ("50% off £€ {now} & more ", "text"),
        ("it’s 😀 ", "unicode"),
    ] {
        let id = api.send_text(SMS, ADA, text).await;
        let message = api.wait_status(&id, "delivered").await;
        let call = account.sends().pop().expect("a send");
        assert_eq!(call.path, "/sms/json");
        assert_eq!(call.param("from"), Some("15550100"));
        assert_eq!(call.param("to"), Some("447700900001"));
        assert_eq!(call.param("text"), Some(text));
        assert_eq!(call.param("type"), Some(kind));
        assert_eq!(call.param("client-ref"), Some(id.as_str()));
        assert_eq!(call.param("callback"), Some(stage.daemon.url(SMS).as_str()));
        let sent = account.messages().pop().expect("a message");
        assert_eq!(message["external_id"], sent.ids[0].as_str());
        assert!(message["error"].is_null(), "{message}");
    }
    assert!(account.problems().is_empty(), "{:?}", account.problems());
    for answer in account.receipt_answers() {
        assert_eq!(answer.http_status, Some(200), "{answer:?}");
    }
}

#[tokio::test]
async fn receipts_come_by_every_form() {
    let stage = with_receipts(Receipts::InOrder {
        delay: Duration::ZERO,
    })
    .await;
    let (account, api) = (stage.simulator.vonage(), stage.daemon.api());
    for carrier in [Carrier::Query, Carrier::Form, Carrier::Json] {
        account.set_carrier(carrier);
        let id = api.send_text(SMS, ADA, "how?").await;
        api.wait_status(&id, "delivered").await;
    }
}

#[tokio::test]
async fn receipts_early_doubled_and_reversed_end_alike() {
    for receipts in [
        Receipts::BeforeResponse,
        Receipts::Doubled,
        Receipts::Reversed,
    ] {
        let stage = with_receipts(receipts.clone()).await;
        let api = stage.daemon.api();
        let id = api.send_text(SMS, ADA, "in which order?").await;
        let message = api.wait_status(&id, "delivered").await;
        let sources: Vec<_> = history(&message)
            .into_iter()
            .map(|(_, source)| source)
            .collect();
        assert!(
            sources.contains(&"callback".to_owned()),
            "{receipts:?}: {message}"
        );
        assert_eq!(stage.simulator.vonage().message_count(), 1, "{receipts:?}");
    }
}

#[tokio::test]
async fn a_long_text_is_one_message_of_several_parts() {
    let stage = with_receipts(Receipts::InOrder {
        delay: Duration::from_millis(50),
    })
    .await;
    let (account, api) = (stage.simulator.vonage(), stage.daemon.api());
    let text = "0123456789 ".repeat(40);
    let id = api.send_text(SMS, ADA, &text).await;
    let message = api.wait_status(&id, "delivered").await;
    let sent = account.messages();
    assert_eq!((sent.len(), sent[0].ids.len()), (1, 3));
    assert_eq!(sent[0].text, text);
    // Every part's receipt found the message, by its own id or by ours.
    eventually("all receipts are answered", SOON, || async {
        (account.receipt_answers().len() == 6).then_some(())
    })
    .await;
    let orphans = api.all(&format!("/api/v1/orphans?channel={SMS}")).await;
    assert!(orphans.is_empty(), "{orphans:?} {message}");
    assert!(account.problems().is_empty(), "{:?}", account.problems());
}

#[tokio::test]
async fn a_receipt_of_failure_says_why() {
    let stage = with_receipts(Receipts::Failed { code: 6 }).await;
    let api = stage.daemon.api();
    let id = api.send_text(SMS, ADA, "spam?").await;
    let message = api.wait_status(&id, "failed").await;
    assert_eq!(message["error"]["class"], "content", "{message}");
    assert_eq!(message["error"]["provider_code"], "6");
}

#[tokio::test]
async fn an_opt_out_at_the_carrier_is_learned() {
    let stage = with_receipts(Receipts::Failed { code: 9 }).await;
    let api = stage.daemon.api();
    let id = api.send_text(SMS, ADA, "news").await;
    api.wait_status(&id, "failed").await;
    let body = json!({"channel": SMS, "to": ADA, "content": {"text": "more news"}});
    eventually("the opt-out is known", SOON, || async {
        let answer = api.post("/api/v1/messages", &body).await;
        (answer.status == 422 && answer.json["code"] == "opted_out").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_throttled_send_waits_as_the_text_says() {
    let stage = on_sms().await;
    let (account, api) = (stage.simulator.vonage(), stage.daemon.api());
    let words = "Throughput Rate Exceeded - please wait [ 300 ] and retry";
    account.set_behaviour(Behaviour::error(200, 1, words).times(2));
    let id = api.send_text(SMS, ADA, "patiently").await;
    api.wait_status(&id, "sent").await;
    assert_eq!(account.message_count(), 1);
    assert_eq!(account.sends().len(), 3);
}

#[tokio::test]
async fn a_message_that_is_partly_taken_fails_and_is_not_repeated() {
    let stage = on_sms().await;
    let (account, api) = (stage.simulator.vonage(), stage.daemon.api());
    account.refuse_last_part(1);
    let id = api.send_text(SMS, ADA, &"0123456789 ".repeat(40)).await;
    let message = api.wait_status(&id, "failed").await;
    assert_eq!(message["error"]["code"], "partly_refused", "{message}");
    assert!(
        message["error"]["message"]
            .as_str()
            .is_some_and(|words| words.contains("2 of 3"))
    );
    assert_eq!(account.sends().len(), 1);
}

#[tokio::test]
async fn refusals_have_their_class() {
    let stage = on_sms().await;
    let (account, api) = (stage.simulator.vonage(), stage.daemon.api());
    for (code, class) in [(6, "recipient"), (15, "config"), (3, "content")] {
        account.behave_once(Behaviour::error(200, code, "no"));
        let id = api.send_text(SMS, ADA, "refused").await;
        let message = api.wait_status(&id, "failed").await;
        assert_eq!(message["error"]["class"], class, "{message}");
        assert_eq!(message["error"]["provider_code"], code.to_string());
    }
    let picture = json!({"media": [{"url": "https://files.example.org/cat.jpg"}]});
    let body = json!({"channel": SMS, "to": ADA, "content": picture});
    let answer = api.post("/api/v1/messages", &body).await;
    let id = answer.json["id"].as_str().expect("an id").to_owned();
    let message = api.wait_status(&id, "failed").await;
    assert_eq!(message["error"]["code"], "media_unsupported", "{message}");
}

/// Vonage has neither an idempotency key nor a look-up: what may have been taken is never repeated.
#[tokio::test]
async fn a_lost_answer_leaves_the_message_uncertain_until_a_receipt() {
    let stage = on_sms().await;
    let (account, api) = (stage.simulator.vonage(), stage.daemon.api());
    account.behave_once(Behaviour::ResetAfterRead.after_accepting());
    let id = api.send_text(SMS, ADA, "did it arrive?").await;
    api.wait_status(&id, "uncertain").await;
    let sent = account.messages().pop().expect("it was taken");
    let answer = account
        .report(&sent, &sent.ids[0], ["delivered", "delivered"], 0)
        .await;
    assert_eq!(answer.expect("an answer").status, 200);
    let message = api.wait_status(&id, "delivered").await;
    assert_eq!(message["external_id"], sent.ids[0].as_str());
    assert_eq!(account.sends().len(), 1);
}

#[tokio::test]
async fn refused_credentials_hold_the_queue_until_they_are_renewed() {
    let mut stage = on_sms().await;
    let secret = stage.simulator.vonage().rotate_api_secret();
    let id = stage.daemon.api().send_text(SMS, ADA, "held").await;
    stage.daemon.api().wait_health(SMS, "down").await;
    assert_eq!(stage.daemon.api().message(&id).await["status"], "queued");
    stage.daemon.rewrite(|config| {
        let renewed = config.find(SMS).clone().config("api_secret", secret);
        config.put(renewed);
    });
    stage.daemon.cli_ok(&["reload"]).await;
    stage.daemon.api().wait_status(&id, "sent").await;
    assert_eq!(stage.simulator.vonage().message_count(), 1);
}
