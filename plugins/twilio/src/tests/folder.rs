//! The folder of fixture cases, made of what the other tests hold (`UPDATE_FIXTURES=1` writes it).

mod whatsapp;

use serde_json::{Value, json};
use trunkline_plugin_api::{
    FileReply, HttpReply, Identity, Media, MediaRef, OutboundMessage, Reply, Sent, TransportKind,
    sign,
    testkit::{self, Channel, Folder, NOW_MS, json_reply, reply, transport},
};

use super::{
    ACCOUNT, ADA, HOOK, Pairs, TOKEN, US, config_with, encoded, message, signature, signed,
    signed_get, with_signature,
};
use crate::Twilio;

const SENT: &str = "SM00000000000000000000000000000003";
const REFERENCE: &str = "0198b2a0-0000-7000-8000-000000000001";
const PICTURE: &str = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1";
const TEMPLATE: &str = "HX00000000000000000000000000000001";
const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn fixtures() {
    let mut folder = Folder::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"));
    let keys = json!({"shared_keys": {"K1": "shared-secret-new"}});
    let mut sms = folder.channel::<Twilio>("sms", &config_with(&keys));
    inbound(&mut sms);
    otherwise_signed(&mut sms);
    callbacks(&mut sms);
    refused(&mut sms);
    sends(&mut sms);
    failed_sends(&mut sms);
    lookups(&mut sms);
    backfill(&mut sms);
    reads(&mut sms);
    let from = json!({"from": "whatsapp:+15005550102"});
    let mut whatsapp_sender = folder.channel::<Twilio>("whatsapp", &config_with(&from));
    whatsapp::inbound(&mut whatsapp_sender);
    whatsapp::sends(&mut whatsapp_sender);
    whatsapp::templates(&mut whatsapp_sender);
    folder.finish();
}

fn hello() -> OutboundMessage {
    testkit::message("phone", ADA, "Hi")
}

fn taken() -> Reply {
    let body = json!({"sid": SENT, "status": "queued", "num_segments": "1", "error_code": null});
    json_reply(201, &body)
}

fn refusal(status: u16, code: u32) -> Reply {
    let more = format!("https://www.twilio.com/docs/errors/{code}");
    let body = json!({"code": code, "message": "no", "more_info": more, "status": status});
    json_reply(status, &body)
}

fn inbound(cases: &mut Channel<'_, Twilio>) {
    let text: Pairs<'_> = &[
        ("Body", "Hello & welcome: 50% off? é😀 "),
        ("NumMedia", "0"),
        ("NumSegments", "1"),
        ("FromCity", "SPRINGFIELD"),
    ];
    let form = signed(HOOK, &message(text));
    cases.receive("in_text", "A text, signed.", &form);
    let get = signed_get(&format!("{HOOK}?{}", encoded(&message(text))));
    cases.receive(
        "in_text_by_get",
        "The same by GET, where the URL is all that is signed.",
        &get,
    );
    let picture: Pairs<'_> = &[
        ("Body", "Look"),
        ("NumMedia", "1"),
        ("MediaUrl0", PICTURE),
        ("MediaContentType0", "image/png"),
    ];
    cases.receive(
        "in_mms",
        "A picture with text.",
        &signed(HOOK, &message(picture)),
    );
    let stop: Pairs<'_> = &[("Body", "STOP"), ("OptOutType", "STOP")];
    cases.receive(
        "in_opt_out",
        "STOP, which Twilio has recorded itself.",
        &signed(HOOK, &message(stop)),
    );
    let help: Pairs<'_> = &[("Body", "HELP"), ("OptOutType", "HELP")];
    cases.receive(
        "in_help",
        "HELP, which Twilio has answered itself.",
        &signed(HOOK, &message(help)),
    );
}

