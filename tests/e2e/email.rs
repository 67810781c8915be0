//! E-mail: mails in by raw post, out by SES, and what comes back. Resend is in `email_resend.rs`.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use trunkline_simulator::{Behaviour, Simulator};
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::http::Request;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::Stage;

const SECRET: &str = "pipe-secret-0123456789abcdef0123";

/// A channel that only takes raw mail.
fn pipe() -> Channel {
    Channel::new("mail", "email")
        .config("from", "Support <support@example.com>")
        .config("inbound_secret", SECRET)
}

pub(crate) fn ses(simulator: &Simulator) -> Channel {
    let account = simulator.ses();
    let (id, secret) = account.access_key();
    Channel::new("mail", "email")
        .config("provider", "ses")
        .config("from", account.address())
        .config("region", account.region())
        .config("access_key_id", id)
        .config("secret_access_key", secret)
        .config("api_base", account.api_base())
        .config("inbound_secret", SECRET)
}

/// Posts a mail as an MTA's pipe does; gives the answer's status.
pub(crate) async fn post(stage: &Stage, mail: impl Into<Vec<u8>>) -> u16 {
    let request = Request::new("POST", stage.daemon.path("mail"))
        .header("authorization", format!("Bearer {SECRET}"))
        .body("message/rfc822", mail);
    stage.post(&request).await.status
}

pub(crate) fn mail(from: &str, id: &str, headers: &str, text: &str) -> String {
    let head = format!(
        "From: {from}\r\nTo: support@example.com\r\nMessage-ID: <{id}>\r\nSubject: {id}\r\n"
    );
    format!("{head}{headers}\r\n{text}")
}

/// Every shape of mail that the adapter is tested with, through the daemon into a timeline.
#[tokio::test]
async fn raw_mails_reach_the_timeline() {
    let stage = Stage::new(|_| Config::new().channel(pipe())).await;
    let adapter = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../plugins/email");
    let mut wanted = Vec::new();
    for entry in fs::read_dir(adapter.join("src/tests/mails")).expect("the mails") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "eml") {
            continue;
        }
        let bytes = fs::read(&path).expect("a mail");
        assert_eq!(post(&stage, bytes).await, 200, "{}", path.display());
        let name = path.file_stem().expect("a name").to_string_lossy();
        let case = adapter.join(format!("fixtures/smtp/mail_{name}.json"));
        let case = fs::read(case).expect("its meaning");
        let case: Value = serde_json::from_slice(&case).expect("JSON");
        let events = case["receive"]["want"]["events"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        wanted.extend(
            events
                .into_iter()
                .filter(|event| event["type"] == "message"),
        );
    }
    assert!(wanted.len() > 20, "{}", wanted.len());
    for want in &wanted {
        let from = want["identifier"]
            .as_str()
            .or(want["sender"]["identifier"].as_str());
        let timeline = stage.daemon.api().timeline(from.expect("a sender")).await;
        let found: Vec<_> = timeline
            .iter()
            .filter(|message| message["external_id"] == want["id"])
            .collect();
        let [message] = found.as_slice() else {
            panic!("{} of {want}", found.len());
        };
        assert_eq!(
            message["content"]["text"], want["content"]["text"],
            "{want}"
        );
        assert_eq!(
            message["content"]["subject"], want["content"]["subject"],
            "{want}"
        );
        assert_eq!(message["medium"], "email");
    }
}

#[tokio::test]
async fn a_raw_mail_needs_the_secret_and_is_stored_once() {
    let stage = Stage::new(|_| Config::new().channel(pipe())).await;
    let hello = mail(
        "Ada <ada@example.org>",
        "m1@example.org",
        "",
        " kept as it is \r\n",
    );
    for proof in [
        None,
        Some("Bearer wrong"),
        Some("Basic d3Jvbmc6d3Jvbmc="),
        Some("Bearer "),
    ] {
        let mut request = Request::new("POST", stage.daemon.path("mail"));
        if let Some(proof) = proof {
            request = request.header("authorization", proof);
        }
        let refused = stage
            .post(&request.body("message/rfc822", hello.clone()))
            .await;
        assert_eq!(refused.status, 401, "{proof:?}");
    }
    assert!(
        stage
            .daemon
            .api()
            .contacts("ada@example.org")
            .await
            .is_empty()
    );
    assert_eq!(post(&stage, hello.clone()).await, 200);
    assert_eq!(post(&stage, hello.clone()).await, 200);
    let stored = stage.only_message("ada@example.org").await;
    assert_eq!(stored["content"]["text"], " kept as it is \r\n");
    assert_eq!(stored["author"]["name"], "Ada");
    // Cut on its way, the same mail is the same mail.
    assert_eq!(
        post(&stage, &hello.as_bytes()[..hello.len() - 5]).await,
        200
    );
    stage.only_message("ada@example.org").await;
    assert_eq!(post(&stage, "no mail at all").await, 200);
    stage
        .event("mail", "an unparsed event", |event| {
            event["outcome"] == "unparsed"
        })
        .await;
}

/// A mail of 20 MB passes; its attachment is not part of the message.
#[tokio::test]
async fn a_large_mail_passes() {
    let stage = Stage::new(|_| Config::new().channel(pipe())).await;
    let line = format!("{}\r\n", "A".repeat(76));
    let body = format!(
        "--b\r\n\r\nSee the file.\r\n--b\r\nContent-Type: application/zip; name=big.zip\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}--b--\r\n",
        line.repeat(20 * 1024 * 1024 / line.len())
    );
    let large = mail(
        "ada@example.org",
        "big@example.org",
        "Content-Type: multipart/mixed; boundary=b\r\n",
        &body,
    );
    assert_eq!(post(&stage, large).await, 200);
    let stored = stage.only_message("ada@example.org").await;
    assert_eq!(stored["content"]["text"], "See the file.");
    assert_eq!(stored["content"]["media"][0]["name"], "big.zip");
}

