//! Attachments that come in: fetched after the message is acknowledged, kept as files, handed only to
//! whoever may have them.

use serde_json::{Value, json};
use trunkline_simulator::InboundSms;
use trunkline_tests::api::Answer;
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::http::{Reply, Request};
use trunkline_tests::origin::{Origin, file};
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";

/// A message with attachments at these URLs.
pub(crate) fn mms(from: &str, urls: &[String]) -> Sms {
    let mut sms = Sms::new(from, "look at this").with("NumMedia", &urls.len().to_string());
    for (index, url) in urls.iter().enumerate() {
        sms = sms.with(&format!("MediaUrl{index}"), url);
    }
    sms
}

/// The only message of a person, once none of its attachments is pending any more.
pub(crate) async fn settled(stage: &Stage, from: &str) -> Value {
    eventually("the attachments are settled", SOON * 6, || async {
        let message = stage.only_message(from).await;
        let media = message["content"]["media"].as_array().cloned();
        let settled = media?.iter().all(|item| item["state"] != "pending");
        settled.then_some(message)
    })
    .await
}

async fn download(stage: &Stage, item: &Value) -> Reply {
    let href = item["href"].as_str().expect("a stored attachment has one");
    let answer = stage.daemon.api().get_any(href).await;
    assert_eq!(answer.status, 200, "{}", answer.reply.text());
    answer.reply
}

#[tokio::test]
async fn an_mms_comes_in_and_the_redirected_store_sees_no_credentials() {
    let stage = Stage::sms().await;
    let provider = stage.simulator.twilio();
    provider.set_media_redirect(true);
    let picture = file("png", 30_000, 1);
    let mut sms = InboundSms::text(ADA, &provider.number(), "a picture").with_media("", "");
    let url = provider.host_media(&sms.message_sid, "image/jpeg", picture.clone());
    sms.media = vec![(url.clone(), "image/jpeg".into())];
    let answer = provider.inbound(&stage.daemon.url(SMS), &sms).await;
    assert_eq!(answer.expect("an answer").status, 200);
    let message = settled(&stage, ADA).await;
    let item = &message["content"]["media"][0];
    assert_eq!(item["state"], "stored", "{message}");
    assert_eq!(item["content_type"], "image/png", "what the bytes say");
    assert_eq!(item["size"], picture.len());
    assert_eq!(item["error"], Value::Null);
    let reply = download(&stage, item).await;
    assert!(reply.body == picture, "the bytes are the same");
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    let policy = reply.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("sandbox"), "{policy}");
    assert_eq!(provider.problems(), Vec::<String>::new());
    let store_calls = provider.requests();
    let store_calls = store_calls
        .iter()
        .filter(|call| call.path.ends_with(url.rsplit('/').next().unwrap_or("?")));
    assert!(
        store_calls.count() >= 2,
        "the API, then the store behind it"
    );
    let log = stage.daemon.log();
    assert!(
        log.contains("attachment stored") && !log.contains(&url),
        "no URL in the log"
    );
    assert_eq!(
        stage
            .daemon
            .api()
            .metric("trunkline_media_fetched_total")
            .await,
        1
    );
}

#[tokio::test]
async fn what_can_not_be_kept_is_said_and_the_message_stays() {
    let stage = Stage::new(|simulator| {
        let config = Config::new().set("media.bytes_max", 40_000);
        config.channel(twilio(SMS, simulator))
    })
    .await;
    let origin = Origin::start().await;
    let urls = [
        origin.url("png", 40_001, 1),
        origin.url("chunked", 90_000, 2),
        origin.url("exe", 1_000, 3),
        origin.url("gone", 1_000, 4),
        origin.url("shaky", 40_000, 5),
    ];
    assert_eq!(stage.deliver(SMS, &mms(ADA, &urls)).await, 200);
    let message = settled(&stage, ADA).await;
    assert_eq!(message["content"]["text"], "look at this");
    let media = message["content"]["media"]
        .as_array()
        .expect("a list")
        .clone();
    let seen: Vec<(&str, &str)> = media
        .iter()
        .map(|item| {
            let word = item["state"].as_str().expect("a state");
            (word, item["error"]["code"].as_str().unwrap_or_default())
        })
        .collect();
    let expected = [
        ("failed", "media_too_large"),
        ("failed", "media_too_large"),
        ("failed", "media_type_forbidden"),
        ("failed", "media_unavailable"),
        ("stored", ""),
    ];
    assert_eq!(seen, expected, "{message}");
    assert_eq!(media[0]["error"]["class"], "content");
    assert_eq!(media[0]["href"], Value::Null);
    let bytes = download(&stage, &media[4]).await.body;
    assert!(bytes == file("shaky", 40_000, 5));
    assert_eq!(origin.authorized(), 0, "the credentials are the provider's");
    let left = stage.daemon.store().join("media/incoming");
    assert_eq!(std::fs::read_dir(left).map_or(0, Iterator::count), 0);
}

