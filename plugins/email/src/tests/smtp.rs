//! Mails as they go to a submission server.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Body, ErrorClass, Media, MediaRef, OutboundMessage, Part, Piece, PieceEncoding, Receipt, Reply,
    Request, SmtpReply, SmtpRequest, SmtpTls, testkit::Kit,
};

use super::{ADA, FILE, ID, kit, mails, message, only, raw, smtp, with};
use crate::Email;

pub(super) fn answered(code: u16, enhanced: Option<&str>) -> Reply {
    Reply::Smtp(SmtpReply {
        code,
        enhanced: enhanced.map(String::from),
        text: format!("to {ADA}"),
    })
}

pub(super) fn request(kit: &Kit<Email>, message: &OutboundMessage) -> SmtpRequest {
    let mut run = kit.send(message, [answered(250, None)]);
    assert_eq!(
        run.outcome.as_ref().map(|receipt| receipt.code.as_deref()),
        Ok(Some("250"))
    );
    match run.requests.pop() {
        Some(Request::Smtp(request)) => request,
        other => panic!("{other:?}"),
    }
}

pub(super) fn mail(kit: &Kit<Email>, message: &OutboundMessage) -> String {
    match request(kit, message).data {
        Body::Bytes { bytes } => String::from_utf8(bytes).expect("ASCII"),
        other => panic!("{other:?}"),
    }
}

pub(super) fn file(name: &str) -> Media {
    Media {
        source: MediaRef {
            sha256: Some(FILE.into()),
            url: Some("https://gw.example.com/media/x".into()),
            ..MediaRef::default()
        },
        content_type: Some("application/pdf".into()),
        name: Some(name.into()),
        size: Some(0),
    }
}

/// The whole mail, once, byte for byte.
#[test]
fn a_plain_mail() {
    let request = request(&kit(smtp()), &message("It is on its way.\nYours"));
    let want = "From: \"Support\" <support@example.com>\r\n\
        To: ada@example.org\r\n\
        Subject: Your order\r\n\
        Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n\
        Message-ID: <0198b2a0-0000-7000-8000-000000000001@example.com>\r\n\
        X-Trunkline-Message: 0198b2a0-0000-7000-8000-000000000001\r\n\
        MIME-Version: 1.0\r\n\
        Content-Type: text/plain; charset=\"utf-8\"\r\n\
        Content-Transfer-Encoding: 7bit\r\n\
        \r\n\
        It is on its way.\r\nYours";
    let Body::Bytes { bytes } = &request.data else {
        panic!("{request:?}");
    };
    assert_eq!(String::from_utf8_lossy(bytes), want);
    let session = SmtpRequest {
        data: Body::Empty,
        ..request
    };
    let want = SmtpRequest {
        host: "mail.example.com".into(),
        port: 587,
        tls: SmtpTls::StartTls,
        username: Some("support".into()),
        password: Some("submission-password".into()),
        mail_from: "support@example.com".into(),
        rcpt_to: vec![ADA.into()],
        data: Body::Empty,
    };
    assert_eq!(session, want);
}

#[test]
fn receipts_and_repeats() {
    let kit = kit(smtp());
    let run = kit.send(&message("Hi"), [answered(250, None)]);
    let want = Receipt {
        external_id: format!("{ID}@example.com"),
        code: Some("250".into()),
        ..Receipt::default()
    };
    assert_eq!(run.outcome, Ok(want));
    let again = kit.send_from(&message("Hi"), json!("send"), []);
    assert_eq!(
        again.outcome.expect_err("not repeated").class,
        ErrorClass::Ambiguous
    );
    let part = OutboundMessage {
        part: Some(Part { index: 1, count: 2 }),
        ..message("Hi")
    };
    assert!(mail(&kit, &part).contains(&format!("Message-ID: <{ID}.1@example.com>")));
}

