//! A mail of 1 MB: how long the adapter takes to read it, and how long until it is acknowledged.
//!
//! The adapter's own time is what the daemon says of a call that is over its budget, here a millisecond.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::latency::ms;
use crate::config::{Channel, Config};
use crate::daemon::Daemon;
use crate::http::Request;

/// Mails posted, one after the other.
const MAILS: usize = 50;
/// Bytes of each.
const MAIL_BYTES: usize = 1024 * 1024;
const SECRET: &str = "bench-secret-0123456789abcdef012";

/// Prints both times; what is above the goal of 20 ms for the adapter is an error.
pub async fn measure() -> Result<()> {
    let channel = Channel::new("mail", "email").config("inbound_secret", SECRET);
    let config = Config::with_defaults()
        .set("plugins.call_budget", "1ms")
        .channel(channel);
    let mut daemon = Daemon::start(config).await;
    let mut answers: Vec<Duration> = Vec::with_capacity(MAILS);
    for number in 0..MAILS {
        let request = Request::new("POST", daemon.path("mail"))
            .header("authorization", format!("Bearer {SECRET}"))
            .body("message/rfc822", mail(number));
        let began = Instant::now();
        let reply = request.send(daemon.public()).await?;
        answers.push(began.elapsed());
        ensure!(
            reply.status == 200,
            "a mail was answered with {}",
            reply.status
        );
    }
    let mut calls = over_budget(&daemon.log());
    daemon.terminate().await;
    // What is not listed took less than the budget.
    calls.resize(MAILS.max(calls.len()), 0);
    calls.sort_unstable();
    answers.sort();
    let (median, slowest) = (calls[MAILS / 2], calls[MAILS - 1]);
    println!("a mail of 1 MB");
    let words = |whole_ms: u64| match whole_ms {
        0 => "under 1 ms".to_owned(),
        more => format!("{more} ms"),
    };
    println!(
        "  read by the adapter  {:>9}   (slowest {})",
        words(median),
        words(slowest)
    );
    println!(
        "  acknowledged         {:>9}   (slowest {})",
        ms(answers[MAILS / 2]),
        ms(answers[MAILS - 1])
    );
    ensure!(
        median < 20,
        "the adapter takes {median} ms for a mail of 1 MB"
    );
    Ok(())
}

/// The times of calls to `receive` that took longer than the budget, in milliseconds.
fn over_budget(log: &str) -> Vec<u64> {
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines
        .filter(|line| line.to_string().contains("\"receive\""))
        .filter_map(|line| {
            let fields = line.get("fields").unwrap_or(&line);
            fields["took_ms"].as_u64()
        })
        .collect()
}

/// Text in two forms, and an attachment that fills the mail.
fn mail(number: usize) -> Vec<u8> {
    let text =
        "A line of text with an umlaut =C3=BC in it, as people write them.=0D=0A\r\n".repeat(200);
    let head = format!(
        "From: Ada <ada{number}@example.org>\r\nMessage-ID: <{number}@example.org>\r\nSubject: A file\r\n\
         Content-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\n\
         Content-Type: multipart/alternative; boundary=inner\r\n\r\n\
         --inner\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{text}\r\n\
         --inner\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>{text}</p>\r\n\
         --inner--\r\n--outer\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    );
    let mut mail = head.into_bytes();
    let line = [&[b'A'; 76][..], b"\r\n"].concat();
    while mail.len() < MAIL_BYTES {
        mail.extend_from_slice(&line);
    }
    mail.extend_from_slice(b"--outer--\r\n");
    mail
}
