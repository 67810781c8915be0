//! Text before it goes out: counted, folded, split, capped, and kept from going round in circles.

use serde_json::{Value, json};
use trunkline_simulator::LedgerMessage;
use trunkline_tests::api::Answer;
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::http::Request;
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";
const BOB: &str = "+15005550102";

/// One Twilio channel with keys of its own, and sections of the main file.
async fn stage(channel: &[(&str, Value)], main: &[(&str, Value)]) -> Stage {
    Stage::new(|simulator| {
        let sms = channel
            .iter()
            .fold(twilio(SMS, simulator), |sms, (key, value)| {
                sms.key(key, value.clone())
            });
        main.iter()
            .fold(Config::new(), |config, (key, value)| {
                config.set(key, value.clone())
            })
            .channel(sms)
    })
    .await
}

fn body(to: &str, text: &str) -> Value {
    json!({"channel": SMS, "to": to, "content": {"text": text}})
}

async fn send(stage: &Stage, to: &str, text: &str) -> Answer {
    let api = stage.daemon.api();
    api.post("/api/v1/messages", &body(to, text)).await
}

async fn preview(stage: &Stage, text: &str) -> Answer {
    let api = stage.daemon.api();
    api.post("/api/v1/messages/preview", &body(ADA, text)).await
}

fn assert_refused(answer: &Answer, code: &str, words: &[&str]) {
    assert_eq!(answer.status, 422, "{answer:?}");
    assert_eq!(answer.json["code"], code, "{answer:?}");
    let detail = answer.json["detail"].as_str().unwrap_or_default();
    for word in words {
        assert!(detail.contains(word), "no {word:?} in {detail:?}");
    }
}

#[tokio::test]
async fn a_preview_counts_what_the_provider_counts() {
    let stage = stage(&[], &[]).await;
    let texts = [
        "hello".to_owned(),
        "a".repeat(160),
        "a".repeat(161),
        "€".repeat(81),
        format!("{}€{}", "a".repeat(152), "a".repeat(10)),
        "between 5 € and {9}".to_owned(),
        "ж".repeat(71),
        format!("{} 😀", "word ".repeat(30)),
        "it’s".to_owned(),
        "道可道非常道".repeat(250),
    ];
    for text in &texts {
        let preview = preview(&stage, text).await;
        assert_eq!(preview.status, 200, "{preview:?}");
        assert_eq!(preview.json["parts"][0]["text"], text.as_str());
        assert_eq!(send(&stage, ADA, text).await.status, 202);
        let account = stage.simulator.twilio();
        let arrived = eventually("it arrived", SOON, || async {
            let messages = account.messages().into_iter();
            messages.into_iter().find(|message| message.body == *text)
        })
        .await;
        assert_eq!(
            preview.json["segments"],
            arrived.segments(),
            "{text:.30}: {preview:?}"
        );
    }
    let last = preview(&stage, &texts[9]).await.json;
    assert_eq!(
        (&last["encoding"], &last["units"], &last["segments"]),
        (&json!("ucs2"), &json!(1500), &json!(23))
    );
    assert_eq!(last["to"], ADA);
    assert_eq!(last["max_len"], 1600);
    assert_eq!(last["daily"]["unit"], "segments");
    assert_eq!(last["daily"]["counts"], 23);
    assert!(last["daily"]["channel"].is_null() && last["daily"]["organization"].is_null());
}

#[tokio::test]
async fn a_preview_stores_nothing_and_refuses_what_sending_refuses() {
    let stage = stage(&[], &[]).await;
    let long = "word ".repeat(400);
    assert_eq!(preview(&stage, "hello").await.status, 200);
    let words = [
        "2000 characters",
        "gsm7, 14 segments",
        "1600",
        "long = \"split\"",
    ];
    assert_refused(&preview(&stage, &long).await, "text_too_long", &words);
    assert_refused(&send(&stage, ADA, &long).await, "text_too_long", &words);
    assert_refused(&preview(&stage, "").await, "empty_content", &[]);
    let api = stage.daemon.api();
    let path = "/api/v1/messages/preview";
    let nobody = api.post(path, &body("555", "hello")).await;
    assert_refused(&nobody, "invalid_recipient", &[]);
    let member = api.with_token(&stage.daemon.create_token("member").await);
    assert_eq!(member.post(path, &body(ADA, "hello")).await.status, 403);
    assert!(api.contacts(ADA).await.is_empty(), "nothing was stored");
    assert_eq!(stage.simulator.twilio().message_count(), 0);
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, "STOP")).await, 200);
    assert_refused(&preview(&stage, "hello").await, "opted_out", &[]);
    assert_refused(&send(&stage, ADA, "hello").await, "opted_out", &[]);
}

