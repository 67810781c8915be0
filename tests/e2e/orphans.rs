//! Delivery reports of messages that nobody knows are kept and shown.

use serde_json::json;

use crate::stage::{SMS, Stage};

fn report(sid: &str, account_sid: &str, status: &str) -> Vec<(String, String)> {
    [
        ("MessageSid", sid),
        ("SmsSid", sid),
        ("AccountSid", account_sid),
        ("MessageStatus", status),
        ("SmsStatus", status),
        ("From", "+15550100"),
        ("To", "+15005550101"),
        ("ApiVersion", "2010-04-01"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[tokio::test]
async fn a_report_without_its_message_is_kept_and_listed() {
    let mut stage = Stage::sms().await;
    let hook = stage.hook(SMS);
    for (sid, status) in [
        ("SMa", "sent"),
        ("SMa", "delivered"),
        ("SMa", "delivered"),
        ("SMb", "undelivered"),
    ] {
        let request = hook.form(&report(sid, &hook.account_sid, status));
        assert_eq!(stage.post(&request).await.status, 200, "{sid} {status}");
    }
    // They outlive a crash.
    stage.daemon.kill9().await;
    stage.daemon.launch().await;
    let api = stage.daemon.api();
    let orphans = api.all(&format!("/api/v1/orphans?channel={SMS}")).await;
    let shown: Vec<_> = orphans
        .iter()
        .map(|orphan| {
            let reports = orphan["reports"].as_array().expect("a list");
            let states: Vec<_> = reports.iter().map(|one| one["status"].clone()).collect();
            (orphan["external_id"].clone(), states)
        })
        .collect();
    let expected = [
        (json!("SMa"), vec![json!("sent"), json!("delivered")]),
        (json!("SMb"), vec![json!("failed")]),
    ];
    assert_eq!(shown, expected, "{orphans:#?}");
    assert_eq!(orphans[0]["reports"][0]["source"], "callback");
    assert!(orphans[0]["reports"][0]["at"].is_string());
    let first = api
        .get(&format!("/api/v1/orphans?channel={SMS}&limit=1"))
        .await;
    assert_eq!(first["next"], "SMa");

    // Each raw request is listed as well.
    let accepted = stage.events(SMS).await;
    let accepted = accepted
        .iter()
        .filter(|event| event["outcome"] == "accepted");
    assert_eq!(accepted.count(), 3, "the fourth is a duplicate");
    let missing = api.get_any("/api/v1/orphans?channel=missing").await;
    assert_eq!(missing.status, 404);
}
