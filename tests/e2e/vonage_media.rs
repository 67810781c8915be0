//! Attachments by Vonage's Messages API, both ways.

use serde_json::json;
use trunkline_tests::http::Request;
use trunkline_tests::origin::file;

use crate::attached::{bytes_of, put};
use crate::media::settled;
use crate::stage::SMS;
use crate::vonage::{ADA, from_ada, on_messages};

#[tokio::test]
async fn a_picture_is_fetched_with_the_account_and_kept() {
    let stage = on_messages().await;
    let account = stage.simulator.vonage();
    let picture = file("png", 120_000, 1);
    let url = account.host_media("image/png", picture.clone());
    let message = from_ada(&stage, "")
        .member("channel", json!("mms"))
        .member("message_type", json!("image"))
        .member(
            "image",
            json!({"url": url, "name": "cat.png", "caption": "A cat"}),
        );
    let answer = account
        .inbound_message(&stage.daemon.url(SMS), &message)
        .await;
    assert_eq!(answer.expect("an answer").status, 200);
    let message = settled(&stage, ADA).await;
    let item = &message["content"]["media"][0];
    assert_eq!(
        (&item["name"], &item["size"]),
        (&json!("cat.png"), &json!(picture.len()))
    );
    assert!(
        bytes_of(&stage.daemon.api(), item).await == picture,
        "the same bytes"
    );
    assert!(account.problems().is_empty(), "{:?}", account.problems());
}

#[tokio::test]
async fn a_file_of_ours_goes_as_a_link_that_anybody_can_fetch() {
    let stage = on_messages().await;
    let (account, api) = (stage.simulator.vonage(), stage.daemon.api());
    let picture = file("png", 80_000, 2);
    let known = put(&api, "cat.png", "image/png", picture.clone()).await;
    let content = json!({"text": "Look", "media": [{"sha256": known["sha256"]}]});
    let body = json!({"channel": SMS, "to": ADA, "content": content});
    let answer = api.post("/api/v1/messages", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.reply.text());
    let id = answer.json["id"].as_str().expect("an id");
    api.wait_status(id, "sent").await;
    let sent = account.messages().pop().expect("a message");
    assert_eq!((sent.kind.as_str(), sent.text.as_str()), ("image", "Look"));
    let public = stage.daemon.config();
    let public = public.get("server.public_url").expect("a public URL");
    let path = sent.media[0].strip_prefix(public);
    let path = path.expect("the link is on the public listener").to_owned();
    assert!(
        path.starts_with("/media/") && path.ends_with("/cat.png"),
        "{path}"
    );
    let fetched = stage.post(&Request::new("GET", path)).await;
    assert_eq!(fetched.status, 200);
    assert_eq!(fetched.header("content-type"), Some("image/png"));
    assert!(fetched.body == picture, "the same bytes");
    assert!(account.problems().is_empty(), "{:?}", account.problems());
}