#[tokio::test]
async fn long_texts_are_split_and_typographic_ones_folded_where_the_channel_says_so() {
    let text = json!({"long": "split", "fold": true, "parts_max": 4});
    let mut stage = stage(&[("text", text)], &[]).await;
    let long = "“So it goes” – he said… ".repeat(150);
    let shown = preview(&stage, &long).await.json;
    assert_eq!(
        (&shown["encoding"], &shown["folded"]),
        (&json!("gsm7"), &json!(true)),
        "{shown}"
    );
    let parts = shown["parts"].as_array().expect("parts");
    let joined: String = parts
        .iter()
        .filter_map(|part| part["text"].as_str())
        .collect();
    assert_eq!(joined, "\"So it goes\" - he said... ".repeat(150));
    assert_eq!(parts.len(), 3, "{shown}");
    let segments: u64 = parts
        .iter()
        .filter_map(|part| part["segments"].as_u64())
        .sum();
    assert_eq!(shown["segments"], segments);

    let cjk = preview(&stage, &"道".repeat(4000)).await.json;
    let lengths: Vec<_> = cjk["parts"].as_array().expect("parts").iter().collect();
    let units: Vec<_> = lengths.iter().map(|part| &part["units"]).collect();
    assert_eq!(units, [&json!(1600), &json!(1600), &json!(800)]);
    assert_eq!(cjk["segments"], 24 + 24 + 12);
    let many = preview(&stage, &"道".repeat(6401)).await;
    assert_refused(&many, "text_too_long", &["4 messages", "parts_max"]);

    // The policy is taken over without a restart of the channel.
    let started = stage.daemon.api().channel(SMS).await["started_at"].clone();
    stage.daemon.rewrite(|config| {
        config.put(config.find(SMS).clone().key("text", json!({"fold": false})));
    });
    let plan = stage.daemon.cli_ok(&["reload", "--json"]).await.json();
    assert_eq!(plan["update"][SMS], json!(["text"]), "{plan}");
    let now = preview(&stage, "it’s").await.json;
    assert_eq!(
        (&now["folded"], &now["encoding"]),
        (&json!(false), &json!("ucs2"))
    );
    assert_eq!(stage.daemon.api().channel(SMS).await["started_at"], started);
}

#[tokio::test]
async fn a_split_text_arrives_in_order_as_its_preview_showed_and_is_kept_as_written() {
    let text = json!({"long": "split", "fold": true});
    let stage = stage(&[("text", text)], &[]).await;
    let api = stage.daemon.api();
    let words = (0..900).map(|n| format!("word{n}’s "));
    let written = [
        words.collect::<String>(),
        "道可道非常道名可名非常名"
            .repeat(334)
            .chars()
            .take(4000)
            .collect(),
        "it’s folded".to_owned(),
    ];
    for text in &written {
        let shown = preview(&stage, text).await.json;
        let before = stage.simulator.twilio().message_count();
        let id = api.send_text(SMS, ADA, text).await;
        let message = api.wait_status(&id, "sent").await;
        assert_eq!(message["content"]["text"], text.as_str());
        let arrived = stage.simulator.twilio().messages().split_off(before);
        let bodies: Vec<_> = arrived.iter().map(|sms| sms.body.as_str()).collect();
        let parts = shown["parts"].as_array().expect("parts");
        let texts: Vec<_> = parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect();
        assert_eq!(bodies, texts);
        let segments: usize = arrived.iter().map(LedgerMessage::segments).sum();
        assert_eq!(shown["segments"], segments);
    }
    let problems = stage.simulator.twilio().problems();
    assert!(problems.is_empty(), "{problems:?}");
    // What a record can't hold together with its parts is refused, not lost.
    let large = preview(&stage, &"道".repeat(16_500)).await;
    assert_refused(&large, "text_too_long", &[]);
    let large = preview(&stage, &"👨\u{200d}👩\u{200d}👧".repeat(3000)).await;
    assert_refused(&large, "content_too_large", &["shorten"]);
}

