//! The folder of fixture cases, made of what the other tests hold (`UPDATE_FIXTURES=1` writes it).

use serde_json::{Value, json};
use trunkline_plugin_api::{
    FileReply, HttpReply, MediaRef, Part, Reply, TransportKind,
    testkit::{Channel, Folder, Tampering, json_reply, post, reply, transport},
};

use super::{
    ADA, FILE, HOOK, ID, SECRET, lmtp,
    mails::{mail, mails},
    message, raw, resend, ses, signed, smtp,
    smtp::{answered, file},
    with,
};
use crate::Email;

const MAIL: &str = "00000000-0000-4000-8000-000000000001";

#[test]
fn fixtures() {
    let mut folder = Folder::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"));
    let config = with(smtp(), &json!({"bounce_address": "bounce@in.example.com"}));
    let mut own = folder.channel::<Email>("smtp", &config);
    // A shared secret, or the daemon's own word, beside the mail.
    own.tampering = Tampering::Unseen;
    mails_in(&mut own);
    by_smtp(&mut own);
    let mut at_ses = folder.channel::<Email>("ses", &ses());
    by_ses(&mut at_ses);
    let mut at_resend = folder.channel::<Email>("resend", &resend());
    reports(&mut at_resend);
    by_resend(&mut at_resend);
    held_mail(&mut at_resend);
    folder.finish();
}

fn mails_in(cases: &mut Channel<'_, Email>) {
    for (name, mail) in mails() {
        let about = format!("The mail {name}.eml, posted.");
        cases.receive(&format!("mail_{name}"), &about, &raw(mail));
    }
    let plain = || mail("plain");
    let by_lmtp = lmtp(plain(), ADA, "Support+Vip@example.com");
    cases.receive(
        "lmtp",
        "By the daemon's own door, with an envelope.",
        &by_lmtp,
    );
    let null = lmtp(plain(), "", "support@example.com");
    cases.receive("lmtp_null_path", "A machine's: no return path.", &null);
    let tag = format!("Bounce+{ID}.2@In.Example.com");
    let bounce = lmtp(mail("bounce_failed"), "", &tag);
    cases.receive("lmtp_bounce", "A bounce to the tagged address.", &bounce);
    cases.receive("unparsed", "What is no mail.", &raw("no header at all"));
    let bare = post(HOOK, "message/rfc822", plain());
    cases.receive("refused_unsigned", "No secret.", &bare);
    let mut wrong = bare.clone();
    wrong
        .headers
        .push(("x-webhook-secret".into(), "a guess".into()));
    cases.receive("refused_mismatch", "A wrong one.", &wrong);
    let mut beside = bare;
    beside
        .headers
        .push(("x-webhook-secret".into(), SECRET.into()));
    cases.receive("in_by_header", "The secret in its own header.", &beside);
}

fn by_smtp(cases: &mut Channel<'_, Email>) {
    let hello = message("It is on its way.\nYours");
    cases.send(
        "send_text",
        "A mail that the server takes.",
        &hello,
        [answered(250, None)],
    );
    let mut answer = message("Grüße");
    answer.content.html = Some("<p>Grüße</p>".into());
    answer.content.media = vec![file("a.pdf")];
    answer.reply_to = Some("q1@example.org support@example.com".into());
    answer.part = Some(Part { index: 1, count: 2 });
    let taken = [answered(250, None)];
    cases.send(
        "send_attachment",
        "An answer in two forms, with a file.",
        &answer,
        taken,
    );
    let rows = [
        ("send_throttled", "Too fast.", answered(421, Some("4.7.28"))),
        ("send_later", "Greylisted.", answered(451, Some("4.7.1"))),
        (
            "send_recipient",
            "Nobody there.",
            answered(550, Some("5.1.1")),
        ),
        (
            "send_credentials",
            "A wrong password.",
            answered(535, Some("5.7.8")),
        ),
        (
            "send_content",
            "Refused for what it says.",
            answered(554, Some("5.6.0")),
        ),
        (
            "send_lost",
            "No answer: perhaps it was taken.",
            transport(TransportKind::TimeoutAfterSend),
        ),
    ];
    for (name, about, reply) in rows {
        cases.send(name, about, &message("Hi"), [reply]);
    }
    cases.probe(
        "probe_healthy",
        "The server takes us.",
        [answered(250, None)],
    );
    cases.probe(
        "probe_refused",
        "It refuses the password.",
        [answered(535, Some("5.7.8"))],
    );
}

