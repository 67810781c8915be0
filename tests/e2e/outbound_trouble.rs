//! Sending when the provider refuses, slows down, breaks off or loses its answer.

use std::time::{Duration, Instant};

use serde_json::json;
use trunkline_simulator::{Behaviour, Endpoint};
use trunkline_tests::config::Config;
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::outbound::creates;
use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";

fn unavailable() -> Behaviour {
    Behaviour::error(503, 20503, "Service Unavailable")
}

#[tokio::test]
async fn a_503_is_retried_with_growing_waits() {
    let stage = Stage::new(|simulator| {
        let config = Config::new()
            .set("outbound.backoff_base", "200ms")
            .set("outbound.backoff_max", "5s");
        config.channel(twilio(SMS, simulator))
    })
    .await;
    stage
        .simulator
        .twilio()
        .set_behaviour(unavailable().times(3));
    let api = stage.daemon.api();
    let id = api.send_text(SMS, ADA, "try again").await;
    let item = eventually("the item is retrying", SOON, || async {
        api.outbox_item(&id)
            .await
            .filter(|item| item["state"] == "retrying")
    })
    .await;
    assert!(
        item["attempts"].as_u64().is_some_and(|count| count >= 1),
        "{item}"
    );
    assert!(item["next_attempt_at"].is_string(), "{item}");
    assert_eq!(item["error"]["class"], "transient", "{item}");
    assert_eq!(item["channel"], SMS);
    assert_eq!(api.message(&id).await["status"], "queued");
    api.wait_status(&id, "sent").await;
    assert_eq!(creates(&stage).len(), 4);
    assert_eq!(stage.simulator.twilio().message_count(), 1);
}