#[tokio::test]
async fn a_dry_run_shows_people_and_programs_what_would_go_out() {
    let stage = stage(&[], &[]).await;
    let line = ["send", SMS, ADA, "5 € for {you}", "--dry-run"];
    let shown = stage.daemon.cli_ok(&line).await.stdout;
    for words in ["encoding", "gsm7", "SEGMENTS", "5 € for {you}"] {
        assert!(shown.contains(words), "no {words:?} in {shown}");
    }
    let shown = stage
        .daemon
        .cli_ok(&[&line[..], &["--json"]].concat())
        .await
        .json();
    let same = preview(&stage, "5 € for {you}").await.json;
    assert_eq!(shown, same);
    assert_eq!(
        (&shown["units"], &shown["segments"]),
        (&json!(16), &json!(1))
    );

    let long = "ж".repeat(1601);
    let line = ["send", SMS, ADA, &long, "--dry-run"];
    let refused = stage.daemon.cli(&line).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("text_too_long") && refused.stderr.contains("24 segments"));
    let refused = stage.daemon.cli(&[&line[..], &["--json"]].concat()).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert_eq!(refused.json()["refused"]["code"], "text_too_long");
    assert_eq!(stage.simulator.twilio().message_count(), 0);
}

#[tokio::test]
async fn a_channel_sends_no_more_than_its_cap_also_over_a_restart() {
    let cap = json!({"daily_segments": 3});
    let mut stage = stage(&[("cost", cap)], &[]).await;
    assert_eq!(send(&stage, ADA, &"ж".repeat(71)).await.status, 202);
    let left = preview(&stage, "hello").await.json["daily"]["channel"].clone();
    assert_eq!(left, json!({"max": 3, "used": 2, "left": 1}));
    let words = [
        "channel sms_support",
        "3 segments a day",
        "has sent 2",
        "takes 2",
    ];
    let refused = send(&stage, ADA, &"ж".repeat(71)).await;
    assert_refused(&refused, "daily_cap", &words);
    let refused = preview(&stage, &"ж".repeat(71)).await;
    assert_refused(&refused, "daily_cap", &words);

    stage.daemon.restart().await;
    assert_eq!(send(&stage, BOB, "hello").await.status, 202);
    let detail = ["[channel.sms_support.cost]"];
    for _ in 0..3 {
        assert_refused(&send(&stage, ADA, "hello").await, "daily_cap", &detail);
    }
    let notices = || async { limit_notices(&stage).await };
    assert_eq!(notices().await, 1, "told once");
    let api = stage.daemon.api();
    assert!(
        api.contacts(ADA).await.len() == 1,
        "what was refused is not stored"
    );
    assert_eq!(api.timeline(ADA).await.len(), 1);
}

#[tokio::test]
async fn a_cap_is_exact_when_many_send_at_once_and_a_repeat_counts_once() {
    let stage = stage(&[("cost", json!({"daily_segments": 6}))], &[]).await;
    let api = stage.daemon.api();
    for _ in 0..4 {
        let request = Request::new("POST", "/api/v1/messages")
            .header("idempotency-key", "one")
            .body("application/json", body(ADA, "hello").to_string());
        assert_eq!(api.send(request).await.status, 202);
    }
    let texts: Vec<_> = (0..20).map(|n| format!("text {n}")).collect();
    let sends = texts.iter().map(|text| send(&stage, BOB, text));
    let answers = futures_util::future::join_all(sends).await;
    let taken = answers.iter().filter(|answer| answer.status == 202);
    assert_eq!(taken.count(), 5, "{answers:?}");
    assert_eq!(api.timeline(BOB).await.len(), 5);
}

async fn limit_notices(stage: &Stage) -> usize {
    let metrics = stage.daemon.api().get_any("/metrics").await.reply.text();
    let lines = metrics
        .lines()
        .filter(|line| line.contains("limit_reached"));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok())
        .sum()
}

#[tokio::test]
async fn an_organization_has_one_cap_for_all_its_channels() {
    let stage = Stage::new(|simulator| {
        simulator.twilio().add_number("+15550109");
        Config::new()
            .set("organization.default.cost.daily_segments", 2)
            .channel(twilio(SMS, simulator))
            .channel(twilio("sms_other", simulator).config("from", "+15550109"))
    })
    .await;
    let api = stage.daemon.api();
    api.send_text(SMS, ADA, "one").await;
    api.send_text("sms_other", ADA, "two").await;
    let words = ["organization default", "[organization.default.cost]"];
    assert_refused(&send(&stage, BOB, "three").await, "daily_cap", &words);
    // A repeated request is answered as the first was, cap or not.
    let cap = preview(&stage, "four").await;
    assert_refused(&cap, "daily_cap", &words);
}

