//! Telegram: updates in with all verdicts, messages and files both ways, faults, the check of bot and webhook.

use std::time::Duration;

use serde_json::{Value, json};
use trunkline_simulator::{Behaviour, Simulator, Telegram, TelegramMessage};
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::origin::file;
use trunkline_tests::wait::{SOON, eventually};

use crate::attached::{bytes_of, pdf, put};
use crate::media::settled;
use crate::stage::Stage;

const BOT: &str = "telegram";
const ADA: i64 = 5_001_001;
const ADA_ID: &str = "5001001";
const GROUP: i64 = -1_001_234;

fn channel(simulator: &Simulator) -> Channel {
    let bot = simulator.telegram();
    Channel::new(BOT, "telegram")
        .config("bot_token", bot.token())
        .config("secret_token", bot.secret_token())
        .config("api_base", bot.api_base())
}

/// A bot whose webhook is set.
async fn stage() -> Stage {
    let stage = Stage::new(|simulator| Config::new().channel(channel(simulator))).await;
    let bot = stage.simulator.telegram();
    bot.set_webhook(&stage.daemon.url(BOT));
    stage
}

async fn deliver(stage: &Stage, update: &Value) -> u16 {
    let url = stage.daemon.url(BOT);
    let answer = stage.simulator.telegram().deliver(&url, update).await;
    answer.expect("the daemon answers").status
}

/// Ada writes, so that the bot may.
async fn say(stage: &Stage, text: &str) -> Value {
    let update = stage
        .simulator
        .telegram()
        .message(ADA, &json!({"text": text}));
    assert_eq!(deliver(stage, &update).await, 200);
    update["message"].clone()
}

async fn send(stage: &Stage, to: &str, content: Value) -> String {
    let body = json!({"channel": BOT, "to": to, "content": content});
    let answer = stage.daemon.api().post("/api/v1/messages", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.reply.text());
    answer.json["id"].as_str().expect("an id").to_owned()
}

/// The last message that Telegram took, and nothing that it disliked.
fn last(bot: &Telegram) -> TelegramMessage {
    assert!(bot.problems().is_empty(), "{:?}", bot.problems());
    bot.messages().pop().expect("a message")
}

/// Neither the log nor what the API says shows the token.
async fn assert_hidden(stage: &Stage, token: &str) {
    let secret = token.split_once(':').expect("a token").1;
    let shown = stage.daemon.api().channel(BOT).await.to_string();
    assert!(!shown.contains(secret), "the API shows the token: {shown}");
    assert!(
        !stage.daemon.log().contains(secret),
        "the log shows the token"
    );
}

#[tokio::test]
async fn what_is_forged_or_unsigned_is_refused_and_repeats_change_nothing() {
    let stage = Stage::new(|simulator| {
        let deaf =
            Channel::new("deaf", "telegram").config("bot_token", simulator.telegram().token());
        Config::new().channel(channel(simulator)).channel(deaf)
    })
    .await;
    let bot = stage.simulator.telegram();
    let url = stage.daemon.url(BOT);
    let body = bot.message(ADA, &json!({"text": "Hi"})).to_string();
    let secret = bot.secret_token();
    let post = async |url: &str, body: &str, secret: Option<&str>| {
        let answer = bot.deliver_raw(url, body.into(), secret).await;
        answer.expect("the daemon answers").status
    };
    assert_eq!(post(&url, &body, None).await, 401);
    assert_eq!(post(&url, &body, Some("s_another")).await, 403);
    assert_eq!(post(&url, &body, Some(&secret[1..])).await, 403);
    let deaf = stage.daemon.url("deaf");
    assert_eq!(post(&deaf, &body, Some(&secret)).await, 404);
    assert!(stage.daemon.api().contacts(ADA_ID).await.is_empty());
    for _ in 0..3 {
        assert_eq!(post(&url, &body, Some(&secret)).await, 200);
    }
    let message = stage.only_message(ADA_ID).await;
    assert_eq!(message["content"]["text"], "Hi");
    assert_eq!(
        message["peer"],
        json!({"space": "telegram", "identifier": ADA_ID})
    );
    assert_eq!(message["author"]["name"], "Ada L");
    assert_eq!(message["medium"], "chat");
    let listed = |outcome: &'static str| move |event: &Value| event["outcome"] == outcome;
    stage
        .event(BOT, "a duplicate is listed", listed("duplicate"))
        .await;
    assert_eq!(post(&url, "no JSON", Some(&secret)).await, 200);
    stage
        .event(BOT, "nonsense is kept", listed("unparsed"))
        .await;
}

