//! How fast and in which order messages go out: rates, lanes, a provider that throttles, parts, and
//! what a reload or a crash costs.

use std::time::Duration;

use serde_json::{Value, json};
use trunkline_simulator::Behaviour;
use trunkline_tests::api::Api;
use trunkline_tests::config::Config;
use trunkline_tests::wait::{SOON, eventually};

use crate::outbound::creates;
use crate::stage::{SMS, Stage, twilio};

fn person(number: usize) -> String {
    format!("+1500556{number:04}")
}

async fn accept(api: &Api, to: &str, text: &str, priority: &str) -> String {
    let body = json!({
        "channel": SMS, "to": to, "content": {"text": text}, "priority": priority,
    });
    let answer = api.post("/api/v1/messages", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.reply.text());
    answer.json["id"].as_str().expect("an id").to_owned()
}

/// Enables or disables the channel.
async fn switch(api: &Api, verb: &str) {
    let path = format!("/api/v1/channels/{SMS}/{verb}");
    assert_eq!(api.post(&path, &Value::Null).await.status, 200);
}

fn bodies(stage: &Stage) -> Vec<String> {
    let messages = stage.simulator.twilio().messages();
    messages.into_iter().map(|message| message.body).collect()
}

async fn wait_count(stage: &Stage, count: usize) {
    let twilio = stage.simulator.twilio();
    twilio
        .wait_until(|account| account.message_count() >= count, SOON)
        .await
        .expect("all arrive");
}

#[tokio::test]
async fn a_channel_keeps_its_rate() {
    let stage = Stage::new(|simulator| {
        let rate = json!({"per_second": 10.0, "burst": 2});
        Config::new().channel(twilio(SMS, simulator).key("rate", rate))
    })
    .await;
    let api = stage.daemon.api();
    for number in 0..32 {
        accept(&api, &person(number), "slowly", "reply").await;
    }
    wait_count(&stage, 32).await;
    // Two at once, the thirty behind them a tenth of a second apart.
    let calls = stage.simulator.twilio().creates();
    let took = calls[31].at.saturating_sub(calls[1].at);
    assert!(took >= Duration::from_millis(2_200), "{took:?}: {calls:?}");
}

#[tokio::test]
async fn channels_of_one_account_share_its_rate() {
    let stage = Stage::new(|simulator| {
        let other = "+15550199";
        simulator.twilio().add_number(other);
        let shared = |id| twilio(id, simulator).key("account", "main");
        Config::new()
            .set("account.main", json!({"per_second": 10.0, "burst": 1}))
            .channel(shared(SMS))
            .channel(shared("sms_other").config("from", other))
    })
    .await;
    let api = stage.daemon.api();
    for number in 0..30 {
        let channel = [SMS, "sms_other"][number % 2];
        api.send_text(channel, &person(number), "shared").await;
    }
    wait_count(&stage, 30).await;
    // Each with a rate of its own would be done in half of 2.9 s.
    let calls = stage.simulator.twilio().creates();
    let took = calls[29].at.saturating_sub(calls[0].at);
    assert!(took >= Duration::from_millis(2_200), "{took:?}: {calls:?}");
}

#[tokio::test]
async fn an_unknown_account_is_an_error_of_the_configuration() {
    let mut stage = Stage::sms().await;
    stage.daemon.rewrite(|config| {
        let lost = config.find(SMS).clone().key("account", "nobody");
        config.put(lost);
    });
    let output = stage.daemon.cli(&["check"]).await;
    assert_eq!(output.code, 78, "{output:?}");
    assert!(output.all().contains("account.nobody"), "{output:?}");
}

#[tokio::test]
async fn an_answer_overtakes_a_mass_mailing() {
    let stage = Stage::new(|simulator| {
        let rate = json!({"per_second": 40.0, "burst": 1});
        Config::new().channel(twilio(SMS, simulator).key("rate", rate))
    })
    .await;
    let api = stage.daemon.api();
    switch(&api, "disable").await;
    for number in 0..60 {
        accept(&api, &person(number), "news", "bulk").await;
    }
    // The last one is to get the news too, and an answer before it.
    accept(&api, &person(59), "answer", "reply").await;
    switch(&api, "enable").await;
    wait_count(&stage, 61).await;
    let place = bodies(&stage).iter().position(|body| body == "answer");
    assert!(place.is_some_and(|place| place < 20), "{place:?}");
}

#[tokio::test]
async fn answers_in_a_row_leave_the_mass_mailing_its_turn() {
    let stage = Stage::new(|simulator| {
        let rate = json!({"per_second": 100.0, "burst": 1});
        Config::new().channel(twilio(SMS, simulator).key("rate", rate))
    })
    .await;
    let api = stage.daemon.api();
    switch(&api, "disable").await;
    for number in 0..5 {
        accept(&api, &person(number), "news", "bulk").await;
    }
    for number in 0..60 {
        accept(&api, &person(100 + number), "answer", "reply").await;
    }
    switch(&api, "enable").await;
    wait_count(&stage, 65).await;
    let places: Vec<usize> = bodies(&stage)
        .iter()
        .enumerate()
        .filter(|(_, body)| *body == "news")
        .map(|(place, _)| place)
        .collect();
    assert!(places[3] < 60, "news came at {places:?}");
}

