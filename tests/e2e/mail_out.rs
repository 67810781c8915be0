//! Mails out by SMTP submission: encryption, proof, outcomes, probes.

use data_encoding::BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;
use trunkline_simulator::{Certificate, MailFault, MailServer, Simulator, Stage as Step, Trouble};
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::http::Request;
use trunkline_tests::mail::{HELP, channel};
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::Stage;

const MAIL: &str = "mail_support";

/// A daemon that believes the simulator's authority; the folder holds its certificate.
pub(crate) async fn believing(
    change: impl FnOnce(Config, &Simulator) -> Config,
    own: impl FnOnce(Channel, &Simulator) -> Channel,
) -> (Stage, TempDir) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let ca = folder.path().join("ca.pem");
    let stage = Stage::new(|simulator| {
        std::fs::write(&ca, simulator.smtp().ca_pem()).expect("the authority can be written");
        let config = Config::new()
            .set("outbound.extra_ca", ca.to_string_lossy().into_owned())
            // The faults below say nothing about the channel.
            .set("health.sends_down_after", 100)
            .set("health.sends_window", 100)
            .set("health.sends_min", 100);
        let channel = own(channel(MAIL, simulator.smtp()), simulator);
        change(config, simulator).channel(channel)
    })
    .await;
    (stage, folder)
}

async fn usual() -> (Stage, TempDir) {
    believing(|config, _| config, |channel, _| channel).await
}

pub(crate) async fn send(stage: &Stage, to: &str, content: Value) -> String {
    let body = json!({"channel": MAIL, "to": to, "content": content});
    let answer = stage.daemon.api().post("/api/v1/messages", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.reply.text());
    answer.json["id"].as_str().expect("an id").to_owned()
}

fn mails_to(server: &MailServer, to: &str) -> usize {
    let mails = server.mails();
    mails
        .iter()
        .filter(|mail| mail.rcpt_to.iter().any(|own| own == to))
        .count()
}

#[tokio::test]
async fn a_mail_goes_out_encrypted_and_as_it_should_look() {
    for implicit in [false, true] {
        let (stage, _ca) = believing(
            |config, _| config,
            |channel, simulator| {
                if implicit {
                    let port = simulator.smtp().tls_port();
                    channel.config("tls", "implicit").config("port", port)
                } else {
                    channel
                }
            },
        )
        .await;
        let server = stage.simulator.smtp();
        let text = "Dear Ada,\n.this line begins with a dot\n.\nGrüße\n";
        let id = send(
            &stage,
            "ada@example.org",
            json!({"text": text, "subject": "Order 42 für Ada"}),
        )
        .await;
        let message = stage.daemon.api().wait_status(&id, "sent").await;
        let mails = server.mails();
        assert_eq!(mails.len(), 1);
        let mail = &mails[0];
        assert!(mail.tls && mail.user == Some(server.username()), "{mail:?}");
        assert_eq!(mail.rcpt_to, ["ada@example.org"]);
        let external = message["external_id"].as_str().expect("an external id");
        assert!(
            mail.header("Message-ID")
                .is_some_and(|id| id.contains(external)),
            "{external}: {}",
            mail.text()
        );
        assert_eq!(server.complaints(), Vec::<String>::new(), "{}", mail.text());
        let log = stage.daemon.log();
        assert!(
            !log.contains(&server.password()) && !log.contains("ada@example.org"),
            "{log}"
        );
    }
}

