//! The folder of fixture cases, made of what the other tests hold (`UPDATE_FIXTURES=1` writes it).

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Content, FileReply, HttpReply, Media, MediaRef, OutboundMessage, Reply, TransportKind,
    WebhookRequest,
    testkit::{self, Channel, Folder, json_reply, post, reply, transport},
};

use super::{
    ADA, HOOK, ID, KEY, REFERENCE, SECRET, UUID, claims, form, get, hs256, inbound, json_body,
    messages, sms, tokened, with, with_token,
};
use crate::Vonage;

const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn fixtures() {
    let mut folder = Folder::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"));
    let mut by_sms = folder.channel::<Vonage>("sms", &sms());
    sms_in(&mut by_sms);
    receipts(&mut by_sms);
    sms_out(&mut by_sms);
    let mut by_messages = folder.channel::<Vonage>("messages", &messages());
    messages_in(&mut by_messages);
    statuses(&mut by_messages);
    refused(&mut by_messages);
    messages_out(&mut by_messages);
    folder.finish();
}

fn sms_in(cases: &mut Channel<'_, Vonage>) {
    let text = inbound(&[("text", "Hello there & more = 😀 "), ("keyword", "HELLO")]);
    cases.receive("in_text", "A text as a form, signed.", &form(&text));
    cases.receive("in_text_by_get", "The same by GET.", &get(&text));
    cases.receive("in_text_json", "The same as JSON.", &json_body(&text));
    let part = inbound(&[
        ("text", "the second half"),
        ("type", "unicode"),
        ("concat", "true"),
        ("concat-ref", "108"),
        ("concat-total", "3"),
        ("concat-part", "2"),
    ]);
    cases.receive("in_part", "A part of a longer message.", &form(&part));
    let binary = inbound(&[
        ("type", "binary"),
        ("data", "0011FFEE"),
        ("udh", "050003120301"),
    ]);
    cases.receive("in_binary", "Bytes.", &json_body(&binary));
    cases.receive(
        "unparsed",
        "Genuine, but it says nothing.",
        &form(&[("api-key", KEY)]),
    );
    let mut unsigned = form(&text);
    let body = String::from_utf8_lossy(&unsigned.body).into_owned();
    let at = body.find("&sig=").expect("a signature");
    unsigned.body = body[..at].into();
    cases.receive("refused_unsigned", "No signature.", &unsigned);
    let mut changed = form(&text);
    changed.body = body.replace("Hello", "Hallo").into();
    cases.receive("refused_mismatch", "A changed text.", &changed);
    let mut late = form(&text);
    late.received_at_ms += 3_600_000;
    cases.receive("refused_expired", "An hour old.", &late);
}

fn receipts(cases: &mut Channel<'_, Vonage>) {
    let receipt = |status, code| {
        let params = [
            ("api-key", KEY),
            ("msisdn", "447700900001"),
            ("to", "447700900000"),
            ("network-code", "23410"),
            ("messageId", ID),
            ("price", "0.03330000"),
            ("status", status),
            ("scts", "2601010000"),
            ("err-code", code),
            ("client-ref", REFERENCE),
            ("message-timestamp", "2026-01-01 00:00:00"),
        ];
        get(&params)
    };
    cases.receive("status_delivered", "A receipt.", &receipt("delivered", "0"));
    cases.receive("status_sent", "An earlier one.", &receipt("buffered", "0"));
    cases.receive(
        "status_failed",
        "A failure with a code.",
        &receipt("failed", "6"),
    );
    cases.receive(
        "status_unknown",
        "A word of tomorrow is a note.",
        &receipt("pondering", "1"),
    );
}

fn hello() -> OutboundMessage {
    testkit::message("phone", ADA, "Hi")
}