#[tokio::test]
async fn a_throttled_channel_slows_pauses_and_recovers_and_all_arrives_once() {
    let stage = Stage::sms().await;
    let account = stage.simulator.twilio();
    account.set_behaviour(Behaviour::Status {
        code: 429,
        twilio_code: Some(20429),
        message: "Too Many Requests".to_owned(),
        times: Some(3),
        retry_after: Some(1),
    });
    let api = stage.daemon.api();
    let mut ids = Vec::new();
    for number in 0..100 {
        ids.push(accept(&api, &person(number), "patiently", "reply").await);
    }
    for id in &ids {
        api.wait_status(id, "sent").await;
    }
    assert_eq!(account.message_count(), 100);
    // Not one of the hundred was sent into the pause but those under way when it began.
    assert!(
        creates(&stage).len() <= 100 + 2 * 16,
        "{}",
        creates(&stage).len()
    );
}

#[tokio::test]
async fn a_reload_in_the_middle_of_a_call_costs_no_attempt() {
    let mut stage = Stage::sms().await;
    let account = stage.simulator.twilio();
    account.behave_once(Behaviour::error(503, 20503, "Service Unavailable"));
    account.set_behaviour_of(
        trunkline_simulator::Endpoint::Create,
        Behaviour::Slow(Duration::from_millis(800)),
    );
    let api = stage.daemon.api();
    let id = api.send_text(SMS, &person(1), "in between").await;
    let sent = account
        .wait_until(|account| account.message_count() == 1, SOON)
        .await;
    sent.expect("the call is under way");
    stage.daemon.rewrite(|config| {
        let longer = config.find(SMS).clone().config("max_len", 200);
        config.put(longer);
    });
    stage.daemon.cli_ok(&["reload"]).await;
    let message = stage.daemon.api().wait_status(&id, "sent").await;
    assert_eq!(stage.simulator.twilio().message_count(), 1, "{message}");
}

#[tokio::test]
async fn what_was_surely_not_sent_is_sent_again_when_the_channel_says_so() {
    let stage = Stage::new(|simulator| {
        Config::new().channel(twilio(SMS, simulator).key("uncertain", "resend"))
    })
    .await;
    let account = stage.simulator.twilio();
    account.behave_once(Behaviour::ResetAfterRead);
    let api = stage.daemon.api();
    let id = api.send_text(SMS, &person(1), "once more").await;
    let message = api.wait_status(&id, "sent").await;
    let history = message["history"].as_array().expect("a history");
    let words: Vec<_> = history.iter().map(|entry| &entry["status"]).collect();
    assert!(words.contains(&&json!("uncertain")), "{message}");
    assert_eq!(account.message_count(), 1);
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_split_message_resumes_at_the_part_that_was_not_sent() {
    let mut stage = Stage::new(|simulator| {
        let channel = twilio(SMS, simulator)
            .key("text", json!({"long": "split"}))
            .config("max_len", 20);
        Config::new().channel(channel)
    })
    .await;
    let account = stage.simulator.twilio();
    account.set_behaviour(Behaviour::Slow(Duration::from_millis(400)));
    let text = "one two three four five six seven eight nine ten eleven twelve";
    let id = stage.daemon.api().send_text(SMS, &person(1), text).await;
    // The second part is with the provider, its answer is not with us.
    let second = account.wait_until(|account| account.message_count() == 2, SOON);
    second.await.expect("the second part");
    stage.daemon.kill9().await;
    stage.simulator.twilio().set_behaviour(Behaviour::Accept);
    stage.daemon.launch().await;
    let message = stage.daemon.api().wait_status(&id, "sent").await;
    assert_eq!(bodies(&stage).concat(), text, "{message}");
    let parts = message["parts"].as_array().expect("parts");
    assert!(parts.len() > 3 && parts.iter().all(|part| part["external_id"].is_string()));
}

#[tokio::test]
async fn dead_letters_are_retried_and_discarded_by_filter() {
    let stage = Stage::sms().await;
    let account = stage.simulator.twilio();
    let api = stage.daemon.api();
    let mut ids = Vec::new();
    for (number, code) in [21211, 21211, 30007].into_iter().enumerate() {
        account.behave_once(Behaviour::error(400, code, "no"));
        let id = api.send_text(SMS, &person(number), "dead").await;
        api.wait_status(&id, "failed").await;
        ids.push(id);
    }
    let refused = api.post("/api/v1/outbox/retry", &json!({})).await;
    assert_eq!(
        refused.status,
        422,
        "all by mistake: {}",
        refused.reply.text()
    );
    let by_code = ["outbox", "retry", "--state", "dead", "--code", "30007"];
    let output = stage.daemon.cli_ok(&by_code).await;
    assert!(output.stdout.contains("1 queued again"), "{output:?}");
    api.wait_status(&ids[2], "sent").await;
    let rest = ["outbox", "discard", "--state", "dead", "--channel", SMS];
    let output = stage.daemon.cli_ok(&rest).await;
    assert!(output.stdout.contains("2 discarded"), "{output:?}");
    eventually("nothing is left", SOON, || async {
        api.all("/api/v1/outbox").await.is_empty().then_some(())
    })
    .await;
    assert_eq!(api.message(&ids[0]).await["status"], "failed");
}