fn otherwise_signed(cases: &mut Channel<'_, Twilio>) {
    let mut params = message(&[("Body", "Hi")]);
    params.sort_unstable();
    let pairs = params.iter().map(|(name, value)| [*name, *value].concat());
    let text = HOOK.to_owned() + &pairs.collect::<String>();
    let mac = sign::hmac_sha256(b"shared-secret-new", text.as_bytes());
    let mut shared = with_signature(testkit::form(HOOK, &encoded(&params)), &sign::base64(&mac));
    let settings = "key=K1,algorithm=HMAC_SHA256".to_owned();
    shared
        .headers
        .push(("x-twilio-webhooks-signature-settings".into(), settings));
    cases.receive(
        "in_text_shared_key",
        "Signed with a shared key, by HMAC-SHA256.",
        &shared,
    );
    let body = r#"{"property": "value", "boolean": true}"#;
    let hash = sign::hex(&sign::sha256(body.as_bytes()));
    let url = format!("{HOOK}?bodySHA256={hash}");
    let json = with_signature(
        testkit::post(&url, "application/json", body),
        &signature(TOKEN, &url, &[]),
    );
    cases.receive(
        "in_json",
        "JSON, bound by its hash in the signed URL.",
        &json,
    );
    let nameless: Pairs<'_> = &[("From", ADA), ("Body", "Hi")];
    cases.receive(
        "in_unparsed",
        "Genuine, but it names no message.",
        &signed(HOOK, nameless),
    );
}

fn callbacks(cases: &mut Channel<'_, Twilio>) {
    let url = format!("{HOOK}?message={REFERENCE}");
    let callback = |word, code| {
        let params = [
            ("MessageSid", SENT),
            ("AccountSid", ACCOUNT),
            ("From", US),
            ("To", ADA),
            ("MessageStatus", word),
            ("ErrorCode", code),
        ];
        signed(&url, &params)
    };
    cases.receive(
        "status_delivered",
        "A status callback.",
        &callback("delivered", "0"),
    );
    cases.receive("status_sent", "An earlier one.", &callback("sent", ""));
    cases.receive(
        "status_failed",
        "A failure with Twilio's code.",
        &callback("undelivered", "30003"),
    );
    cases.receive(
        "status_unknown",
        "A word of tomorrow is a note.",
        &callback("pondering", ""),
    );
}

fn refused(cases: &mut Channel<'_, Twilio>) {
    let params = message(&[("Body", "Hi")]);
    let bare = testkit::form(HOOK, &encoded(&params));
    cases.receive("refused_unsigned", "No signature.", &bare);
    let forged = with_signature(bare, &signature("another-token", HOOK, &params));
    cases.receive("refused_mismatch", "A signature of somebody else.", &forged);
    let foreign = message(&[("Body", "Hi"), ("AccountSid", "AC9")]);
    cases.receive(
        "refused_account",
        "Signed, but of another account.",
        &signed(HOOK, &foreign),
    );
}

fn sends(cases: &mut Channel<'_, Twilio>) {
    cases.send(
        "send_text",
        "A text that Twilio takes.",
        &hello(),
        [taken()],
    );
    let media = Media {
        source: MediaRef {
            url: Some("https://m.example/1".into()),
            ..MediaRef::default()
        },
        ..Media::default()
    };
    let mut full = hello();
    full.content.media = vec![media];
    full.callback_url = Some(format!("{HOOK}?message={REFERENCE}"));
    cases.send("send_mms", "A picture, with a callback.", &full, [taken()]);
}

fn failed_sends(cases: &mut Channel<'_, Twilio>) {
    let wait = Reply::Http(HttpReply {
        status: 429,
        headers: vec![("retry-after".into(), "7".into())],
        body: br#"{"code": 20429, "message": "Too many requests", "status": 429}"#.to_vec(),
        file: None,
    });
    cases.send("send_throttled", "Too fast: later.", &hello(), [wait]);
    cases.send(
        "send_recipient",
        "No phone number.",
        &hello(),
        [refusal(400, 21211)],
    );
    cases.send(
        "send_opted_out",
        "The person said STOP.",
        &hello(),
        [refusal(400, 21610)],
    );
    cases.send(
        "send_credentials",
        "The token is refused.",
        &hello(),
        [refusal(401, 20003)],
    );
    cases.send(
        "send_5xx",
        "Twilio is not well.",
        &hello(),
        [reply(503, "")],
    );
    let lost = transport(TransportKind::TimeoutAfterSend);
    cases.send(
        "send_lost",
        "No answer: perhaps it was sent.",
        &hello(),
        [lost],
    );
    let down = transport(TransportKind::Connect);
    cases.send(
        "send_no_connection",
        "No connection: surely not sent.",
        &hello(),
        [down],
    );
    cases.send(
        "send_unreadable",
        "Taken, but without a name.",
        &hello(),
        [reply(201, "{}")],
    );
    let empty = testkit::message("phone", ADA, "");
    cases.send("send_empty", "Nothing to send: no call.", &empty, []);
}