fn sms_out(cases: &mut Channel<'_, Vonage>) {
    let answer = |status: &str| {
        let one = json!({"status": status, "message-id": "0C1", "error-text": "no"});
        json_reply(200, &json!({"message-count": "1", "messages": [one]}))
    };
    let mut unicode = testkit::message("phone", ADA, "it’s 😀 ");
    unicode.callback_url = Some(format!("{HOOK}?message={REFERENCE}"));
    cases.send(
        "send_text",
        "A text that Vonage takes.",
        &hello(),
        [answer("0")],
    );
    cases.send(
        "send_unicode",
        "Beyond GSM, with a callback.",
        &unicode,
        [answer("0")],
    );
    let halves = json!({"message-count": "2", "messages": [
        {"status": "0", "message-id": "0C1"}, {"status": "1", "error-text": "throttled"},
    ]});
    cases.send(
        "send_half",
        "One part was taken, the other was not.",
        &hello(),
        [json_reply(200, &halves)],
    );
    let rows = [
        ("send_throttled", "Too fast.", answer("1")),
        ("send_recipient", "Refused by the network.", answer("7")),
        ("send_credentials", "The secret is refused.", answer("4")),
        (
            "send_lost",
            "No answer: perhaps it was sent.",
            transport(TransportKind::TimeoutAfterSend),
        ),
        (
            "send_unreadable",
            "An answer that says nothing.",
            reply(200, "<html>"),
        ),
    ];
    for (name, about, reply) in rows {
        cases.send(name, about, &hello(), [reply]);
    }
    cases.send(
        "send_empty",
        "Nothing to send: no call.",
        &testkit::message("phone", ADA, ""),
        [],
    );
    cases.find_sent("find_unsure", "Vonage has no look-up.", &hello(), []);
    let balance = |value: f64| json_reply(200, &json!({"value": value, "autoReload": false}));
    cases.probe("probe_healthy", "Credit enough.", [balance(29.18)]);
    cases.probe("probe_degraded", "Little credit.", [balance(0.42)]);
    cases.probe("probe_refused", "The secret is refused.", [reply(401, "")]);
}

fn webhook(channel: &str, more: &Value) -> WebhookRequest {
    let base = json!({
        "message_uuid": UUID, "to": "447700900000", "from": "447700900001",
        "timestamp": "2026-01-01T00:00:00.000Z", "channel": channel,
    });
    tokened(&with(base, more))
}

fn messages_in(cases: &mut Channel<'_, Vonage>) {
    let text = webhook(
        "sms",
        &json!({"message_type": "text", "text": "hello", "sms": {"num_messages": "1"}}),
    );
    cases.receive(
        "in_text",
        "A text with a token that holds the body's hash.",
        &text,
    );
    let image = json!({"message_type": "image", "image": {"url": "https://api.nexmo.com/v3/media/1", "name": "a.jpg"}});
    cases.receive("in_mms", "A picture.", &webhook("mms", &image));
    let place = json!({
        "message_type": "location", "profile": {"name": "Ada"},
        "location": {"lat": 52.5, "long": -13.25, "name": "Office", "address": "1 Main Street"},
    });
    cases.receive(
        "in_place",
        "A place on WhatsApp.",
        &webhook("whatsapp", &place),
    );
    let chosen = json!({"message_type": "reply", "reply": {"id": "row1", "title": "9am", "description": "Nine"}});
    cases.receive(
        "in_choice",
        "An entry of a list.",
        &webhook("whatsapp", &chosen),
    );
    let reaction = json!({
        "message_type": "reaction", "reaction": {"action": "react", "emoji": "👍"},
        "context": {"message_uuid": "the-one-before"},
    });
    cases.receive(
        "in_reaction",
        "A reaction.",
        &webhook("whatsapp", &reaction),
    );
    let order = json!({"message_type": "order", "order": {"catalog_id": "1", "product_items": []}});
    cases.receive(
        "in_unknown",
        "A kind of tomorrow.",
        &webhook("whatsapp", &order),
    );
    let older = json!({
        "message_uuid": UUID, "timestamp": "2026-01-01T00:00:00.000Z",
        "to": {"type": "sms", "number": "447700900000"}, "from": {"type": "sms", "number": "447700900001"},
        "message": {"content": {"type": "text", "text": "hello"}},
    });
    cases.receive("in_older", "The older version.", &tokened(&older));
    cases.receive("unparsed", "Genuine, but no message.", &tokened(&json!([])));
}

