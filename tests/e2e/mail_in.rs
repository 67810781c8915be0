//! Mails in by LMTP: routes, limits, threads, and what a crash leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use trunkline_simulator::{LmtpAnswer, LmtpClient};
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::mail::{HELP, Handed, Mail, deliver, lmtp, load};
use trunkline_tests::wait::{SOON, eventually};

use crate::media_memory::{BODY_GROWTH_MAX, grew_little, mark};
use crate::stage::Stage;

const MAIL: &str = "mail_support";
const ADA: &str = "ada@example.org";

fn receiving() -> Channel {
    Channel::new(MAIL, "email").config("from", HELP)
}

fn listening(listen: &str) -> Config {
    Config::new()
        .set("lmtp.listen", listen)
        .channel(receiving())
}

async fn mailbox() -> Stage {
    Stage::new(|_| listening("127.0.0.1:0")).await
}

fn codes(answers: &[LmtpAnswer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.code).collect()
}

#[tokio::test]
async fn a_mail_is_stored_before_it_is_taken() {
    for listen in ["127.0.0.1:0", "./lmtp.sock"] {
        let stage = Stage::new(|_| listening(listen)).await;
        let at = lmtp(&stage.daemon);
        let text = "Hello,\r\n.a dot\r\n..two\r\n.\r\nand an end";
        let mail = Mail::new("Ada <ada@example.org>", "1@example.org", text);
        let answers = deliver(&at, ADA, &[HELP], &mail.bytes()).await.unwrap();
        assert_eq!(codes(&answers), [250], "{answers:?}");
        // It was stored before the answer: nothing is waited for.
        let timeline = stage.daemon.api().timeline(ADA).await;
        assert_eq!(timeline.len(), 1, "{timeline:?}");
        let stored = timeline[0]["content"]["text"].as_str().unwrap_or_default();
        assert_eq!(
            stored.replace("\r\n", "\n").trim_end(),
            text.replace("\r\n", "\n")
        );
        let events = stage.events(MAIL).await;
        assert_eq!(
            events[0]["method"].as_str().unwrap_or("LMTP"),
            "LMTP",
            "{events:?}"
        );
        // The same mail once more is taken, and is nothing new.
        let again = deliver(&at, ADA, &[HELP], &mail.bytes()).await.unwrap();
        assert_eq!(codes(&again), [250], "{again:?}");
        assert_eq!(stage.daemon.api().timeline(ADA).await.len(), 1);
    }
}

#[tokio::test]
async fn every_recipient_has_an_answer_of_its_own() {
    let stage = mailbox().await;
    let mut client = LmtpClient::connect(&lmtp(&stage.daemon)).await.unwrap();
    for offered in ["PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"] {
        assert!(
            client.hello.lines.iter().any(|line| line == offered),
            "{:?}",
            client.hello
        );
    }
    let to = [
        "nobody@example.com",
        "HELP@Example.com",
        "help+token@example.com",
        "help@elsewhere.example",
    ];
    let mail = Mail::new(ADA, "2@example.org", "to several").bytes();
    let answers = client.deliver(ADA, &to, &mail).await.unwrap();
    assert_eq!(codes(&answers), [550, 250, 250, 550], "{answers:?}");
    assert!(answers[0].words().starts_with("5.1.1"), "{answers:?}");
    // Nothing is left of it on the connection.
    let none = client
        .deliver("", &["nobody@example.com"], &mail)
        .await
        .unwrap();
    assert_eq!(codes(&none), [550]);
    assert_eq!(client.ask("RSET").await.unwrap().code, 250);
    let bounce = Mail::new("MAILER-DAEMON@example.org", "3@example.org", "from nobody");
    let answers = client.deliver("", &[HELP], &bounce.bytes()).await.unwrap();
    assert_eq!(codes(&answers), [250], "{answers:?}");
    assert_eq!(client.ask("QUIT").await.unwrap().code, 221);
}

