//! WhatsApp by Meta's Cloud API, inbound: proofs, every kind of message, people without numbers, batches.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use trunkline_simulator::{Answer, Simulator, WaMessage};
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::Stage;
use crate::whatsapp_kinds;

/// The channel of the account's first number.
pub(crate) const WA: &str = "whatsapp";
pub(crate) const ADA: &str = "+15005550101";
const ADA_ID: &str = "US.13491208655302741918";

/// A channel of one of the account's numbers.
pub(crate) fn meta(id: &str, simulator: &Simulator, number: usize) -> Channel {
    let account = simulator.meta();
    Channel::new(id, "whatsapp")
        .config(
            "phone_number_id",
            account.numbers()[number].phone_number_id.clone(),
        )
        .config("waba_id", account.waba_id())
        .config("app_secret", account.app_secret())
        .config("access_token", account.access_token())
        .config("verify_token", account.verify_token())
        .config("api_base", account.api_base())
}

/// One channel, subscribed to the account.
pub(crate) async fn stage() -> Stage {
    let stage = Stage::new(|simulator| Config::new().channel(meta(WA, simulator, 0))).await;
    stage.simulator.meta().subscribe(&stage.daemon.url(WA));
    stage
}

/// Delivers a message to the first number.
pub(crate) async fn deliver(stage: &Stage, message: &WaMessage) -> Answer {
    let meta = stage.simulator.meta();
    let url = stage.daemon.url(WA);
    let answer = meta.inbound(&url, &meta.phone_number_id(), message).await;
    answer.expect("the daemon answers")
}

async fn event(stage: &Stage, field: &str, value: &Value) -> u16 {
    let meta = stage.simulator.meta();
    let payload = meta.event(field, value);
    let answer = meta.deliver(&stage.daemon.url(WA), &payload).await;
    answer.expect("the daemon answers").status
}

#[tokio::test]
async fn every_kind_of_message_is_in_the_timeline() {
    let stage = stage().await;
    let kinds = whatsapp_kinds::all();
    for (message, _, _) in &kinds {
        assert_eq!(deliver(&stage, message).await.status, 200, "{message:?}");
    }
    let timeline = stage.daemon.api().timeline(ADA).await;
    assert_eq!(timeline.len(), kinds.len());
    for (sent, place, want) in &kinds {
        let shown = timeline
            .iter()
            .find(|shown| shown["external_id"] == sent.id);
        let shown = shown.unwrap_or_else(|| panic!("{} is missing", sent.kind));
        assert_eq!(shown.pointer(place), Some(want), "{}: {shown}", sent.kind);
        assert_eq!(
            (&shown["medium"], &shown["direction"]),
            (&json!("whatsapp"), &json!("inbound"))
        );
        assert_eq!(shown["author"]["name"], "Ada");
    }
}

