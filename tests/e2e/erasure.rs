//! A person who is erased is gone from every file of the store; everybody else is as they were.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};
use trunkline_simulator::WaMessage;
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::mail::{self, HELP, lmtp};
use trunkline_tests::origin::file;
use trunkline_tests::twilio::Sms;
use trunkline_tests::visitor::Visitor;
use trunkline_tests::wait::{SOON, eventually};

use crate::attached::pdf;
use crate::chat::{WEB, author_of, chat};
use crate::media::settled;
use crate::stage::{SMS, Stage, twilio};
use crate::whatsapp::{WA, deliver, meta};

const ADA: &str = "+15005550177";
const BOB: &str = "+15005550188";
const ADA_MAIL: &str = "ada.lovelace@example.org";
/// How long an erasure with its compaction may take on a busy machine.
const COMPACTED: Duration = Duration::from_secs(90);

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the store can be listed") {
        let path = entry.expect("the store can be listed").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// A text as it may stand in a file: plain, UTF-16, percent-encoded, in base64 at every alignment.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let percent = trunkline_tests::api::encode(text);
    let mut forms = vec![text.as_bytes().to_vec(), utf16, percent.into_bytes()];
    for shift in 0..3 {
        let padded = [&b"\0\0"[..shift], text.as_bytes()].concat();
        let encoded = BASE64.encode(&padded[..padded.len() / 3 * 3]).into_bytes();
        forms.push(encoded[if shift == 0 { 0 } else { 4 }..].to_vec());
    }
    forms
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    let Some(first) = wanted.first() else {
        return false;
    };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = &rest[at..];
        if rest.starts_with(wanted) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

/// The files of the store that hold something, each with what it holds.
fn found_in(store: &Path, texts: &[String], bytes: &[Vec<u8>]) -> Vec<String> {
    let mut found = Vec::new();
    for path in files(store) {
        let content = fs::read(&path).unwrap_or_default();
        for text in texts {
            if forms(text).iter().any(|form| holds(&content, form)) {
                found.push(format!("{} holds {text}", path.display()));
            }
        }
        for wanted in bytes {
            if holds(&content, wanted) {
                found.push(format!("{} holds bytes of a file", path.display()));
            }
        }
    }
    found
}

async fn contact(stage: &Stage, identifier: &str) -> String {
    let found = stage.daemon.api().contacts(identifier).await;
    assert_eq!(found.len(), 1, "{identifier}: {found:?}");
    found[0]["id"].as_str().expect("an id").to_owned()
}

/// Erases by command and waits until the store is compacted.
async fn erase(stage: &Stage, contact: &str) -> Value {
    let erased = ["contact", "erase", contact, "--yes", "--json"];
    let erased = stage.daemon.cli_ok(&erased).await.json();
    assert_eq!(erased["state"], "compacted", "{erased}");
    erased
}

/// What an export says of a person, but for its time and the webhooks, which others may share.
async fn exported(stage: &Stage, contact: &str) -> Vec<Value> {
    let export = stage
        .daemon
        .cli_ok(&["contact", "export", contact, "-", "--media"])
        .await;
    let lines = export.stdout.lines().map(|line| {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        line
    });
    let kept = [
        "contact",
        "consent",
        "thread",
        "message",
        "media",
        "media_bytes",
    ];
    lines
        .filter(|line| kept.contains(&line["type"].as_str().unwrap_or_default()))
        .collect()
}

async fn stage() -> Stage {
    let stage = Stage::new(|simulator| {
        let help = Channel::new("mail", "email").config("from", HELP);
        Config::new()
            .set("lmtp.listen", "127.0.0.1:0")
            .set("retention.compact_interval", "1s")
            .channel(help)
            .channel(chat(WEB))
            .channel(meta(WA, simulator, 0))
            .channel(twilio(SMS, simulator))
    })
    .await;
    stage.simulator.meta().subscribe(&stage.daemon.url(WA));
    stage
}

fn mail_of(from: &str, text: &str, bill: &[u8]) -> Vec<u8> {
    let bill = BASE64.encode(bill);
    let bill: Vec<_> = bill
        .as_bytes()
        .chunks(76)
        .map(String::from_utf8_lossy)
        .collect();
    let bill = bill.join("\r\n");
    format!(
        "From: Ada Lovelace <{from}>\r\nTo: {HELP}\r\nMessage-ID: <1.{from}>\r\nSubject: {text}-subject\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"mix\"\r\n\r\n--mix\r\n\
         Content-Type: text/plain\r\n\r\n{text}\r\n--mix\r\nContent-Type: application/pdf\r\n\
         Content-Disposition: attachment; filename={text}.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n\
         {bill}\r\n--mix--\r\n"
    )
    .into_bytes()
}