#[test]
fn answers_name_what_they_answer() {
    let kit = kit(with(
        smtp(),
        &json!({"unsubscribe": "https://example.com/leave"}),
    ));
    let mut answer = message("Yes");
    answer.content.subject = None;
    answer.reply_to = Some("q1@example.org support@example.com".into());
    answer.metadata.insert(
        "references".into(),
        json!(["<first@example.org>", "bad id"]),
    );
    let sent = mail(&kit, &answer);
    assert!(sent.contains("In-Reply-To: <q1@example.org>\r\n"), "{sent}");
    assert!(
        sent.contains("References: <first@example.org> <q1@example.org>\r\n"),
        "{sent}"
    );
    assert!(
        sent.contains("Subject: Re: Message from Support\r\n"),
        "{sent}"
    );
    assert!(!sent.contains("List-Unsubscribe"), "{sent}");
    answer
        .metadata
        .insert("subject".into(), json!("re: Your question"));
    answer.metadata.insert("auto_reply".into(), json!(true));
    let sent = mail(&kit, &answer);
    assert!(sent.contains("Subject: re: Your question\r\n"), "{sent}");
    assert!(
        sent.contains("Auto-Submitted: auto-replied\r\nX-Auto-Response-Suppress: All\r\n"),
        "{sent}"
    );
    let fresh = mail(&kit, &message("News"));
    assert!(
        fresh.contains("List-Unsubscribe: <https://example.com/leave>\r\n"),
        "{fresh}"
    );
    assert!(
        fresh.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"),
        "{fresh}"
    );
    assert!(
        !fresh.contains("In-Reply-To") && !fresh.contains("Auto-Submitted"),
        "{fresh}"
    );
}

/// Attachments are pieces; put together they are a mail that reads as it was meant.
#[test]
fn attachments_are_streamed_in() {
    let mut with_files = message("Grüße 😀");
    with_files.content.html = Some("<p>Grüße 😀</p>".into());
    with_files.content.media = vec![file("Rechnung März.pdf"), file("b.pdf")];
    let Body::Pieces { bytes, pieces } = request(&kit(smtp()), &with_files).data else {
        panic!("no pieces");
    };
    let (mut whole, mut at, mut files) = (Vec::new(), 0, 0);
    for piece in &pieces {
        match piece {
            Piece::Bytes { len } => {
                let len = usize::try_from(*len).expect("small");
                whole.extend_from_slice(&bytes[at..at + len]);
                at += len;
            }
            Piece::Media { media, encoding } => {
                assert_eq!(*encoding, PieceEncoding::Base64Lines);
                assert_eq!(media.sha256.as_deref(), Some(FILE));
                whole.extend_from_slice(b"JVBERi0xLjQK\r\n");
                files += 1;
            }
        }
    }
    assert_eq!((at, files), (bytes.len(), 2));
    let read = only(kit(with(smtp(), &json!({"from": "other@example.net"}))).receive(&raw(whole)));
    assert_eq!(read.content.text.as_deref(), Some("Grüße 😀"));
    assert_eq!(read.content.html.as_deref(), Some("<p>Grüße 😀</p>"));
    let names: Vec<_> = read
        .content
        .media
        .iter()
        .map(|media| media.name.as_deref())
        .collect();
    assert_eq!(names, [Some("Rechnung März.pdf"), Some("b.pdf")]);
    assert!(
        read.content
            .media
            .iter()
            .all(|media| media.content_type.as_deref() == Some("application/pdf"))
    );
    assert_eq!(read.metadata["auto_reply_reason"], "our own mail came back");
}

#[test]
fn what_is_only_an_address_becomes_a_link() {
    let kit = kit(smtp());
    let mut linked = message("See:");
    let link = |url: &str| Media {
        source: MediaRef {
            url: Some(url.into()),
            ..MediaRef::default()
        },
        name: Some("terms".into()),
        ..Media::default()
    };
    linked.content.media = vec![link("https://example.org/a?b&c")];
    assert!(mail(&kit, &linked).ends_with("See:\r\n\r\nterms: https://example.org/a?b&c"));
    linked.content.html = Some("<b>See</b>".into());
    assert!(
        mail(&kit, &linked).contains("a?b&amp;c"),
        "{}",
        mail(&kit, &linked)
    );
    for url in ["javascript:alert(1)", "https://example.org/ x"] {
        linked.content.media = vec![link(url)];
        let error = kit.send(&linked, []).outcome.expect_err("no link");
        assert_eq!(
            (error.class, error.code.as_str()),
            (ErrorClass::Content, "no_attachment")
        );
    }
}