#[tokio::test]
async fn updates_of_every_kind_are_in_the_timeline() {
    let stage = stage().await;
    let (api, bot) = (stage.daemon.api(), stage.simulator.telegram());
    let first = say(&stage, "first").await;
    let id = format!("{ADA}:{}", first["message_id"]);
    let mut changed = first.clone();
    (changed["text"], changed["edit_date"]) = ("first!".into(), first["date"].clone());
    let point = json!({"latitude": 52.5, "longitude": 13.4});
    let venue = json!({"location": point, "title": "Office", "address": "1 Main Street"});
    let card = json!({"phone_number": "+15550100", "first_name": "Grace"});
    let mut asked = first.clone();
    asked["reply_markup"] = json!({"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]});
    let button = json!({"id": "77", "from": first["from"], "message": asked, "data": "y"});
    let place = json!({"location": point, "venue": venue, "reply_to_message": first});
    let updates = [
        (
            bot.update("edited_message", &changed),
            "/content/text",
            json!("first!"),
        ),
        (
            bot.message(ADA, &place),
            "/content/location/label",
            json!("Office"),
        ),
        (
            bot.message(ADA, &json!({"contact": card})),
            "/content/contacts/0",
            card.clone(),
        ),
        (
            bot.update("callback_query", &button),
            "/content/interactive/id",
            json!("y"),
        ),
        (
            bot.message(ADA, &json!({"dice": {"value": 4}})),
            "/metadata/dice/value",
            json!(4),
        ),
    ];
    for (update, place, want) in &updates {
        assert_eq!(deliver(&stage, update).await, 200);
        let found = eventually(&format!("{place} is shown"), SOON, || async {
            let timeline = api.timeline(ADA_ID).await;
            timeline
                .into_iter()
                .find(|one| one.pointer(place) == Some(want))
        });
        found.await;
    }
    let timeline = api.timeline(ADA_ID).await;
    assert_eq!(timeline.len(), updates.len() + 1);
    let answers = timeline.iter().filter(|one| one["reply_to"] == id.as_str());
    assert_eq!(
        answers.count(),
        3,
        "the change, the place and the button answer the first"
    );

    // A reaction is on its message, and taken back.
    let chat = first["chat"].clone();
    let thumb = json!([{"type": "emoji", "emoji": "👍"}]);
    let react = |old: &Value, new: &Value, later: i64| {
        bot.update(
            "message_reaction",
            &json!({
                "chat": chat, "message_id": first["message_id"], "user": first["from"],
                "date": first["date"].as_i64().expect("a time") + later,
                "old_reaction": old, "new_reaction": new,
            }),
        )
    };
    for (old, new, later, count) in [(json!([]), &thumb, 1, 1), (thumb.clone(), &json!([]), 2, 0)] {
        assert_eq!(deliver(&stage, &react(&old, new, later)).await, 200);
        let shown = api.timeline(ADA_ID).await;
        let shown = shown.iter().find(|one| one["external_id"] == id.as_str());
        let reactions = shown.expect("it is there")["reactions"]
            .as_array()
            .map(Vec::len);
        assert_eq!(reactions, Some(count));
    }
}

#[tokio::test]
async fn a_pressed_button_is_acknowledged_in_the_answer() {
    let stage = stage().await;
    let bot = stage.simulator.telegram();
    let query = json!({"id": "77", "from": {"id": ADA, "first_name": "Ada"}, "data": "y"});
    let update = bot.update("callback_query", &query);
    let answer = bot.deliver(&stage.daemon.url(BOT), &update).await;
    let answer = answer.expect("the daemon answers");
    let call: Value = serde_json::from_slice(&answer.body).expect("a call in JSON");
    assert_eq!(
        call,
        json!({"method": "answerCallbackQuery", "callback_query_id": "77"})
    );
    assert_eq!(
        stage.only_message(ADA_ID).await["content"]["interactive"]["id"],
        "y"
    );
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
    let body = json!({"channel": BOT, "to": ADA_ID, "content": {"text": "So?"}, "reply_to": inbound["id"]});
    let answer = api.post("/api/v1/messages", &body).await;
    let id = answer.json["id"].as_str().expect("an id");
    let shown = api.wait_status(id, "sent").await;
    let sent = last(bot);
    assert_eq!(
        sent.parameters["reply_parameters"]["message_id"],
        first["message_id"]
    );
    assert_eq!(shown["external_id"], format!("{ADA}:{}", sent.message_id));
    // A long text is split where Telegram's limit is.
    let id = send(&stage, ADA_ID, json!({"text": "word ".repeat(1_000)})).await;
    api.wait_status(&id, "sent").await;
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
    say(&stage, "another").await;
    let cut = send(&stage, ADA_ID, json!({"text": "cut off"})).await;
    let arrived = bot.wait_until(|bot| bot.messages().len() == 2, SOON).await;
    arrived.expect("the second one arrives, for it waits for no other");
    stage.daemon.kill9().await;
    stage.daemon.launch().await;
    for id in [&lost, &cut] {
        stage.daemon.api().wait_status(id, "uncertain").await;
    }
    assert_eq!(bot.messages().len(), 2, "{:?}", bot.messages());
}

#[tokio::test]
async fn bot_and_webhook_are_checked() {
    let mut stage = Stage::new(|simulator| Config::new().channel(channel(simulator))).await;
    let bot = stage.simulator.telegram().clone();
    let api = stage.daemon.api();
    let shown = api.wait_health(BOT, "degraded").await;
    assert!(shown.to_string().contains("call setWebhook"), "{shown}");
    bot.set_webhook(&stage.daemon.url(BOT));
    let shown = api.wait_health(BOT, "healthy").await;
    assert!(shown.to_string().contains("@simulated_bot"), "{shown}");
    let forged = bot
        .deliver(
            "http://127.0.0.1:1/",
            &bot.message(ADA, &json!({"text": "a"})),
        )
        .await;
    assert!(forged.is_err(), "nobody listens there");
    let shown = api.wait_health(BOT, "degraded").await;
    assert!(
        shown
            .to_string()
            .contains("could not deliver updates, 1 wait"),
        "{shown}"
    );
    say(&stage, "it arrives again").await;
    api.wait_health(BOT, "healthy").await;
    bot.revoke_token();
    let shown = api.wait_health(BOT, "down").await;
    assert!(shown.to_string().contains("@BotFather"), "{shown}");
    let id = send(&stage, ADA_ID, json!({"text": "held"})).await;
    stage.daemon.restart().await;
    let api = stage.daemon.api();
    api.wait_health(BOT, "down").await;
    assert_eq!(
        api.message(&id).await["status"],
        "queued",
        "held, not failed"
    );
    assert_hidden(&stage, &bot.token()).await;
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

/// The daemon knows nothing of Telegram: what `check` says is the plugin's own word.
#[tokio::test]
async fn check_tells_what_is_wrong_with_a_bot() {
    let simulator = Simulator::start().expect("the simulator starts");
    let token = simulator.telegram().token();
    for (key, value, words) in [
        ("bot_token", "no-token", "copy it from @BotFather"),
        (
            "secret_token",
            "with spaces in it",
            "1 to 256 of A-Z, a-z, 0-9, _ and -",
        ),
        (
            "api_base",
            "ftp://example.org",
            "api_base must be http:// or https://",
        ),
        ("bot_tokn", "x", "bot_token"),
    ] {
        let wrong = channel(&simulator).config(key, value);
        let daemon = trunkline_tests::daemon::Daemon::prepare(Config::new().channel(wrong));
        let said = daemon.cli(&["check"]).await;
        assert_eq!(said.code, 78, "{key}: {said:?}");
        assert!(said.all().contains(words), "{key}: {said:?}");
        assert!(!said.all().contains(&token), "{said:?}");
    }
    let good = trunkline_tests::daemon::Daemon::prepare(Config::new().channel(channel(&simulator)));
    good.cli_ok(&["check"]).await;
}
