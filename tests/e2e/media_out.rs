//! Attachments that go out: uploaded, named by their hash, fetched by the provider over a link.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use trunkline_tests::api::Answer;
use trunkline_tests::bench::bare;
use trunkline_tests::config::Config;
use trunkline_tests::http::{Reply, Request};
use trunkline_tests::origin::file;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";

async fn upload(stage: &Stage, target: &str, content_type: &str, bytes: Vec<u8>) -> Answer {
    let request = Request::new("POST", target.to_owned()).body(content_type, bytes);
    stage.daemon.api().send(request).await
}

async fn send(stage: &Stage, media: Value) -> Answer {
    let body = json!({"channel": SMS, "to": ADA, "content": {"text": "see", "media": media}});
    stage.daemon.api().post("/api/v1/messages", &body).await
}

/// The link in the provider's hands, as a path of the public listener.
fn link(stage: &Stage) -> String {
    let sent = stage.simulator.twilio().messages();
    let url = &sent.last().expect("a message was sent").media[0];
    let public = stage
        .daemon
        .config()
        .get("server.public_url")
        .expect("a public URL");
    let path = url
        .strip_prefix(public)
        .expect("the link is on the public listener");
    path.to_owned()
}

async fn public(stage: &Stage, method: &'static str, path: &str) -> Reply {
    stage.post(&Request::new(method, path.to_owned())).await
}

/// All that a caller could tell answers apart by.
fn visible(reply: &Reply) -> (u16, BTreeMap<String, String>, Vec<u8>) {
    let own = |name: &str| name == "date" || name == "x-request-id";
    let headers = reply.headers.iter().filter(|(name, _)| !own(name));
    (reply.status, headers.cloned().collect(), reply.body.clone())
}

#[tokio::test]
async fn an_upload_goes_out_as_a_link_that_the_provider_can_fetch() {
    let stage = Stage::sms().await;
    let bytes = file("png", 20_000, 1);
    let uploaded = upload(
        &stage,
        "/api/v1/media?name=K%C3%A4fer.png",
        "text/html",
        bytes.clone(),
    )
    .await;
    assert_eq!(uploaded.status, 201, "{}", uploaded.reply.text());
    let known = uploaded.json;
    assert_eq!(known["content_type"], "image/png", "what the bytes say");
    assert_eq!(known["size"], 20_000);
    assert_eq!(known["name"], "Käfer.png");
    let accepted = send(&stage, json!([{"sha256": known["sha256"]}])).await;
    assert_eq!(accepted.status, 202, "{}", accepted.reply.text());
    let id = accepted.json["id"].as_str().expect("an id").to_owned();
    let message = stage.daemon.api().wait_status(&id, "sent").await;
    let item = &message["content"]["media"][0];
    assert_eq!(item["href"], known["href"]);
    assert_eq!(item["state"], "stored");
    assert_eq!(item.get("url"), None, "the link is the provider's alone");
    assert_eq!(stage.simulator.twilio().problems(), Vec::<String>::new());
    let link = link(&stage);
    assert!(
        link.starts_with("/media/") && link.ends_with("/K_fer.png"),
        "{link}"
    );
    let fetched = public(&stage, "GET", &link).await;
    assert_eq!(fetched.status, 200);
    assert!(fetched.body == bytes);
    assert_eq!(fetched.header("content-type"), Some("image/png"));
    assert_eq!(fetched.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(fetched.header("cache-control"), Some("private, no-store"));
}

#[tokio::test]
async fn a_wrong_link_is_the_same_404_as_any_wrong_path() {
    let stage = Stage::new(|simulator| {
        let config = Config::new().set("media.link_lifetime", "4s");
        config.channel(twilio(SMS, simulator))
    })
    .await;
    let known = upload(&stage, "/api/v1/media", "image/png", file("png", 900, 1))
        .await
        .json;
    let accepted = send(&stage, json!([{"sha256": known["sha256"]}])).await;
    let id = accepted.json["id"].as_str().expect("an id").to_owned();
    stage.daemon.api().wait_status(&id, "sent").await;
    let link = link(&stage);
    let nowhere = visible(&public(&stage, "GET", "/webhooks/nobody").await);
    assert_eq!(nowhere.0, 404);
    let changed = link.replace("/media/A", "/media/B");
    assert_ne!(changed, link);
    for path in [&changed, "/media/x/y", "/media/", "/media/../etc/passwd"] {
        assert_eq!(
            visible(&public(&stage, "GET", path).await),
            nowhere,
            "{path}"
        );
    }
    assert_eq!(visible(&public(&stage, "POST", &link).await), nowhere);
    eventually("the link is over", SOON, || async {
        let reply = public(&stage, "GET", &link).await;
        (reply.status == 404).then_some(visible(&reply))
    })
    .await;
    assert_eq!(visible(&public(&stage, "GET", &link).await), nowhere);
}

#[tokio::test]
async fn head_tells_size_and_type_without_the_bytes() {
    let stage = Stage::sms().await;
    let known = upload(&stage, "/api/v1/media", "image/png", file("png", 900, 1))
        .await
        .json;
    send(&stage, json!([{"sha256": known["sha256"]}])).await;
    eventually("it is sent", SOON, || async {
        (stage.simulator.twilio().message_count() == 1).then_some(())
    })
    .await;
    let client = bare::client().expect("a client");
    let url = format!("http://{}{}", stage.daemon.public(), link(&stage));
    let answer = client.head(url).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.headers()["content-length"], "900");
    assert_eq!(answer.headers()["content-type"], "image/png");
    assert!(answer.bytes().await.expect("an end").is_empty());
}

