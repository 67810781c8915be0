//! One person on several channels: separate until someone says that they are one.

use serde_json::{Value, json};
use trunkline_tests::config::Config;
use trunkline_tests::twilio::Sms;

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";
const ALSO_ADA: &str = "+15005550102";

async fn texts(stage: &Stage, contact: &str) -> Vec<String> {
    let path = format!("/api/v1/contacts/{contact}/timeline");
    let messages = stage.daemon.api().all(&path).await;
    let texts = messages.iter().rev();
    texts
        .map(|message| {
            message["content"]["text"]
                .as_str()
                .unwrap_or("?")
                .to_owned()
        })
        .collect()
}

async fn contact(stage: &Stage, identifier: &str) -> String {
    let found = stage.daemon.api().contacts(identifier).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found[0]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn contacts_are_merged_and_taken_apart_by_api_and_command() {
    let stage = Stage::new(|simulator| Config::new().channel(twilio(SMS, simulator))).await;
    for (from, text) in [(ADA, "one"), (ALSO_ADA, "two"), (ADA, "three")] {
        assert_eq!(stage.deliver(SMS, &Sms::new(from, text)).await, 200);
    }
    let (ada, other) = (contact(&stage, ADA).await, contact(&stage, ALSO_ADA).await);
    assert_ne!(ada, other);

    let api = stage.daemon.api();
    let path = format!("/api/v1/contacts/{ada}/merge");
    let merged = api.post(&path, &json!({ "contact": other })).await;
    assert_eq!(merged.status, 200, "{merged:?}");
    assert_eq!(merged.json["identities"].as_array().map(Vec::len), Some(2));
    assert_eq!(contact(&stage, ALSO_ADA).await, ada);
    stage.deliver(SMS, &Sms::new(ALSO_ADA, "four")).await;
    assert_eq!(texts(&stage, &ada).await, ["one", "two", "three", "four"]);
    let gone = api.get(&format!("/api/v1/contacts/{other}")).await;
    assert_eq!(gone["merged_into"], ada.as_str());
    let again = api.post(&path, &json!({ "contact": other })).await;
    assert_eq!(again.status, 409, "{again:?}");
    assert_eq!(again.json["code"], "contact_is_merged");

    let parted = ["contact", "unmerge", &ada, &other, "--json"];
    let parted = stage.daemon.cli_ok(&parted).await.json();
    assert_eq!(parted["merged"], json!([]));
    stage.deliver(SMS, &Sms::new(ALSO_ADA, "five")).await;
    assert_eq!(texts(&stage, &ada).await, ["one", "three"]);
    assert_eq!(texts(&stage, &other).await, ["two", "four", "five"]);
    let back = api.get(&format!("/api/v1/contacts/{other}")).await;
    assert_eq!(back["merged_into"], Value::Null);
}