/// What machines write is kept and marked, makes no turn, and orders nothing.
#[tokio::test]
async fn mails_of_machines_make_no_turn() {
    let stage = Stage::new(|_| Config::new().channel(pipe())).await;
    let machines = [
        ("Auto-Submitted: auto-replied\r\n", "vacation@example.org"),
        ("Precedence: bulk\r\n", "bulk@example.org"),
        ("List-Id: <talk.example.org>\r\n", "list@example.org"),
        ("X-Auto-Response-Suppress: All\r\n", "exchange@example.org"),
        ("Return-Path: <>\r\n", "bounce@example.org"),
        (
            "X-Trunkline-Message: 0198b2a0-0000-7000-8000-000000000009\r\n",
            "own@example.org",
        ),
    ];
    for (header, from) in machines {
        let id = format!("1-{from}");
        assert_eq!(post(&stage, mail(from, &id, header, "/human")).await, 200);
        let message = stage.only_message(from).await;
        assert_eq!(message["metadata"]["auto_reply"], true, "{header}");
        assert_eq!(message["metadata"].get("command"), None, "{header}");
    }
    let person = mail(
        "bob@example.net",
        "p@example.net",
        "Auto-Submitted: no\r\n",
        "Hello",
    );
    assert_eq!(post(&stage, person).await, 200);
    let api = stage.daemon.api();
    eventually("the person's turn", SOON, || async {
        (api.metric("trunkline_turns_total").await > 0).then_some(())
    })
    .await;
    // What came before it would have been closed before it.
    assert_eq!(api.metric("trunkline_turns_total").await, 1);
    assert_eq!(
        stage.only_message("bob@example.net").await["metadata"].get("auto_reply"),
        None
    );
}

/// SES sends; a bounce that is posted raw fails the message, a complaint opts out.
#[tokio::test]
async fn ses_sends_and_bounces_come_back_as_mail() {
    let stage = Stage::new(|simulator| Config::new().channel(ses(simulator))).await;
    let (api, account) = (stage.daemon.api(), stage.simulator.ses());
    api.wait_health("mail", "healthy").await;
    account.behave_once(Behaviour::error(429, 1, "TooManyRequestsException"));
    let id = api.send_text("mail", "ada@example.org", "Hällo 😀").await;
    api.wait_status(&id, "sent").await;
    let sent = account.messages().remove(0);
    assert_eq!(
        sent.json["Content"]["Simple"]["Body"]["Text"]["Data"],
        "Hällo 😀"
    );
    let returned = |kind: &str, report: &str| {
        let original = format!(
            "Content-Type: text/rfc822-headers\r\n\r\nFrom: support@example.com\r\nTo: ada@example.org\r\n\
             Message-ID: <{}@eu-west-1.amazonses.com>\r\nX-Trunkline-Message: {id}\r\n",
            sent.id
        );
        mail(
            "MAILER-DAEMON@mx.example.net",
            &format!("{kind}@mx.example.net"),
            &format!("Content-Type: multipart/report; report-type={kind}; boundary=r\r\n"),
            &format!("--r\r\n\r\nFor people.\r\n--r\r\n{report}\r\n--r\r\n{original}\r\n--r--\r\n"),
        )
    };
    let dsn = |action: &str, status: &str| {
        let fields = format!(
            "Final-Recipient: rfc822; ada@example.org\r\nAction: {action}\r\nStatus: {status}\r\n"
        );
        returned(
            "delivery-status",
            &format!(
                "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n{fields}"
            ),
        )
    };
    assert_eq!(post(&stage, dsn("delayed", "4.2.0")).await, 200);
    assert_eq!(post(&stage, dsn("delivered", "2.0.0")).await, 200);
    api.wait_status(&id, "delivered").await;
    assert_eq!(post(&stage, dsn("failed", "5.1.1")).await, 200);
    let failed = api.wait_status(&id, "failed").await;
    assert_eq!(failed["error"]["class"], "recipient", "{failed}");
    let complaint = returned(
        "feedback-report",
        "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n",
    );
    assert_eq!(post(&stage, complaint).await, 200);
    let body = json!({"channel": "mail", "to": "ada@example.org", "content": {"text": "Again"}});
    let refused = api.post("/api/v1/messages", &body).await;
    assert_eq!(
        (refused.status, &refused.json["code"]),
        (422, &json!("opted_out"))
    );
    assert!(account.problems().is_empty(), "{:?}", account.problems());
}

#[tokio::test]
async fn a_paused_ses_account_holds_the_queue() {
    let stage = Stage::new(|simulator| Config::new().channel(ses(simulator))).await;
    let (api, account) = (stage.daemon.api(), stage.simulator.ses());
    api.wait_health("mail", "healthy").await;
    account.set_paused(true);
    let id = api.send_text("mail", "ada@example.org", "later").await;
    let down = api.wait_health("mail", "down").await;
    assert!(
        down["health"]["last_error"].to_string().contains("paused"),
        "{down}"
    );
    assert!(account.messages().is_empty());
    account.set_paused(false);
    api.wait_status(&id, "sent").await;
    assert_eq!(account.messages().len(), 1);
}