#[tokio::test]
async fn a_channel_fetches_from_private_addresses_only_where_it_may() {
    let secret = "0123456789abcdef0123456789abcdef";
    let stage = Stage::new(|_| {
        let hook = |id: &str| Channel::webhook(id).config("secret", secret);
        let public = hook("public").key("allow_private", false);
        Config::new().channel(public).channel(hook("private"))
    })
    .await;
    let origin = Origin::start().await;
    for (channel, state) in [("public", "failed"), ("private", "stored")] {
        let media = [json!({"url": origin.url("png", 500, 1), "name": "../a\u{202e}b.png"})];
        let body = json!({"id": channel, "from": channel, "text": "hi", "media": media});
        let request = Request::new("POST", stage.daemon.path(channel))
            .header("x-webhook-secret", secret)
            .body("application/json", body.to_string());
        assert_eq!(stage.post(&request).await.status, 200);
        let message = settled(&stage, channel).await;
        let item = &message["content"]["media"][0];
        assert_eq!(item["state"], state, "{message}");
        if state == "failed" {
            assert_eq!(item["error"]["code"], "address_forbidden");
            assert_eq!(origin.requests(), 0);
        } else {
            let reply = download(&stage, item).await;
            let name = reply.header("content-disposition").unwrap_or_default();
            assert_eq!(name, "inline; filename=\"ab.png\"; filename*=UTF-8''ab.png");
        }
    }
}

#[tokio::test]
async fn a_file_belongs_to_one_organization() {
    let stage = Stage::new(|simulator| {
        let other = twilio("other", simulator)
            .key("organization", "other")
            .config("from", "+15550101");
        Config::new().channel(twilio(SMS, simulator)).channel(other)
    })
    .await;
    let origin = Origin::start().await;
    let urls = [origin.url("png", 5_000, 1)];
    assert_eq!(stage.deliver(SMS, &mms(ADA, &urls)).await, 200);
    let message = settled(&stage, ADA).await;
    let item = &message["content"]["media"][0];
    let href = item["href"].as_str().expect("it is stored").to_owned();
    let token = |organization: &'static str| {
        let args = [
            "token",
            "create",
            "--role",
            "admin",
            "--name",
            "t",
            "--organization",
            organization,
            "--json",
        ];
        let stage = &stage;
        async move {
            let made = stage.daemon.cli_ok(&args).await.json();
            made["token"].as_str().expect("a token").to_owned()
        }
    };
    let api = stage.daemon.api();
    let own = api.with_token(&token("default").await);
    let other = api.with_token(&token("other").await);
    let nobody = api.with_token("");
    assert_eq!(own.get_any(&href).await.status, 200);
    assert_eq!(other.get_any(&href).await.status, 404);
    assert_eq!(nobody.get_any(&href).await.status, 401);
    let body =
        json!({"channel": "other", "to": ADA, "content": {"media": [{"sha256": item["sha256"]}]}});
    let refused = other.post("/api/v1/messages", &body).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json["code"], "unknown_media");
    // The other organization's own upload of the same bytes makes it theirs too.
    let upload = Request::new("POST", "/api/v1/media").body("image/png", file("png", 5_000, 1));
    let uploaded = other.send(upload).await;
    assert_eq!(uploaded.status, 201, "{}", uploaded.reply.text());
    assert_eq!(uploaded.json["sha256"], item["sha256"]);
    assert_eq!(other.get_any(&href).await.status, 200);
}

