//! What holds for any bytes.

use proptest::prelude::*;
use trunkline_plugin_api::Event;

use super::{kit, lmtp, mails, raw, smtp};

/// Pieces of which hostile mails are made.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("Content-Type: multipart/mixed; boundary=b\r\n".to_owned()),
        Just("Content-Type: multipart/alternative; boundary=\"\"\r\n".to_owned()),
        Just(
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n".to_owned()
        ),
        Just("Content-Type: message/rfc822\r\n".to_owned()),
        Just("Content-Type: message/delivery-status\r\n".to_owned()),
        Just("Content-Type: text/html; charset=utf-7\r\n".to_owned()),
        Just("Content-Type: text/plain; charset=iso-2022-jp\r\n".to_owned()),
        Just("Content-Transfer-Encoding: base64\r\n".to_owned()),
        Just("Content-Transfer-Encoding: quoted-printable\r\n".to_owned()),
        Just("Content-Disposition: attachment; filename*0*=utf-8''%\r\n".to_owned()),
        Just("From: =?utf-8?B?8J+Y?= <ada@example.org>\r\n".to_owned()),
        Just("From: group: a@b, c@d;\r\n".to_owned()),
        Just("References: <a@b> <c\r\n d@e>\r\n".to_owned()),
        Just("Date: Thu, 99 Jan 99999999 99:99:99 +9999\r\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\n".to_owned()),
        Just("--b\r\n".to_owned()),
        Just("--b--\r\n".to_owned()),
        Just("--b".to_owned()),
        Just("</div>&#x110000;&amp;<br><".to_owned()),
        Just("Action: failed\r\nStatus: 5\r\n\r\n".to_owned()),
        "[ -~]{0,20}",
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Every mail is a message, reports, or kept; every attachment is inside of it.
    #[test]
    fn mails_of_pieces(pieces in prop::collection::vec(piece(), 0..40)) {
        let body = pieces.concat().into_bytes();
        let len = body.len() as u64;
        let received = kit(smtp()).receive(&raw(body));
        prop_assert_eq!(received.response.status, 200);
        prop_assert_ne!(received.events.is_empty(), received.unparsed.is_none());
        for event in received.events {
            if let Event::Message(message) = event {
                for media in message.content.media {
                    let range = media.source.range.expect("a range");
                    prop_assert!(range.offset + range.len <= len);
                }
            }
        }
    }

    /// Any bytes at all.
    #[test]
    fn any_bytes(body in prop::collection::vec(any::<u8>(), 0..600), from in any::<String>(), to in any::<String>()) {
        let received = kit(smtp()).receive(&lmtp(body, &from, &to));
        prop_assert_eq!(received.response.status, 200);
    }

    /// A text survives the way out and in again.
    #[test]
    fn texts_survive(text in "[a-zA-Zäöü€😀 .=\n-]{1,300}") {
        let sent = smtp::mail(&kit(smtp()), &super::message(&text));
        let read = super::only(kit(smtp()).receive(&raw(sent)));
        let back = read.content.text.expect("a text").replace("\r\n", "\n");
        prop_assert_eq!(back.trim_end(), text.trim_end());
    }

    /// No line of a mail is longer than SMTP allows.
    #[test]
    fn lines_are_short(text in "[a-z]{1,10}[a-z ]{0,3000}|[ä]{1,900}") {
        let mut message = super::message(&text);
        message.content.subject = Some(text);
        let sent = smtp::mail(&kit(smtp()), &message);
        prop_assert!(sent.split("\r\n").all(|line| line.len() <= 998));
    }
}

/// Depth and number of parts are bounded, and so is the time.
#[test]
fn deep_and_many() {
    let mut deep = String::from("From: ada@example.org\r\n");
    for level in 0..2_000 {
        let boundary = format!("b{level}");
        deep += &[
            "Content-Type: multipart/mixed; boundary=",
            &boundary,
            "\r\n\r\n--",
            &boundary,
            "\r\n",
        ]
        .concat();
    }
    let message = super::only(kit(smtp()).receive(&raw(deep)));
    assert_eq!(message.metadata["parts_left_out"], true);
    let mut many =
        String::from("From: ada@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n");
    many.push_str(&"--b\r\nContent-Type: image/png\r\n\r\nx\r\n".repeat(20_000));
    let message = super::only(kit(smtp()).receive(&raw(many)));
    assert_eq!(message.content.media.len(), 100);
    assert_eq!(message.metadata["parts_left_out"], true);
}

/// Half of each fixture is still a mail.
#[test]
fn mails_cut_anywhere() {
    let kit = kit(smtp());
    for (name, mail) in mails::mails() {
        for end in (0..mail.len()).step_by(37) {
            let received = kit.receive(&raw(&mail[..end]));
            assert_eq!(received.response.status, 200, "{name} cut at {end}");
        }
    }
}
