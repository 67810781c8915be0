//! Files in the chat, both ways.

use serde_json::{Value, json};
use trunkline_tests::config::Config;
use trunkline_tests::daemon::Daemon;
use trunkline_tests::http::{Reply, Request};
use trunkline_tests::origin::file;
use trunkline_tests::visitor::{Visitor, messages};

use crate::attached::{bytes_of, pdf, put};
use crate::chat::{WEB, author_of, chat, daemon, visitor};

async fn upload(daemon: &Daemon, token: &str, content_type: &str, bytes: Vec<u8>) -> Reply {
    let request = Request::new("POST", format!("/chat/{WEB}/uploads"))
        .header("authorization", format!("Bearer {token}"))
        .body(content_type, bytes);
    request.send(daemon.public()).await.expect("an answer")
}

fn json_of(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_default()
}

async fn uploaded(daemon: &Daemon, visitor: &Visitor, bytes: &[u8]) -> Value {
    let reply = upload(daemon, &visitor.token, "image/png", bytes.to_vec()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    json_of(&reply)
}

/// What a link on the page leads to, for somebody with nothing but the link.
async fn follow(daemon: &Daemon, link: &Value) -> Reply {
    let link = link.as_str().expect("a link");
    let public = daemon.config();
    let public = public.get("server.public_url").expect("a public URL");
    let path = link.strip_prefix(public).expect("a link of ours");
    let request = Request::new("GET", path.to_owned());
    request.send(daemon.public()).await.expect("an answer")
}

#[tokio::test]
async fn a_visitors_file_is_in_the_timeline_and_on_every_page() {
    let daemon = daemon().await;
    let visitor = visitor(&daemon).await;
    let (mut socket, _) = visitor.arrive(None).await;
    let picture = file("png", 300_000, 1);
    let known = uploaded(&daemon, &visitor, &picture).await;
    assert_eq!(
        (&known["size"], &known["content_type"]),
        (&json!(picture.len()), &json!("image/png"))
    );
    // What is said of the file besides its hash is not believed; a name is made one.
    let attached = json!({
        "sha256": known["sha256"], "proof": known["proof"],
        "name": "../b\u{202e}eetle.png", "content_type": "text/html", "size": 1,
    });
    let frame = json!({"type": "message", "client": "c1", "text": "look", "media": [attached]});
    socket.send(&frame).await.expect("an open socket");
    let accepted = socket.expect("accepted").await;
    let api = daemon.api();
    let stored = api.message(accepted["id"].as_str().expect("an id")).await;
    let item = &stored["content"]["media"][0];
    assert_eq!(item["name"], "beetle.png", "{stored}");
    assert_eq!(item["content_type"], "image/png", "{stored}");
    assert_eq!(item["size"], picture.len(), "{stored}");
    assert!(bytes_of(&api, item).await == picture, "the same bytes");

    let (_, shown) = visitor.arrive(None).await;
    let shown = messages(&shown);
    assert_eq!(shown.len(), 1, "{shown:?}");
    let linked = &shown[0]["media"][0];
    let fetched = follow(&daemon, &linked["url"]).await;
    assert_eq!(fetched.status, 200);
    assert_eq!(fetched.header("content-type"), Some("image/png"));
    assert!(fetched.body == picture, "the same bytes");
    // Without a script the page has the same link.
    let cookie = format!("trunkline_chat_{WEB}={}", visitor.token);
    let page = Request::new("GET", format!("/chat/{WEB}")).header("cookie", cookie);
    let page = page.send(daemon.public()).await.expect("an answer");
    assert!(page.text().contains("beetle.png"), "{}", page.text());

    // A message may be a file alone.
    let frame = json!({"type": "message", "client": "c2", "media": [
        {"sha256": known["sha256"], "proof": known["proof"]},
    ]});
    assert_eq!(visitor.post(&frame).await.0, 200);
}

#[tokio::test]
async fn a_file_is_its_uploaders_alone() {
    let daemon = daemon().await;
    let (ada, bob) = (visitor(&daemon).await, visitor(&daemon).await);
    let known = uploaded(&daemon, &ada, &file("png", 5_000, 1)).await;
    let other = uploaded(&daemon, &ada, &file("png", 5_000, 2)).await;
    // Known to the gateway, and nobody's upload here.
    let secret = put(&daemon.api(), "secret.pdf", "application/pdf", pdf(4_000)).await;
    let attach = |sha256: &Value, proof: &Value| json!({"type": "message", "client": "c1", "text": "mine", "media": [{"sha256": sha256, "proof": proof}]});
    for (who, frame) in [
        (&bob, attach(&known["sha256"], &known["proof"])),
        (&ada, attach(&other["sha256"], &known["proof"])),
        (&ada, attach(&secret["sha256"], &known["proof"])),
        (&ada, attach(&known["sha256"], &json!(""))),
    ] {
        let (status, refused) = who.post(&frame).await;
        assert_eq!(status, 422, "{refused}");
        assert_eq!(refused["detail"], "an attachment was not uploaded here");
    }
    assert!(daemon.api().all("/api/v1/contacts").await.is_empty());
    assert_eq!(
        upload(&daemon, "", "image/png", file("png", 900, 1))
            .await
            .status,
        401
    );
    let accepted = ada.post(&attach(&known["sha256"], &known["proof"])).await;
    assert_eq!(accepted.0, 200, "{}", accepted.1);
}

#[tokio::test]
async fn what_is_not_taken_is_told_in_words() {
    let config = Config::new().set("media.bytes_max", 50_000);
    let daemon = Daemon::start(config.channel(chat(WEB))).await;
    let visitor = visitor(&daemon).await;
    for (kind, size, status, code, words) in [
        ("png", 50_001, 413, "media_too_large", "too large"),
        ("exe", 900, 415, "media_type_forbidden", "kind"),
    ] {
        let reply = upload(&daemon, &visitor.token, "image/png", file(kind, size, 1)).await;
        let refused = json_of(&reply);
        assert_eq!(
            (reply.status, &refused["code"]),
            (status, &json!(code)),
            "{refused}"
        );
        let detail = refused["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(words), "{refused}");
    }
    uploaded(&daemon, &visitor, &file("png", 50_000, 1)).await;
    let incoming = daemon.store().join("media/incoming");
    assert_eq!(std::fs::read_dir(incoming).map_or(0, Iterator::count), 0);
}

#[tokio::test]
async fn an_operators_file_arrives_as_a_link_that_works() {
    let daemon = daemon().await;
    let api = daemon.api();
    let visitor = visitor(&daemon).await;
    let (mut socket, _) = visitor.arrive(None).await;
    socket.say("c1", "may I have the bill?").await;
    let (who, _) = author_of(&daemon, "may I have the bill?").await;
    let bill = pdf(120_000);
    let known = put(&api, "bill.pdf", "application/pdf", bill.clone()).await;
    let content = json!({"text": "here", "media": [{"sha256": known["sha256"]}]});
    let body = json!({"channel": WEB, "to": who, "content": content});
    let answer = api.post("/api/v1/messages", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.reply.text());
    api.wait_status(answer.json["id"].as_str().expect("an id"), "sent")
        .await;
    let live = loop {
        let frame = socket.expect("message").await;
        if frame["direction"] == "out" {
            break frame;
        }
    };
    let (_, again) = visitor.arrive(None).await;
    let again = messages(&again);
    let later = again.last().expect("the answer");
    for frame in [&live, *later] {
        let item = &frame["media"][0];
        assert_eq!(
            (&frame["text"], &item["name"], &item["content_type"]),
            (
                &json!("here"),
                &json!("bill.pdf"),
                &json!("application/pdf")
            )
        );
        let fetched = follow(&daemon, &item["url"]).await;
        assert_eq!(fetched.status, 200);
        assert!(fetched.body == bill, "the same bytes");
    }
}