#[tokio::test]
async fn a_mail_of_20_mb_is_in_memory_once() {
    let stage = mailbox().await;
    let at = lmtp(&stage.daemon);
    let small = Mail::new(ADA, "small@example.org", "first").bytes();
    deliver(&at, ADA, &[HELP], &small).await.unwrap();
    let line = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n";
    let body = format!(
        "--b\r\nContent-Type: text/plain\r\n\r\nsee the file\r\n--b\r\n\
         Content-Type: application/pdf; name=large.pdf\r\nContent-Disposition: attachment; filename=large.pdf\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}--b--",
        line.repeat(20_000_000 / line.len())
    );
    let mail = Mail::new(ADA, "large@example.org", &body)
        .header("MIME-Version", "1.0")
        .header("Content-Type", "multipart/mixed; boundary=b")
        .bytes();
    let before = mark(&stage).await;
    let answers = deliver(&at, ADA, &[HELP], &mail).await.unwrap();
    assert_eq!(codes(&answers), [250], "{answers:?}");
    grew_little(&stage, "20 MB of mail", before, BODY_GROWTH_MAX);
    let timeline = stage.daemon.api().timeline(ADA).await;
    let large = timeline
        .iter()
        .find(|message| message["content"]["text"] != "first");
    let large = large.expect("the large mail is there");
    assert_eq!(large["content"]["media"][0]["name"], "large.pdf", "{large}");
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_costs_nobody_else_anything() {
    let stage = Stage::new(|_| {
        listening("127.0.0.1:0")
            .set("lmtp.mail_bytes_max", "64KiB")
            .set("lmtp.connections_max", 2)
    })
    .await;
    let at = lmtp(&stage.daemon);
    let mut client = LmtpClient::bare(&at).await.unwrap();
    for (line, code) in [
        ("MAIL FROM:<a@example.org>", 503),
        ("EHLO mx", 500),
        ("LHLO mx", 250),
        ("RCPT TO:<help@example.com>", 503),
        ("DATA", 503),
        ("MAIL FROM:<a@example.org> SIZE=65537", 552),
        ("MAIL FROM:<a@example.org", 501),
    ] {
        assert_eq!(client.ask(line).await.unwrap().code, code, "{line}");
    }
    assert_eq!(client.ask(&"x".repeat(5000)).await.unwrap().code, 500);
    // One that lies about its size is read to its end, and refused for good.
    client.ask("MAIL FROM:<a@example.org>").await.unwrap();
    client.ask("RCPT TO:<help@example.com>").await.unwrap();
    assert_eq!(client.ask("DATA").await.unwrap().code, 354);
    let large = Mail::new(ADA, "4@example.org", &"0123456789\r\n".repeat(7000)).bytes();
    client.send(&large).await.unwrap();
    let answer = client.ask(".").await.unwrap();
    assert!(
        answer.code == 552 && answer.words().starts_with("5.3.4"),
        "{answer:?}"
    );
    // What looks like the end of a mail is not one; what follows is no command.
    let smuggled = Mail::new(
        ADA,
        "5@example.org",
        "a\n.\nMAIL FROM:<b@example.org>\r\nend",
    );
    let answers = client
        .deliver(ADA, &[HELP], &smuggled.bytes())
        .await
        .unwrap();
    assert_eq!(codes(&answers), [250], "{answers:?}");
    assert_eq!(client.ask("NOOP").await.unwrap().code, 250);
    assert_eq!(stage.daemon.api().timeline(ADA).await.len(), 1);
    let second = LmtpClient::connect(&at).await.unwrap();
    let third = LmtpClient::bare(&at)
        .await
        .err()
        .map(|error| error.to_string());
    assert!(
        third.is_some_and(|words| words.contains("421")),
        "one connection too many was let in"
    );
    drop(second);
    eventually("a place is free", SOON, || async {
        LmtpClient::connect(&at).await.ok().map(drop)
    })
    .await;
    for _ in 0..30 {
        if client.ask("NONSENSE").await.is_err() {
            break;
        }
    }
    assert!(
        client.ask("NOOP").await.is_err(),
        "a hopeless client is let go"
    );
}

#[tokio::test]
async fn a_mail_for_what_is_not_there_now_stays_with_the_mail_server() {
    let stage =
        Stage::new(|_| listening("127.0.0.1:0").channel(Channel::new("other", "missing_adapter")))
            .await;
    let at = lmtp(&stage.daemon);
    let mail = Mail::new(ADA, "6@example.org", "x").bytes();
    let answers = deliver(&at, ADA, &[HELP, "sales@example.com"], &mail)
        .await
        .unwrap();
    assert_eq!(codes(&answers), [250, 451], "{answers:?}");
}

#[tokio::test]
async fn a_stop_says_goodbye_and_loses_nothing() {
    let mut stage = mailbox().await;
    let at = lmtp(&stage.daemon);
    let mut idle = LmtpClient::connect(&at).await.unwrap();
    let mut busy = LmtpClient::connect(&at).await.unwrap();
    let mail = Mail::new(ADA, "7@example.org", "on the way").bytes();
    busy.ask("MAIL FROM:<a@example.org>").await.unwrap();
    busy.ask(&format!("RCPT TO:<{HELP}>")).await.unwrap();
    busy.ask("DATA").await.unwrap();
    busy.send(&mail).await.unwrap();
    stage.daemon.signal("TERM");
    let goodbye = idle.answer().await.unwrap();
    assert_eq!(goodbye.code, 421, "{goodbye:?}");
    // The mail under way is answered all the same.
    assert_eq!(busy.ask(".").await.unwrap().code, 250);
    assert_eq!(busy.answer().await.unwrap().code, 421);
    assert!(stage.daemon.wait_exit(SOON).await.success());
    stage.daemon.launch().await;
    assert_eq!(stage.daemon.api().timeline(ADA).await.len(), 1);
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_or_doubled_by_kill_9() {
    const ROUNDS: usize = 6;
    const PEOPLE: usize = 6;
    let mut stage = mailbox().await;
    let mut everything: Vec<Handed> = Vec::new();
    for round in 0..ROUNDS {
        let at = lmtp(&stage.daemon);
        let workers: Vec<_> = (0..PEOPLE)
            .map(|n| {
                tokio::spawn(load(
                    at.clone(),
                    format!("p{round}.{n}@example.org"),
                    100_000,
                ))
            })
            .collect();
        // In the middle of the load, wherever that is.
        let count = rand::random_range(40..120);
        let api = stage.daemon.api();
        eventually("mails are taken", SOON * 3, || async {
            let taken = api.metric("trunkline_messages_received_total").await;
            (taken >= count).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..50))).await;
        stage.daemon.kill9().await;
        for worker in workers {
            everything.extend(worker.await.unwrap());
        }
        stage.daemon.launch().await;
    }
    let lost = everything.iter().filter(|mail| mail.code.is_none());
    let (lost, at): (Vec<_>, _) = (lost.cloned().collect(), lmtp(&stage.daemon));
    assert!(
        !lost.is_empty(),
        "no kill ever met a mail: the load was too small to show anything"
    );
    balance(&stage, &everything).await;
    // A mail server hands over again what was not answered.
    for mail in &lost {
        let answers = deliver(&at, &mail.from, &[HELP], &mail.bytes())
            .await
            .unwrap();
        assert_eq!(codes(&answers), [250], "{answers:?}");
    }
    let after: Vec<Handed> = everything
        .into_iter()
        .map(|mail| Handed {
            code: Some(250),
            ..mail
        })
        .collect();
    balance(&stage, &after).await;
    assert!(after.len() > 200, "hardly any load: {}", after.len());
}

/// Every mail that was taken is there, and none is there twice.
async fn balance(stage: &Stage, ledger: &[Handed]) {
    let mut people: BTreeMap<&str, Vec<&Handed>> = BTreeMap::new();
    for mail in ledger {
        people.entry(&mail.from).or_default().push(mail);
    }
    for (person, mails) in people {
        let timeline = stage.daemon.api().timeline(person).await;
        let ids: Vec<&str> = timeline
            .iter()
            .filter_map(|message| message["external_id"].as_str()?.split(' ').next())
            .collect();
        let distinct: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(
            distinct.len(),
            ids.len(),
            "{person}: something is there twice"
        );
        for mail in mails.iter().filter(|mail| mail.code == Some(250)) {
            assert!(
                distinct.contains(mail.id.as_str()),
                "{} was acknowledged, and is lost",
                mail.id
            );
        }
        let known: BTreeSet<&str> = mails.iter().map(|mail| mail.id.as_str()).collect();
        assert!(
            distinct.is_subset(&known),
            "{person}: something strange is there"
        );
    }
}

#[tokio::test]
async fn an_answer_goes_to_the_conversation_that_it_answers() {
    let stage = Stage::new(|_| listening("127.0.0.1:0").set("thread.closed", "new")).await;
    let at = lmtp(&stage.daemon);
    let api = stage.daemon.api();
    let take = async |mail: Mail| {
        let answers = deliver(&at, ADA, &[HELP], &mail.bytes()).await.unwrap();
        assert_eq!(codes(&answers), [250], "{answers:?}");
    };
    let thread_of = async |id: &str| {
        let timeline = api.timeline(ADA).await;
        let found = timeline.iter().find(|message| {
            let external = message["external_id"].as_str().unwrap_or_default();
            external.split(' ').next() == Some(id)
        });
        found.map_or(Value::Null, |message| message["thread"].clone())
    };
    take(Mail::new(ADA, "first@example.org", "an order")).await;
    let first = thread_of("first@example.org").await;
    let path = format!("/api/v1/threads/{}/close", first.as_str().unwrap());
    assert_eq!(api.post(&path, &json!({})).await.status / 100, 2);
    take(Mail::new(ADA, "second@example.org", "something else")).await;
    let second = thread_of("second@example.org").await;
    assert_ne!(first, second, "a closed conversation is renewed");
    // Another way of closed threads: references lead back into the first one.
    let mut stage = stage;
    stage
        .daemon
        .rewrite(|config| *config = config.clone().set("thread.closed", "reopen"));
    stage.daemon.cli_ok(&["reload"]).await;
    take(
        Mail::new(ADA, "third@example.org", "about the order")
            .header("In-Reply-To", "<first@example.org>")
            .header("References", "<first@example.org>"),
    )
    .await;
    assert_eq!(thread_of("third@example.org").await, first);
    take(
        Mail::new(ADA, "fourth@example.org", "once more")
            .header("In-Reply-To", "<unknown@example.org>")
            .header(
                "References",
                "<first@example.org> <third@example.org> <unknown@example.org>",
            ),
    )
    .await;
    assert_eq!(thread_of("fourth@example.org").await, first);
    take(Mail::new(ADA, "fifth@example.org", "no references")).await;
    assert_eq!(thread_of("fifth@example.org").await, second);
}
