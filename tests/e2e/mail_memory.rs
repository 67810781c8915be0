//! Large mails and large files pass through the daemon without staying in its memory.

use serde_json::json;
use trunkline_simulator::WaMessage;
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::http::Request;
use trunkline_tests::mail::{self, HELP, Mail, lmtp};
use trunkline_tests::visitor::Visitor;
use trunkline_tests::wait::{SOON, eventually};

use crate::attached::{pdf, put};
use crate::chat::{WEB, chat};
use crate::email::{post, ses};
use crate::email_resend::resend;
use crate::mail_out::believing;
use crate::media::settled;
use crate::media_memory::{
    BODY_GROWTH_MAX, FILE_GROWTH_MAX, MIB, grew_little, mark_at_rest, patiently,
};
use crate::stage::Stage;
use crate::whatsapp::{ADA, WA, deliver, meta};

const SECRET: &str = "pipe-secret-0123456789abcdef0123";

/// A mail with an attachment of which the encoded form alone has this many bytes.
fn large(from: &str, size: usize) -> Vec<u8> {
    let line = format!("{}\r\n", "QUJD".repeat(19));
    let body = format!(
        "--b\r\n\r\nSee the file.\r\n--b\r\nContent-Type: text/plain; name=big.txt\r\n\
         Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n{}--b--",
        line.repeat(size / line.len())
    );
    let mail = Mail::new(from, &format!("1.{from}"), &body);
    mail.header("Content-Type", "multipart/mixed; boundary=b")
        .bytes()
}

/// Waits for what takes its time.
async fn sent(stage: &Stage, id: &str) {
    eventually("it is sent", SOON * 6, || async {
        let message = stage.daemon.api().message(id).await;
        assert_ne!(message["status"], "failed", "{message}");
        (message["status"] == "sent").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_large_mail_leaves_nothing_in_memory() {
    let stage = Stage::new(|_| {
        let channel = Channel::new("mail", "email")
            .config("from", HELP)
            .config("inbound_secret", SECRET);
        Config::new()
            .set("lmtp.listen", "127.0.0.1:0")
            .channel(channel)
    })
    .await;
    let at = lmtp(&stage.daemon);
    for from in ["warm@example.org", "warmer@example.org"] {
        assert_eq!(post(&stage, large(from, 10_000)).await, 200);
        settled(&stage, from).await;
    }
    for (way, from) in [("post", "ada@example.org"), ("lmtp", "bob@example.org")] {
        let mail = large(from, 20_000_000);
        let before = mark_at_rest(&stage).await;
        if way == "post" {
            assert_eq!(post(&stage, mail).await, 200);
        } else {
            let answers = mail::deliver(&at, from, &[HELP], &mail).await;
            assert_eq!(answers.expect("answers")[0].code, 250);
        }
        let message = settled(&stage, from).await;
        assert_eq!(
            message["content"]["media"][0]["state"], "stored",
            "{message}"
        );
        grew_little(&stage, &format!("20 MB by {way}"), before, BODY_GROWTH_MAX);
    }
}

#[tokio::test]
async fn a_hundred_megabytes_come_and_go_on_whatsapp() {
    let stage = Stage::new(|simulator| {
        let config = Config::new()
            .set("media.bytes_max", "110MiB")
            .set("outbound.call_timeout", "30s");
        config.channel(meta(WA, simulator, 0))
    })
    .await;
    let (api, account) = (stage.daemon.api(), stage.simulator.meta());
    let hosted = |bytes: Vec<u8>| {
        let id = account.host_media("application/pdf", bytes);
        json!({"id": id, "mime_type": "application/pdf", "filename": "a.pdf"})
    };
    let other = "+15005550199";
    let small = WaMessage::new(other, "document", hosted(pdf(9_000)));
    assert_eq!(deliver(&stage, &small).await.status, 200);
    settled(&stage, other).await;

    let file = pdf(95 * MIB);
    let message = WaMessage::new(ADA, "document", hosted(file.clone()));
    let before = mark_at_rest(&stage).await;
    assert_eq!(deliver(&stage, &message).await.status, 200);
    let message = settled(&stage, ADA).await;
    let item = &message["content"]["media"][0];
    assert_eq!(
        (&item["state"], &item["size"]),
        (&json!("stored"), &json!(file.len())),
        "{message}"
    );
    grew_little(&stage, "95 MiB fetched by id", before, FILE_GROWTH_MAX);

    put(&api, "b.pdf", "application/pdf", pdf(1_000)).await;
    let content = json!({"media": [{"sha256": item["sha256"], "name": "b.pdf"}]});
    let body = json!({"channel": WA, "to": ADA, "content": content});
    let before = mark_at_rest(&stage).await;
    let answer = api.post("/api/v1/messages", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.reply.text());
    let id = answer.json["id"].as_str().expect("an id");
    sent(&stage, id).await;
    grew_little(&stage, "95 MiB uploaded by form", before, FILE_GROWTH_MAX);
    let taken = account.messages().pop().expect("a message");
    let id = taken.body["document"]["id"].as_str().expect("an id");
    let uploaded = account.media(id).expect("it was uploaded");
    assert!(uploaded.bytes == file, "the whole file");
    assert!(account.problems().is_empty(), "{:?}", account.problems());
}

#[tokio::test]
async fn a_large_attachment_goes_out_by_every_mail_carrier() {
    let (stage, _ca) = believing(
        |config, simulator| {
            let config = config.set("outbound.call_timeout", "30s");
            let config = config.channel(ses(simulator).renamed("ses"));
            config.channel(resend(simulator).renamed("resend"))
        },
        |channel, _| channel,
    )
    .await;
    let (api, simulator) = (stage.daemon.api(), &stage.simulator);
    let file = pdf(20 * MIB);
    let before = mark_at_rest(&stage).await;
    let known = put(&api, "a.pdf", "application/pdf", file).await;
    grew_little(&stage, "20 MiB uploaded", before, FILE_GROWTH_MAX);
    for channel in ["mail_support", "ses", "resend"] {
        let before = mark_at_rest(&stage).await;
        let content = json!({"text": "the file", "media": [{"sha256": known["sha256"]}]});
        let body = json!({"channel": channel, "to": "ada@example.org", "content": content});
        let answer = api.post("/api/v1/messages", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.reply.text());
        sent(&stage, answer.json["id"].as_str().expect("an id")).await;
        let what = format!("20 MiB by {channel}");
        grew_little(&stage, &what, before, FILE_GROWTH_MAX);
    }
    assert_eq!(simulator.smtp().complaints(), Vec::<String>::new());
    for problems in [simulator.ses().problems(), simulator.resend().problems()] {
        assert_eq!(problems, Vec::<String>::new());
    }
    assert!(simulator.smtp().mails()[0].bytes.len() > 26 * MIB);
}

#[tokio::test]
async fn a_visitors_large_file_is_not_held_in_memory() {
    let stage = Stage::new(|_| {
        let config = Config::new().set("media.bytes_max", "110MiB");
        config.channel(chat(WEB))
    })
    .await;
    let visitor = Visitor::new(stage.daemon.public(), WEB).await;
    let upload = Request::new("POST", format!("/chat/{WEB}/uploads"))
        .header("authorization", format!("Bearer {}", visitor.token))
        .body("application/pdf", pdf(95 * MIB));
    let before = mark_at_rest(&stage).await;
    let taken = patiently(&upload, stage.daemon.public()).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    grew_little(&stage, "95 MiB of a visitor", before, FILE_GROWTH_MAX);
}