#[tokio::test]
async fn media_without_segments_are_split_by_characters_and_counted_in_messages() {
    let stage = Stage::new(|_| {
        let shop = Channel::webhook("shop")
            .key("text", json!({"long": "split", "fold": true}))
            .key("cost", json!({"daily_segments": 2}))
            .config("url", "http://127.0.0.1:9/")
            .config("max_len", 10);
        Config::new().channel(shop)
    })
    .await;
    let api = stage.daemon.api();
    let look = async |text: &str| {
        let body = json!({"channel": "shop", "to": "user 7", "content": {"text": text}});
        api.post("/api/v1/messages/preview", &body).await
    };
    let shown = look("it’s more than ten").await.json;
    let parts = shown["parts"].as_array().expect("parts");
    let texts: Vec<_> = parts.iter().map(|part| &part["text"]).collect();
    assert_eq!(texts, [&json!("it’s more "), &json!("than ten")]);
    for key in ["encoding", "units", "segments"] {
        assert!(shown[key].is_null() && parts[0][key].is_null(), "{shown}");
    }
    assert_eq!(shown["folded"], false, "folding is for text messages");
    assert_eq!(shown["daily"]["unit"], "messages");
    assert_eq!(shown["daily"]["counts"], 2);
    let words = ["2 messages a day", "takes 3: raise daily_segments"];
    assert_refused(&look("a text of three parts").await, "daily_cap", &words);
}

/// Answers each text of a person at once, as an agent would; gives the answers.
async fn converse(stage: &Stage, who: &str, texts: &[String]) -> Vec<Answer> {
    let mut answers = Vec::new();
    for text in texts {
        assert_eq!(stage.deliver(SMS, &Sms::new(who, text)).await, 200);
        answers.push(send(stage, who, "an automatic reply").await);
    }
    answers
}

#[tokio::test]
async fn two_machines_that_answer_each_other_are_stopped() {
    let limits = [
        ("outbound.echo_max", json!(6)),
        ("outbound.echo_window", json!("1h")),
    ];
    let stage = stage(&[], &limits).await;
    let texts: Vec<String> = (0..8).map(|n| format!("ticket {n} was received")).collect();
    let answers = converse(&stage, ADA, &texts).await;
    let (went, refused) = answers.split_at(6);
    assert!(went.iter().all(|answer| answer.status == 202), "{went:?}");
    for answer in refused {
        assert_refused(answer, "echo_loop", &["+1******0101", "echo_max"]);
    }
    assert_refused(&preview(&stage, "hello").await, "echo_loop", &[]);
    // The same text again and again is found sooner than the limit.
    let same = vec!["I am out of office".to_owned(); 6];
    let answers = converse(&stage, BOB, &same).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [202, 202, 202, 202, 202, 422]);

    // One of many is no reply, others are not concerned, and all that came in is kept.
    let mut bulk = body(ADA, "news for all");
    bulk["priority"] = json!("bulk");
    let api = stage.daemon.api();
    assert_eq!(api.post("/api/v1/messages", &bulk).await.status, 202);
    assert_eq!(send(&stage, "+15005550103", "hello").await.status, 202);
    assert_eq!(api.timeline(ADA).await.len(), 8 + 6 + 1);
    let metrics = api.get_any("/metrics").await.reply.text();
    let told = metrics.lines().find(|line| line.contains("echo_loop"));
    assert!(told.is_some_and(|line| line.ends_with(" 2")), "{told:?}");
}

#[tokio::test]
async fn a_repeated_request_keeps_its_answer_whatever_holds_by_now() {
    let cap = json!({"daily_segments": 1});
    let stage = stage(&[("cost", cap)], &[("outbound.echo_max", json!(1))]).await;
    let api = stage.daemon.api();
    let request = |text: &str| {
        Request::new("POST", "/api/v1/messages")
            .header("idempotency-key", "one")
            .body("application/json", body(ADA, text).to_string())
    };
    let first = api.send(request("hello")).await;
    assert_eq!(first.status, 202, "{first:?}");
    stage.deliver(SMS, &Sms::new(ADA, "an answer")).await;
    assert_refused(&send(&stage, ADA, "hello").await, "echo_loop", &[]);
    assert_refused(&send(&stage, BOB, "hello").await, "daily_cap", &[]);
    let again = api.send(request("hello")).await;
    assert_eq!((again.status, &again.json), (202, &first.json));
    assert_eq!(api.send(request("another")).await.status, 409);
}
