//! What came in while the daemon was down is there after its next start, exactly once.

use serde_json::{Value, json};
use trunkline_simulator::{Behaviour, Endpoint, InboundSms, Simulator};
use trunkline_tests::config::Config;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";
const BEN: &str = "+15005550102";
const NUMBER: &str = "+15550100";

/// A stage whose daemon takes every stop for a downtime.
async fn eager() -> Stage {
    Stage::new(|simulator| {
        Config::new()
            .set("backfill.after_downtime", "1ms")
            .channel(twilio(SMS, simulator))
    })
    .await
}

fn sms(from: &str, text: &str) -> InboundSms {
    InboundSms::text(from, NUMBER, text)
}

async fn texts(stage: &Stage, person: &str) -> Vec<String> {
    let messages = stage.daemon.api().timeline(person).await;
    let text = |message: &Value| message["content"]["text"].as_str().map(str::to_owned);
    let mut texts: Vec<String> = messages.iter().filter_map(text).collect();
    texts.sort();
    texts
}

/// Waits until the daemon says that a back-fill is done.
async fn filled(stage: &Stage) {
    eventually("the back-fill is done", SOON, || async {
        let log = stage.daemon.log();
        log.contains("inbound messages fetched from the provider")
            .then_some(())
    })
    .await;
}

async fn backfill(stage: &Stage, since: &str) -> trunkline_tests::api::Answer {
    let path = format!("/api/v1/channels/{SMS}/backfill");
    stage
        .daemon
        .api()
        .post(&path, &json!({"since": since}))
        .await
}

#[tokio::test]
async fn what_was_missed_is_there_once_after_a_crash() {
    let mut stage = eager().await;
    let account = stage.simulator.twilio();
    let url = stage.daemon.url(SMS);
    let before = sms(ADA, "before");
    let answer = account.inbound(&url, &before).await.expect("delivered");
    assert_eq!(answer.status, 200);
    stage.daemon.kill9().await;

    let late = sms(ADA, "its webhook comes late");
    account.inbound_missed(&late);
    account.inbound_missed(&sms(ADA, "never delivered"));
    account.inbound_missed(&sms(BEN, "from a stranger"));
    stage.daemon.launch().await;
    filled(&stage).await;

    let expected = ["before", "its webhook comes late", "never delivered"];
    assert_eq!(texts(&stage, ADA).await, expected);
    assert_eq!(texts(&stage, BEN).await, ["from a stranger"]);
    let message = stage.only_message(BEN).await;
    assert_eq!(message["metadata"]["backfilled"], true);
    assert!(message["provider_at"].is_string(), "{message:#}");
    let listed = stage
        .event(SMS, "the back-fill is listed", |event| {
            event["method"] == "BACKFILL"
        })
        .await;
    assert_eq!(
        (&listed["outcome"], &listed["messages"]),
        (&json!("accepted"), &json!(3))
    );

    // The provider's own late tries change nothing.
    for again in [&late, &before] {
        let answer = account.inbound(&url, again).await.expect("delivered");
        assert_eq!(answer.status, 200);
    }
    assert_eq!(texts(&stage, ADA).await, expected);
    let api = stage.daemon.api();
    assert_eq!(api.contacts(BEN).await.len(), 1);

    // A fetched message has no request that could be replayed.
    let id = listed["id"].as_str().expect("an id");
    let replayed = api
        .post(&format!("/api/v1/webhook-events/{id}/replay"), &json!({}))
        .await;
    assert_eq!(replayed.status, 409, "{}", replayed.reply.text());
}

#[tokio::test]
async fn webhooks_that_come_while_the_list_is_fetched_do_not_double() {
    let mut stage = eager().await;
    let account = stage.simulator.twilio();
    stage.daemon.kill9().await;
    let missed: Vec<InboundSms> = (0..120).map(|n| sms(ADA, &format!("m{n:03}"))).collect();
    for one in &missed {
        account.inbound_missed(one);
    }
    stage.daemon.launch().await;
    let url = stage.daemon.url(SMS);
    for one in &missed {
        let answer = account.inbound(&url, one).await.expect("delivered");
        assert_eq!(answer.status, 200);
    }
    filled(&stage).await;
    let expected: Vec<String> = (0..120).map(|n| format!("m{n:03}")).collect();
    assert_eq!(texts(&stage, ADA).await, expected);
}

#[tokio::test]
async fn a_list_of_several_pages_is_fetched_whole() {
    let stage = Stage::sms().await;
    let account = stage.simulator.twilio();
    let began = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(40);
    for number in 0..1001 {
        // Three of one second, since the provider's times are no finer; one of them on the last page.
        let at = began + jiff::SignedDuration::from_secs(number / 3);
        account.inbound_missed_at(&sms(ADA, &format!("m{number:04}")), at);
    }
    let output = stage
        .daemon
        .cli_ok(&["channel", "backfill", SMS, "--since", "1h", "--json"])
        .await;
    let counts = output.json();
    assert_eq!(
        (&counts["new"], &counts["listed"], &counts["complete"]),
        (&json!(1001), &json!(1001), &json!(true)),
        "{counts}"
    );
    let mut messages = stage.daemon.api().timeline(ADA).await;
    messages.reverse();
    let texts: Vec<&str> = messages
        .iter()
        .filter_map(|message| message["content"]["text"].as_str())
        .collect();
    let expected: Vec<String> = (0..1001).map(|number| format!("m{number:04}")).collect();
    assert_eq!(texts, expected, "all of them, in order");
}