/// Nothing of a message can end a header or begin another.
#[test]
fn headers_can_not_be_injected() {
    let mut evil = message("Hi");
    evil.content.subject = Some("A\r\nBcc: eve@example.org\r\n\r\nbody".into());
    evil.reply_to = Some("x@y\r\nBcc: eve@example.org".into());
    evil.metadata
        .insert("references".into(), json!("a@b\r\nBcc: eve@example.org"));
    let mut named = file("a\"\r\nBcc: eve@example.org\r\n.pdf");
    named.content_type = Some("text/x\r\nBcc: eve@example.org".into());
    evil.content.media = vec![named];
    let Body::Pieces { bytes, .. } = request(&kit(smtp()), &evil).data else {
        panic!("no pieces");
    };
    let sent = String::from_utf8_lossy(&bytes).to_lowercase();
    assert!(
        !sent.contains("\nbcc:") && !sent.contains("\n bcc:"),
        "{sent}"
    );
    for to in [
        "ada",
        "ada@example.org, eve@example.org",
        "a b@example.org",
        "ada@example.org\r\nDATA",
        "ädä@example.org",
        "",
    ] {
        let mut message = message("Hi");
        message.to.identifier = to.into();
        let error = kit(smtp())
            .send(&message, [])
            .outcome
            .expect_err("no recipient");
        assert_eq!(error.class, ErrorClass::Recipient, "{to:?}");
    }
}

#[test]
fn bounces_come_back_with_our_id() {
    let kit = kit(with(
        smtp(),
        &json!({"bounce_address": "bounce@in.example.com"}),
    ));
    let request = request(&kit, &message("Hi"));
    assert_eq!(request.mail_from, format!("bounce+{ID}@in.example.com"));
}

#[test]
fn names_and_subjects_beyond_ascii() {
    let kit = kit(with(
        smtp(),
        &json!({"from": "Jürgen Groß <support@example.com>"}),
    ));
    let mut message = message("Hi");
    let subject =
        "Ihre Bestellung über 100 € ist unterwegs, und zwar seit heute früh um acht Uhr 😀";
    message.content.subject = Some(subject.into());
    let sent = mail(&kit, &message);
    assert!(sent.is_ascii() && !sent.contains("\"=?"), "{sent}");
    assert!(sent.lines().all(|line| line.len() <= 200), "{sent}");
    let read =
        only(super::kit(with(smtp(), &json!({"from": "x@example.net"}))).receive(&raw(sent)));
    assert_eq!(read.sender.name.as_deref(), Some("Jürgen Groß"));
    assert_eq!(read.content.subject.as_deref(), Some(subject));
}

#[test]
fn what_mail_can_not_carry_is_refused() {
    let kit = kit(smtp());
    let error = |change: fn(&mut OutboundMessage)| {
        let mut message = message("Hi");
        change(&mut message);
        kit.send(&message, []).outcome.expect_err("refused").code
    };
    assert_eq!(
        error(|message| message.content.template =
            Some(trunkline_plugin_api::TemplateCall::default())),
        "unsupported_content"
    );
    assert_eq!(
        error(|message| message.content.contacts = vec![Value::Null]),
        "unsupported_content"
    );
    assert_eq!(error(|message| message.content.text = None), "empty");
    let none = super::kit(json!({"inbound_secret": super::SECRET}));
    assert_eq!(
        none.send(&message("Hi"), [])
            .outcome
            .expect_err("none")
            .class,
        ErrorClass::Credentials
    );
}

/// An answer to a mail that came in threads by that mail's own id.
#[test]
fn a_conversation_there_and_back() {
    let kit = kit(smtp());
    let question = only(kit.receive(&raw(mails::mail("plain"))));
    let answer = OutboundMessage {
        reply_to: Some(question.id),
        ..message("42")
    };
    assert!(mail(&kit, &answer).contains("In-Reply-To: <plain@example.org>\r\n"));
    let reply = only(kit.receive(&raw(mails::mail("reply"))));
    assert_eq!(reply.reply_to, Some(format!("{ID}@example.com")));
}
