//! Who has opted out is not written to, whatever brought the word, and every change has its proof.

use std::time::Duration;

use serde_json::{Value, json};
use trunkline_simulator::{Behaviour, Callbacks, InboundSms};
use trunkline_tests::config::Config;
use trunkline_tests::http::Request;
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::SOON;

use crate::outbound::creates;
use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";
const OTHER: &str = "sms_other";

/// The ledger's entries of a number.
async fn entries(stage: &Stage, number: &str) -> Vec<Value> {
    let path = format!(
        "/api/v1/consents?identifier={}",
        trunkline_tests::api::encode(number)
    );
    stage.daemon.api().all(&path).await
}

/// The only entry of a number.
async fn only(stage: &Stage, number: &str) -> Value {
    let mut entries = entries(stage, number).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

pub(crate) async fn say(stage: &Stage, text: &str) {
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, text)).await, 200);
}

/// The code with which a send is refused; none where it is accepted.
async fn refusal(stage: &Stage, channel: &str, to: &str) -> Option<Value> {
    let body = json!({"channel": channel, "to": to, "content": {"text": "hello"}});
    let answer = stage.daemon.api().post("/api/v1/messages", &body).await;
    match answer.status {
        202 => None,
        422 => Some(answer.json),
        other => panic!("{other}: {}", answer.reply.text()),
    }
}

pub(crate) async fn must_refuse(stage: &Stage, channel: &str, to: &str) -> String {
    let problem = refusal(stage, channel, to).await.expect("it is refused");
    assert_eq!(problem["code"], "opted_out", "{problem}");
    problem["detail"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_stop_refuses_every_send_from_that_number_until_a_start() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .channel(twilio(SMS, simulator))
            .channel(twilio(OTHER, simulator).config("from", "+15550101"))
    })
    .await;
    say(&stage, "hello").await;
    say(&stage, "please stop it").await;
    assert!(
        entries(&stage, ADA).await.is_empty(),
        "a sentence is no word"
    );
    say(&stage, " Stop.\n").await;
    let entry = only(&stage, ADA).await;
    assert_eq!(entry["state"], "opted_out", "{entry}");
    assert_eq!(entry["scope"], "+15550100");
    assert_eq!(
        (&entry["space"], &entry["identifier"]),
        (&json!("phone"), &json!(ADA))
    );
    let proof = &entry["history"][0];
    assert_eq!(
        (&proof["source"], &proof["keyword"]),
        (&json!("keyword"), &json!("Stop"))
    );
    let api = stage.daemon.api();
    let message = api.message(proof["message"].as_str().expect("an id")).await;
    assert_eq!(message["content"]["text"], " Stop.\n", "kept byte for byte");

    let detail = must_refuse(&stage, SMS, ADA).await;
    let since = &entry["since"].as_str().expect("a time")[..16];
    assert!(detail.contains(since) && !detail.contains(ADA), "{detail}");
    let send = ["send", SMS, ADA, "hello", "--dry-run"];
    let preview = stage.daemon.cli(&send).await;
    assert!(preview.all().contains("opted_out"), "{preview:?}");
    assert_eq!(
        refusal(&stage, OTHER, ADA).await,
        None,
        "another number may write"
    );
    assert_eq!(refusal(&stage, SMS, "+15005550102").await, None);

    say(&stage, "START").await;
    assert_eq!(only(&stage, ADA).await["state"], "opted_in");
    assert_eq!(refusal(&stage, SMS, ADA).await, None);
    say(&stage, "yes").await;
    let history = only(&stage, ADA).await["history"].as_array().map(Vec::len);
    assert_eq!(history, Some(2), "a yes in a conversation is no opt-in");
}

#[tokio::test]
async fn an_acknowledged_stop_survives_kill_9() {
    let mut stage = Stage::sms().await;
    for round in 0..5 {
        let number = format!("+1500555020{round}");
        let stop = Sms::new(&number, "STOP");
        assert_eq!(stage.deliver(SMS, &stop).await, 200);
        stage.daemon.kill9().await;
        stage.daemon.launch().await;
        must_refuse(&stage, SMS, &number).await;
        assert_eq!(stage.deliver(SMS, &stop).await, 200);
        let entry = only(&stage, &number).await;
        assert_eq!(
            entry["history"].as_array().map(Vec::len),
            Some(1),
            "{entry}"
        );
    }
}