#[tokio::test]
async fn what_is_forged_cut_or_unsigned_is_refused_and_repeats_change_nothing() {
    let stage = stage().await;
    let meta = stage.simulator.meta();
    let url = stage.daemon.url(WA);
    let payload = meta.batch(&[(&meta.phone_number_id(), vec![WaMessage::text(ADA, "Hi")])]);
    let signed = meta.prepare(&url, &payload);
    let signature = signed
        .headers
        .iter()
        .find(|(name, _)| name == "x-hub-signature-256");
    let signature = signature
        .map(|(_, value)| value.clone())
        .expect("it is signed");
    let post = async |body: &[u8], signature: Option<&str>| {
        let answer = meta.deliver_raw(&url, body.to_vec(), signature).await;
        answer.expect("the daemon answers").status
    };
    let mut changed = signed.body.clone();
    let last = changed.len() - 5;
    changed[last] ^= 1;
    let other = format!("sha256={}", "0".repeat(64));
    assert_eq!(post(&signed.body, None).await, 401);
    assert_eq!(post(&signed.body, Some(&other)).await, 403);
    assert_eq!(post(&signed.body, Some("")).await, 403);
    assert_eq!(post(&changed, Some(&signature)).await, 403);
    assert_eq!(post(&signed.body[..last], Some(&signature)).await, 403);
    assert!(stage.daemon.api().contacts(ADA).await.is_empty());
    for _ in 0..3 {
        assert_eq!(post(&signed.body, Some(&signature)).await, 200);
    }
    stage.only_message(ADA).await;
    stage
        .event(WA, "a duplicate is listed", |event| {
            event["outcome"] == "duplicate"
        })
        .await;
    let nonsense = b"no JSON at all";
    assert_eq!(post(nonsense, Some(&meta.sign(nonsense))).await, 200);
    stage
        .event(WA, "nonsense is kept", |event| {
            event["outcome"] == "unparsed"
        })
        .await;
    let secret = meta.rotate_app_secret();
    assert_ne!(secret, meta.waba_id());
    assert_eq!(
        deliver(&stage, &WaMessage::text(ADA, "under a new secret"))
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn the_challenge_is_answered_at_once_and_only_to_who_knows_the_token() {
    let stage = stage().await;
    let meta = stage.simulator.meta();
    let url = stage.daemon.url(WA);
    let token = meta.verify_token();
    let mut fastest = Duration::MAX;
    for number in 0..5 {
        let challenge = format!("1158201444 & {number}");
        let answer = meta
            .challenge(&url, &token, &challenge)
            .await
            .expect("an answer");
        assert_eq!((answer.status, answer.text()), (200, challenge));
        let content_type = answer.header("content-type").unwrap_or_default();
        assert!(content_type.starts_with("text/plain"), "{content_type}");
        fastest = fastest.min(answer.elapsed);
    }
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
    let wrong = meta.challenge(&url, "wrong", "1").await.expect("an answer");
    assert_eq!((wrong.status, wrong.text().as_str()), (403, ""));
    let genuine: Vec<Value> = stage.events(WA).await;
    assert!(
        genuine.iter().all(|event| event["outcome"] == "rejected"),
        "{genuine:?}"
    );
}

#[tokio::test]
async fn one_webhook_for_two_numbers_reaches_two_channels() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .channel(meta("sales", simulator, 0))
            .channel(meta("support", simulator, 1))
    })
    .await;
    let account = stage.simulator.meta();
    let numbers = account.numbers();
    let id = |at: usize| numbers[at].phone_number_id.as_str();
    let text = |person: &str, text: &str| WaMessage::text(person, text);
    let parts = [
        (
            id(0),
            vec![text(ADA, "to sales"), text("+15005550102", "sales too")],
        ),
        (id(1), vec![text(ADA, "to support")]),
        // No channel has this number: the receiving one keeps it.
        (id(2), vec![text("+15005550103", "to nobody")]),
    ];
    for _ in 0..2 {
        let answer = account
            .inbound_batch(&stage.daemon.url("sales"), &parts)
            .await;
        assert_eq!(answer.expect("an answer").status, 200);
    }
    let api = stage.daemon.api();
    let shown = |messages: Vec<Value>| -> BTreeSet<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let pairs = messages
            .iter()
            .map(|one| (text(&one["channel"]), text(&one["content"]["text"])));
        pairs.collect()
    };
    let pair = |channel: &str, text: &str| (channel.to_owned(), text.to_owned());
    let of_ada = api.timeline(ADA).await;
    assert_eq!(of_ada.len(), 2, "the repeat is known by each channel");
    assert_eq!(
        shown(of_ada),
        BTreeSet::from([pair("sales", "to sales"), pair("support", "to support")])
    );
    let others = [("+15005550102", "sales too"), ("+15005550103", "to nobody")];
    for (person, text) in others {
        assert_eq!(
            shown(api.timeline(person).await),
            BTreeSet::from([pair("sales", text)])
        );
    }
}