fn statuses(cases: &mut Channel<'_, Vonage>) {
    let status = |word: &str, more: &Value| {
        let base = json!({
            "message_uuid": UUID, "to": "447700900001", "from": "447700900000",
            "timestamp": "2026-01-01T00:00:00.000Z", "status": word, "channel": "sms", "client_ref": REFERENCE,
        });
        tokened(&with(base, more))
    };
    cases.receive(
        "status_delivered",
        "A status.",
        &status("delivered", &json!({})),
    );
    let error = json!({"error": {"type": "https://developer.vonage.com/api-errors/messages#1240", "title": 1240, "detail": "No"}});
    cases.receive(
        "status_rejected",
        "A failure with a code.",
        &status("rejected", &error),
    );
    cases.receive(
        "status_unknown",
        "A word of tomorrow is a note.",
        &status("pondered", &json!({})),
    );
}

fn refused(cases: &mut Channel<'_, Vonage>) {
    let body = json!({"message_uuid": UUID, "from": "447700900001", "text": "hi"}).to_string();
    let bare = post(HOOK, "application/json", body.clone());
    cases.receive("refused_unsigned", "No token.", &bare);
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let claims = claims(body.as_bytes());
    let forged = hs256("another secret", &header, &claims);
    cases.receive(
        "refused_mismatch",
        "A token of somebody else.",
        &with_token(body.clone(), &forged),
    );
    let genuine = hs256(SECRET, &header, &claims);
    let other = body.replace("hi", "ho");
    cases.receive(
        "refused_body",
        "The token of another body.",
        &with_token(other, &genuine),
    );
    let none = hs256(SECRET, &json!({"alg": "none"}), &claims);
    cases.receive(
        "refused_algorithm",
        "A token that signs nothing.",
        &with_token(body.clone(), &none),
    );
    let mut late = with_token(body, &genuine);
    late.received_at_ms += 86_400_000;
    cases.receive("refused_expired", "A day old.", &late);
}

fn messages_out(cases: &mut Channel<'_, Vonage>) {
    let taken = || json_reply(202, &json!({"message_uuid": UUID}));
    cases.send(
        "send_text",
        "A text, with a token of the application.",
        &hello(),
        [taken()],
    );
    let media = Media {
        source: MediaRef {
            url: Some("https://m.example/1.png".into()),
            ..MediaRef::default()
        },
        content_type: Some("image/png".into()),
        ..Media::default()
    };
    let picture = OutboundMessage {
        content: Content {
            media: vec![media],
            ..Content::text("Look")
        },
        ..hello()
    };
    cases.send("send_mms", "A picture.", &picture, [taken()]);
    let problem = |status, kind: &str| {
        let kind = format!("https://developer.nexmo.com/api-errors{kind}");
        json_reply(
            status,
            &json!({"type": kind, "title": "no", "detail": "no"}),
        )
    };
    let rows = [
        ("send_throttled", "Too fast.", problem(429, "#throttled")),
        (
            "send_recipient",
            "No valid number.",
            problem(422, "/messages#1170"),
        ),
        (
            "send_opted_out",
            "The person said STOP.",
            problem(403, "/messages#1240"),
        ),
        (
            "send_credentials",
            "The token is refused.",
            problem(401, "#unauthorized"),
        ),
        (
            "send_lost",
            "No answer: perhaps it was sent.",
            transport(TransportKind::TimeoutAfterSend),
        ),
    ];
    for (name, about, reply) in rows {
        cases.send(name, about, &hello(), [reply]);
    }
    let at = |url: &str| MediaRef {
        url: Some(url.into()),
        ..MediaRef::default()
    };
    let file = || {
        Reply::Http(HttpReply {
            status: 200,
            headers: vec![("content-type".into(), "image/jpeg".into())],
            body: Vec::new(),
            file: Some(FileReply {
                sha256: SHA.into(),
                size: 7,
            }),
        })
    };
    let own = at("https://api.nexmo.com/v3/media/1");
    cases.fetch_media("media", "At Vonage, with the token.", &own, [file()]);
    let foreign = at("https://files.example.org/1?sig=a");
    cases.fetch_media("media_elsewhere", "Elsewhere, without.", &foreign, [file()]);
    cases.fetch_media("media_gone", "It was deleted.", &own, [reply(410, "")]);
}
