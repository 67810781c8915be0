//! Who changed what: entered before the answer, chained, listed.

use serde_json::{Value, json};
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage};

const ADA: &str = "+15005550101";

async fn entries(stage: &Stage, query: &str) -> Vec<Value> {
    stage
        .daemon
        .api()
        .all(&format!("/api/v1/audit?{query}"))
        .await
}

#[tokio::test]
async fn every_change_is_entered_with_who_and_which() {
    let mut stage = Stage::sms().await;
    assert_eq!(
        stage.deliver(SMS, &Sms::new(ADA, "a private word")).await,
        200
    );
    stage.daemon.cli_ok(&["channel", "disable", SMS]).await;
    let api = stage.daemon.api();
    // It has no dry run, so it is none.
    let path = format!("/api/v1/channels/{SMS}/enable?dry_run=true");
    assert_eq!(api.post(&path, &json!({})).await.status, 200);
    let missing = api.post("/api/v1/channels/nobody/enable", &json!({})).await;
    assert_eq!(missing.status, 404);
    let found = entries(&stage, "action=channel.").await;
    let actions: Vec<_> = found.iter().map(|one| &one["action"]).collect();
    assert_eq!(
        actions,
        ["channel.enable", "channel.disable"],
        "newest first, and no failures"
    );
    assert_eq!(found[0]["actor"]["kind"], "token");
    assert_eq!(found[1]["actor"]["kind"], "uid");
    assert_eq!(found[1]["object"], json!({"channel": SMS}));
    assert_eq!(found[1]["organization"], "default");

    let contact = api.contacts(ADA).await[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    stage
        .daemon
        .cli_ok(&["contact", "export", &contact, "-"])
        .await;
    let read = entries(&stage, "action=contact.export").await;
    assert_eq!(read[0]["object"], json!({"contact": contact}));
    let encoded = format!("/api/v1/contacts/{contact}/%65xport");
    assert_eq!(api.get_any(&encoded).await.status, 200);
    let read = entries(&stage, "action=contact.export").await;
    assert_eq!(read.len(), 2, "however its path is written: {read:?}");
    assert_eq!(read[0]["object"], json!({"contact": contact}));
    stage.daemon.cli_ok(&["reload"]).await;
    stage.daemon.restart().await;
    eventually("starts and stops are entered", SOON, || async {
        let own = entries(&stage, "actor=daemon&action=daemon.").await;
        let own: Vec<_> = own.iter().map(|one| &one["action"]).collect();
        (own == ["daemon.start", "daemon.stop", "daemon.start"]).then_some(())
    })
    .await;
    let all = ["audit", "list", "--json", "--all", "--limit", "2"];
    let all = stage.daemon.cli_ok(&all).await.json()["items"].clone();
    let all = all.as_array().expect("a list");
    assert!(
        all.iter()
            .any(|one| one["action"] == "configuration.reloaded"),
        "{all:?}"
    );
    assert!(
        all.iter()
            .any(|one| one["action"] == "token.create" && one["object"]["token"].is_string())
    );
    let text = json!(all).to_string();
    assert!(
        !text.contains("private") && !text.contains("5550101"),
        "{text}"
    );
    let later = entries(&stage, "since=2999-01-01T00:00:00Z").await;
    assert!(later.is_empty(), "{later:?}");
    let listed = stage
        .daemon
        .cli_ok(&["audit", "list", "--json", "--limit", "1"])
        .await
        .json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_chain_is_walked_and_members_do_not_see_it() {
    let stage = Stage::sms().await;
    let verified = stage
        .daemon
        .cli_ok(&["audit", "verify", "--json"])
        .await
        .json();
    assert_eq!(verified["sound"], true, "{verified}");
    let chains = verified["chains"].as_array().expect("chains");
    let own = chains.iter().find(|one| one["organization"].is_null());
    assert!(own.expect("the installation's")["entries"].as_u64() >= Some(1));
    let token = stage.daemon.create_token("member").await;
    let refused = stage
        .daemon
        .api()
        .with_token(&token)
        .get_any("/api/v1/audit")
        .await;
    assert_eq!(refused.status, 403);
}

#[tokio::test]
async fn a_flood_of_forged_webhooks_is_one_entry() {
    let stage = Stage::sms().await;
    let mut hook = stage.hook(SMS);
    hook.auth_token = "wrong".into();
    for number in 0..20 {
        let request = hook.request(&Sms::new(ADA, &format!("forged {number}")));
        assert_eq!(stage.post(&request).await.status, 401);
    }
    let found = eventually("it is entered", SOON, || async {
        let found = entries(&stage, "action=webhook.signature_mismatch").await;
        (!found.is_empty()).then_some(found)
    })
    .await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["object"], json!({"channel": SMS}));
}
