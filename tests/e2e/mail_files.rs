//! Attachments of mails: ranges of what came in, streamed into what goes out.

use std::fmt::Write as _;

use data_encoding::BASE64;
use serde_json::{Value, json};
use trunkline_simulator::{ResendMail, Simulator};
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::mail::{self, HELP, lmtp};
use trunkline_tests::origin::file;
use trunkline_tests::wait::{SOON, eventually};

use crate::attached::{bytes_of, pdf, put};
use crate::email::{post, ses};
use crate::email_resend::resend;
use crate::mail_out::{believing, send};
use crate::media::settled;
use crate::stage::Stage;

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";
const SECRET: &str = "pipe-secret-0123456789abcdef0123";
const TABLE: &str = "name;größe\r\n\"a = b\";1\r\n\ttab and blank \r\nlast";

/// In lines of 76, as mail programs write it.
fn base64(bytes: &[u8]) -> String {
    let text = BASE64.encode(bytes);
    let lines = text.as_bytes().chunks(76).map(String::from_utf8_lossy);
    lines.map(|line| line.into_owned() + "\r\n").collect()
}

/// Every byte as `=XX` but letters, digits and line ends; a soft break after every 20.
fn quoted_printable(text: &str) -> String {
    let mut out = String::new();
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'\r' | b'\n' => out.push(char::from(byte)),
            b if b.is_ascii_alphanumeric() => out.push(char::from(b)),
            b => {
                let _ = write!(out, "={b:02X}");
            }
        }
        if index % 20 == 19 && byte != b'\r' {
            out += "=\r\n";
        }
    }
    out
}

/// A mail with a PDF in base64, a table in quoted-printable, and a picture that stands in the text.
fn with_files(from: &str, bill: &[u8], picture: &[u8]) -> Vec<u8> {
    let head = format!(
        "From: {from}\r\nTo: {HELP}, support@example.com\r\nMessage-ID: <1.{from}>\r\nSubject: Files\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"mix\"\r\n\r\nFor old programs.\r\n"
    );
    let text = "--mix\r\nContent-Type: multipart/related; boundary=rel\r\n\r\n--rel\r\n\
         Content-Type: text/html; charset=utf-8\r\n\r\n<p>See <img src=\"cid:pic@x\"></p>\r\n--rel\r\n\
         Content-Type: image/png; name=\"inside.png\"\r\nContent-ID: <pic@x>\r\n\
         Content-Disposition: inline; filename=inside.png\r\nContent-Transfer-Encoding: BASE64\r\n\r\n";
    let (bill, picture) = (base64(bill), base64(picture));
    let table = quoted_printable(TABLE);
    format!(
        "{head}{text}{picture}\r\n--rel--\r\n--mix\r\nContent-Type: application/pdf\r\n\
         Content-Disposition: attachment; filename*=utf-8''K%C3%A4fer.pdf\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{bill}\r\n--mix\r\n\
         Content-Type: text/csv; charset=utf-8\r\nContent-Disposition: attachment; filename=\"table.csv\"\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n{table}\r\n--mix--\r\n"
    )
    .into_bytes()
}

#[tokio::test]
async fn attachments_come_in_to_the_byte_by_post_and_by_lmtp() {
    let stage = Stage::new(|_| {
        let channel = Channel::new("mail", "email")
            .config("from", HELP)
            .config("inbound_secret", SECRET);
        Config::new()
            .set("lmtp.listen", "127.0.0.1:0")
            .channel(channel)
    })
    .await;
    let api = stage.daemon.api();
    // Small enough to stay in the record of the webhook, and large enough for a file of its own.
    for (from, way, size) in [
        (ADA, "post", 1_200),
        (BOB, "lmtp", 1_300),
        ("carl@example.org", "post", 2_000_000),
        ("dora@example.org", "lmtp", 2_000_001),
    ] {
        let (bill, picture) = (pdf(size), file("png", 700 + size % 7, 3));
        let mail = with_files(from, &bill, &picture);
        if way == "post" {
            assert_eq!(post(&stage, mail).await, 200);
        } else {
            let answers = mail::deliver(&lmtp(&stage.daemon), from, &[HELP], &mail).await;
            assert_eq!(answers.expect("answers")[0].code, 250);
        }
        let message = settled(&stage, from).await;
        let expected = [
            ("inside.png", "image/png", picture),
            ("Käfer.pdf", "application/pdf", bill),
            ("table.csv", "text/csv", TABLE.as_bytes().to_vec()),
        ];
        let media = message["content"]["media"].as_array().expect("a list");
        assert_eq!(media.len(), expected.len(), "{message}");
        for (item, (name, content_type, bytes)) in media.iter().zip(expected) {
            assert_eq!(item["name"], name, "{message}");
            assert_eq!(item["content_type"], content_type, "{message}");
            assert_eq!(item["size"], bytes.len(), "{way}: {message}");
            let found = bytes_of(&api, item).await;
            assert!(found == bytes, "{name} by {way} has the same bytes");
        }
        assert_eq!(
            message["metadata"]["content_ids"],
            json!(["pic@x", null, null]),
            "the text can find its picture"
        );
    }
}

