//! The folder of fixture cases, made of what the other tests hold (`UPDATE_FIXTURES=1` writes it).

use serde_json::{Value, json};
use trunkline_plugin_api::{
    HttpReply, Media, MediaRef, OutboundMessage, Part, Reply, TransportKind,
    testkit::{Channel, Folder, Tampering, message, reply, transport},
};

use super::{HUB_SECRET, SECRET, WHSEC, hub, request, signed, with, with_secret};
use crate::Webhook;

const TARGET: &str = "https://example.org/in?a=1";

#[test]
fn fixtures() {
    let mut folder = Folder::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"));
    let config = json!({"signing_secret": WHSEC, "hub_secret": HUB_SECRET, "url": TARGET, "url_secret": WHSEC});
    let mut both = folder.channel::<Webhook>("signed", &config);
    signed_bodies(&mut both);
    reports(&mut both);
    refused(&mut both);
    posts(&mut both);
    let fields = json!({
        "id": "/event/uid", "from": "/who/0/mail~1phone", "text": "/event/a~0b", "name": "/who/0/n",
    });
    let config = json!({"secret": SECRET, "fields": fields});
    let mut shared = folder.channel::<Webhook>("secret", &config);
    shared.tampering = Tampering::Unseen;
    by_secret(&mut shared);
    folder.finish();
}

fn standard(body: &Value) -> trunkline_plugin_api::WebhookRequest {
    signed("webhook", "msg_1", 0, &body.to_string())
}

fn signed_bodies(cases: &mut Channel<'_, Webhook>) {
    let odd = "  two spaces  \r\n\u{1F600}\u{FEFF} ";
    let text = json!({"from": "ada", "name": "Ada", "text": odd});
    cases.receive(
        "in_text",
        "A text by Standard Webhooks, its id in the header.",
        &standard(&text),
    );
    let batch = json!([
        {"id": "a", "from": 7, "text": "one"},
        {"from": "ada", "text": "two"},
        {"id": 2, "from": "ada"},
    ]);
    let by_svix = signed("svix", "msg_2", 0, &batch.to_string());
    cases.receive("in_batch", "A batch; one of it can't be read.", &by_svix);
    let media = json!([
        "https://example.org/a.png",
        {"url": "http://example.org/b", "content_type": "text/plain", "name": "b.txt"},
    ]);
    let wrapped = json!({
        "type": "message.received", "timestamp": "2026-01-01T00:00:00Z",
        "data": {"id": "m1", "from": "ada", "media": media},
    });
    cases.receive(
        "in_attachments",
        "Attachments, in an envelope with a time.",
        &standard(&wrapped),
    );
    let body = r#"{"id": "m2", "from": "ada", "text": "hi"}"#;
    let by_hub = with(request(body), "x-hub-signature-256", hub(body.as_bytes()));
    cases.receive("in_hub", "Signed as GitHub signs.", &by_hub);
    let broken = "{\"id\": ";
    let by_hub = with(
        request(broken),
        "x-hub-signature-256",
        hub(broken.as_bytes()),
    );
    cases.receive("unparsed_json", "Genuine, but no JSON.", &by_hub);
    cases.receive(
        "unparsed_sender",
        "Genuine, but of nobody.",
        &standard(&json!({"id": 1, "text": "x"})),
    );
}

fn reports(cases: &mut Channel<'_, Webhook>) {
    let report = |body: Value| {
        let mut body = body;
        body["type"] = json!("message.status");
        standard(&body)
    };
    let delivered = report(json!({"external_id": 5, "status": "delivered"}));
    cases.receive("status_delivered", "A report.", &delivered);
    let failed = json!({"id": "m1", "reference": "ours", "status": "failed", "error": {"code": 42, "message": "gone"}});
    cases.receive("status_failed", "A failure with a reason.", &report(failed));
    let odd = report(json!({"id": "m1", "status": "pondering"}));
    cases.receive(
        "status_unknown",
        "A word that nobody knows is a note.",
        &odd,
    );
}

