//! Vonage's SMS API, inbound: every form and method of signed webhooks, what is refused, and health.

use std::time::Duration;

use serde_json::{Value, json};
use trunkline_simulator::{
    Behaviour, Carrier, SignatureMethod, SignedRequest, Simulator, VonageEndpoint, VonageInbound,
};
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::http::Request;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage};

pub(crate) const ADA: &str = "+447700900001";

/// A channel on the SMS API.
pub(crate) fn sms_channel(id: &str, simulator: &Simulator) -> Channel {
    let account = simulator.vonage();
    Channel::new(id, "vonage")
        .config("api_key", account.api_key())
        .config("api_secret", account.api_secret())
        .config("signature_secret", account.signature_secret())
        .config("from", account.number())
        .config("api_base", account.api_base())
}

/// A channel on the Messages API.
pub(crate) fn messages_channel(id: &str, simulator: &Simulator) -> Channel {
    let account = simulator.vonage();
    sms_channel(id, simulator)
        .config("api", "messages")
        .config("application_id", account.application_id())
        .config("private_key", account.private_key())
        .config("from", account.numbers()[1].as_str())
}

/// One channel, `sms_support`, on the SMS API.
pub(crate) async fn on_sms() -> Stage {
    Stage::new(|simulator| Config::new().channel(sms_channel(SMS, simulator))).await
}

/// One channel, `sms_support`, on the Messages API.
pub(crate) async fn on_messages() -> Stage {
    Stage::new(|simulator| Config::new().channel(messages_channel(SMS, simulator))).await
}

/// A message of Ada's to the account's first number.
pub(crate) fn from_ada(stage: &Stage, text: &str) -> VonageInbound {
    VonageInbound::text(ADA, &stage.simulator.vonage().number(), text)
}

/// Posts a prepared webhook, changed or not, and gives the answer's status.
pub(crate) async fn post(stage: &Stage, request: &SignedRequest) -> u16 {
    let answer = stage.simulator.vonage().post(request).await;
    answer.expect("the gateway answers").status
}