#[tokio::test]
async fn people_without_numbers_are_one_person_when_the_number_shows() {
    let stage = stage().await;
    let api = stage.daemon.api();
    let hidden = WaMessage::text(ADA, "guess who")
        .with_user_id(ADA_ID)
        .without_number();
    assert_eq!(deliver(&stage, &hidden).await.status, 200);
    let first = stage.only_message(ADA_ID).await;
    assert_eq!(first["peer"]["identifier"], ADA_ID);
    assert!(api.contacts(ADA).await.is_empty());
    let shown = WaMessage::text(ADA, "it is me").with_user_id(ADA_ID);
    assert_eq!(deliver(&stage, &shown).await.status, 200);
    assert_eq!(
        deliver(&stage, &WaMessage::text(ADA, "by number"))
            .await
            .status,
        200
    );
    for id in [ADA, ADA_ID] {
        let contacts = api.contacts(id).await;
        assert_eq!(contacts.len(), 1, "{contacts:?}");
        assert_eq!(contacts[0]["identities"].as_array().map(Vec::len), Some(2));
        let timeline = api.timeline(id).await;
        let threads: BTreeSet<String> = timeline
            .iter()
            .map(|one| one["thread"].to_string())
            .collect();
        assert_eq!((timeline.len(), threads.len()), (3, 1));
    }
}

#[tokio::test]
async fn reactions_are_on_their_message() {
    let stage = stage().await;
    let api = stage.daemon.api();
    let target = WaMessage::text(ADA, "good news");
    deliver(&stage, &target).await;
    let reactions = async || {
        let timeline = api.timeline(ADA).await;
        assert_eq!(timeline.len(), 1, "a reaction is no message of its own");
        timeline[0]["reactions"].clone()
    };
    let react = |emoji: &str, at: i64| WaMessage::reaction(ADA, &target.id, emoji).at(at);
    let heart = react("❤️", 1_767_268_802);
    deliver(&stage, &heart).await;
    deliver(&stage, &react("👍", 1_767_268_801)).await;
    let shown = reactions().await;
    assert_eq!(shown.as_array().map(Vec::len), Some(1), "{shown}");
    assert_eq!(
        (&shown[0]["emoji"], &shown[0]["sender"]["identifier"]),
        (&json!("❤️"), &json!(ADA))
    );
    deliver(&stage, &react("", 1_767_268_803)).await;
    deliver(&stage, &heart).await;
    assert_eq!(reactions().await, json!([]));
}

#[tokio::test]
async fn account_events_are_taken_and_kept() {
    let stage = stage().await;
    let template = json!({
        "event": "REJECTED", "message_template_id": 1, "message_template_name": "sale",
        "message_template_language": "en_US", "reason": "PROMOTIONAL",
    });
    for (field, value) in [
        ("message_template_status_update", template),
        ("account_update", json!({"event": "DISABLED_UPDATE"})),
        (
            "phone_number_quality_update",
            json!({"event": "FLAGGED", "current_limit": "TIER_1K"}),
        ),
        ("brand_new", json!(null)),
    ] {
        assert_eq!(event(&stage, field, &value).await, 200, "{field}");
    }
    let events = stage.events(WA).await;
    let accepted = events
        .iter()
        .filter(|event| event["outcome"] == "accepted")
        .count();
    assert_eq!(accepted, 4, "{events:?}");
}

/// A word of consent on a button counts as the word does; so does a choice in WhatsApp itself.
#[tokio::test]
async fn stop_on_a_button_and_in_whatsapp_itself() {
    let stage = stage().await;
    let stop = json!({"type": "button_reply", "button_reply": {"id": "s", "title": "STOP"}});
    deliver(&stage, &WaMessage::new(ADA, "interactive", stop)).await;
    deliver(&stage, &WaMessage::text("+15005550104", "Hello")).await;
    let meta = stage.simulator.meta();
    let value = json!({
        "metadata": {"phone_number_id": meta.phone_number_id()},
        "user_preferences": [{"wa_id": "15005550104", "category": "marketing_messages", "value": "stop", "timestamp": 1_767_268_800}],
    });
    assert_eq!(event(&stage, "user_preferences", &value).await, 200);
    let api = stage.daemon.api();
    for person in [ADA, "+15005550104"] {
        let body = json!({"channel": WA, "to": person, "content": {"text": "Hello"}});
        eventually("the opt-out counts", SOON, || async {
            let answer = api.post("/api/v1/messages", &body).await;
            (answer.status == 422 && answer.json["code"] == "opted_out").then_some(())
        })
        .await;
    }
}