#[tokio::test]
async fn paths_lead_to_files_alone_and_parts_can_be_asked_for() {
    let stage = Stage::sms().await;
    let api = stage.daemon.api();
    let bytes = file("png", 10_000, 1);
    let upload = Request::new("POST", "/api/v1/media?name=a.png").body("image/png", bytes.clone());
    let uploaded = api.send(upload).await.json;
    let sha256 = uploaded["sha256"].as_str().expect("a hash").to_owned();
    let wrong = [
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/x",
        "incoming",
        &sha256.to_uppercase(),
        &sha256[..63],
        &"0".repeat(64),
    ];
    for name in wrong {
        let answer = api.get_any(&format!("/api/v1/media/{name}")).await;
        assert_eq!(answer.status, 404, "{name}");
    }
    let path = format!("/api/v1/media/{sha256}");
    let get = |name: &'static str, value: String| {
        let request = Request::new("GET", path.clone()).header(name, value);
        let api = &api;
        async move { api.send(request).await }
    };
    let part = get("range", "bytes=100-199".into()).await;
    assert_eq!(part.status, 206);
    assert_eq!(part.reply.body, &bytes[100..200]);
    assert_eq!(
        part.reply.header("content-range"),
        Some("bytes 100-199/10000")
    );
    assert_eq!(get("range", "bytes=10000-".into()).await.status, 416);
    let tag = part.reply.header("etag").expect("a tag").to_owned();
    assert_eq!(get("if-none-match", tag).await.status, 304);
}

#[tokio::test]
async fn what_was_being_fetched_at_kill_9_is_fetched_after_it() {
    const PEOPLE: usize = 12;
    let mut stage = Stage::sms().await;
    let origin = Origin::start().await;
    let person = |at: usize| format!("+150055502{at:02}");
    let urls = |at: usize| {
        let seed = at as u64;
        [
            origin.url("gated", 200_000, seed),
            origin.url("png", 9_000, 100 + seed),
        ]
    };
    for at in 0..PEOPLE {
        assert_eq!(stage.deliver(SMS, &mms(&person(at), &urls(at))).await, 200);
    }
    eventually("fetching has begun", SOON, || async {
        (origin.requests() >= 4).then_some(())
    })
    .await;
    let first = stage.only_message(&person(0)).await;
    assert_eq!(first["content"]["media"][0]["state"], "pending");
    stage.daemon.kill9().await;
    origin.open_gate();
    stage.daemon.launch().await;
    for at in 0..PEOPLE {
        let message = settled(&stage, &person(at)).await;
        let media = message["content"]["media"]
            .as_array()
            .expect("a list")
            .clone();
        assert_eq!(media.len(), 2, "{message}");
        for (item, expected) in media.iter().zip([
            file("gated", 200_000, at as u64),
            file("png", 9_000, 100 + at as u64),
        ]) {
            assert_eq!(item["state"], "stored", "{message}");
            assert!(
                download(&stage, item).await.body == expected,
                "the whole file"
            );
        }
    }
    let files: usize = std::fs::read_dir(stage.daemon.store().join("media"))
        .expect("a folder")
        .flatten()
        .filter(|folder| folder.file_name().len() == 2)
        .map(|folder| std::fs::read_dir(folder.path()).map_or(0, Iterator::count))
        .sum();
    assert_eq!(
        files,
        PEOPLE * 2,
        "each file once, and nothing half-written"
    );
    let before = origin.requests();
    stage.daemon.restart().await;
    settled(&stage, &person(0)).await;
    assert_eq!(
        origin.requests(),
        before,
        "what is here is not fetched again"
    );
}

#[tokio::test]
async fn the_store_of_media_can_be_bounded() {
    let stage = Stage::new(|simulator| {
        let config = Config::new().set("media.total_bytes_max", 50_000);
        config.channel(twilio(SMS, simulator))
    })
    .await;
    let api = stage.daemon.api();
    let upload = |seed: u64| {
        let bytes = file("png", 30_000, seed);
        api.send(Request::new("POST", "/api/v1/media").body("image/png", bytes))
    };
    assert_eq!(upload(1).await.status, 201);
    let full: Answer = upload(2).await;
    assert_eq!(
        (full.status, &full.json["code"]),
        (507, &json!("media_store_full"))
    );
    assert_eq!(
        upload(1).await.status,
        201,
        "what is here needs no more room"
    );
}
