//! More than a person or a channel should bring: stored, acknowledged, marked, and in no turn.

use serde_json::{Value, json};
use trunkline_simulator::Simulator;
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";
const BOB: &str = "+15005550102";

fn limited(simulator: &Simulator, limits: Value) -> Channel {
    twilio(SMS, simulator).key("inbound", limits)
}

/// The texts with a person that are marked, oldest first.
async fn marked(stage: &Stage, number: &str) -> Vec<String> {
    let mut messages = stage.daemon.api().timeline(number).await;
    messages.reverse();
    messages.retain(|message| message["metadata"]["limited"] == true);
    let text = |message: &Value| message["content"]["text"].as_str().map(str::to_owned);
    messages.iter().filter_map(text).collect()
}

#[tokio::test]
async fn what_one_sender_writes_over_the_limit_is_kept_but_in_no_turn() {
    let stage = Stage::new(|simulator| {
        Config::new().channel(limited(simulator, json!({"sender_per_minute": 3})))
    })
    .await;
    let api = stage.daemon.api();
    for n in 0..6 {
        let sms = Sms::new(ADA, &format!("message {n}"));
        assert_eq!(stage.deliver(SMS, &sms).await, 200);
    }
    assert_eq!(stage.deliver(SMS, &Sms::new(BOB, "hello")).await, 200);
    assert_eq!(api.timeline(ADA).await.len(), 6, "nothing is dropped");
    assert_eq!(
        marked(&stage, ADA).await,
        ["message 3", "message 4", "message 5"]
    );
    assert!(
        marked(&stage, BOB).await.is_empty(),
        "each has a limit of their own"
    );

    let messages = api.timeline(ADA).await;
    let thread = messages[0]["thread"].as_str().expect("an id");
    let turns = eventually("the turn is closed", SOON, || async {
        let turns = api.all(&format!("/api/v1/threads/{thread}/turns")).await;
        (!turns.is_empty()).then_some(turns)
    })
    .await;
    let in_turns: Vec<&Value> = turns
        .iter()
        .flat_map(|turn| turn["messages"].as_array().into_iter().flatten())
        .collect();
    let unmarked = messages.iter().rev().take(3).map(|message| &message["id"]);
    assert_eq!(in_turns, unmarked.collect::<Vec<_>>());

    let events = stage.events(SMS).await;
    let over: u64 = events
        .iter()
        .filter_map(|event| event["limited"].as_u64())
        .sum();
    assert_eq!(over, 3, "{events:?}");
    assert_eq!(api.metric("trunkline_messages_limited_total").await, 3);
    let notices = api.metric("trunkline_notifications_total").await;
    assert_eq!(notices, 1, "one notice for all of them");
}

#[tokio::test]
async fn an_opt_out_over_the_limit_counts_all_the_same() {
    let stage = Stage::new(|simulator| {
        Config::new().channel(limited(simulator, json!({"sender_per_minute": 1})))
    })
    .await;
    for text in ["a", "b", "STOP"] {
        assert_eq!(stage.deliver(SMS, &Sms::new(ADA, text)).await, 200);
    }
    assert_eq!(marked(&stage, ADA).await, ["b", "STOP"]);
    let body = json!({"channel": SMS, "to": ADA, "content": {"text": "hello"}});
    let answer = stage.daemon.api().post("/api/v1/messages", &body).await;
    assert_eq!(
        (answer.status, &answer.json["code"]),
        (422, &json!("opted_out"))
    );
}

#[tokio::test]
async fn a_channel_has_a_limit_for_all_its_senders() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .set("inbound.channel_per_second", 1)
            .channel(twilio(SMS, simulator))
    })
    .await;
    let numbers: Vec<String> = (0..20).map(|n| format!("+150055502{n:02}")).collect();
    let messages: Vec<Sms> = numbers
        .iter()
        .map(|number| Sms::new(number, "hi"))
        .collect();
    let all = messages.iter().map(|sms| stage.deliver(SMS, sms));
    for status in futures_util::future::join_all(all).await {
        assert_eq!(status, 200);
    }
    let mut over = 0;
    for number in &numbers {
        over += marked(&stage, number).await.len();
    }
    assert!((1..20).contains(&over), "{over} of 20");
}

#[tokio::test]
async fn limits_change_with_a_reload_and_zero_is_none() {
    let mut stage = Stage::new(|simulator| {
        Config::new().channel(limited(simulator, json!({"sender_per_minute": 1})))
    })
    .await;
    for text in ["a", "b"] {
        assert_eq!(stage.deliver(SMS, &Sms::new(ADA, text)).await, 200);
    }
    let off = limited(&stage.simulator, json!({"sender_per_minute": 0}));
    stage.daemon.rewrite(|config| config.put(off));
    let plan = stage.daemon.cli_ok(&["reload"]).await.all();
    assert!(plan.contains("inbound"), "{plan}");
    for n in 0..80 {
        let sms = Sms::new(ADA, &format!("free {n}"));
        assert_eq!(stage.deliver(SMS, &sms).await, 200);
    }
    assert_eq!(marked(&stage, ADA).await, ["b"]);
}