#[tokio::test]
async fn what_waits_or_is_scheduled_is_not_sent_after_a_stop() {
    let stage = Stage::sms().await;
    let api = stage.daemon.api();
    let at = jiff::Timestamp::now() + Duration::from_secs(2);
    let body = json!({
        "channel": SMS, "to": ADA, "content": {"text": "later"}, "send_at": at.to_string()
    });
    let answer = api.post("/api/v1/messages", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.reply.text());
    let scheduled = answer.json["id"].as_str().expect("an id").to_owned();
    let disable = format!("/api/v1/channels/{SMS}/disable");
    api.send(Request::new("POST", disable)).await;
    let waiting = api.send_text(SMS, "+15005550102", "now").await;
    let spared = api.send_text(SMS, "+15005550103", "wanted").await;
    say(&stage, "STOP").await;
    let stop = Sms::new("+15005550102", "Unsubscribe");
    assert_eq!(stage.deliver(SMS, &stop).await, 200);
    let enable = format!("/api/v1/channels/{SMS}/enable");
    api.send(Request::new("POST", enable)).await;
    for id in [&waiting, &scheduled] {
        let message = api.wait_status(id, "failed").await;
        assert_eq!(message["error"]["class"], "opted_out", "{message}");
        let item = api.outbox_item(id).await.expect("a dead letter");
        assert_eq!(
            (&item["state"], &item["attempts"]),
            (&json!("dead"), &json!(0))
        );
    }
    api.wait_status(&spared, "sent").await;
    let creates = creates(&stage);
    assert_eq!(
        creates.len(),
        1,
        "no call for those who opted out: {creates:?}"
    );
}

#[tokio::test]
async fn a_stop_between_two_parts_keeps_the_rest_back() {
    let stage = Stage::new(|simulator| {
        let channel = twilio(SMS, simulator)
            .key("text", json!({"long": "split"}))
            .config("max_len", 20);
        Config::new().channel(channel)
    })
    .await;
    let account = stage.simulator.twilio();
    account.set_behaviour(Behaviour::Slow(Duration::from_millis(600)));
    let text = "one two three four five six seven eight nine ten eleven twelve";
    let id = stage.daemon.api().send_text(SMS, ADA, text).await;
    let first = account.wait_until(|account| account.message_count() == 1, SOON);
    first.await.expect("the first part");
    say(&stage, "STOP").await;
    let message = stage.daemon.api().wait_status(&id, "failed").await;
    assert_eq!(message["error"]["class"], "opted_out", "{message}");
    assert_eq!(message["parts"][0]["status"], "sent", "{message}");
    assert_eq!(stage.simulator.twilio().message_count(), 1, "{message}");
}

#[tokio::test]
async fn a_refusal_of_twilio_is_learned_at_once_and_by_callback() {
    let stage = Stage::sms().await;
    let (account, api) = (stage.simulator.twilio(), stage.daemon.api());
    account.opt_out(ADA);
    let id = api.send_text(SMS, ADA, "unwanted").await;
    api.wait_status(&id, "failed").await;
    let entry = only(&stage, ADA).await;
    let proof = &entry["history"][0];
    assert_eq!(proof["source"], "provider_error", "{entry}");
    assert_eq!(
        (&proof["reference"], &proof["message"]),
        (&json!("21610"), &json!(id))
    );
    must_refuse(&stage, SMS, ADA).await;
    assert_eq!(creates(&stage).len(), 1);
    let start = InboundSms::text(ADA, "+15550100", "start");
    let answer = account.inbound(&stage.daemon.url(SMS), &start).await;
    assert_eq!(answer.expect("delivered").status, 200);
    let id = api.send_text(SMS, ADA, "welcome back").await;
    api.wait_status(&id, "sent").await;

    account.set_callbacks(Callbacks::Failed { code: 21610 });
    let late = "+15005550104";
    let id = api.send_text(SMS, late, "refused later").await;
    api.wait_status(&id, "failed").await;
    assert_eq!(
        only(&stage, late).await["history"][0]["source"],
        "provider_error"
    );
    must_refuse(&stage, SMS, late).await;
}

#[tokio::test]
async fn the_providers_own_word_counts_and_is_not_repeated() {
    let stage = Stage::sms().await;
    let stop = Sms::new(ADA, "basta").with("OptOutType", "STOP");
    assert_eq!(stage.deliver(SMS, &stop).await, 200);
    let entry = only(&stage, ADA).await;
    let proof = &entry["history"][0];
    assert_eq!(proof["source"], "provider_signal", "{entry}");
    assert_eq!(proof["reference"], stop.sid.as_str());
    assert_eq!(proof["message"], stage.only_message(ADA).await["id"]);
    must_refuse(&stage, SMS, ADA).await;
    let start = Sms::new(ADA, "again").with("OptOutType", "START");
    assert_eq!(stage.deliver(SMS, &start).await, 200);
    assert_eq!(
        stage.deliver(SMS, &stop).await,
        200,
        "an old webhook comes again"
    );
    assert_eq!(refusal(&stage, SMS, ADA).await, None);
}