/// Everything that Ada sent: the texts and identifiers, and stretches of her files.
struct Traces {
    texts: Vec<String>,
    bytes: Vec<Vec<u8>>,
}

/// Has Ada come by every medium, beside Bob, and makes her one contact: its id.
async fn come(stage: &Stage) -> (String, Traces) {
    let api = stage.daemon.api();
    let (bill, picture) = (pdf(40_000), file("png", 60_000, 7));
    for (from, text) in [(ADA, "ada-sms-alpha-417"), (BOB, "bob-sms-alpha-417")] {
        assert_eq!(stage.deliver(SMS, &Sms::new(from, text)).await, 200);
        let answer = text.replace("alpha", "answer");
        let sent = api.send_text(SMS, from, &answer).await;
        api.wait_status(&sent, "sent").await;
    }
    let mail = mail_of(ADA_MAIL, "ada-mail-beta-528", &bill);
    let answers = mail::deliver(&lmtp(&stage.daemon), ADA_MAIL, &[HELP], &mail).await;
    assert_eq!(answers.expect("answers")[0].code, 250);
    settled(stage, ADA_MAIL).await;
    let account = stage.simulator.meta();
    let id = account.host_media("image/png", picture.clone());
    let image = json!({"id": id, "mime_type": "image/png", "sha256": "x", "caption": "ada-image-gamma-639"});
    assert_eq!(
        deliver(stage, &WaMessage::new(ADA, "image", image))
            .await
            .status,
        200
    );
    let number = account.phone_number_id();
    let both = vec![
        WaMessage::text(ADA, "ada-batch-delta-740"),
        WaMessage::text(BOB, "bob-batch-delta-740"),
    ];
    let batch = account.batch(&[(&number, both)]);
    let answer = account.deliver(&stage.daemon.url(WA), &batch).await;
    assert_eq!(answer.expect("an answer").status, 200);
    let visitor = Visitor::new(stage.daemon.public(), WEB).await;
    let (mut socket, _) = visitor.arrive(None).await;
    let said =
        json!({"type": "message", "client": "c1", "text": "ada-chat-epsilon-851", "name": "Ada"});
    socket.send(&said).await.expect("sent");
    socket.expect("accepted").await;
    let (visitor, _) = author_of(&stage.daemon, "ada-chat-epsilon-851").await;
    eventually("the picture is stored", SOON, || async {
        let timeline = api.timeline(ADA).await;
        let media = timeline
            .iter()
            .filter_map(|one| one["content"]["media"].get(0));
        let mut stored = media.filter(|item| item["state"] == "stored");
        stored.next().map(drop)
    })
    .await;
    let ada = one_contact(stage, &visitor).await;
    let texts = [
        "15005550177",
        ADA_MAIL,
        &visitor,
        "Ada Lovelace",
        "ada-sms-alpha-417",
        "ada-sms-answer-417",
        "ada-mail-beta-528",
        "ada-image-gamma-639",
        "ada-batch-delta-740",
        "ada-chat-epsilon-851",
    ];
    let stretch = |bytes: &[u8]| bytes[20_000..20_064].to_vec();
    let encoded = BASE64.encode(&bill[20_001..20_061]).into_bytes();
    let traces = Traces {
        texts: texts.map(str::to_owned).to_vec(),
        bytes: vec![stretch(&bill), stretch(&picture), encoded],
    };
    (ada, traces)
}

/// Merges all contacts of Ada's.
async fn one_contact(stage: &Stage, visitor: &str) -> String {
    let api = stage.daemon.api();
    let mut of: Vec<String> = Vec::new();
    for identifier in [ADA, ADA_MAIL, visitor] {
        for found in api.contacts(identifier).await {
            of.push(found["id"].as_str().expect("an id").to_owned());
        }
    }
    of.dedup();
    let keep = of.remove(0);
    for other in of {
        let path = format!("/api/v1/contacts/{keep}/merge");
        let merged = api.post(&path, &json!({ "contact": other })).await;
        assert_eq!(merged.status, 200, "{merged:?}");
    }
    keep
}