fn by_ses(cases: &mut Channel<'_, Email>) {
    let taken = || json_reply(200, &json!({"MessageId": "0102018-000000"}));
    cases.send("send_text", "A mail, signed.", &message("Hi"), [taken()]);
    let mut with_file = message("Hi");
    with_file.content.media = vec![file("a.pdf")];
    let digest = Reply::Digest(FileReply {
        sha256: FILE.into(),
        size: 9,
    });
    let about = "A file: its digest first, since the signature covers it.";
    cases.send("send_attachment", about, &with_file, [digest, taken()]);
    let refused =
        |status, kind: &str| json_reply(status, &json!({"__type": kind, "message": "no"}));
    let slow = refused(429, "TooManyRequestsException");
    cases.send("send_throttled", "Too fast.", &message("Hi"), [slow]);
    let rejected = refused(400, "MessageRejected");
    cases.send("send_rejected", "Refused.", &message("Hi"), [rejected]);
    let lost = transport(TransportKind::TimeoutAfterSend);
    cases.send(
        "send_lost",
        "No answer: perhaps it was sent.",
        &message("Hi"),
        [lost],
    );
    let account = json!({
        "SendingEnabled": true, "ProductionAccessEnabled": true, "EnforcementStatus": "PROBATION",
        "SendQuota": {"Max24HourSend": 200.0, "MaxSendRate": 1.0, "SentLast24Hours": 50.0},
    });
    cases.probe(
        "probe_degraded",
        "On probation.",
        [json_reply(200, &account)],
    );
    let refused = refused(403, "SignatureDoesNotMatch");
    cases.probe("probe_refused", "The key is refused.", [refused]);
    cases.receive(
        "refused_no_secret",
        "Nothing comes in here.",
        &raw(mail("plain")),
    );
}

fn webhook(kind: &str, more: &Value) -> Value {
    let data = json!({
        "email_id": "e1", "created_at": "2026-01-01T12:00:00.000Z", "from": "Support <Support@example.com>",
        "to": ["Ada@example.org"], "subject": "Your order", "tags": {"trunkline_message": ID},
    });
    json!({"type": kind, "created_at": "2026-01-01T12:00:01.000Z", "data": with(data, more)})
}

fn reports(cases: &mut Channel<'_, Email>) {
    let bounce = json!({"bounce": {"type": "Permanent", "subType": "General", "message": "no"}});
    let rows = [
        (
            "status_sent",
            "A report.",
            webhook("email.sent", &json!({})),
        ),
        (
            "status_delivered",
            "A later one.",
            webhook("email.delivered", &json!({})),
        ),
        (
            "status_read",
            "It was opened.",
            webhook("email.opened", &json!({})),
        ),
        (
            "status_bounced",
            "It came back.",
            webhook("email.bounced", &bounce),
        ),
        (
            "opt_out",
            "A complaint is an opt-out.",
            webhook("email.complained", &json!({})),
        ),
        (
            "note",
            "What is not known is a note.",
            webhook("domain.updated", &json!({})),
        ),
        (
            "unparsed",
            "Genuine, but no event.",
            json!({"type": 7, "data": {}}),
        ),
    ];
    for (name, about, body) in rows {
        cases.receive(name, about, &signed(&body));
    }
    let sent = webhook("email.sent", &json!({}));
    let bare = post(HOOK, "application/json", sent.to_string());
    cases.receive("refused_unsigned", "No signature.", &bare);
    let mut changed = signed(&sent);
    changed.body.to_mut()[2] ^= 1;
    cases.receive("refused_mismatch", "A changed body.", &changed);
    let mut late = signed(&sent);
    late.received_at_ms += 301_000;
    cases.receive("refused_expired", "Five minutes old.", &late);
}

