//! The folder of fixture cases, made of what the other tests hold (`UPDATE_FIXTURES=1` writes it).

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Content, FileReply, HttpReply, Media, MediaRef, OutboundMessage, ReactionCall, ReceivedRef,
    Reply, TemplateCall, TransportKind,
    testkit::{Channel, Folder, NOW_MS, Tampering, json_reply, post as posted, reply, transport},
};

use super::{
    send::{accepted, to_ada},
    *,
};

const OURS: &str = "0198b2a0-0000-7000-8000-000000000001.1";
const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const AT_META: &str = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=77&hash=x";

#[test]
fn fixtures() {
    let mut folder = Folder::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"));
    let mut number = folder.channel::<WhatsApp>("number", &config());
    messages(&mut number);
    account(&mut number);
    refused(&mut number);
    sends(&mut number);
    refusals(&mut number);
    reads(&mut number);
    // The challenge has a token in its URL, and no body.
    number.tampering = Tampering::Unseen;
    challenges(&mut number);
    folder.finish();
}

fn messages(cases: &mut Channel<'_, WhatsApp>) {
    let rows = [
        (
            "in_text",
            "A text that answers one.",
            json!({"type": "text", "text": {"body": " caf\u{e9} / 😀\n "}, "context": {"from": "15005550102", "id": "wamid.Q"}}),
        ),
        (
            "in_image",
            "A picture with a caption.",
            json!({"type": "image", "image": {"id": "77", "mime_type": "image/jpeg", "sha256": "x", "caption": "Look"}}),
        ),
        (
            "in_place",
            "A place.",
            json!({"type": "location", "location": {"latitude": 52.5, "longitude": -13.25, "name": "Office"}}),
        ),
        (
            "in_cards",
            "A card.",
            json!({"type": "contacts", "contacts": [{"name": {"formatted_name": "Grace"}, "phones": [{"phone": "+1555"}]}]}),
        ),
        (
            "in_button",
            "A quick reply of a template.",
            json!({"type": "button", "button": {"text": "Yes", "payload": "confirm_42"}, "context": {"id": "wamid.T"}}),
        ),
        (
            "in_list",
            "An entry of a list.",
            json!({"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"id": "r1", "title": "Large", "description": "42 and up"}}}),
        ),
        (
            "in_flow",
            "A finished flow.",
            json!({"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"name": "flow", "response_json": "{\"size\":\"L\"}"}}}),
        ),
        (
            "in_unknown",
            "A kind of tomorrow.",
            json!({"type": "hologram", "hologram": {"id": 7}}),
        ),
        (
            "in_edit",
            "A changed message.",
            json!({"type": "edit", "edit": {"original_message_id": "wamid.O", "message": {"type": "text", "text": {"body": "Better"}}}}),
        ),
        (
            "in_reaction",
            "A reaction.",
            json!({"type": "reaction", "reaction": {"message_id": "wamid.T", "emoji": "👍"}}),
        ),
        (
            "in_reaction_back",
            "A reaction taken back.",
            json!({"type": "reaction", "reaction": {"message_id": "wamid.T"}}),
        ),
    ];
    for (name, about, members) in rows {
        cases.receive(name, about, &message(&members));
    }
}

fn account(cases: &mut Channel<'_, WhatsApp>) {
    let status = |members: &Value| {
        let mut status = json!({
            "id": "wamid.BBB=", "timestamp": AT, "recipient_id": "15005550101",
            "biz_opaque_callback_data": OURS,
        });
        for (name, value) in members.as_object().expect("an object") {
            status[name.as_str()] = value.clone();
        }
        let mut value = value();
        value["statuses"] = json!([status]);
        change("messages", &value)
    };
    let delivered = status(&json!({"status": "delivered"}));
    cases.receive("status_delivered", "A state of a sent message.", &delivered);
    let window = json!([{"code": 131_047, "title": "Re-engagement message", "error_data": {"details": "More than 24 hours"}}]);
    let failed = status(&json!({"status": "failed", "errors": window}));
    cases.receive("status_failed", "A failure with Meta's code.", &failed);
    let mut several = value();
    several["messages"] = json!([
        {"from_user_id": ADA_ID, "id": "m", "type": "text", "text": {"body": "Hi"}},
    ]);
    several["statuses"] = json!([{"id": "s1", "status": "sent"}, {"id": "s2", "status": "read"}]);
    cases.receive(
        "several",
        "A message without a number, and two states.",
        &change("messages", &several),
    );
    let rejected = json!({
        "event": "REJECTED", "message_template_id": 594_425_479_261_596_u64,
        "message_template_name": "order_confirmation", "message_template_language": "en-US",
        "reason": "INVALID_FORMAT",
    });
    let rejected = change("message_template_status_update", &rejected);
    cases.receive("template", "A template was rejected.", &rejected);
    let mut preferences = value();
    preferences["user_preferences"] = json!([
        {"wa_id": "15005550101", "category": "marketing_messages", "value": "stop", "timestamp": 1_767_268_800},
    ]);
    cases.receive(
        "opt_out",
        "No more marketing.",
        &change("user_preferences", &preferences),
    );
    let banned = change("account_update", &json!({"event": "DISABLED_UPDATE"}));
    cases.receive("note", "What concerns the account is a note.", &banned);
    cases.receive(
        "unparsed",
        "Genuine, but no webhook of Meta.",
        &signed("[]"),
    );
}

fn refused(cases: &mut Channel<'_, WhatsApp>) {
    let genuine = message(&json!({"type": "text", "text": {"body": "Hi"}}));
    let bare = posted(HOOK, "application/json", genuine.body.to_vec());
    cases.receive("refused_unsigned", "No signature.", &bare);
    let mut changed = genuine;
    changed.body.to_mut()[10] ^= 1;
    cases.receive("refused_mismatch", "A changed body.", &changed);
}

fn challenges(cases: &mut Channel<'_, WhatsApp>) {
    let get = |token: &str| WebhookRequest {
        method: "GET".into(),
        url: format!("{HOOK}?hub.mode=subscribe&hub.challenge=1158&hub.verify_token={token}"),
        received_at_ms: NOW_MS,
        ..WebhookRequest::default()
    };
    cases.receive("challenge", "Meta's handshake.", &get(VERIFY_TOKEN));
    cases.receive(
        "refused_challenge",
        "That of somebody else.",
        &get("a-guess"),
    );
}

fn taken() -> Reply {
    json_reply(200, &accepted())
}

fn file() -> Media {
    Media {
        source: MediaRef {
            sha256: Some(SHA.into()),
            ..MediaRef::default()
        },
        content_type: Some("application/pdf".into()),
        name: Some("Bill.pdf".into()),
        size: Some(3),
    }
}

fn with_file() -> OutboundMessage {
    to_ada(Content {
        media: vec![file()],
        ..Content::text("Yours")
    })
}

fn sends(cases: &mut Channel<'_, WhatsApp>) {
    let hello = to_ada(Content::text("Hi 😀"));
    cases.send("send_text", "A text.", &hello, [taken()]);
    let answer = OutboundMessage {
        reply_to: Some(WAMID.into()),
        ..hello
    };
    cases.send("send_answer", "An answer to a message.", &answer, [taken()]);
    let uploaded = json_reply(200, &json!({"id": "4242"}));
    let about = "A file: uploaded first, then sent by its id.";
    cases.send("send_file", about, &with_file(), [uploaded, taken()]);
    let lost = transport(TransportKind::TimeoutAfterSend);
    cases.send(
        "send_upload_lost",
        "An upload may be repeated.",
        &with_file(),
        [lost],
    );
    let template = to_ada(Content {
        template: Some(TemplateCall {
            name: "order".into(),
            language: Some("en_US".into()),
            variables: json!({"1": "Ada"}).as_object().cloned().unwrap_or_default(),
            ..TemplateCall::default()
        }),
        ..Content::default()
    });
    cases.send(
        "send_template",
        "A template with a variable.",
        &template,
        [taken()],
    );
    let reaction = to_ada(Content {
        reaction: Some(ReactionCall {
            target: WAMID.into(),
            emoji: "👍".into(),
        }),
        ..Content::default()
    });
    cases.send("send_reaction", "A reaction.", &reaction, [taken()]);
    cases.send(
        "send_empty",
        "Nothing to send: no call.",
        &to_ada(Content::default()),
        [],
    );
}

fn refusals(cases: &mut Channel<'_, WhatsApp>) {
    let hello = to_ada(Content::text("Hi"));
    let refused = |status, code| json_reply(status, &error(code, "no"));
    let rows = [
        ("send_throttled", "Too fast.", refused(400, 130_429)),
        ("send_recipient", "Not on WhatsApp.", refused(400, 131_026)),
        ("send_window", "Outside the window.", refused(400, 131_047)),
        ("send_credentials", "The token ended.", refused(401, 190)),
        (
            "send_lost",
            "No answer: perhaps it was sent.",
            transport(TransportKind::TimeoutAfterSend),
        ),
        ("send_5xx", "Meta is not well.", reply(503, "")),
        (
            "send_unreadable",
            "Taken, but without a name.",
            reply(200, "{}"),
        ),
    ];
    for (name, about, reply) in rows {
        cases.send(name, about, &hello, [reply]);
    }
}

fn reads(cases: &mut Channel<'_, WhatsApp>) {
    let number = |quality: &str| {
        let body = json!({
            "id": NUMBER, "display_phone_number": "+1 500-555-0102", "verified_name": "Acme",
            "quality_rating": quality, "name_status": "APPROVED", "status": "CONNECTED",
        });
        json_reply(200, &body)
    };
    cases.probe("probe_healthy", "A good number.", [number("GREEN")]);
    cases.probe("probe_degraded", "One of low quality.", [number("RED")]);
    let expired = error(190, "Error validating access token: Session has expired");
    cases.probe(
        "probe_refused",
        "The token ended.",
        [json_reply(401, &expired)],
    );
    let hello = to_ada(Content::text("Hi"));
    cases.find_sent("find_unsure", "Meta has no look-up.", &hello, []);
    let page = |item: Value, after: Option<&str>| {
        let mut page = json!({"data": [item], "paging": {"cursors": {"before": "b", "after": after.unwrap_or("end")}}});
        if after.is_some() {
            page["paging"]["next"] = "https://graph.facebook.com/next".into();
        }
        json_reply(200, &page)
    };
    let body = json!([{"type": "BODY", "text": "Hi {{1}}"}]);
    let first = json!({"id": "1", "name": "welcome", "language": "en_US", "status": "APPROVED", "category": "UTILITY", "components": body});
    let second =
        json!({"id": 2, "name": "sale", "status": "REJECTED", "rejected_reason": "PROMOTIONAL"});
    cases.templates(
        "templates",
        "Two pages.",
        [page(first, Some("two")), page(second, None)],
    );
    let by_id = MediaRef {
        provider_id: Some("77".into()),
        ..MediaRef::default()
    };
    let found = || {
        json_reply(
            200,
            &json!({"url": AT_META, "mime_type": "image/jpeg", "file_size": 3, "id": "77"}),
        )
    };
    let bytes = |status| {
        Reply::Http(HttpReply {
            status,
            file: (status == 200).then(|| FileReply {
                sha256: SHA.into(),
                size: 3,
            }),
            ..HttpReply::default()
        })
    };
    let again = [found(), bytes(404), found(), bytes(200)];
    cases.fetch_media(
        "media",
        "By its id; the first URL has ended.",
        &by_id,
        again,
    );
    let mark = ReceivedRef {
        external_id: WAMID.into(),
        sender: person(ADA),
        typing: true,
    };
    let done = json_reply(200, &json!({"success": true}));
    cases.mark_read(
        "mark_read",
        "Read, and an answer is being written.",
        &mark,
        [done],
    );
}