/// One mail to two of our addresses is two messages; each channel takes its files out of its own copy.
#[tokio::test]
async fn a_mail_to_two_channels_has_its_files_in_both() {
    let stage = Stage::new(|_| {
        let sales = Channel::new("sales", "email").config("from", "sales@example.com");
        let help = Channel::new("mail", "email").config("from", HELP);
        Config::new()
            .set("lmtp.listen", "127.0.0.1:0")
            .channel(help)
            .channel(sales)
    })
    .await;
    let api = stage.daemon.api();
    let (bill, picture) = (pdf(150_000), file("png", 800, 4));
    let mail = with_files(ADA, &bill, &picture);
    let to = [HELP, "sales@example.com"];
    let answers = mail::deliver(&lmtp(&stage.daemon), ADA, &to, &mail).await;
    let answers = answers.expect("answers");
    assert!(
        answers.iter().all(|answer| answer.code == 250),
        "{answers:?}"
    );
    let messages = eventually("both are settled", SOON, || async {
        let messages = api.timeline(ADA).await;
        let items = messages
            .iter()
            .filter_map(|message| message["content"]["media"].as_array());
        let settled = items.flatten().all(|item| item["state"] != "pending");
        (settled && messages.len() == 2).then_some(messages)
    })
    .await;
    assert_ne!(messages[0]["channel"], messages[1]["channel"]);
    for message in &messages {
        let media = &message["content"]["media"];
        assert!(bytes_of(&api, &media[0]).await == picture, "{message}");
        assert!(bytes_of(&api, &media[1]).await == bill, "{message}");
    }
}

#[tokio::test]
async fn attachments_come_in_to_the_byte_by_resend() {
    let stage = Stage::new(|simulator| Config::new().channel(resend(simulator))).await;
    let (account, bill) = (stage.simulator.resend(), pdf(250_000));
    let mail = ResendMail {
        from: ADA.into(),
        to: "support@example.com".into(),
        message_id: "<f1@example.org>".into(),
        subject: "Files".into(),
        text: "See.".into(),
        headers: Vec::new(),
        files: vec![("Käfer.pdf".into(), "application/pdf".into(), bill.clone())],
    };
    let answer = account.inbound(&stage.daemon.url("mail"), &mail).await;
    assert_eq!(answer.expect("an answer").status, 200);
    let message = settled(&stage, ADA).await;
    let item = &message["content"]["media"][0];
    assert_eq!(item["name"], "Käfer.pdf", "{message}");
    assert!(
        bytes_of(&stage.daemon.api(), item).await == bill,
        "the same bytes"
    );
    assert!(account.problems().is_empty(), "{:?}", account.problems());
}

#[tokio::test]
async fn an_attachment_that_is_too_large_is_said_and_the_mail_stays() {
    let stage = Stage::new(|_| {
        let channel = Channel::new("mail", "email")
            .key("body_bytes_max", "40MiB")
            .config("from", HELP)
            .config("inbound_secret", SECRET);
        Config::new().channel(channel)
    })
    .await;
    let mail = with_files(ADA, &pdf((25 << 20) + 1), &file("png", 700, 3));
    assert_eq!(post(&stage, mail).await, 200);
    let message = settled(&stage, ADA).await;
    assert_eq!(message["content"]["subject"], "Files");
    let media = message["content"]["media"].as_array().expect("a list");
    let states: Vec<&Value> = media.iter().map(|item| &item["state"]).collect();
    assert_eq!(states, ["stored", "failed", "stored"], "{message}");
    let error = &media[1]["error"];
    assert_eq!(error["code"], "media_too_large", "{message}");
    let words = error["message"].as_str().unwrap_or_default();
    assert!(words.contains("[media] bytes_max"), "{message}");
}