#[tokio::test]
async fn a_provider_that_fails_is_asked_again_and_owners_are_told_in_the_end() {
    let mut stage = eager().await;
    let account = stage.simulator.twilio();
    stage.daemon.terminate().await;
    account.inbound_missed(&sms(ADA, "after two failures"));
    let down = Behaviour::error(500, 20500, "Internal Server Error");
    account.set_behaviour_of(Endpoint::List, down.clone().times(2));
    stage.daemon.launch().await;
    filled(&stage).await;
    assert_eq!(texts(&stage, ADA).await, ["after two failures"]);

    stage.daemon.terminate().await;
    account.inbound_missed(&sms(ADA, "at the next start"));
    account.set_behaviour_of(Endpoint::List, down);
    stage.daemon.launch().await;
    eventually("owners are told", SOON * 2, || async {
        let told = stage.daemon.log().contains("backfill_failed");
        told.then_some(())
    })
    .await;
    // The gap outlives a start that knows of no downtime of its own.
    stage.daemon.terminate().await;
    account.set_behaviour_of(Endpoint::List, Behaviour::Accept);
    stage
        .daemon
        .rewrite(|config| *config = config.clone().set("backfill.after_downtime", "1h"));
    stage.daemon.launch().await;
    filled(&stage).await;
    let expected = ["after two failures", "at the next start"];
    assert_eq!(texts(&stage, ADA).await, expected);
    // Filled once, it is no gap any more.
    stage.daemon.restart().await;
    assert!(!stage.daemon.log().contains("the daemon was down"));
}

#[tokio::test]
async fn switched_off_nobody_is_asked() {
    let mut stage = Stage::new(|simulator| {
        Config::new()
            .set("backfill.after_downtime", "0")
            .channel(twilio(SMS, simulator))
    })
    .await;
    stage.daemon.kill9().await;
    let account = stage.simulator.twilio();
    account.inbound_missed(&sms(ADA, "missed"));
    stage.daemon.launch().await;
    stage.daemon.api().wait_health(SMS, "healthy").await;
    assert!(!stage.daemon.log().contains("the daemon was down"));
    assert!(stage.daemon.api().contacts(ADA).await.is_empty());

    let output = stage
        .daemon
        .cli_ok(&["channel", "backfill", SMS, "--since", "1h", "--json"])
        .await;
    let counts = output.json();
    assert_eq!((&counts["listed"], &counts["new"]), (&json!(1), &json!(1)));
    assert_eq!(counts["complete"], true, "{counts}");
    let again = stage
        .daemon
        .cli_ok(&["channel", "backfill", SMS, "--since", "1h"])
        .await;
    assert!(
        again.stdout.starts_with("1 listed, 0 new, 1 here already"),
        "{again:?}"
    );
    assert_eq!(texts(&stage, ADA).await, ["missed"]);
}

#[tokio::test]
async fn times_and_channels_that_make_no_sense_are_refused() {
    let stage = Stage::new(|simulator: &Simulator| {
        let hook = trunkline_tests::config::Channel::new("shop", "webhook")
            .config("secret", "a-secret-of-the-shop");
        Config::new().channel(twilio(SMS, simulator)).channel(hook)
    })
    .await;
    for since in ["2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "yesterday"] {
        let answer = backfill(&stage, since).await;
        assert_eq!(answer.status, 422, "{since}: {}", answer.reply.text());
    }
    let now = jiff::Timestamp::now().to_string();
    let path = "/api/v1/channels/shop/backfill";
    let answer = stage.daemon.api().post(path, &json!({"since": now})).await;
    assert_eq!(
        answer.json["code"],
        "unsupported",
        "{}",
        answer.reply.text()
    );
    let member = stage.daemon.create_token("member").await;
    let api = stage.daemon.api().with_token(&member);
    let path = format!("/api/v1/channels/{SMS}/backfill");
    assert_eq!(api.post(&path, &json!({"since": now})).await.status, 403);
    let output = stage
        .daemon
        .cli(&["channel", "backfill", SMS, "--since", "soon"])
        .await;
    assert_eq!(output.code, 64, "{output:?}");
    let since = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1)).to_string();
    let failing = Behaviour::error(401, 20003, "Authenticate");
    let account = stage.simulator.twilio();
    account.set_behaviour_of(Endpoint::List, failing);
    let answer = backfill(&stage, &since).await;
    assert_eq!(answer.status, 502, "{}", answer.reply.text());
}
