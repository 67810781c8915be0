//! Status callbacks: their parameters, signatures and order.

use super::client::{Client, json};
use super::gateway::Gateway;
use std::time::Duration;
use trunkline_simulator::{Callbacks, Simulator, StatusWord, Twilio};

const PATIENCE: Duration = Duration::from_secs(10);
const TARGET: &str = "/webhooks/sms/t0k?m=a%20b&n=1";

/// The words that arrived, in order, after `count` answers.
async fn words(twilio: &Twilio, gateway: &Gateway, count: usize) -> Vec<String> {
    let enough = |twilio: &Twilio| twilio.callback_answers().len() >= count;
    twilio.wait_until(enough, PATIENCE).await.unwrap();
    let seen = gateway.seen().into_iter();
    seen.map(|seen| seen.param("MessageStatus").unwrap())
        .collect()
}

#[actix_web::test]
async fn each_mode_has_its_order() {
    let delay = Duration::from_millis(1);
    let steps = vec![
        (StatusWord::Sent, None),
        (StatusWord::Undelivered, Some(30003)),
    ];
    let table: [(Callbacks, &[&str], &str); 6] = [
        (
            Callbacks::InOrder { delay },
            &["sent", "delivered"],
            "delivered",
        ),
        (Callbacks::BeforeResponse, &["delivered"], "delivered"),
        (
            Callbacks::Doubled,
            &["sent", "sent", "delivered", "delivered"],
            "delivered",
        ),
        (Callbacks::Reversed, &["delivered", "sent"], "delivered"),
        (Callbacks::Failed { code: 30005 }, &["failed"], "failed"),
        (
            Callbacks::Steps { delay, steps },
            &["sent", "undelivered"],
            "undelivered",
        ),
    ];
    for (callbacks, expected, last) in table {
        let simulator = Simulator::start().unwrap();
        let twilio = simulator.twilio();
        let gateway = Gateway::start();
        let url = format!("{}{TARGET}", gateway.origin);
        twilio.set_callbacks(callbacks.clone());
        let created = Client::new(twilio)
            .create(&[("StatusCallback", &url)])
            .await;
        assert_eq!(created.status, 201);
        assert_eq!(
            json(&created)["status"],
            "queued",
            "the answer tells the first status"
        );
        assert_eq!(
            words(twilio, &gateway, expected.len()).await,
            expected,
            "{callbacks:?}"
        );
        assert_eq!(twilio.messages()[0].status, last);
        let answers = twilio.callback_answers();
        assert!(answers.iter().all(|answer| answer.http_status == Some(200)));
        let seen = gateway.seen();
        let token = twilio.auth_token();
        assert!(
            seen.iter()
                .all(|seen| seen.is_signed(&token, &gateway.origin))
        );
        assert!(seen.iter().all(|seen| seen.target == TARGET));
        assert_eq!(twilio.complaints(), []);
    }
}

#[actix_web::test]
async fn a_callback_names_the_message_and_the_error() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let gateway = Gateway::start();
    let url = format!("{}{TARGET}", gateway.origin);
    twilio.set_callbacks(Callbacks::Failed { code: 30005 });
    let created = json(
        &Client::new(twilio)
            .create(&[("StatusCallback", &url)])
            .await,
    );
    words(twilio, &gateway, 1).await;
    let seen = gateway.seen().remove(0);
    let sid = created["sid"].as_str().unwrap().to_owned();
    for (name, expected) in [
        ("MessageSid", sid.clone()),
        ("SmsSid", sid),
        ("AccountSid", twilio.account_sid()),
        ("From", "+15550100".to_owned()),
        ("To", "+15005550101".to_owned()),
        ("ApiVersion", "2010-04-01".to_owned()),
        ("ErrorCode", "30005".to_owned()),
        ("SmsStatus", "failed".to_owned()),
    ] {
        assert_eq!(seen.param(name), Some(expected), "{name}");
    }
}

#[actix_web::test]
async fn before_the_response_means_answered_before_it() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let gateway = Gateway::start();
    let url = format!("{}{TARGET}", gateway.origin);
    twilio.set_callbacks(Callbacks::BeforeResponse);
    Client::new(twilio)
        .create(&[("StatusCallback", &url)])
        .await;
    assert_eq!(twilio.callback_answers().len(), 1, "no waiting needed");
}