/// What a mail's part with this file name decodes to.
fn part(mail: &str, name: &str) -> Vec<u8> {
    let (_, part) = mail.split_once(name).expect("the attachment has a head");
    let (_, body) = part.split_once("\r\n\r\n").expect("and a body");
    let body = body.split("\r\n--").next().unwrap_or_default();
    let lines = body.split("\r\n");
    assert!(lines.clone().all(|line| line.len() <= 76), "short lines");
    let text: String = lines.collect();
    BASE64.decode(text.as_bytes()).expect("base64")
}

#[tokio::test]
async fn attachments_go_out_to_the_byte_by_smtp() {
    let (stage, _ca) = believing(|config, _| config, |channel, _| channel).await;
    let (api, server) = (stage.daemon.api(), stage.simulator.smtp());
    // One, two and three bytes behind the last group of three.
    let files = [
        ("a.pdf", pdf(300_000)),
        ("b.pdf", pdf(300_001)),
        ("c.pdf", pdf(300_002)),
    ];
    let mut media = Vec::new();
    for (name, bytes) in &files {
        let known = put(&api, name, "application/pdf", bytes.clone()).await;
        media.push(json!({"sha256": known["sha256"]}));
    }
    let id = send(&stage, ADA, json!({"text": "three", "media": media})).await;
    api.wait_status(&id, "sent").await;
    let mails = server.mails();
    let text = mails[0].text();
    for (name, bytes) in files {
        assert!(part(&text, name) == bytes, "{name}");
    }
    assert_eq!(server.complaints(), Vec::<String>::new());
    assert_eq!(mails[0].mail_from, HELP);
}

/// Sends a PDF by a channel `mail` and gives its bytes.
async fn send_bill(stage: &Stage, size: usize) -> Vec<u8> {
    let api = stage.daemon.api();
    let bill = pdf(size);
    let known = put(&api, "Käfer.pdf", "application/pdf", bill.clone()).await;
    let content = json!({"text": "the bill", "media": [{"sha256": known["sha256"]}]});
    let body = json!({"channel": "mail", "to": ADA, "content": content});
    let answer = api.post("/api/v1/messages", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.reply.text());
    let id = answer.json["id"].as_str().expect("an id");
    api.wait_status(id, "sent").await;
    bill
}

fn patient(simulator: &Simulator, channel: fn(&Simulator) -> Channel) -> Config {
    let config = Config::new().set("outbound.call_timeout", "30s");
    config.channel(channel(simulator))
}

#[tokio::test]
async fn attachments_go_out_to_the_byte_by_resend() {
    let stage = Stage::new(|simulator| patient(simulator, resend)).await;
    let bill = send_bill(&stage, 700_001).await;
    let account = stage.simulator.resend();
    let sent = account.messages().remove(0).json;
    let file = &sent["attachments"][0];
    assert_eq!(file["filename"], "Käfer.pdf");
    let content = file["content"].as_str().expect("base64");
    assert!(BASE64.decode(content.as_bytes()).expect("base64") == bill);
    assert!(account.problems().is_empty(), "{:?}", account.problems());
}

#[tokio::test]
async fn attachments_go_out_to_the_byte_by_ses_under_a_signature() {
    let stage = Stage::new(|simulator| patient(simulator, ses)).await;
    let bill = send_bill(&stage, 700_002).await;
    let account = stage.simulator.ses();
    let sent = account.messages().remove(0).json;
    let file = &sent["Content"]["Simple"]["Attachments"][0];
    assert_eq!(file["FileName"], "Käfer.pdf");
    let content = file["RawContent"].as_str().expect("base64");
    assert!(BASE64.decode(content.as_bytes()).expect("base64") == bill);
    assert!(account.problems().is_empty(), "{:?}", account.problems());
}
