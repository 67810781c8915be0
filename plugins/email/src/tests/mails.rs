//! Real-world shapes of mail. What must be made of each is in the fixtures.

use std::{fs, path::PathBuf};

use trunkline_plugin_api::{
    MediaEncoding, Response,
    testkit::{self, Fixtures, Inbound, Tampering},
};

use super::{ADA, kit, lmtp, only, raw, smtp};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/tests/mails")
}

/// Names and mails, in order.
pub(super) fn mails() -> Vec<(String, Vec<u8>)> {
    let mut mails = Vec::new();
    for entry in fs::read_dir(folder()).expect("the folder of mails") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "eml") {
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            mails.push((name, fs::read(&path).expect("a mail")));
        }
    }
    mails.sort();
    assert!(mails.len() > 25, "the mails are gone");
    mails
}

pub(super) fn mail(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.eml"))).expect("a mail")
}

/// A shared secret does not cover the body, so changed mails can't be told; they must not panic.
#[test]
fn the_kit_is_content() {
    let kit = kit(smtp());
    let inbound = mails().into_iter().map(|(name, mail)| {
        let request = raw(mail);
        Inbound {
            name: name.leak(),
            want: kit.receive(&request),
            request,
        }
    });
    let fixtures = Fixtures {
        inbound: inbound.collect(),
        sends: Vec::new(),
        tampering: Tampering::Unseen,
    };
    testkit::check::<crate::Email>(smtp(), &fixtures);
}

/// What an attachment's range cuts out of the body is the attachment.
#[test]
fn ranges_cut_out_the_attachments() {
    let kit = kit(smtp());
    let cut = |name: &str, index: usize| {
        let body = mail(name);
        let message = only(kit.receive(&raw(body.clone())));
        let range = message.content.media[index].source.range.expect("a range");
        assert_eq!(range.part, 1);
        let start = usize::try_from(range.offset).expect("an offset");
        let len = usize::try_from(range.len).expect("a length");
        (body[start..start + len].to_vec(), range.encoding)
    };
    let (picture, encoding) = cut("alternative_related_mixed", 0);
    assert_eq!(encoding, MediaEncoding::Base64);
    let picture: String = String::from_utf8(picture)
        .expect("ASCII")
        .split_whitespace()
        .collect();
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(
        trunkline_plugin_api::sign::from_base64(&picture),
        Some(bytes)
    );
    let (list, encoding) = cut("alternative_related_mixed", 1);
    assert_eq!(
        (list.as_slice(), encoding),
        (&b"a;b=3B"[..], MediaEncoding::QuotedPrintable)
    );
    let (file, encoding) = cut("alternative_related_mixed", 2);
    assert_eq!(
        (file.as_slice(), encoding),
        (&b"raw bytes"[..], MediaEncoding::Identity)
    );
    let (inner, _) = cut("forwarded_message", 0);
    assert!(
        inner.starts_with(b"From: Bob") && inner.ends_with(b"--b2--\r\n"),
        "{inner:?}"
    );
}

/// The listener's envelope names the recipient; it needs no proof.
#[test]
fn by_lmtp() {
    let received = kit(smtp()).receive(&lmtp(mail("plain"), ADA, "Support+Vip@example.com"));
    assert_eq!(received.response, Response::status(200));
    let message = only(received);
    assert_eq!(message.address.as_deref(), Some("support@example.com"));
    assert_eq!(message.id, "plain@example.org support@example.com");
    assert_eq!(message.metadata["envelope_to"], "support+vip@example.com");
    assert!(!message.metadata.contains_key("auto_reply"));
    let null = only(kit(smtp()).receive(&lmtp(mail("plain"), "", "support@example.com")));
    assert_eq!(null.metadata["auto_reply_reason"], "null return path");
}

/// One mail to two of our addresses is two messages; the same copy twice is one.
#[test]
fn ids_name_the_copy() {
    let kit = kit(smtp());
    let id = |to: &str| only(kit.receive(&lmtp(mail("plain"), ADA, to))).id;
    assert_eq!(id("support@example.com"), id("support@example.com"));
    assert_ne!(id("support@example.com"), id("sales@example.com"));
    let hashed = only(kit.receive(&raw(mail("missing_headers")))).id;
    assert!(
        hashed.starts_with("sha256:") && hashed.len() < 90,
        "{hashed}"
    );
}

#[test]
fn what_is_no_mail_is_kept() {
    for body in ["", "\r\n\r\n", "no header at all", "From \n"] {
        let received = kit(smtp()).receive(&raw(body));
        assert!(received.unparsed.is_some(), "{body:?}: {received:?}");
        assert_eq!(received.response.status, 200);
    }
}