#[tokio::test]
async fn an_attachment_is_streamed_into_the_mail() {
    let patient = |config: Config, _: &Simulator| config.set("outbound.call_timeout", "30s");
    let (stage, _ca) = believing(patient, |channel, _| channel).await;
    let server = stage.simulator.smtp();
    let mut file = b"%PDF-1.7\n".to_vec();
    file.extend((0..3_000_000_u32).map(|n| u8::try_from(n % 251).expect("below 251")));
    let upload =
        Request::new("POST", "/api/v1/media?name=offer.pdf").body("application/pdf", file.clone());
    let uploaded = stage.daemon.api().send(upload).await;
    assert_eq!(uploaded.status, 201, "{}", uploaded.reply.text());
    let media = json!([{"sha256": uploaded.json["sha256"], "content_type": "application/pdf", "name": "offer.pdf"}]);
    let id = send(
        &stage,
        "ada@example.org",
        json!({"text": "our offer", "media": media}),
    )
    .await;
    stage.daemon.api().wait_status(&id, "sent").await;
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    let text = mails[0].text();
    let part = text
        .split("offer.pdf")
        .last()
        .expect("the attachment has a head");
    let body = part
        .split("\r\n\r\n")
        .nth(1)
        .expect("the attachment has a body");
    let body: String = body
        .split("--")
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let found = BASE64
        .decode(body.as_bytes())
        .expect("the attachment is base64");
    assert!(
        found == file,
        "{} bytes came, {} were sent",
        found.len(),
        file.len()
    );
    assert_eq!(server.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn what_the_server_says_decides_what_becomes_of_a_mail() {
    let (stage, _ca) = usual().await;
    let server = stage.simulator.smtp();
    // Refused for now, or broken before the mail was whole: tried again, and sent once.
    let passing = [
        Trouble::answer(Step::Greeting, 421, "4.3.2 too busy"),
        Trouble::answer(Step::Ehlo, 421, "4.3.2 too busy"),
        Trouble::answer(Step::MailFrom, 451, "4.3.0 later"),
        Trouble::answer(Step::RcptTo, 450, "4.7.1 greylisted"),
        Trouble::answer(Step::Data, 451, "4.3.0 later"),
        Trouble::answer(Step::Middle, 452, "4.3.1 disk full"),
        Trouble::answer(Step::Message, 451, "4.3.0 later"),
        Trouble::at(Step::Greeting, MailFault::Reset),
        Trouble::at(Step::StartTls, MailFault::Reset),
        Trouble::at(Step::RcptTo, MailFault::Reset),
        Trouble::at(Step::Data, MailFault::Hang),
    ];
    for (index, trouble) in passing.into_iter().enumerate() {
        let name = format!("{trouble:?}");
        server.behave();
        server.trouble(trouble.times(1));
        let to = format!("passing{index}@example.org");
        let id = send(&stage, &to, json!({"text": "again"})).await;
        stage.daemon.api().wait_status(&id, "sent").await;
        assert_eq!(mails_to(server, &to), 1, "{name}");
    }
    // Refused for good: failed, with the class, and not tried again.
    let lasting = [
        (Step::RcptTo, 550, "5.1.1 unknown", "recipient"),
        (Step::Message, 554, "5.7.1 spam", "content"),
        (Step::Message, 552, "5.3.4 too large", "content"),
    ];
    for (index, (step, code, words, class)) in lasting.into_iter().enumerate() {
        server.behave();
        server.trouble(Trouble::answer(step, code, words));
        let to = format!("lasting{index}@example.org");
        let id = send(&stage, &to, json!({"text": "never"})).await;
        let message = stage.daemon.api().wait_status(&id, "failed").await;
        assert_eq!(message["error"]["class"], class, "{message}");
        assert_eq!(mails_to(server, &to), 0, "{words}");
    }
    // Its last byte was written, and the answer is lost: held, never sent twice. A small mail is out before
    // a reset in the middle of it is known.
    let at = |step, fault| Trouble::at(step, fault).times(1);
    let lost = [
        (at(Step::Message, MailFault::Hang).after_accepting(), 1),
        (at(Step::Message, MailFault::Reset).after_accepting(), 1),
        (at(Step::Message, MailFault::Hang), 0),
        (at(Step::Middle, MailFault::Reset), 0),
    ];
    for (index, (trouble, taken)) in lost.into_iter().enumerate() {
        server.behave();
        server.trouble(trouble);
        let to = format!("lost{index}@example.org");
        let id = send(&stage, &to, json!({"text": "once"})).await;
        stage.daemon.api().wait_status(&id, "uncertain").await;
        let next = send(
            &stage,
            &format!("next{index}@example.org"),
            json!({"text": "on"}),
        )
        .await;
        stage.daemon.api().wait_status(&next, "sent").await;
        assert_eq!(mails_to(server, &to), taken);
    }
    assert_eq!(server.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_does_not_prove_who_it_is_gets_neither_password_nor_mail() {
    // The only check is over before the certificates are bad: what is said then is said by sends.
    let rarely = |config: Config, _: &Simulator| config.set("health.interval", "1h");
    let (stage, _ca) = believing(rarely, |channel, _| channel).await;
    let server = stage.simulator.smtp();
    stage.daemon.api().wait_health(MAIL, "healthy").await;
    let bad = [
        Certificate::Unknown,
        Certificate::OtherName,
        Certificate::Expired,
    ];
    for (index, certificate) in bad.into_iter().enumerate() {
        // A check may still be talking to the server of the round before.
        eventually("nobody talks to the good server any more", SOON, || async {
            let said = server.commands();
            said.last().is_some_and(|last| last == "QUIT").then_some(())
        })
        .await;
        server.present(certificate);
        let commands = server.commands().len();
        let to = format!("bad{index}@example.org");
        let id = send(&stage, &to, json!({"text": "secret"})).await;
        let item = eventually("the mail is tried", SOON, || async {
            let item = stage.daemon.api().outbox_item(&id).await?;
            (item["attempts"].as_u64()? > 0 && item["error"].is_object()).then_some(item)
        })
        .await;
        assert_eq!(item["error"]["code"], "tls", "{certificate:?}: {item}");
        let said = server.commands().split_off(commands);
        let harmless = |line: &String| line.starts_with("EHLO") || line == "STARTTLS";
        assert!(said.iter().all(harmless), "{said:?}");
        server.present(Certificate::Good);
        stage.daemon.api().wait_status(&id, "sent").await;
        assert_eq!(mails_to(server, &to), 1);
    }
    // Who strips the offer of STARTTLS, or adds to the answer, gets nothing either.
    server.offer(|offer| offer.starttls = false);
    let id = send(&stage, "stripped@example.org", json!({"text": "secret"})).await;
    eventually("the mail is tried", SOON, || async {
        let item = stage.daemon.api().outbox_item(&id).await?;
        (item["error"]["code"] == "tls").then_some(())
    })
    .await;
    server.offer(|offer| offer.starttls = true);
    stage.daemon.api().wait_status(&id, "sent").await;
    let injected = MailFault::Inject("250-mx\r\n250 AUTH PLAIN".into());
    server.trouble(Trouble::at(Step::StartTls, injected).times(1));
    let id = send(&stage, "injected@example.org", json!({"text": "secret"})).await;
    stage.daemon.api().wait_status(&id, "sent").await;
    assert_eq!(server.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn the_probe_knocks_and_says_what_to_do() {
    let (mut stage, _ca) = usual().await;
    let api = stage.daemon.api();
    api.wait_health(MAIL, "healthy").await;
    let server = stage.simulator.smtp().clone();
    assert!(server.commands().iter().any(|line| line == "NOOP"));
    assert!(server.mails().is_empty());
    let password = server.rotate_password();
    let channel = api.wait_health(MAIL, "down").await;
    let words = channel["health"]["last_error"].to_string();
    assert!(
        words.contains("login") && words.contains("password"),
        "{words}"
    );
    stage.daemon.rewrite(|config| {
        let fixed = config.find(MAIL).clone().config("password", password);
        config.put(fixed);
    });
    stage.daemon.cli_ok(&["reload"]).await;
    api.wait_health(MAIL, "healthy").await;
}

#[tokio::test]
async fn a_file_of_certificates_that_is_none_is_refused_at_its_line() {
    let (mut stage, folder) = usual().await;
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "no certificate").expect("the file can be written");
    let checked = stage.daemon.cli(&["check"]).await;
    assert_ne!(checked.code, 0, "{checked:?}");
    let words = checked.all();
    assert!(
        words.contains("outbound.extra_ca") && words.contains("ca.pem"),
        "{words}"
    );
    // What runs goes on with what it has read.
    let reload = stage.daemon.cli(&["reload"]).await;
    assert_ne!(reload.code, 0, "{reload:?}");
    let id = send(&stage, "ada@example.org", json!({"text": "still"})).await;
    stage.daemon.api().wait_status(&id, "sent").await;
    stage
        .daemon
        .rewrite(|config| *config = config.clone().set("outbound.extra_ca", ""));
    let reload = stage.daemon.cli_ok(&["reload"]).await;
    assert!(reload.all().contains("outbound.extra_ca"), "{reload:?}");
    assert_eq!(stage.simulator.smtp().mails()[0].mail_from, HELP);
}
