//! A signed webhook in: stored once, answered as the provider expects, refused where it is forged.

use std::time::Duration;

use futures_util::future::join_all;
use trunkline_tests::account::balance;
use trunkline_tests::load::{Load, Outcome, Plan};
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::eventually;

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";

#[tokio::test]
async fn a_signed_message_becomes_contact_thread_and_message_within_a_second() {
    let stage = Stage::sms().await;
    let sms = Sms::new(ADA, "Hello there");
    let reply = stage.post(&stage.hook(SMS).request(&sms)).await;
    assert_eq!(reply.status, 200);
    let content_type = reply.header("content-type").unwrap_or_default();
    assert!(content_type.starts_with("text/xml"), "{content_type}");
    assert!(reply.text().contains("<Response"), "{}", reply.text());
    assert!(
        !reply.text().contains("<Message"),
        "a reply must go through the outbox"
    );

    let api = stage.daemon.api();
    let contact = eventually("the contact", Duration::from_secs(1), || async {
        api.contacts(ADA).await.pop()
    })
    .await;
    assert_eq!(contact["identities"][0]["space"], "phone");
    assert_eq!(contact["identities"][0]["identifier"], ADA);
    assert_eq!(contact["organization"], "default");

    let message = stage.only_message(ADA).await;
    assert_eq!(message["direction"], "inbound");
    assert_eq!(message["status"], "received");
    assert_eq!(message["channel"], SMS);
    assert_eq!(message["medium"], "sms");
    assert_eq!(message["content"]["text"], "Hello there");
    assert_eq!(message["external_id"], sms.sid.as_str());
    assert_eq!(message["contact"], contact["id"]);
    assert_eq!(message["author"]["kind"], "contact");
    assert!(
        message["created_at"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z')),
        "{message}"
    );

    let thread = message["thread"]
        .as_str()
        .expect("the message has a thread");
    let shown = api.all(&format!("/api/v1/threads/{thread}/messages")).await;
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["id"], message["id"]);
    assert_eq!(api.all("/api/v1/threads").await.len(), 1);

    let event = stage
        .event(SMS, "the accepted event", |event| {
            event["outcome"] == "accepted"
        })
        .await;
    assert_eq!(event["signature_valid"], true);
    assert_eq!(event["duplicate"], false);
    assert!(
        event["latency_us"].as_u64().is_some_and(|us| us > 0),
        "{event}"
    );
}

#[tokio::test]
async fn a_duplicate_is_answered_and_changes_nothing_even_after_a_crash() {
    let mut stage = Stage::sms().await;
    let sms = Sms::new(ADA, "Only once");
    let request = stage.hook(SMS).request(&sms);
    let first = stage.post(&request).await;
    let second = stage.post(&request).await;
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(first.body, second.body);
    stage.only_message(ADA).await;
    let event = stage
        .event(SMS, "the duplicate event", |event| {
            event["duplicate"] == true
        })
        .await;
    assert_eq!(event["outcome"], "duplicate");

    stage.daemon.kill9().await;
    stage.daemon.launch().await;
    assert_eq!(stage.post(&request).await.status, 200);
    stage.only_message(ADA).await;
    assert_eq!(stage.daemon.api().contacts(ADA).await.len(), 1);
}

#[tokio::test]
async fn forged_requests_are_refused_and_listed() {
    let stage = Stage::sms().await;
    let hook = stage.hook(SMS);
    let sms = Sms::new(ADA, "Send the money");
    let params = sms.params(&hook.account_sid);
    let signature = trunkline_simulator::sign_form(&hook.auth_token, &hook.url, &params);
    let mut changed = params.clone();
    for (name, value) in &mut changed {
        if name == "Body" {
            *value = "Send the honey".to_owned();
        }
    }
    let mut other_sha = hook.clone();
    other_sha.auth_token.replace_range(
        ..1,
        if hook.auth_token.starts_with('a') {
            "b"
        } else {
            "a"
        },
    );
    let cases = [
        ("a changed byte", hook.signed_as(&changed, &signature)),
        ("no signature", hook.unsigned(&params)),
        ("an empty signature", hook.signed_as(&params, "")),
        (
            "half a signature",
            hook.signed_as(&params, &signature[..14]),
        ),
        ("another key", other_sha.form(&params)),
        ("not base64", hook.signed_as(&params, "%%%")),
    ];
    let count = cases.len();
    for (name, request) in cases {
        assert_eq!(stage.post(&request).await.status, 401, "{name}");
    }
    assert!(
        stage.daemon.api().contacts(ADA).await.is_empty(),
        "a forged message was stored"
    );
    let rejected = eventually("the rejected events", Duration::from_secs(5), || async {
        let events = stage.events(SMS).await;
        let rejected: Vec<_> = events
            .into_iter()
            .filter(|e| e["outcome"] == "rejected")
            .collect();
        (rejected.len() == count).then_some(rejected)
    })
    .await;
    assert!(
        rejected
            .iter()
            .all(|event| event["signature_valid"] == false),
        "{rejected:?}"
    );
}