fn refused(cases: &mut Channel<'_, Webhook>) {
    let body = r#"{"id":"m1","from":"ada","text":"hi"}"#;
    cases.receive("refused_unsigned", "No signature.", &request(body));
    let mut changed = signed("webhook", "msg_1", 0, body);
    changed.body.to_mut()[7] ^= 1;
    cases.receive("refused_mismatch", "A changed body.", &changed);
    let old = signed("webhook", "msg_1", -3_600, body);
    cases.receive("refused_expired", "Signed an hour ago.", &old);
    let both = with(
        signed("webhook", "msg_1", 0, body),
        "x-hub-signature-256",
        "sha256=00",
    );
    cases.receive(
        "refused_second",
        "One right signature does not excuse a wrong one.",
        &both,
    );
}

fn posts(cases: &mut Channel<'_, Webhook>) {
    let hello = message("webhook", "ada", "hello");
    let named = Reply::Http(HttpReply {
        status: 202,
        headers: vec![("content-type".into(), "application/json".into())],
        body: br#"{"id": "their-1"}"#.to_vec(),
        file: None,
    });
    cases.send(
        "send_text",
        "A post that is taken and named.",
        &hello,
        [named],
    );
    cases.send(
        "send_unnamed",
        "Taken without a name.",
        &hello,
        [reply(204, "")],
    );
    let full = OutboundMessage {
        part: Some(Part { index: 0, count: 2 }),
        reply_to: Some("m0".into()),
        ..hello.clone()
    };
    let mut full = full;
    full.content.subject = Some("Hi".into());
    full.content.media = vec![Media {
        source: MediaRef {
            url: Some("https://example.org/a.png".into()),
            ..MediaRef::default()
        },
        ..Media::default()
    }];
    cases.send(
        "send_full",
        "All that a post can hold.",
        &full,
        [reply(200, "")],
    );
    let wait = |status| {
        Reply::Http(HttpReply {
            status,
            headers: vec![("retry-after".into(), "7".into())],
            ..HttpReply::default()
        })
    };
    cases.send("send_throttled", "Too fast: in 7 s.", &hello, [wait(429)]);
    cases.send("send_5xx", "Not now.", &hello, [wait(503)]);
    cases.send("send_content", "Refused.", &hello, [reply(400, "")]);
    cases.send(
        "send_gone",
        "The address is gone.",
        &hello,
        [reply(410, "")],
    );
    let lost = transport(TransportKind::TimeoutAfterSend);
    cases.send(
        "send_lost",
        "No answer: the same post again, under the same id.",
        &hello,
        [lost],
    );
    cases.send(
        "send_empty",
        "Nothing to post: no call.",
        &message("webhook", "ada", ""),
        [],
    );
    cases.probe("probe_healthy", "Any answer will do.", [reply(405, "")]);
    let down = transport(TransportKind::Connect);
    cases.probe("probe_lost", "None is no finding.", [down]);
    let forbidden = transport(TransportKind::Forbidden);
    cases.probe(
        "probe_forbidden",
        "An address that may not be called.",
        [forbidden],
    );
}

fn by_secret(cases: &mut Channel<'_, Webhook>) {
    let body = json!({
        "event": {"uid": "u1", "a~b": "hi"},
        "who": [{"mail/phone": "ada@example.org", "n": "Ada"}],
    })
    .to_string();
    cases.receive(
        "in_text",
        "A text whose fields are found by pointers.",
        &with_secret(body.clone()),
    );
    let bearer = with(
        request(body.clone()),
        "authorization",
        format!("Bearer {SECRET}"),
    );
    cases.receive("in_bearer", "The secret as a bearer token.", &bearer);
    cases.receive("refused_unsigned", "No secret.", &request(body.clone()));
    let wrong = with(request(body), "x-webhook-secret", "a guess");
    cases.receive("refused_mismatch", "A wrong one.", &wrong);
    let hello = message("webhook", "ada", "hello");
    cases.send("send_nowhere", "No url is configured: no call.", &hello, []);
    cases.probe("probe_down", "No url is configured.", []);
}
