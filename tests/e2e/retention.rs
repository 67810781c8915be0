//! What is older than it is kept goes, and nothing else.

use std::time::Duration;

use serde_json::{Value, json};
use trunkline_tests::config::Config;
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";
const BOB: &str = "+15005550102";

async fn texts(stage: &Stage, who: &str) -> Vec<Value> {
    let timeline = stage.daemon.api().timeline(who).await;
    timeline
        .iter()
        .map(|one| one["content"]["text"].clone())
        .collect()
}

fn of_organization<'a>(counts: &'a Value, slug: &str) -> &'a Value {
    let items = counts["items"].as_array().expect("a list");
    let found = items.iter().find(|item| item["organization"] == slug);
    found.expect("the organization is listed")
}

#[tokio::test]
async fn old_messages_go_and_what_waits_to_be_sent_stays() {
    let mut stage = Stage::new(|simulator| {
        Config::new()
            .set("organization.kept.retention.messages", "0s")
            .channel(twilio(SMS, simulator))
            .channel(twilio("other", simulator).key("organization", "kept"))
    })
    .await;
    for number in 0..70 {
        let text = format!("old {number}");
        assert_eq!(stage.deliver(SMS, &Sms::new(ADA, &text)).await, 200);
    }
    let api = stage.daemon.api();
    let later = json!({"channel": SMS, "to": ADA, "content": {"text": "in a year"}, "send_at": "2999-01-01T00:00:00Z"});
    assert_eq!(api.post("/api/v1/messages", &later).await.status, 202);
    assert_eq!(
        stage.deliver(SMS, &Sms::new(ADA, "old and last")).await,
        200
    );
    assert_eq!(stage.deliver(SMS, &Sms::new(BOB, "old of Bob")).await, 200);
    // The age is what the clock says; nothing younger than this may go.
    tokio::time::sleep(Duration::from_secs(7)).await;
    stage.daemon.rewrite(|config| {
        *config = config
            .clone()
            .set("retention.messages", "6s")
            .set("retention.contacts", "6s");
    });
    stage.daemon.cli_ok(&["reload"]).await;
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, "young")).await, 200);
    let preview = stage
        .daemon
        .cli_ok(&["retention", "--dry-run", "--json"])
        .await
        .json();
    assert_eq!(
        of_organization(&preview, "default")["messages"],
        72,
        "{preview}"
    );
    assert_eq!(
        of_organization(&preview, "default")["contacts"],
        1,
        "{preview}"
    );
    assert_eq!(
        of_organization(&preview, "kept")["messages"],
        0,
        "{preview}"
    );
    assert_eq!(texts(&stage, BOB).await.len(), 1, "it was only asked");
    let done = stage.daemon.cli_ok(&["retention", "--json"]).await.json();
    let young = texts(&stage, ADA).await;
    let gone = of_organization(&done, "default")["messages"].as_u64();
    if gone == Some(72) {
        assert_eq!(young, ["young", "in a year"]);
    } else {
        // A slow machine: the young one has come of age as well.
        assert_eq!((gone, young), (Some(73), vec![json!("in a year")]));
    }
    assert!(api.contacts(BOB).await.is_empty());
    let removed = eventually("it is in the audit", SOON, || async {
        let found = api.all("/api/v1/audit?action=retention.removed").await;
        found.into_iter().next()
    })
    .await;
    assert_eq!(removed["detail"]["messages"].as_u64(), gone, "{removed}");
    // A provider's retry of what is gone is known still.
    let first = Sms::new(ADA, "again");
    assert_eq!(stage.deliver(SMS, &first).await, 200);
    assert_eq!(stage.deliver(SMS, &first).await, 200);
    let again = texts(&stage, ADA).await;
    assert_eq!(
        again.iter().filter(|text| **text == "again").count(),
        1,
        "{again:?}"
    );
}