#[tokio::test]
async fn an_opted_out_recipient_is_not_tried_again() {
    let stage = Stage::sms().await;
    stage.simulator.twilio().opt_out(ADA);
    let api = stage.daemon.api();
    let id = api.send_text(SMS, ADA, "unwanted").await;
    let message = api.wait_status(&id, "failed").await;
    assert_eq!(message["error"]["class"], "opted_out", "{message}");
    assert_eq!(message["error"]["provider_code"], "21610", "{message}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(creates(&stage).len(), 1);
    let other = api.send_text(SMS, "+15005550102", "wanted").await;
    api.wait_status(&other, "sent").await;
}

#[tokio::test]
async fn retry_after_wins_over_the_backoff() {
    let stage = Stage::sms().await;
    stage.simulator.twilio().behave_once(Behaviour::Status {
        code: 429,
        twilio_code: Some(20429),
        message: "Too Many Requests".to_owned(),
        times: None,
        retry_after: Some(2),
    });
    let api = stage.daemon.api();
    let started = Instant::now();
    let id = api.send_text(SMS, ADA, "slowly").await;
    let item = eventually("the item is retrying", SOON, || async {
        api.outbox_item(&id).await
    })
    .await;
    assert!(
        item["state"] == "retrying" || item["state"] == "queued",
        "{item}"
    );
    api.wait_status(&id, "sent").await;
    assert!(
        started.elapsed() >= Duration::from_secs(2),
        "asked to wait 2 s: {:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn messages_to_one_person_keep_their_order_through_a_retry() {
    let stage = Stage::sms().await;
    stage
        .simulator
        .twilio()
        .set_behaviour(unavailable().times(2));
    let api = stage.daemon.api();
    let mut ids = Vec::new();
    for number in 0..8 {
        ids.push(api.send_text(SMS, ADA, &format!("{number}")).await);
    }
    for id in &ids {
        api.wait_status(id, "sent").await;
    }
    let bodies: Vec<_> = stage
        .simulator
        .twilio()
        .messages()
        .into_iter()
        .map(|m| m.body)
        .collect();
    let expected: Vec<_> = (0..8).map(|number| number.to_string()).collect();
    assert_eq!(bodies, expected);
}

#[tokio::test]
async fn a_refused_message_does_not_hold_up_the_next() {
    let stage = Stage::sms().await;
    stage
        .simulator
        .twilio()
        .behave_once(Behaviour::error(400, 21211, "Invalid 'To' Phone Number"));
    let api = stage.daemon.api();
    let first = api.send_text(SMS, ADA, "refused").await;
    let second = api.send_text(SMS, ADA, "accepted").await;
    assert_eq!(
        api.wait_status(&first, "failed").await["error"]["class"],
        "recipient"
    );
    api.wait_status(&second, "sent").await;
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_and_not_sent_again() {
    for (name, lost) in [
        ("502", Behaviour::status(502).after_accepting()),
        ("reset", Behaviour::ResetAfterRead.after_accepting()),
        ("time-out", Behaviour::Slow(Duration::from_secs(4))),
    ] {
        let stage = Stage::sms().await;
        stage.simulator.twilio().behave_once(lost);
        let api = stage.daemon.api();
        let id = api.send_text(SMS, ADA, "did it arrive?").await;
        let message = api.wait_status(&id, "sent").await;
        let messages = stage.simulator.twilio().messages();
        assert_eq!(messages.len(), 1, "{name}: sent twice");
        assert_eq!(message["external_id"], messages[0].sid.as_str(), "{name}");
    }
}

#[tokio::test]
async fn an_unknown_outcome_that_can_not_be_looked_up_is_held_for_a_person() {
    let stage = Stage::sms().await;
    let account = stage.simulator.twilio();
    account.set_behaviour_of(Endpoint::List, Behaviour::status(500));
    account.behave_once(Behaviour::status(502).after_accepting());
    let api = stage.daemon.api();
    let id = api.send_text(SMS, ADA, "who knows").await;
    api.wait_status(&id, "uncertain").await;
    let item = api
        .outbox_item(&id)
        .await
        .expect("an uncertain message is in the outbox");
    assert_eq!(item["state"], "uncertain", "{item}");
    let next = api.send_text(SMS, ADA, "goes on").await;
    api.wait_status(&next, "sent").await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(
        account.message_count(),
        2,
        "an unknown outcome is never sent again by itself"
    );
    let path = format!("/api/v1/outbox/{}/discard", item["id"].as_str().unwrap());
    let discarded = api.post(&path, &json!({})).await;
    assert!(
        (200..300).contains(&discarded.status),
        "{}",
        discarded.reply.text()
    );
    eventually("the item is gone", SOON, || async {
        let uncertain = api.all("/api/v1/outbox?state=uncertain").await;
        uncertain.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_crash_between_accept_and_receipt_doubles_nothing() {
    let mut stage = Stage::sms().await;
    stage
        .simulator
        .twilio()
        .behave_once(Behaviour::Slow(Duration::from_millis(1_500)));
    let id = stage.daemon.api().send_text(SMS, ADA, "in between").await;
    let account = stage.simulator.twilio();
    account
        .wait_until(|account| account.message_count() == 1, SOON)
        .await
        .unwrap();
    stage.daemon.kill9().await;
    stage.daemon.launch().await;
    stage.daemon.api().wait_status(&id, "sent").await;
    assert_eq!(stage.simulator.twilio().message_count(), 1, "sent twice");
}

#[tokio::test]
async fn a_dead_letter_is_listed_explained_and_re_driven() {
    let stage = Stage::sms().await;
    let account = stage.simulator.twilio();
    account.set_behaviour(unavailable());
    let api = stage.daemon.api();
    let id = api.send_text(SMS, ADA, "give up").await;
    let item = eventually("the item is dead", SOON, || async {
        api.outbox_item(&id)
            .await
            .filter(|item| item["state"] == "dead")
    })
    .await;
    assert_eq!(item["attempts"], 6, "{item}");
    assert!(item["error"]["message"].is_string(), "{item}");
    assert_eq!(api.message(&id).await["status"], "failed");
    let listed = stage.daemon.cli_ok(&["outbox", "list", "--json"]).await;
    assert!(listed.stdout.contains(&id), "{listed:?}");
    let only_dead = api.all("/api/v1/outbox?state=dead").await;
    assert_eq!(only_dead.len(), 1);
    account.set_behaviour(Behaviour::Accept);
    let path = format!("/api/v1/outbox/{}/retry", item["id"].as_str().unwrap());
    let retried = api.post(&path, &json!({})).await;
    assert!(
        (200..300).contains(&retried.status),
        "{}",
        retried.reply.text()
    );
    api.wait_status(&id, "sent").await;
    assert_eq!(account.message_count(), 1);
}

#[tokio::test]
async fn refused_credentials_hold_the_queue_until_they_are_right_again() {
    let mut stage = Stage::sms().await;
    let api = stage.daemon.api();
    api.wait_health(SMS, "healthy").await;
    let token = stage.simulator.twilio().rotate_auth_token();
    let id = api.send_text(SMS, ADA, "wrong key").await;
    let channel = api.wait_health(SMS, "down").await;
    assert!(channel["health"]["last_error"].is_string(), "{channel}");
    assert_eq!(api.message(&id).await["status"], "queued");
    // Providers sign with the new token from now on; the daemon learns it by a reload.
    stage.daemon.rewrite(|config| {
        let fixed = config.find(SMS).clone().config("auth_token", token);
        config.put(fixed);
    });
    stage.daemon.cli_ok(&["reload"]).await;
    stage.daemon.api().wait_status(&id, "sent").await;
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, "signed anew")).await, 200);
}

#[tokio::test]
async fn a_disabled_channel_holds_its_sends() {
    let stage = Stage::sms().await;
    let api = stage.daemon.api();
    api.post(&format!("/api/v1/channels/{SMS}/disable"), &json!({}))
        .await;
    let body = json!({"channel": SMS, "to": ADA, "content": {"text": "wait"}});
    let answer = api.post("/api/v1/messages", &body).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(
        stage.simulator.twilio().message_count(),
        0,
        "a disabled channel sent"
    );
    if answer.status == 202 {
        api.post(&format!("/api/v1/channels/{SMS}/enable"), &json!({}))
            .await;
        api.wait_status(answer.json["id"].as_str().unwrap(), "sent")
            .await;
    } else {
        assert_eq!(answer.status, 422, "{}", answer.reply.text());
    }
}

#[tokio::test]
async fn a_provider_that_is_down_comes_back_and_everything_is_sent_once() {
    let stage = Stage::sms().await;
    let account = stage.simulator.twilio();
    let unreachable = Behaviour::error(500, 20500, "Internal Server Error");
    account.set_behaviour(unreachable.clone().times(6));
    let api = stage.daemon.api();
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.push(
            api.send_text(SMS, &format!("+1500555060{number}"), "hello")
                .await,
        );
    }
    for id in &ids {
        api.wait_status(id, "sent").await;
    }
    assert_eq!(account.message_count(), 10);
}