#[tokio::test]
async fn another_account_of_the_same_key_is_not_ours() {
    let stage = Stage::sms().await;
    let mut hook = stage.hook(SMS);
    hook.account_sid = "AC99999999999999999999999999999999".to_owned();
    let status = stage
        .post(&hook.request(&Sms::new(ADA, "Wrong account")))
        .await
        .status;
    assert!(status == 401 || status == 403 || status == 200, "{status}");
    assert!(
        stage.daemon.api().contacts(ADA).await.is_empty(),
        "another account's message was taken"
    );
}

#[tokio::test]
async fn sixty_four_at_once_never_meet_a_503() {
    let stage = Stage::sms().await;
    let mut plan = Plan::new("1500560");
    plan.connections = 64;
    let load = Load::start(stage.daemon.public(), &stage.hook(SMS), &plan);
    load.reaches(2_000).await;
    let ledger = load.stop().await;
    let bad: Vec<_> = ledger
        .iter()
        .filter(|sent| sent.outcome != Outcome::Acknowledged)
        .collect();
    assert!(
        bad.is_empty(),
        "{} of {} failed: {:?}",
        bad.len(),
        ledger.len(),
        bad.first()
    );
    balance(&stage.daemon.api(), &ledger).await.must_be_right();
}

#[tokio::test]
async fn first_messages_at_once_make_one_contact_and_one_thread() {
    let stage = Stage::sms().await;
    let messages: Vec<_> = (0..20)
        .map(|n| Sms::new(ADA, &format!("part {n}")))
        .collect();
    let answers = join_all(messages.iter().map(|sms| stage.deliver(SMS, sms))).await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    let api = stage.daemon.api();
    assert_eq!(api.contacts(ADA).await.len(), 1);
    assert_eq!(api.timeline(ADA).await.len(), 20);
    assert_eq!(api.all("/api/v1/threads").await.len(), 1);
}

#[tokio::test]
async fn the_same_message_at_once_on_many_connections_is_stored_once() {
    let stage = Stage::sms().await;
    let sms = Sms::new(ADA, "Once");
    let answers = join_all((0..32).map(|_| stage.deliver(SMS, &sms))).await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    stage.only_message(ADA).await;
}

#[tokio::test]
async fn a_genuine_request_that_cannot_be_read_is_kept_and_can_be_replayed() {
    let stage = Stage::sms().await;
    let hook = stage.hook(SMS);
    let params = vec![
        ("AccountSid".to_owned(), hook.account_sid.clone()),
        ("Surprise".to_owned(), "a new kind of webhook".to_owned()),
    ];
    let reply = stage.post(&hook.form(&params)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(
        reply
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/xml"))
    );
    let event = stage
        .event(SMS, "the unparsed event", |event| {
            event["outcome"] == "unparsed"
        })
        .await;
    assert_eq!(event["signature_valid"], true);
    let id = event["id"].as_str().expect("an event has an id");
    let replayed = stage
        .daemon
        .api()
        .post(
            &format!("/api/v1/webhook-events/{id}/replay"),
            &serde_json::json!({}),
        )
        .await;
    assert!(
        (200..300).contains(&replayed.status),
        "{}",
        replayed.reply.text()
    );
    stage
        .daemon
        .cli_ok(&["event", "replay", id, "--dry-run"])
        .await;
    assert!(stage.daemon.api().all("/api/v1/contacts").await.is_empty());
}

#[tokio::test]
async fn replaying_an_accepted_event_doubles_nothing() {
    let stage = Stage::sms().await;
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, "Once")).await, 200);
    let event = stage
        .event(SMS, "the accepted event", |event| {
            event["outcome"] == "accepted"
        })
        .await;
    let id = event["id"].as_str().expect("an event has an id");
    let path = format!("/api/v1/webhook-events/{id}/replay");
    let replayed = stage.daemon.api().post(&path, &serde_json::json!({})).await;
    assert!(
        (200..300).contains(&replayed.status),
        "{}",
        replayed.reply.text()
    );
    stage.only_message(ADA).await;
}

#[tokio::test]
async fn neither_numbers_nor_secrets_nor_text_reach_the_log() {
    let stage = Stage::sms().await;
    let hook = stage.hook(SMS);
    stage.deliver(SMS, &Sms::new(ADA, "my-private-words")).await;
    let forged = hook.signed_as(
        &Sms::new("+15005550177", "forged-words").params(&hook.account_sid),
        "AAAA",
    );
    stage.post(&forged).await;
    stage
        .event(SMS, "the rejected event", |event| {
            event["outcome"] == "rejected"
        })
        .await;
    let sent = stage
        .daemon
        .api()
        .send_text(SMS, "+15005550188", "outgoing-words")
        .await;
    stage.daemon.api().wait_status(&sent, "sent").await;
    let token = hook.url.rsplit('/').next().expect("the URL has a token");
    let log = stage.daemon.log();
    for secret in [
        "my-private-words",
        "forged-words",
        "outgoing-words",
        "5005550101",
        "5005550177",
        "5005550188",
        hook.auth_token.as_str(),
        token,
    ] {
        assert!(!log.contains(secret), "the log holds {secret:?}");
    }
}

#[tokio::test]
async fn a_disabled_channel_still_takes_what_is_signed() {
    let stage = Stage::new(|simulator| {
        trunkline_tests::config::Config::new().channel(twilio(SMS, simulator).key("enabled", false))
    })
    .await;
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, "Still here")).await, 200);
    stage.only_message(ADA).await;
}