#[tokio::test]
async fn words_of_other_languages_count_where_they_are_configured() {
    let german = Stage::new(|simulator| {
        Config::new()
            .set("consent.languages", json!(["en", "de"]))
            .set(
                "consent.words.de",
                json!({"stop": ["STOPP", "Schluß jetzt"]}),
            )
            .channel(twilio(SMS, simulator))
    })
    .await;
    for (number, text) in [("+15005550111", "stopp!"), ("+15005550112", "SCHLUß JETZT")] {
        assert_eq!(german.deliver(SMS, &Sms::new(number, text)).await, 200);
        must_refuse(&german, SMS, number).await;
    }
    let english = Stage::sms().await;
    say(&english, "STOPP").await;
    assert!(entries(&english, ADA).await.is_empty());
    assert_eq!(refusal(&english, SMS, ADA).await, None);
}

#[tokio::test]
async fn operators_record_changes_for_one_number_or_for_all() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .channel(twilio(SMS, simulator))
            .channel(twilio(OTHER, simulator).config("from", "+15550101"))
    })
    .await;
    let daemon = &stage.daemon;
    let set = |rest: &[&str]| {
        let mut arguments = vec!["consent", "set", ADA];
        arguments.extend(rest);
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            daemon.cli_ok(&arguments).await
        }
    };
    let said = ["--reason", "said so by phone", "--json"];
    let done = set(&[&["opt_out", "--scope", "*"], &said[..]].concat()).await;
    assert_eq!(done.json()["state"], "opted_out");
    must_refuse(&stage, SMS, ADA).await;
    must_refuse(&stage, OTHER, ADA).await;
    set(&[&["opt_in", "--channel", OTHER], &said[..]].concat()).await;
    assert_eq!(refusal(&stage, OTHER, ADA).await, None, "asked for since");
    must_refuse(&stage, SMS, ADA).await;

    let shown = daemon.cli_ok(&["consent", "show", ADA]).await.stdout;
    assert!(
        shown.contains("said so by phone") && shown.contains("operator"),
        "{shown}"
    );
    let listed = daemon
        .cli_ok(&["consent", "list", "--state", "opted_in", "--json"])
        .await
        .json();
    assert_eq!(
        listed["items"].as_array().map(Vec::len),
        Some(1),
        "{listed}"
    );

    let member = daemon
        .api()
        .with_token(&daemon.create_token("member").await);
    let body = json!({"identifier": ADA, "channel": SMS, "change": "opt_in", "reason": "x"});
    assert_eq!(member.post("/api/v1/consents", &body).await.status, 403);
    for (key, value) in [
        ("reason", json!(" ")),
        ("change", json!("help")),
        ("channel", json!("nowhere")),
        ("identifier", json!("12")),
        ("scope", json!("*")),
    ] {
        let mut wrong = body.clone();
        wrong[key] = value;
        let answer = daemon.api().post("/api/v1/consents", &wrong).await;
        assert_eq!(answer.status, 422, "{wrong}: {}", answer.reply.text());
    }
}

#[tokio::test]
async fn the_export_holds_every_proof() {
    let stage = Stage::sms().await;
    say(&stage, "Stop").await;
    say(&stage, "unstop").await;
    assert_eq!(
        stage.deliver(SMS, &Sms::new("+15005550120", "help")).await,
        200
    );
    let api = stage.daemon.api();
    let answer = api.get_any("/api/v1/consents/export").await;
    assert_eq!(answer.status, 200);
    let lines = |text: &str| -> Vec<Value> {
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a line is JSON"))
            .collect()
    };
    let exported = lines(&answer.reply.text());
    assert_eq!(exported.len(), 2, "{exported:?}");
    let ada = &exported[0];
    let changes: Vec<_> = ada["history"].as_array().into_iter().flatten().collect();
    assert_eq!(changes.len(), 2);
    for (proof, text) in changes.iter().zip(["Stop", "unstop"]) {
        let message = api.message(proof["message"].as_str().expect("an id")).await;
        assert_eq!(message["content"]["text"], text);
        assert_eq!(proof["at"], message["created_at"]);
        assert!(proof["event"].is_string(), "{proof}");
    }
    assert_eq!(
        exported[1]["state"], "unknown",
        "help says nothing about it"
    );
    let printed = stage.daemon.cli_ok(&["consent", "export"]).await.stdout;
    assert_eq!(lines(&printed), exported);
    let array = stage.daemon.cli_ok(&["consent", "export", "--json"]).await;
    assert_eq!(array.json(), json!(exported));
    let contact = api.contacts(ADA).await[0]["id"].clone();
    let path = format!(
        "/api/v1/contacts/{}/consents",
        contact.as_str().expect("an id")
    );
    assert_eq!(api.all(&path).await, std::slice::from_ref(ada));
}
