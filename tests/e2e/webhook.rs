//! The generic webhook channel: four proofs in, a signed POST out.

use std::time::Duration;

use serde_json::{Value, json};
use trunkline_simulator::{Behaviour, InboundHook, Proof, batch, message};
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::Stage;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const SIGNING: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const HUB: &str = "It's a Secret to Everybody";

/// One channel that takes every proof and posts to the simulator.
async fn stage() -> Stage {
    Stage::new(|simulator| {
        let hook = Channel::webhook("hook")
            .config("secret", SECRET)
            .config("signing_secret", SIGNING)
            .config("hub_secret", HUB)
            .config("url", simulator.webhook().sink_url())
            .config("url_secret", simulator.webhook().url_secret());
        Config::new().channel(hook)
    })
    .await
}

async fn post(stage: &Stage, hook: &InboundHook) -> u16 {
    let answer = stage
        .simulator
        .webhook()
        .deliver(&stage.daemon.url("hook"), hook)
        .await;
    answer.expect("the daemon answers").status
}

fn proofs() -> [(Proof, &'static str); 4] {
    [
        (Proof::Secret, SECRET),
        (Proof::Bearer, SECRET),
        (Proof::Standard, SIGNING),
        (Proof::Hub, HUB),
    ]
}

#[tokio::test]
async fn each_proof_is_taken_and_each_wrong_one_is_not() {
    let stage = stage().await;
    for (number, (proof, secret)) in proofs().into_iter().enumerate() {
        let from = format!("person-{number}");
        let json = message(&format!("m{number}"), &from, " kept as it is \n");
        assert_eq!(
            post(&stage, &InboundHook::new(proof, secret, &json)).await,
            200,
            "{proof:?}"
        );
        let stored = stage.only_message(&from).await;
        assert_eq!(stored["content"]["text"], " kept as it is \n", "{proof:?}");
        assert_eq!(stored["medium"], "webhook");
        let other = match proof {
            Proof::Standard => "whsec_//////////////////////////////////////////8=",
            _ => "not-the-secret-not-the-secret-no",
        };
        let forged = message(&format!("f{number}"), "mallory", "forged");
        assert_eq!(
            post(&stage, &InboundHook::new(proof, other, &forged)).await,
            401,
            "{proof:?}"
        );
    }
    let nothing = InboundHook::new(Proof::None, "", &message("n1", "mallory", "no proof"));
    assert_eq!(post(&stage, &nothing).await, 401);
    let wrong = InboundHook::new(Proof::Wrong, "", &message("w1", "mallory", "all wrong"));
    assert_eq!(post(&stage, &wrong).await, 401);
    assert!(stage.daemon.api().contacts("mallory").await.is_empty());
}

#[tokio::test]
async fn an_old_or_early_standard_signature_is_refused() {
    let stage = stage().await;
    let now = jiff::Timestamp::now().as_second();
    let json = message("m1", "ada", "hi");
    for (age, status) in [(-400, 401), (400, 401), (-200, 200)] {
        let hook = InboundHook::new(Proof::Standard, SIGNING, &json).at(now + age);
        assert_eq!(post(&stage, &hook).await, status, "{age} s");
    }
}

#[tokio::test]
async fn repeats_are_known_by_webhook_id_or_else_by_the_message_id() {
    let stage = stage().await;
    let first = InboundHook::new(Proof::Standard, SIGNING, &message("m1", "ada", "hi"));
    assert_eq!(post(&stage, &first).await, 200);
    assert_eq!(post(&stage, &first).await, 200);
    stage.only_message("ada").await;
    let plain = InboundHook::new(Proof::Secret, SECRET, &message("m2", "bob", "hi"));
    let again = InboundHook::new(Proof::Secret, SECRET, &message("m2", "bob", "hi"));
    assert_eq!(post(&stage, &plain).await, 200);
    assert_eq!(post(&stage, &again).await, 200);
    stage.only_message("bob").await;
}

#[tokio::test]
async fn a_batch_is_stored_whole_and_each_message_is_known_by_itself() {
    let stage = stage().await;
    let one = |n: u32, from: &str| message(&format!("b{n}"), from, &format!("part {n}"));
    let first = batch(vec![one(1, "ada"), one(2, "bob"), one(3, "ada")]);
    assert_eq!(
        post(&stage, &InboundHook::new(Proof::Secret, SECRET, &first)).await,
        200
    );
    // The next batch repeats one message of the first, and one of its own.
    let second = batch(vec![
        one(3, "ada"),
        one(4, "ada"),
        one(4, "ada"),
        one(5, "bob"),
    ]);
    assert_eq!(
        post(&stage, &InboundHook::new(Proof::Secret, SECRET, &second)).await,
        200
    );
    let api = stage.daemon.api();
    let texts = |messages: Vec<Value>| -> Vec<String> {
        let texts = messages
            .iter()
            .rev()
            .map(|m| m["content"]["text"].as_str().unwrap().to_owned());
        texts.collect()
    };
    assert_eq!(
        texts(api.timeline("ada").await),
        ["part 1", "part 3", "part 4"]
    );
    assert_eq!(texts(api.timeline("bob").await), ["part 2", "part 5"]);
}

#[tokio::test]
async fn genuine_nonsense_is_kept_and_answered() {
    let stage = stage().await;
    for body in [
        "not json",
        "[1,2,3]",
        "{}",
        "",
        "\u{0}\u{1}\u{2}",
        r#"{"id":{"a":1}}"#,
    ] {
        let hook = InboundHook::new(Proof::Hub, HUB, &json!({})).with_body(body);
        assert_eq!(post(&stage, &hook).await, 200, "{body:?}");
    }
    let events = stage.events("hook").await;
    let unparsed = events
        .iter()
        .filter(|event| event["outcome"] == "unparsed")
        .count();
    assert_eq!(unparsed, 6, "{events:?}");
    assert!(stage.daemon.api().all("/api/v1/contacts").await.is_empty());

    let again = [
        "event",
        "replay",
        "--outcome",
        "unparsed",
        "--channel",
        "hook",
    ];
    let told = stage.daemon.cli_ok(&again).await;
    assert_eq!(told.stdout.trim(), "6 unparsed; 0 new messages");
    let later = [&again[..], &["--since", "2999-01-01T00:00:00Z"]].concat();
    let told = stage.daemon.cli_ok(&later);
    assert_eq!(told.await.stdout.trim(), "no webhook fits");
}

#[tokio::test]
async fn fields_are_found_where_the_channel_says() {
    let stage = Stage::new(|_| {
        let fields = json!({"id": "/data/ref", "from": "/data/user/mail", "text": "/data/body", "name": "/data/user/name"});
        let hook = Channel::webhook("hook").config("secret", SECRET).config("fields", fields);
        Config::new().channel(hook)
    })
    .await;
    let body = json!({"data": {"ref": 42, "user": {"mail": "Ada@Example.org", "name": "Ada"}, "body": "deep"}});
    assert_eq!(
        post(&stage, &InboundHook::new(Proof::Bearer, SECRET, &body)).await,
        200
    );
    let contacts = stage.daemon.api().all("/api/v1/contacts").await;
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    assert_eq!(contacts[0]["name"], "Ada");
    assert_eq!(contacts[0]["identities"][0]["space"], "webhook");
}

#[tokio::test]
async fn a_send_is_a_signed_post_and_a_repeat_keeps_its_id() {
    let stage = stage().await;
    let sink = stage.simulator.webhook();
    sink.behave_once(Behaviour::status(503));
    let api = stage.daemon.api();
    let id = api.send_text("hook", "ada", "out it goes 😀").await;
    api.wait_status(&id, "sent").await;
    sink.wait_until(|sink| sink.taken().len() == 1, SOON)
        .await
        .unwrap();
    let received = sink.received();
    assert_eq!(received.len(), 2, "a 503 and a success");
    assert!(received.iter().all(|post| post.valid), "{received:?}");
    assert_eq!(
        received[0].id, received[1].id,
        "the id stays the same on every attempt"
    );
    let text = received[1].json().to_string();
    assert!(
        text.contains("out it goes 😀") && text.contains("ada"),
        "{text}"
    );
}

#[tokio::test]
async fn a_lost_answer_does_not_reach_the_consumer_twice() {
    let stage = stage().await;
    let sink = stage.simulator.webhook();
    sink.behave_once(Behaviour::ResetAfterRead.after_accepting());
    let api = stage.daemon.api();
    let id = api.send_text("hook", "ada", "once").await;
    eventually("its outcome shows", SOON, || async {
        let status = api.message(&id).await["status"].clone();
        (status == "sent" || status == "uncertain").then_some(())
    })
    .await;
    // Longer than the longest wait before a send is tried again.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let taken = sink.taken();
    assert_eq!(taken.len(), 1, "{taken:?}");
}

#[tokio::test]
async fn its_probe_is_a_head_of_the_url() {
    let stage = stage().await;
    stage.daemon.api().wait_health("hook", "healthy").await;
    let heads = stage.simulator.webhook().received();
    assert!(heads.is_empty(), "a probe must not post: {heads:?}");
    let down = Stage::new(|_| {
        let hook = Channel::webhook("hook")
            .config("url", "http://127.0.0.1:9/")
            .config("url_secret", SIGNING);
        Config::new().channel(hook)
    })
    .await;
    down.daemon.api().wait_health("hook", "down").await;
}

#[tokio::test]
async fn private_addresses_need_leave() {
    let stage = Stage::new(|simulator| {
        let hook = Channel::webhook("hook")
            .without("allow_private")
            .config("url", simulator.webhook().sink_url())
            .config("url_secret", simulator.webhook().url_secret());
        Config::new().channel(hook)
    })
    .await;
    let api = stage.daemon.api();
    let body = json!({"channel": "hook", "to": "ada", "content": {"text": "inside"}});
    api.post("/api/v1/messages", &body).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert!(
        stage.simulator.webhook().received().is_empty(),
        "a private address was called"
    );
}