#[actix_web::test]
async fn without_an_address_only_the_ledger_moves() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    twilio.set_callbacks(Callbacks::Reversed);
    Client::new(twilio).create(&[]).await;
    let delivered = |twilio: &Twilio| twilio.messages()[0].status == "delivered";
    twilio.wait_until(delivered, PATIENCE).await.unwrap();
    assert_eq!(twilio.callback_answers(), []);
}

#[actix_web::test]
async fn a_whatsapp_opt_out_fails_later() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let gateway = Gateway::start();
    let url = format!("{}{TARGET}", gateway.origin);
    let client = Client::new(twilio);
    twilio.opt_out("whatsapp:+15005550101");
    let form = [
        ("To", "whatsapp:+15005550101"),
        ("From", "whatsapp:+15550100"),
        ("Body", "Hi"),
        ("StatusCallback", url.as_str()),
    ];
    let created = client.post(&client.path("/Messages.json"), &form).await;
    assert_eq!(created.status, 201);
    assert_eq!(words(twilio, &gateway, 1).await, ["failed"]);
    assert_eq!(
        gateway.seen()[0].param("ErrorCode").as_deref(),
        Some("63033")
    );
    assert_eq!(
        gateway.seen()[0].param("EventType").as_deref(),
        Some("FAILED")
    );
}

#[actix_web::test]
async fn a_test_can_report_by_hand_and_sees_refusals() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let gateway = Gateway::start();
    let url = format!("{}{TARGET}", gateway.origin);
    let created = json(
        &Client::new(twilio)
            .create(&[("StatusCallback", &url)])
            .await,
    );
    let sid = created["sid"].as_str().unwrap();
    gateway.answer_next(&[503]);
    let answer = twilio.report(sid, StatusWord::Sent, None).await.unwrap();
    assert_eq!(answer.unwrap().status, 503);
    let answer = twilio
        .report(sid, StatusWord::Delivered, None)
        .await
        .unwrap();
    assert_eq!(answer.unwrap().status, 200);
    let answers = twilio.callback_answers();
    let statuses: Vec<Option<u16>> = answers.iter().map(|answer| answer.http_status).collect();
    assert_eq!(statuses, [Some(503), Some(200)]);
    assert_eq!(twilio.complaints()[0].code, 11200);
    assert!(twilio.report("SM0", StatusWord::Sent, None).await.is_err());
}

#[actix_web::test]
async fn an_unreported_message_only_shows_when_it_is_asked_for() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let gateway = Gateway::start();
    let url = format!("{}{TARGET}", gateway.origin);
    let delay = Duration::from_millis(1);
    twilio.set_callbacks(Callbacks::Unreported { delay });
    Client::new(twilio)
        .create(&[("StatusCallback", &url)])
        .await;
    let delivered = |twilio: &Twilio| twilio.messages()[0].status == "delivered";
    twilio.wait_until(delivered, PATIENCE).await.unwrap();
    assert!(gateway.seen().is_empty());
}

#[actix_web::test]
async fn a_mix_gives_each_message_one_fate_and_repeats_by_seed() {
    let mut drawn = Vec::new();
    for seed in [7, 7, 8] {
        let simulator = Simulator::start().unwrap();
        let twilio = simulator.twilio();
        let failed = |weight, code| (weight, Callbacks::Failed { code });
        let shares = vec![failed(3, 30003), failed(1, 30005)];
        twilio.set_callbacks(Callbacks::Mix { seed, shares });
        let client = Client::new(twilio);
        for _ in 0..40 {
            client.create(&[]).await;
        }
        let codes = |twilio: &Twilio| -> Vec<u32> {
            let messages = twilio.messages().into_iter();
            messages.filter_map(|message| message.error_code).collect()
        };
        let all = |twilio: &Twilio| codes(twilio).len() == 40;
        twilio.wait_until(all, PATIENCE).await.unwrap();
        drawn.push(codes(twilio));
    }
    assert_eq!(drawn[0], drawn[1], "the same seed gives the same fates");
    assert_ne!(drawn[0], drawn[2], "another seed gives others");
    let often = drawn[0].iter().filter(|code| **code == 30003).count();
    assert!(
        (20..40).contains(&often),
        "{often} of 40 have a weight of 3 in 4"
    );
}
