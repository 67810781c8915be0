//! Bounces, complaints and receipts: to which message they belong. What each says is in the fixtures.

use serde_json::json;
use trunkline_plugin_api::{ErrorClass, Event, ReportedStatus, StatusReport};

use super::{ADA, ID, kit, lmtp, mails::mail, only, raw, ses, smtp, with};

fn status(events: Vec<Event>) -> StatusReport {
    match <[Event; 1]>::try_from(events) {
        Ok([Event::Status(report)]) => report,
        other => panic!("not one report: {other:?}"),
    }
}

#[test]
fn a_bounce_fails_its_message() {
    let report = status(kit(smtp()).receive(&raw(mail("bounce_failed"))).events);
    assert_eq!(report.status, ReportedStatus::Failed);
    assert_eq!(report.external_id, format!("{ID}@example.com"));
    assert_eq!(report.reference.as_deref(), Some(ID));
    assert_eq!(report.address.as_deref(), Some("support@example.com"));
    assert_eq!(
        report.error.map(|error| error.class),
        Some(ErrorClass::Recipient)
    );
    let expired = status(kit(smtp()).receive(&raw(mail("bounce_expired"))).events);
    assert_eq!(
        expired.error.map(|error| error.class),
        Some(ErrorClass::Transient)
    );
}

/// The tag of the bounce address names the message, also where nothing of the mail came back.
#[test]
fn a_tag_is_enough() {
    let kit = kit(with(
        smtp(),
        &json!({"bounce_address": "bounce@in.example.com"}),
    ));
    let stripped = String::from_utf8(mail("bounce_failed")).expect("ASCII");
    let at = stripped
        .find("Content-Type: message/rfc822")
        .expect("the returned mail");
    let cut = format!(
        "{}--rep--\r\n",
        &stripped[..at].trim_end_matches("--rep\r\n")
    );
    let to = format!("Bounce+{ID}.2@In.Example.com");
    let report = status(kit.receive(&lmtp(cut.clone(), "", &to)).events);
    assert_eq!(report.reference, Some(format!("{ID}.2")));
    let unknown = only(kit.receive(&lmtp(cut, "", "bounce+no-id@in.example.com")));
    assert_eq!(unknown.metadata["auto_reply"], true);
}

/// A bounce of a mail that we did not send is only a machine's mail.
#[test]
fn strangers_bounces_are_messages() {
    let message = only(kit(smtp()).receive(&raw(mail("bounce_of_a_stranger"))));
    assert_eq!(message.metadata["auto_reply"], true);
}

/// SES makes the Message-ID: its first half is what it answered with.
#[test]
fn bounces_of_ses_find_their_message() {
    let kit = kit(with(ses(), &json!({"inbound_secret": super::SECRET})));
    let bounce = String::from_utf8(mail("bounce_failed")).expect("ASCII");
    let own_id = format!("<{ID}@example.com>");
    let bounce = bounce.replace(&own_id, "<0102018-000000@eu-west-1.amazonses.com>");
    let report = status(kit.receive(&raw(bounce)).events);
    assert_eq!(report.external_id, "0102018-000000");
    assert_eq!(report.reference.as_deref(), Some(ID));
    let reply = String::from_utf8(mail("reply")).expect("ASCII");
    let reply = reply.replace(&own_id, "<0102018-000000@eu-west-1.amazonses.com>");
    assert_eq!(
        only(kit.receive(&raw(reply))).reply_to.as_deref(),
        Some("0102018-000000")
    );
}

#[test]
fn a_complaint_opts_out() {
    let events = kit(smtp()).receive(&raw(mail("complaint"))).events;
    let [Event::Consent(consent)] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(consent.identity.identifier, ADA);
    let not_spam = String::from_utf8(mail("complaint"))
        .expect("ASCII")
        .replace("abuse", "not-spam");
    only(kit(smtp()).receive(&raw(not_spam)));
}

#[test]
fn only_displayed_is_read() {
    let receipt = String::from_utf8(mail("read_receipt")).expect("ASCII");
    assert_eq!(
        status(kit(smtp()).receive(&raw(receipt.clone())).events).status,
        ReportedStatus::Read
    );
    let deleted = receipt.replace("; displayed", "; deleted");
    assert_eq!(
        status(kit(smtp()).receive(&raw(deleted)).events).status,
        ReportedStatus::Delivered
    );
}
