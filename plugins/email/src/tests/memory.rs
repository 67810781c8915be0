//! A large mail is read where it is: its attachments are not copied.
//!
//! What is measured is the peak of a process of its own, this test run again by itself.

use std::process::Command;

use trunkline_plugin_api::Adapter as _;

use super::{raw, smtp};
use crate::Email;

const MAIL_BYTES: usize = 20 * 1024 * 1024;
const CHILD: &str = "TRUNKLINE_EMAIL_MEMORY";

fn large_mail() -> Vec<u8> {
    let mut mail = Vec::with_capacity(MAIL_BYTES + 1024);
    mail.extend_from_slice(
        b"From: ada@example.org\r\nContent-Type: multipart/mixed; boundary=big\r\n\r\n--big\r\n\r\nSee the file.\r\n--big\r\n\
          Content-Type: application/zip; name=big.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    );
    let line = [b'A'; 76];
    while mail.len() < MAIL_BYTES {
        mail.extend_from_slice(&line);
        mail.extend_from_slice(b"\r\n");
    }
    mail.extend_from_slice(b"--big--\r\n");
    mail
}

fn peak_kb() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .expect("a peak");
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("kilobytes")
}

#[test]
fn a_mail_of_20_mb_takes_less_than_1_8_times_its_size() {
    if std::env::var_os(CHILD).is_some() {
        let config = serde_json::from_value(smtp()).expect("a configuration");
        let (email, _) =
            Email::open(config, trunkline_plugin_api::OpenContext::default()).expect("opened");
        let before = peak_kb();
        let request = raw(large_mail());
        let received = email.receive(&request);
        assert_eq!(received.events.len(), 1);
        // The mail itself is in this figure.
        println!("peak={}", peak_kb() - before);
        return;
    }
    let own = std::env::current_exe().expect("this test");
    let name = "tests::memory::a_mail_of_20_mb_takes_less_than_1_8_times_its_size";
    let child = Command::new(own)
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output();
    let child = child.expect("the test runs again");
    let words = String::from_utf8_lossy(&child.stdout).into_owned();
    let peak = words
        .split("peak=")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next());
    let peak_kb: usize = peak
        .and_then(|peak| peak.parse().ok())
        .unwrap_or_else(|| panic!("{words}"));
    let percent = peak_kb * 1024 * 100 / large_mail().len();
    assert!(percent < 180, "{percent} % of the mail");
    assert!(
        percent > 90,
        "the figure must hold the mail itself: {percent} %"
    );
}