#[tokio::test]
async fn an_erased_person_is_in_no_file_and_others_are_as_they_were() {
    let stage = stage().await;
    let api = stage.daemon.api();
    let (ada, traces) = come(&stage).await;
    let store = stage.daemon.store();
    let before = found_in(&store, &traces.texts, &traces.bytes);
    for wanted in &traces.texts {
        let is_there = before.iter().any(|found| found.ends_with(wanted));
        assert!(is_there, "{wanted} is in no file: {before:?}");
    }
    let bobs: Vec<String> = api
        .contacts(BOB)
        .await
        .iter()
        .map(|one| one["id"].as_str().expect("an id").to_owned())
        .collect();
    let mut kept = Vec::new();
    for bob in &bobs {
        kept.push(exported(&stage, bob).await);
    }
    let hers = exported(&stage, &ada).await;
    let of = |kind: &str| hers.iter().filter(|line| line["type"] == kind).count();
    assert!(
        of("message") >= 6 && of("media") == 2 && of("media_bytes") >= 2,
        "{hers:?}"
    );

    let erased = erase(&stage, &ada).await;
    assert!(
        erased["removed"]["messages"].as_u64() >= Some(6),
        "{erased}"
    );
    let left = found_in(&store, &traces.texts, &traces.bytes);
    assert!(left.is_empty(), "{left:#?}");
    for identifier in [ADA, ADA_MAIL] {
        assert!(api.contacts(identifier).await.is_empty(), "{identifier}");
    }
    let gone = api.get_any(&format!("/api/v1/contacts/{ada}")).await;
    assert_eq!(gone.status, 404, "{gone:?}");
    for (bob, kept) in bobs.iter().zip(kept) {
        assert_eq!(exported(&stage, bob).await, kept);
    }
    let log = stage.daemon.log();
    for text in &traces.texts {
        assert!(!log.contains(text.as_str()), "the log holds {text}");
    }
    let again = erase(&stage, &ada).await;
    assert_eq!(
        again["removed"], erased["removed"],
        "asked again: nothing changes"
    );

    // What comes from now on is another person's.
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, "hello again")).await, 200);
    assert_ne!(contact(&stage, ADA).await, ada);
}

#[tokio::test]
async fn a_retry_of_an_erased_message_stores_nothing_and_an_opt_out_holds() {
    let stage = stage().await;
    let api = stage.daemon.api();
    let stop = Sms::new(ADA, "STOP");
    for sms in [&Sms::new(ADA, "ada-retry-zeta-962"), &stop] {
        assert_eq!(stage.deliver(SMS, sms).await, 200);
    }
    let ada = contact(&stage, ADA).await;
    erase(&stage, &ada).await;
    assert_eq!(stage.deliver(SMS, &stop).await, 200);
    assert!(api.contacts(ADA).await.is_empty(), "the retry is known");
    assert!(api.all("/api/v1/consents").await.is_empty());
    let body = json!({"channel": SMS, "to": ADA, "content": {"text": "hi"}});
    let refused = api.post("/api/v1/messages", &body).await;
    assert_eq!(
        (refused.status, &refused.json["code"]),
        (422, &json!("opted_out"))
    );
    let list = [
        "consent",
        "set",
        ADA,
        "opt_in",
        "--channel",
        SMS,
        "--reason",
        "list",
        "--import",
    ];
    stage.daemon.cli_ok(&list).await;
    let refused = api.post("/api/v1/messages", &body).await;
    assert_eq!(
        refused.status, 422,
        "an import changes nothing: {refused:?}"
    );
    let left = found_in(&stage.daemon.store(), &["15005550177".to_owned()], &[]);
    assert!(left.is_empty(), "{left:#?}");
    let word = [
        "consent",
        "set",
        ADA,
        "opt_in",
        "--channel",
        SMS,
        "--reason",
        "they called",
    ];
    stage.daemon.cli_ok(&word).await;
    let sent = api.post("/api/v1/messages", &body).await;
    assert_eq!(sent.status, 202, "an operator's word does: {sent:?}");
}

#[tokio::test]
async fn a_kill_in_the_middle_is_gone_on_from() {
    let mut stage = stage().await;
    for number in 0..400 {
        let text = format!("ada-many-eta-{number}");
        assert_eq!(stage.deliver(SMS, &Sms::new(ADA, &text)).await, 200);
    }
    assert_eq!(stage.deliver(SMS, &Sms::new(BOB, "bob stays")).await, 200);
    let ada = contact(&stage, ADA).await;
    let path = format!("/api/v1/contacts/{ada}/erase");
    let begun = stage.daemon.api().post(&path, &json!({})).await;
    assert_eq!(begun.status, 202, "{begun:?}");
    for _ in 0..3 {
        stage.daemon.kill9().await;
        stage.daemon.launch().await;
    }
    let path = format!("/api/v1/contacts/{ada}/erasure");
    eventually("it is compacted", COMPACTED, || async {
        let erasure = stage.daemon.api().get(&path).await;
        (erasure["state"] == "compacted").then_some(())
    })
    .await;
    let texts = ["15005550177".to_owned(), "ada-many-eta".to_owned()];
    let left = found_in(&stage.daemon.store(), &texts, &[]);
    assert!(left.is_empty(), "{left:#?}");
    let bob = stage.only_message(BOB).await;
    assert_eq!(bob["content"]["text"], "bob stays");
    // The log goes on from where it was cut.
    stage.daemon.kill9().await;
    stage.daemon.launch().await;
    stage.only_message(BOB).await;
}