async fn texts(stage: &Stage) -> Vec<String> {
    let messages = stage.daemon.api().timeline(ADA).await.into_iter();
    let mut texts: Vec<String> = messages
        .map(|message| {
            message["content"]["text"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    texts.sort_unstable();
    texts
}

#[tokio::test]
async fn a_message_comes_in_by_every_form_and_method() {
    let mut stage = on_sms().await;
    let mut expected = Vec::new();
    for (method, name) in SignatureMethod::ALL {
        stage.simulator.vonage().set_signature_method(method);
        stage.daemon.rewrite(|config| {
            let signed = config.find(SMS).clone().config("signature_method", name);
            config.put(signed);
        });
        stage.daemon.cli_ok(&["reload"]).await;
        for carrier in [Carrier::Query, Carrier::Form, Carrier::Json] {
            stage.simulator.vonage().set_carrier(carrier);
            let text = format!("{name} {carrier:?}: Grüße & mehr = 😀 ");
            let url = stage.daemon.url(SMS);
            let message = from_ada(&stage, &text);
            let answer = stage.simulator.vonage().inbound_sms(&url, &message).await;
            let answer = answer.expect("an answer");
            assert_eq!(
                (answer.status, answer.body.len()),
                (200, 0),
                "{name} {carrier:?}"
            );
            expected.push(text);
        }
    }
    expected.sort_unstable();
    eventually("all are in the timeline", SOON, || async {
        (texts(&stage).await == expected).then_some(())
    })
    .await;
    let messages = stage.daemon.api().timeline(ADA).await;
    assert!(messages.iter().all(|message| message["medium"] == "sms"));
    assert!(
        messages
            .iter()
            .all(|message| message["provider_at"].is_null() || message["provider_at"].is_string())
    );
    let contacts = stage.daemon.api().contacts(ADA).await;
    assert_eq!(contacts.len(), 1);
    assert_eq!(contacts[0]["identities"][0]["space"], "phone");
}

#[tokio::test]
async fn a_duplicate_is_answered_and_not_stored_twice() {
    let stage = on_sms().await;
    let (account, url) = (stage.simulator.vonage(), stage.daemon.url(SMS));
    let message = from_ada(&stage, "Only once");
    let request = account.prepare_sms(&url, &message);
    assert_eq!(post(&stage, &request).await, 200);
    assert_eq!(post(&stage, &request).await, 200);
    // The same message signed anew, as a repetition may be.
    account.set_carrier(Carrier::Query);
    assert_eq!(
        post(&stage, &account.prepare_sms(&url, &message)).await,
        200
    );
    let stored = stage.only_message(ADA).await;
    assert_eq!(stored["external_id"], message.message_id.as_str());
    stage
        .event(SMS, "the duplicate", |event| event["duplicate"] == true)
        .await;
}

/// Vonage hands a long message over in parts, each with an id of its own.
#[tokio::test]
async fn the_parts_of_a_long_message_are_messages_that_say_so() {
    let stage = on_sms().await;
    let (account, url) = (stage.simulator.vonage(), stage.daemon.url(SMS));
    for (part, text) in [("2", "second half"), ("1", "first half and ")] {
        let message = from_ada(&stage, text)
            .param("concat", "true")
            .param("concat-ref", "108")
            .param("concat-total", "2")
            .param("concat-part", part);
        let answer = account
            .inbound_sms(&url, &message)
            .await
            .expect("an answer");
        assert_eq!(answer.status, 200);
    }
    let mut parts = eventually("both parts", SOON, || async {
        let messages = stage.daemon.api().timeline(ADA).await;
        (messages.len() == 2).then_some(messages)
    })
    .await;
    parts.sort_by_key(|message| message["metadata"]["concat-part"].as_u64());
    let text: String = parts
        .iter()
        .filter_map(|message| message["content"]["text"].as_str())
        .collect();
    assert_eq!(text, "first half and second half", "{parts:?}");
    for message in &parts {
        assert_eq!(message["metadata"]["concat-ref"], "108");
        assert_eq!(message["metadata"]["concat-total"], 2);
    }
}

#[tokio::test]
async fn a_binary_message_keeps_its_bytes() {
    let stage = on_sms().await;
    let message = from_ada(&stage, "")
        .param("type", "binary")
        .param("data", "0011FFEE")
        .param("udh", "050003120301");
    let url = stage.daemon.url(SMS);
    let answer = stage.simulator.vonage().inbound_sms(&url, &message).await;
    assert_eq!(answer.expect("an answer").status, 200);
    let stored = stage.only_message(ADA).await;
    assert_eq!(stored["metadata"]["data"], "0011FFEE", "{stored}");
    assert_eq!(stored["metadata"]["udh"], "050003120301");
}

#[tokio::test]
async fn forged_replayed_and_cut_webhooks_are_refused() {
    let stage = on_sms().await;
    let (account, url) = (stage.simulator.vonage(), stage.daemon.url(SMS));
    for carrier in [Carrier::Query, Carrier::Form, Carrier::Json] {
        account.set_carrier(carrier);
        let genuine = account.prepare_sms(&url, &from_ada(&stage, "Pay 100"));
        let change = |what: &dyn Fn(&str) -> String| {
            let mut changed = genuine.clone();
            if changed.method == "GET" {
                changed.url = what(&changed.url);
            } else {
                changed.body = what(&String::from_utf8_lossy(&changed.body)).into_bytes();
            }
            assert_ne!(changed, genuine);
            changed
        };
        let cases = [
            ("changed", change(&|text| text.replace("100", "900"))),
            ("cut", change(&|text| text[..text.len() - 9].to_owned())),
            ("unsigned", change(&|text| text.replace("sig", "gis"))),
            (
                "of another account",
                change(&|text| text.replace(&account.api_key(), "ffffffff")),
            ),
            (
                "old",
                account.prepare_sms(&url, &from_ada(&stage, "old").aged(3_600)),
            ),
            (
                "from the future",
                account.prepare_sms(&url, &from_ada(&stage, "early").aged(-3_600)),
            ),
        ];
        for (name, request) in cases {
            assert_eq!(post(&stage, &request).await, 401, "{name} by {carrier:?}");
        }
    }
    let merged = stage
        .post(&Request::new("POST", stage.daemon.path(SMS)))
        .await;
    assert_eq!(merged.status, 401);
    assert!(stage.daemon.api().contacts(ADA).await.is_empty());
    let rejected = eventually("the refusals are listed", SOON, || async {
        let events = stage.events(SMS).await;
        let rejected = events
            .into_iter()
            .filter(|event| event["outcome"] == "rejected");
        let rejected: Vec<Value> = rejected.collect();
        (rejected.len() == 19).then_some(rejected)
    })
    .await;
    assert!(
        rejected
            .iter()
            .all(|event| event["signature_valid"] == false || event["signature_valid"].is_null())
    );
}

/// A repetition of Vonage's after an outage may carry its first time; then the channel can allow it.
#[tokio::test]
async fn the_tolerance_can_be_a_day() {
    let stage = Stage::new(|simulator| {
        Config::new().channel(sms_channel(SMS, simulator).config("tolerance_s", 86_400))
    })
    .await;
    let message = from_ada(&stage, "from before the outage").aged(20 * 3_600);
    let url = stage.daemon.url(SMS);
    let answer = stage.simulator.vonage().inbound_sms(&url, &message).await;
    assert_eq!(answer.expect("an answer").status, 200);
    stage.only_message(ADA).await;
}

#[tokio::test]
async fn either_half_works_alone() {
    let stage = Stage::new(|simulator| {
        let deaf = sms_channel("deaf", simulator).without("signature_secret");
        let mute = sms_channel("mute", simulator)
            .without("api_secret")
            .config("from", simulator.vonage().numbers()[2].as_str());
        Config::new().channel(deaf).channel(mute)
    })
    .await;
    let (account, api) = (stage.simulator.vonage(), stage.daemon.api());
    let message = from_ada(&stage, "anyone?");
    let to_deaf = account.prepare_sms(&stage.daemon.url("deaf"), &message);
    assert_eq!(post(&stage, &to_deaf).await, 404);
    let to_mute = account.prepare_sms(&stage.daemon.url("mute"), &message);
    assert_eq!(post(&stage, &to_mute).await, 200);
    let id = api.send_text("deaf", ADA, "to whom it may concern").await;
    api.wait_status(&id, "sent").await;
    let refused = json!({"channel": "mute", "to": ADA, "content": {"text": "hi"}});
    let refused = api.post("/api/v1/messages", &refused).await;
    assert_eq!(refused.status, 422, "{}", refused.reply.text());
    api.wait_health("deaf", "healthy").await;
    api.wait_health("mute", "down").await;
    let check = stage.daemon.cli_ok(&["check"]).await.all();
    assert!(check.contains("this channel only sends"), "{check}");
    assert!(
        check.contains("without api_key and api_secret this channel can't send"),
        "{check}"
    );
}

#[tokio::test]
async fn health_follows_balance_and_credentials() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .set("health.interval", "300ms")
            .channel(sms_channel(SMS, simulator))
    })
    .await;
    let (account, api) = (stage.simulator.vonage(), stage.daemon.api());
    api.wait_health(SMS, "healthy").await;
    account.set_balance(0.42, false);
    let low = api.wait_health(SMS, "degraded").await;
    let why = low["health"]["last_error"].as_str().unwrap_or_default();
    assert!(why.contains("balance") && why.contains("top up"), "{low}");
    account.set_balance(0.42, true);
    api.wait_health(SMS, "healthy").await;
    account.rotate_api_secret();
    let down = api.wait_health(SMS, "down").await;
    let why = down["health"]["last_error"].as_str().unwrap_or_default();
    assert!(
        why.contains("check api_key and api_secret in [channel.sms_support.config]"),
        "{down}"
    );
    assert!(!down.to_string().contains(&account.api_secret()));
}

#[tokio::test]
async fn a_provider_that_does_not_answer_the_check_is_not_healthy() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .set("health.interval", "300ms")
            .channel(sms_channel(SMS, simulator))
    })
    .await;
    let (account, api) = (stage.simulator.vonage(), stage.daemon.api());
    api.wait_health(SMS, "healthy").await;
    account.set_behaviour_of(VonageEndpoint::Balance, Behaviour::status(503));
    api.wait_health(SMS, "down").await;
    account.set_behaviour_of(VonageEndpoint::Balance, Behaviour::Slow(Duration::ZERO));
    api.wait_health(SMS, "healthy").await;
}
