//! Attachments on WhatsApp, both ways: fetched by id, uploaded by a form, passed on as a link.

use serde_json::{Value, json};
use trunkline_simulator::WaMessage;
use trunkline_tests::config::Config;
use trunkline_tests::origin::file;
use trunkline_tests::wait::{SOON, eventually};

use crate::attached::{bytes_of, pdf, put};
use crate::media::settled;
use crate::stage::Stage;
use crate::whatsapp::{ADA, WA, deliver, meta, stage};

/// A message with a file that Meta holds.
fn with_file(stage: &Stage, kind: &str, content_type: &str, bytes: &[u8]) -> WaMessage {
    let id = stage
        .simulator
        .meta()
        .host_media(content_type, bytes.to_vec());
    let mut object = json!({"id": id, "mime_type": content_type, "sha256": "x"});
    if kind == "document" {
        object["filename"] = "Käfer & Co.pdf".into();
        object["caption"] = "the bill".into();
    }
    WaMessage::new(ADA, kind, object)
}

async fn item(stage: &Stage, external_id: &str) -> Value {
    let timeline = stage.daemon.api().timeline(ADA).await;
    let found = timeline
        .iter()
        .find(|one| one["external_id"] == external_id);
    found.expect("it is there")["content"]["media"][0].clone()
}

#[tokio::test]
async fn what_people_send_is_fetched_by_its_id_and_kept_to_the_byte() {
    let stage = stage().await;
    let api = stage.daemon.api();
    let sent = [
        ("image", "image/png", file("png", 90_000, 1)),
        ("document", "application/pdf", pdf(200_000)),
    ];
    for (kind, content_type, bytes) in &sent {
        let message = with_file(&stage, kind, content_type, bytes);
        assert_eq!(deliver(&stage, &message).await.status, 200);
        let shown = eventually("the attachment is settled", SOON, || async {
            let item = item(&stage, &message.id).await;
            (item["state"] != "pending").then_some(item)
        })
        .await;
        assert_eq!(shown["content_type"], *content_type, "{shown}");
        assert_eq!(shown["size"], bytes.len(), "{shown}");
        assert!(bytes_of(&api, &shown).await == *bytes, "the same bytes");
        if *kind == "document" {
            assert_eq!(shown["name"], "Käfer & Co.pdf");
        }
    }
    let meta = stage.simulator.meta();
    assert!(meta.problems().is_empty(), "{:?}", meta.problems());
    let log = stage.daemon.log();
    assert!(
        !log.contains("hash=") && !log.contains(&meta.access_token()),
        "no address in the log"
    );
}

#[tokio::test]
async fn files_of_ours_are_uploaded_and_links_are_passed_on() {
    let stage = stage().await;
    let (api, meta) = (stage.daemon.api(), stage.simulator.meta());
    deliver(&stage, &WaMessage::text(ADA, "Hi")).await;
    let files = [
        (
            "image",
            "Käfer.png",
            "image/png",
            file("png", 150_000, 2),
            "Look",
        ),
        (
            "document",
            "a \"b\".pdf",
            "application/pdf",
            pdf(400_000),
            "The bill",
        ),
    ];
    for (kind, name, content_type, bytes, text) in files {
        let known = put(&api, name, content_type, bytes.clone()).await;
        let content = json!({"text": text, "media": [{"sha256": known["sha256"]}]});
        let body = json!({"channel": WA, "to": ADA, "content": content});
        let answer = api.post("/api/v1/messages", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.reply.text());
        let id = answer.json["id"].as_str().expect("an id");
        let shown = api.wait_status(id, "sent").await;
        assert_eq!(shown["content"]["media"][0]["state"], "stored", "{shown}");
        let sent = meta.messages().pop().expect("a message");
        assert_eq!(sent.kind, kind);
        let object = &sent.body[kind];
        assert_eq!(object.get("link"), None, "by its id alone: {object}");
        assert_eq!(object["caption"], text);
        let uploaded = object["id"].as_str().and_then(|id| meta.media(id));
        let uploaded = uploaded.expect("the id is that of an upload");
        assert_eq!(uploaded.content_type, content_type);
        assert!(uploaded.bytes == bytes, "the same bytes");
        if kind == "document" {
            assert_eq!(object["filename"], name);
        }
    }
    let link = "https://files.example.org/cat.png";
    let body = json!({"channel": WA, "to": ADA, "content": {"media": [{"url": link}]}});
    let answer = api.post("/api/v1/messages", &body).await;
    let id = answer.json["id"].as_str().expect("an id");
    api.wait_status(id, "sent").await;
    let sent = meta.messages().pop().expect("a message");
    assert_eq!(sent.body["image"], json!({ "link": link }));
    assert!(meta.problems().is_empty(), "{:?}", meta.problems());
}

#[tokio::test]
async fn what_is_too_large_is_said_and_the_message_stays() {
    let stage = Stage::new(|simulator| Config::new().channel(meta(WA, simulator, 0))).await;
    let message = with_file(&stage, "document", "application/pdf", &pdf((25 << 20) + 1));
    assert_eq!(deliver(&stage, &message).await.status, 200);
    let message = settled(&stage, ADA).await;
    assert_eq!(message["content"]["text"], "the bill");
    let item = &message["content"]["media"][0];
    assert_eq!(
        (&item["state"], &item["error"]["code"]),
        (&json!("failed"), &json!("media_too_large")),
        "{message}"
    );
    let words = item["error"]["message"].as_str().unwrap_or_default();
    assert!(words.contains("[media] bytes_max"), "{message}");
}

/// A webhook of one number's channel may carry another's messages: each file is that channel's to fetch.
#[tokio::test]
async fn a_file_for_another_number_is_fetched_by_its_own_channel() {
    let stage = Stage::new(|simulator| {
        let other = meta("other", simulator, 1);
        Config::new().channel(meta(WA, simulator, 0)).channel(other)
    })
    .await;
    let account = stage.simulator.meta();
    let numbers = account.numbers();
    let picture = file("png", 40_000, 5);
    let message = with_file(&stage, "image", "image/png", &picture);
    let url = stage.daemon.url(WA);
    let answer = account.inbound(&url, &numbers[1].phone_number_id, &message);
    assert_eq!(answer.await.expect("an answer").status, 200);
    let message = settled(&stage, ADA).await;
    assert_eq!(message["channel"], "other", "{message}");
    let found = bytes_of(&stage.daemon.api(), &message["content"]["media"][0]).await;
    assert!(found == picture, "the same bytes");
    let asked = account.requests().into_iter();
    let asked: Vec<_> = asked
        .filter_map(|request| request.param("phone_number_id").map(str::to_owned))
        .collect();
    assert!(
        !asked.is_empty() && asked.iter().all(|id| *id == numbers[1].phone_number_id),
        "{asked:?}"
    );
    assert!(account.problems().is_empty(), "{:?}", account.problems());
}