fn lookups(cases: &mut Channel<'_, Twilio>) {
    let listed = json!({
        "sid": "SM3", "from": US, "to": ADA, "body": "Hi", "status": "sent",
        "direction": "outbound-api", "num_segments": "1", "num_media": "0",
        "messaging_service_sid": null, "date_created": "Thu, 01 Jan 2026 00:00:00 +0000",
        "date_sent": null,
    });
    let found = json_reply(200, &json!({"messages": [listed]}));
    cases.find_sent(
        "find_found",
        "One message that can only be ours.",
        &hello(),
        [found],
    );
    let none = json_reply(200, &json!({"messages": []}));
    cases.find_sent(
        "find_unsure",
        "None is no proof of absence.",
        &hello(),
        [none],
    );
    let sent = Sent {
        id: REFERENCE.into(),
        external_id: SENT.into(),
        to: Identity::new("phone", ADA),
        sent_at_ms: NOW_MS,
    };
    let body = json!({
        "sid": SENT, "from": US, "to": ADA, "status": "failed", "error_code": 30007,
        "error_message": "Filtered", "date_updated": "Thu, 01 Jan 2026 12:00:00 +0000",
    });
    let polled = json_reply(200, &body);
    cases.delivery_status("poll_failed", "Polled: it failed.", &sent, [polled]);
    cases.delivery_status(
        "poll_gone",
        "Polled: nobody knows it.",
        &sent,
        [reply(404, "")],
    );
}

fn backfill(cases: &mut Channel<'_, Twilio>) {
    let item = |sid: &str, hour: u32| {
        json!({
            "sid": sid, "from": ADA, "to": US, "body": "Hi", "direction": "inbound",
            "status": "received", "date_created": null,
            "date_sent": format!("Thu, 01 Jan 2026 {hour:02}:00:00 +0000"),
        })
    };
    let next = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json?Page=1&PageToken=PA1");
    let page = |items: Value, next: Value| {
        json_reply(200, &json!({"messages": items, "next_page_uri": next}))
    };
    let pages = [
        page(json!([item("SM3", 15)]), json!(next)),
        page(json!([item("SM2", 14), item("SM1", 13)]), Value::Null),
    ];
    let noon = NOW_MS + 12 * 60 * 60 * 1_000;
    cases.list_inbound(
        "list_two_pages",
        "What came in since noon, over two pages.",
        noon,
        pages,
    );
    cases.list_inbound("list_throttled", "Too fast.", noon, [reply(429, "")]);
}

fn reads(cases: &mut Channel<'_, Twilio>) {
    let account = |status: &str| {
        let body = json!({
            "sid": ACCOUNT, "friendly_name": "Acme", "status": status, "type": "Full", "auth_token": TOKEN,
        });
        json_reply(200, &body)
    };
    cases.probe("probe_healthy", "An active account.", [account("active")]);
    cases.probe(
        "probe_suspended",
        "A suspended one.",
        [account("suspended")],
    );
    cases.probe(
        "probe_refused",
        "The token is refused.",
        [refusal(401, 20003)],
    );
    cases.probe(
        "probe_lost",
        "No answer: no finding.",
        [transport(TransportKind::TimeoutAfterSend)],
    );
    let picture = MediaRef {
        url: Some(PICTURE.into()),
        ..MediaRef::default()
    };
    let file = Reply::Http(HttpReply {
        status: 200,
        headers: vec![("content-type".into(), "image/png".into())],
        body: Vec::new(),
        file: Some(FileReply {
            sha256: SHA.into(),
            size: 7,
        }),
    });
    cases.fetch_media("media", "An attachment, into a file.", &picture, [file]);
    cases.fetch_media("media_gone", "It was deleted.", &picture, [reply(404, "")]);
}