#[tokio::test]
async fn what_can_not_be_sent_is_refused_at_once() {
    let stage = Stage::new(|simulator| {
        let config = Config::new().set("media.bytes_max", "6MiB");
        config.channel(twilio(SMS, simulator))
    })
    .await;
    let png = |size| file("png", size, 1);
    let refused = [
        (
            upload(&stage, "/api/v1/media", "image/png", png((6 << 20) + 1)).await,
            413,
            "media_too_large",
        ),
        (
            upload(&stage, "/api/v1/media", "image/png", file("exe", 900, 1)).await,
            415,
            "media_type_forbidden",
        ),
        (
            upload(
                &stage,
                "/api/v1/media?organization=nobody",
                "image/png",
                png(9),
            )
            .await,
            404,
            "not_found",
        ),
    ];
    for (answer, status, code) in refused {
        assert_eq!(
            (answer.status, &answer.json["code"]),
            (status, &json!(code))
        );
    }
    let large = upload(&stage, "/api/v1/media", "image/png", png((5 << 20) + 1))
        .await
        .json;
    let unknown = "0".repeat(64);
    let url = json!({"url": "https://example.org/a.png"});
    let cases = [
        (json!([{"sha256": large["sha256"]}]), "media_too_large"),
        (json!([{"sha256": unknown}]), "unknown_media"),
        (json!([{"sha256": "../../etc/passwd"}]), "unknown_media"),
        (json!([{"url": "file:///etc/passwd"}]), "invalid_media"),
        (
            json!([{"sha256": large["sha256"], "url": "https://example.org/"}]),
            "invalid_media",
        ),
        (json!([{}]), "invalid_media"),
        (Value::from(vec![url; 11]), "too_many_media"),
    ];
    for (media, code) in cases {
        let answer = send(&stage, media).await;
        assert_eq!(
            (answer.status, &answer.json["code"]),
            (422, &json!(code)),
            "{}",
            answer.reply.text()
        );
    }
    let member = stage.daemon.create_token("member").await;
    let request = Request::new("POST", "/api/v1/media").body("image/png", png(900));
    let answer = stage.daemon.api().with_token(&member).send(request).await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn the_command_line_puts_gets_and_sends_files() {
    let stage = Stage::sms().await;
    let bytes = file("png", 70_000, 1);
    let (here, there) = (
        stage.daemon.file("photo.png"),
        stage.daemon.file("back.png"),
    );
    std::fs::write(&here, &bytes).expect("a file");
    let (here, there) = (here.to_string_lossy(), there.to_string_lossy());
    let put = stage
        .daemon
        .cli_ok(&["media", "put", &here, "--json"])
        .await
        .json();
    assert_eq!(put["name"], "photo.png");
    let sha256 = put["sha256"].as_str().expect("a hash");
    stage
        .daemon
        .cli_ok(&["media", "get", sha256, "-o", &there])
        .await;
    assert!(std::fs::read(&*there).expect("a file") == bytes);
    let again = stage
        .daemon
        .cli(&["media", "get", sha256, "-o", &there])
        .await;
    assert_eq!(again.code, 1, "nothing is overwritten: {again:?}");
    let missing = stage.daemon.cli(&["media", "put", "/nowhere/x"]).await;
    assert!(
        missing.code == 1 && missing.stderr.contains("/nowhere/x"),
        "{missing:?}"
    );
    stage
        .daemon
        .cli_ok(&["send", SMS, ADA, "--media", &here])
        .await;
    eventually("it is sent", SOON, || async {
        (stage.simulator.twilio().message_count() == 1).then_some(())
    })
    .await;
    assert!(public(&stage, "GET", &link(&stage)).await.body == bytes);
}
