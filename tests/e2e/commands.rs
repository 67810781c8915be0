//! What the gateway answers by itself, and commands.

use serde_json::json;
use trunkline_tests::config::Config;
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::consent::{must_refuse, say};
use crate::outbound::creates;
use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";

#[tokio::test]
async fn the_gateway_answers_once_where_the_provider_does_not() {
    let stage = Stage::new(|simulator| {
        let replies =
            json!({"stop": "You get no more messages.", "help": "Write to help@example.org."});
        Config::new()
            .set("consent.replies.en", replies)
            .channel(twilio(SMS, simulator).key("consent", json!({"replies": true})))
    })
    .await;
    let bodies = || -> Vec<String> {
        let creates = creates(&stage);
        creates
            .iter()
            .map(|create| create.param("Body").unwrap_or_default().to_owned())
            .collect()
    };
    for text in ["STOP", "stop", "Help"] {
        say(&stage, text).await;
    }
    let expected = ["You get no more messages.", "Write to help@example.org."];
    eventually("both answers are sent", SOON, || async {
        (bodies().len() >= 2).then_some(())
    })
    .await;
    must_refuse(&stage, SMS, ADA).await;
    let other = Sms::new("+15005550130", "STOP").with("OptOutType", "STOP");
    assert_eq!(stage.deliver(SMS, &other).await, 200);
    let last = stage
        .daemon
        .api()
        .send_text(SMS, "+15005550131", "last")
        .await;
    stage.daemon.api().wait_status(&last, "sent").await;
    assert_eq!(bodies(), [&expected[..], &["last"]].concat());
}

#[tokio::test]
async fn a_command_sets_the_conversation_and_may_be_answered() {
    let stage = Stage::new(|simulator| {
        let done = json!({"thread": "close", "reply": "Goodbye."});
        Config::new()
            .set("commands.\"/done\"", done)
            .channel(twilio(SMS, simulator))
    })
    .await;
    let api = stage.daemon.api();
    say(&stage, "i need a /human").await;
    let message = stage.only_message(ADA).await;
    let thread = format!(
        "/api/v1/threads/{}",
        message["thread"].as_str().expect("an id")
    );
    assert_eq!(api.get(&thread).await["needs_human"], false);
    say(&stage, " /Human ").await;
    assert_eq!(api.get(&thread).await["needs_human"], true);
    let newest = api.timeline(ADA).await.remove(0);
    assert_eq!(newest["metadata"]["command"], "/human", "{newest}");
    assert_eq!(newest["content"]["text"], " /Human ");
    say(&stage, "/done").await;
    assert_eq!(api.get(&thread).await["state"], "closed");
    let answer = eventually("the answer is sent", SOON, || async {
        let newest = api.timeline(ADA).await.remove(0);
        (newest["status"] == "sent").then_some(newest)
    })
    .await;
    assert_eq!(answer["content"]["text"], "Goodbye.");
    assert_eq!(answer["author"]["kind"], "system");
}