fn by_resend(cases: &mut Channel<'_, Email>) {
    let taken = Reply::Http(HttpReply {
        status: 200,
        headers: vec![("ratelimit-remaining".into(), "1".into())],
        body: br#"{"id":"49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}"#.to_vec(),
        file: None,
    });
    cases.send(
        "send_text",
        "A mail that Resend takes.",
        &message("Hi"),
        [taken.clone()],
    );
    let mut with_file = message("Hi");
    with_file.content.media = vec![file("ä \"b\".pdf")];
    cases.send(
        "send_attachment",
        "A file, streamed into the JSON.",
        &with_file,
        [taken],
    );
    let refused = |status, name: &str| json_reply(status, &json!({"name": name, "message": "no"}));
    let rows = [
        (
            "send_throttled",
            "Too fast.",
            refused(429, "rate_limit_exceeded"),
        ),
        (
            "send_refused",
            "No valid mail.",
            refused(422, "validation_error"),
        ),
        (
            "send_credentials",
            "The key is refused.",
            refused(401, "missing_api_key"),
        ),
        (
            "send_lost",
            "No answer.",
            transport(TransportKind::TimeoutAfterSend),
        ),
    ];
    for (name, about, reply) in rows {
        cases.send(name, about, &message("Hi"), [reply]);
    }
    let domain = |status: &str| {
        json_reply(
            200,
            &json!({"data": [{"name": "example.com", "status": status}]}),
        )
    };
    cases.probe("probe_healthy", "A verified domain.", [domain("verified")]);
    cases.probe("probe_pending", "One that is not.", [domain("pending")]);
}

fn held_mail(cases: &mut Channel<'_, Email>) {
    let announced = json!({
        "email_id": MAIL, "created_at": "2026-01-01T12:00:00.000Z", "from": "Ada <Ada@example.org>",
        "to": ["help@example.com", "support@example.com"], "cc": [], "bcc": [], "message_id": "<a1@example.org>",
        "subject": "Re: Order 42",
        "attachments": [{"id": "at1", "filename": "a.png", "content_type": "image/png", "content_id": "img1", "size": 10}],
    });
    let body = json!({"type": "email.received", "created_at": "2026-01-01T12:00:00.000Z", "data": announced});
    cases.receive("in_announced", "A mail is only announced.", &signed(&body));
    let mail = with(
        announced.clone(),
        &json!({
            "id": MAIL, "text": "Hello\r\n", "html": "<p>Hello</p>",
            "headers": {"in-reply-to": format!("<{ID}@example.com>"), "references": "<x@y>"},
        }),
    );
    cases.complete(
        "complete",
        "It is fetched.",
        &announced,
        [json_reply(200, &mail)],
    );
    cases.complete(
        "complete_gone",
        "It is gone: what was announced is the message.",
        &announced,
        [reply(404, "{}")],
    );
    cases.complete("complete_later", "Not now.", &announced, [reply(500, "")]);
    let picture = MediaRef {
        provider_id: Some(format!("{MAIL}/at1")),
        ..MediaRef::default()
    };
    let about = json!({"download_url": "https://cdn.example.com/x?signature=1"});
    let bytes = Reply::Http(HttpReply {
        status: 200,
        headers: vec![("content-type".into(), "image/png".into())],
        body: Vec::new(),
        file: Some(FileReply {
            sha256: FILE.into(),
            size: 10,
        }),
    });
    let replies = [json_reply(200, &about), bytes];
    cases.fetch_media(
        "media",
        "An attachment, by a signed link.",
        &picture,
        replies,
    );
    cases.fetch_media(
        "media_gone",
        "It is gone.",
        &picture,
        [json_reply(200, &about), reply(404, "")],
    );
}
