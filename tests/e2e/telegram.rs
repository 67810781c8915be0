//! Telegram, inbound: updates with all verdicts and of every kind; the check of bot and webhook.

use serde_json::{Value, json};
use trunkline_simulator::Simulator;
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::Stage;

pub(crate) const BOT: &str = "telegram";
pub(crate) const ADA: i64 = 5_001_001;
pub(crate) const ADA_ID: &str = "5001001";

fn channel(simulator: &Simulator) -> Channel {
    let bot = simulator.telegram();
    Channel::new(BOT, "telegram")
        .config("bot_token", bot.token())
        .config("secret_token", bot.secret_token())
        .config("api_base", bot.api_base())
}

/// A bot whose webhook is set.
pub(crate) async fn stage() -> Stage {
    let stage = Stage::new(|simulator| Config::new().channel(channel(simulator))).await;
    let bot = stage.simulator.telegram();
    bot.set_webhook(&stage.daemon.url(BOT));
    stage
}

pub(crate) async fn deliver(stage: &Stage, update: &Value) -> u16 {
    let url = stage.daemon.url(BOT);
    let answer = stage.simulator.telegram().deliver(&url, update).await;
    answer.expect("the daemon answers").status
}

/// Ada writes, so that the bot may.
pub(crate) async fn say(stage: &Stage, text: &str) -> Value {
    let update = stage
        .simulator
        .telegram()
        .message(ADA, &json!({"text": text}));
    assert_eq!(deliver(stage, &update).await, 200);
    update["message"].clone()
}

pub(crate) async fn send(stage: &Stage, to: &str, content: Value) -> String {
    let body = json!({"channel": BOT, "to": to, "content": content});
    let answer = stage.daemon.api().post("/api/v1/messages", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.reply.text());
    answer.json["id"].as_str().expect("an id").to_owned()
}

/// Neither the log nor what the API says shows the token.
pub(crate) async fn assert_hidden(stage: &Stage, token: &str) {
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
        eventually(&format!("{place} is shown"), SOON, || async {
            let timeline = api.timeline(ADA_ID).await;
            timeline
                .into_iter()
                .find(|one| one.pointer(place) == Some(want))
        })
        .await;
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
