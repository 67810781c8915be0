//! Telegram, outbound: messages of every kind, files, faults, people who block the bot, groups that move.

use std::time::Duration;

use serde_json::json;
use trunkline_simulator::{Behaviour, Telegram, TelegramMessage};
use trunkline_tests::origin::file;
use trunkline_tests::wait::{SOON, eventually};

use crate::attached::{bytes_of, pdf, put};
use crate::media::settled;
use crate::telegram::{ADA, ADA_ID, BOT, assert_hidden, deliver, say, send, stage};

/// What a group becomes.
const GROUP: i64 = -1_001_234;

/// The last message that Telegram took, and nothing that it disliked.
fn last(bot: &Telegram) -> TelegramMessage {
    assert!(bot.problems().is_empty(), "{:?}", bot.problems());
    bot.messages().pop().expect("a message")
}

#[tokio::test]
async fn messages_of_every_kind_go_out() {
    let stage = stage().await;
    let (api, bot) = (stage.daemon.api(), stage.simulator.telegram());
    let first = say(&stage, "Hello").await;
    let keyboard = json!({"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]});
    let point = json!({"latitude": 52.5, "longitude": 13.4});
    let offer = json!({"text": "Sure?", "interactive": {"kind": "button", "data": keyboard}});
    let target = format!("{ADA}:{}", first["message_id"]);
    let rows = [
        (
            json!({"text": "Hi 😀"}),
            "sendMessage",
            "/text",
            json!("Hi 😀"),
        ),
        (offer, "sendMessage", "/reply_markup", keyboard),
        (
            json!({"location": point}),
            "sendLocation",
            "/latitude",
            json!(52.5),
        ),
        (
            json!({"text": "Look", "media": [{"url": "https://m.example/a.png"}]}),
            "sendPhoto",
            "/caption",
            json!("Look"),
        ),
        (
            json!({"contacts": [{"phone_number": "+15550100", "first_name": "Grace"}]}),
            "sendContact",
            "/first_name",
            json!("Grace"),
        ),
        (
            json!({"reaction": {"target": target, "emoji": "👍"}}),
            "setMessageReaction",
            "/reaction/0/emoji",
            json!("👍"),
        ),
    ];
    for (content, method, place, want) in rows {
        let id = send(&stage, ADA_ID, content).await;
        api.wait_status(&id, "sent").await;
        let sent = last(bot);
        assert_eq!((sent.method.as_str(), sent.chat), (method, ADA));
        assert_eq!(sent.parameters.pointer(place), Some(&want), "{method}");
    }
    // An answer quotes what it answers, and the sent message is known by chat and number.
    let inbound = api.timeline(ADA_ID).await.pop().expect("the first");
    let body = json!({"channel": BOT, "to": ADA_ID, "content": {"text": "So?"}, "reply_to": inbound["external_id"]});
    let answer = api.post("/api/v1/messages", &body).await;
    let id = answer.json["id"].as_str().expect("an id");
    let shown = api.wait_status(id, "sent").await;
    let sent = last(bot);
    assert_eq!(
        sent.parameters["reply_parameters"]["message_id"],
        first["message_id"]
    );
    assert_eq!(shown["external_id"], format!("{ADA}:{}", sent.message_id));
    // Telegram's limit is counted in characters, and known before anything is called.
    let id = send(&stage, ADA_ID, json!({"text": "é".repeat(4_096)})).await;
    api.wait_status(&id, "sent").await;
    let body = json!({"channel": BOT, "to": ADA_ID, "content": {"text": "é".repeat(4_097)}});
    let answer = api.post("/api/v1/messages", &body).await;
    assert_eq!(
        (answer.status, &answer.json["code"]),
        (422, &json!("text_too_long"))
    );
    assert!(bot.problems().is_empty(), "{:?}", bot.problems());
    assert_hidden(&stage, &bot.token()).await;
}

#[tokio::test]
async fn files_go_both_ways_to_the_byte() {
    let stage = stage().await;
    let (api, bot) = (stage.daemon.api(), stage.simulator.telegram());
    let (picture, bill) = (file("png", 90_000, 1), pdf(300_000));
    let document = bot.host_file("documents/file 7.pdf", bill.clone());
    let members = json!({
        "caption": "the bill",
        "document": {"file_id": document, "file_name": "Käfer.pdf", "mime_type": "application/pdf"},
    });
    assert_eq!(deliver(&stage, &bot.message(ADA, &members)).await, 200);
    let message = settled(&stage, ADA_ID).await;
    let item = &message["content"]["media"][0];
    assert_eq!(
        (&item["content_type"], &item["name"]),
        (&json!("application/pdf"), &json!("Käfer.pdf"))
    );
    assert!(bytes_of(&api, item).await == bill, "the same bytes");

    for (name, kind, bytes, method) in [
        ("Käfer \"1\".png", "image/png", picture, "sendPhoto"),
        ("bill.pdf", "application/pdf", bill, "sendDocument"),
    ] {
        let known = put(&api, name, kind, bytes.clone()).await;
        let content = json!({"text": "Here", "media": [{"sha256": known["sha256"]}]});
        let id = send(&stage, ADA_ID, content).await;
        api.wait_status(&id, "sent").await;
        let sent = last(bot);
        assert_eq!(
            (sent.method.as_str(), &sent.parameters["caption"]),
            (method, &json!("Here"))
        );
        let uploaded = sent.file.expect("a form with a file");
        assert_eq!(
            (uploaded.content_type.as_str(), uploaded.name),
            (kind, name.replace('"', "_"))
        );
        assert!(uploaded.bytes == bytes, "the same bytes");
    }
    assert_hidden(&stage, &bot.token()).await;
}

#[tokio::test]
async fn too_fast_waits_and_is_sent_once_also_over_a_restart() {
    let mut stage = stage().await;
    say(&stage, "Hello").await;
    let slow_down = Behaviour::Status {
        code: 429,
        twilio_code: Some(429),
        message: String::new(),
        times: None,
        retry_after: Some(1),
    };
    let bot = stage.simulator.telegram().clone();
    bot.behave_once(slow_down.clone());
    let id = send(&stage, ADA_ID, json!({"text": "patience"})).await;
    stage.daemon.api().wait_status(&id, "sent").await;
    assert_eq!(bot.messages().len(), 1);

    bot.set_behaviour(slow_down);
    let id = send(&stage, ADA_ID, json!({"text": "over a restart"})).await;
    let api = stage.daemon.api();
    let held = eventually("the wait is told", SOON, || async {
        let item = api.outbox_item(&id).await?;
        item["error"]["class"].is_string().then_some(item)
    })
    .await;
    assert_eq!(held["error"]["class"], "throttled", "{held}");
    stage.daemon.restart().await;
    bot.set_behaviour(Behaviour::Accept);
    stage.daemon.api().wait_status(&id, "sent").await;
    assert_eq!(bot.messages().len(), 2, "{:?}", bot.messages());
    assert!(bot.problems().is_empty(), "{:?}", bot.problems());
}

#[tokio::test]
async fn who_blocks_the_bot_is_not_written_to() {
    let stage = stage().await;
    let (api, bot) = (stage.daemon.api(), stage.simulator.telegram());
    say(&stage, "Hello").await;
    bot.block(ADA);
    let id = send(&stage, ADA_ID, json!({"text": "too late"})).await;
    let failed = api.wait_status(&id, "failed").await;
    assert_eq!(
        (&failed["error"]["class"], &failed["error"]["code"]),
        (&json!("opted_out"), &json!("blocked")),
        "{failed}"
    );
    let id = send(&stage, "5999999", json!({"text": "who?"})).await;
    let failed = api.wait_status(&id, "failed").await;
    assert_eq!(failed["error"]["code"], "chat_not_found", "{failed}");

    assert_eq!(deliver(&stage, &bot.membership(ADA, "kicked")).await, 200);
    let body = json!({"channel": BOT, "to": ADA_ID, "content": {"text": "still there?"}});
    eventually("the ledger knows it", SOON, || async {
        let answer = api.post("/api/v1/messages", &body).await;
        (answer.status == 422 && answer.json["code"] == "opted_out").then_some(())
    })
    .await;
    let before = bot.messages().len();
    assert_eq!(deliver(&stage, &bot.membership(ADA, "member")).await, 200);
    let id = eventually("messages are welcome again", SOON, || async {
        let answer = api.post("/api/v1/messages", &body).await;
        (answer.status == 202).then(|| answer.json["id"].as_str().expect("an id").to_owned())
    })
    .await;
    api.wait_status(&id, "sent").await;
    assert_eq!(bot.messages().len(), before + 1);
}

#[tokio::test]
async fn a_group_is_answered_in_the_group_and_followed_when_it_moves() {
    let stage = stage().await;
    let bot = stage.simulator.telegram();
    let group = json!({"id": -77, "type": "group", "title": "Support"});
    bot.start_chat(-77);
    let said = bot.message(ADA, &json!({"text": "help", "chat": group}));
    assert_eq!(deliver(&stage, &said).await, 200);
    let message = stage.only_message("-77").await;
    assert_eq!(message["author"]["name"], "Support");
    assert_eq!(message["metadata"]["from"]["id"], ADA);
    bot.migrate(-77, GROUP);
    let id = send(&stage, "-77", json!({"text": "Yes?"})).await;
    stage.daemon.api().wait_status(&id, "sent").await;
    let sent = bot.messages().pop().expect("a message");
    assert_eq!(
        (sent.chat, &sent.parameters["text"]),
        (GROUP, &json!("Yes?"))
    );
}

/// Telegram can't be asked for sent messages: what may have been sent is never sent again by itself.
#[tokio::test]
async fn an_unknown_outcome_stays_unknown_and_is_not_doubled() {
    let mut stage = stage().await;
    say(&stage, "Hello").await;
    let bot = stage.simulator.telegram().clone();
    bot.behave_once(Behaviour::status(502).after_accepting());
    let lost = send(&stage, ADA_ID, json!({"text": "lost answer"})).await;
    stage.daemon.api().wait_status(&lost, "uncertain").await;
    bot.behave_once(Behaviour::Slow(Duration::from_millis(1_500)));
    bot.start_chat(5_001_002);
    let cut = send(&stage, "5001002", json!({"text": "cut off"})).await;
    let arrived = bot.wait_until(|bot| bot.messages().len() == 2, SOON).await;
    arrived.expect("the second one arrives");
    stage.daemon.kill9().await;
    stage.daemon.launch().await;
    for id in [&lost, &cut] {
        stage.daemon.api().wait_status(id, "uncertain").await;
    }
    assert_eq!(bot.messages().len(), 2, "{:?}", bot.messages());
}

#[tokio::test]
async fn typing_is_shown() {
    let stage = stage().await;
    let (api, bot) = (stage.daemon.api(), stage.simulator.telegram());
    say(&stage, "Hello").await;
    let shown = stage.only_message(ADA_ID).await;
    let thread = shown["thread"].as_str().expect("a thread");
    for (what, count) in [("read", 0), ("typing", 1)] {
        let marked = api
            .post(&format!("/api/v1/threads/{thread}/{what}"), &json!({}))
            .await;
        assert_eq!(marked.status, 200, "{}", marked.reply.text());
        assert_eq!(bot.messages().len(), count);
    }
    assert_eq!(last(bot).parameters["action"], "typing");
}
