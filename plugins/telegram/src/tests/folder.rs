//! The folder of fixture cases, made of what the other tests hold (`UPDATE_FIXTURES=1` writes it).

use serde_json::json;
use trunkline_plugin_api::{
    Content, FileReply, HttpReply, Identity, Media, MediaRef, OutboundMessage, ReactionCall,
    ReceivedRef, Reply, TransportKind,
    testkit::{Channel, Folder, NOW_MS, Tampering, json_reply, reply, transport},
};

use super::{
    GROUP, HOOK, SECRET, TOKEN, ada, chat, config, group, message, refusal, signed, taken, to_ada,
    update,
};
use crate::Telegram;

const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn fixtures() {
    let mut folder = Folder::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"));
    let mut bot = folder.channel::<Telegram>("bot", &config());
    bot.tampering = Tampering::Unseen;
    messages(&mut bot);
    signals(&mut bot);
    refused(&mut bot);
    sends(&mut bot);
    failures(&mut bot);
    reads(&mut bot);
    let config = json!({"bot_token": TOKEN});
    let mut deaf = folder.channel::<Telegram>("deaf", &config);
    let text = message(&json!({"text": "hello"}));
    deaf.receive(
        "refused_no_secret",
        "Without secret_token nothing can be proved.",
        &update("message", &text),
    );
    let config = json!({"secret_token": ["the-next-secret", SECRET]});
    let mut mute = folder.channel::<Telegram>("mute", &config);
    mute.tampering = Tampering::Unseen;
    mute.receive(
        "in_text",
        "The old secret still proves while it is changed.",
        &update("message", &text),
    );
    mute.send("send_text", "No token: no call.", &to_ada("hello"), []);
    folder.finish();
}

fn messages(cases: &mut Channel<'_, Telegram>) {
    let text = message(&json!({"text": "hello é😀"}));
    cases.receive(
        "in_text",
        "A text in a private chat.",
        &update("message", &text),
    );
    let first = json!({"message_id": 3, "chat": chat(), "date": NOW_MS / 1_000, "text": "Sure?"});
    let answer = message(&json!({"text": "yes", "chat": group(), "reply_to_message": first}));
    cases.receive(
        "in_group",
        "An answer in a group, which is one contact.",
        &update("message", &answer),
    );
    let sizes = json!([
        {"file_id": "small", "file_unique_id": "s", "width": 90, "height": 60, "file_size": 1000},
        {"file_id": "large", "file_unique_id": "l", "width": 1280, "height": 853, "file_size": 90000},
    ]);
    let photo = message(&json!({"photo": sizes, "caption": "look"}));
    cases.receive(
        "in_photo",
        "A photo in two sizes: the larger one is taken.",
        &update("message", &photo),
    );
    let sticker = json!({"file_id": "k", "emoji": "👍", "is_animated": true, "set_name": "Set"});
    let sticker = message(&json!({"sticker": sticker}));
    cases.receive(
        "in_sticker",
        "A sticker that moves.",
        &update("message", &sticker),
    );
    let point = json!({"latitude": 52.5, "longitude": 13.25});
    let venue = json!({"location": point, "title": "Office", "address": "1 Main Street"});
    let place = message(&json!({"location": point, "venue": venue}));
    cases.receive(
        "in_venue",
        "A place with a name.",
        &update("message", &place),
    );
    let card = json!({"phone_number": "+15550100", "first_name": "Grace"});
    let contact = message(&json!({"contact": card}));
    cases.receive(
        "in_contact",
        "A contact card.",
        &update("message", &contact),
    );
    let dice = message(&json!({"dice": {"emoji": "🎲", "value": 4}}));
    cases.receive(
        "in_unknown_kind",
        "A kind of message that is not known, with a note.",
        &update("message", &dice),
    );
    let changed = message(&json!({"text": "new", "edit_date": NOW_MS / 1_000 + 60}));
    cases.receive(
        "in_changed",
        "A changed message answers the first.",
        &update("edited_message", &changed),
    );
    let title = message(&json!({"chat": group(), "new_chat_title": "Help"}));
    cases.receive(
        "note_service",
        "Telegram's own word about a group is a note.",
        &update("message", &title),
    );
}

fn signals(cases: &mut Channel<'_, Telegram>) {
    let under = json!({
        "message_id": 8, "chat": chat(), "date": NOW_MS / 1_000, "text": "Sure?",
        "reply_markup": {"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]},
    });
    let query = json!({"id": "4382", "from": ada(), "data": "yes", "message": under});
    cases.receive(
        "in_button",
        "A pressed button; the answer acknowledges it.",
        &update("callback_query", &query),
    );
    let thumb = json!([{"type": "emoji", "emoji": "👍"}]);
    let change = json!({
        "chat": chat(), "message_id": 8, "user": ada(), "date": NOW_MS / 1_000,
        "old_reaction": [], "new_reaction": thumb,
    });
    cases.receive(
        "in_reaction",
        "An emoji on a message.",
        &update("message_reaction", &change),
    );
    let bot = json!({"id": 110_201_543, "is_bot": true, "first_name": "Bot"});
    let member = |status: &str| {
        json!({
            "chat": chat(), "from": ada(), "date": NOW_MS / 1_000,
            "old_chat_member": {"user": bot, "status": "member"},
            "new_chat_member": {"user": bot, "status": status},
        })
    };
    cases.receive(
        "in_blocked",
        "A person blocks the bot: an opt-out.",
        &update("my_chat_member", &member("kicked")),
    );
    cases.receive(
        "in_unblocked",
        "A person starts the bot again: an opt-in.",
        &update("my_chat_member", &member("member")),
    );
    let post = json!({"message_id": 1, "chat": {"id": -100, "type": "channel"}, "text": "news"});
    cases.receive(
        "note_channel_post",
        "A post of a channel.",
        &update("channel_post", &post),
    );
}

fn refused(cases: &mut Channel<'_, Telegram>) {
    let text = message(&json!({"text": "hello"}));
    let mut unsigned = update("message", &text);
    unsigned.headers.pop();
    cases.receive("refused_unsigned", "No secret token.", &unsigned);
    let mut forged = update("message", &text);
    forged.headers[1].1 = "another-secret".into();
    cases.receive("refused_mismatch", "Another secret token.", &forged);
    cases.receive(
        "unparsed_no_json",
        "Genuine, but no JSON.",
        &signed("no JSON"),
    );
    cases.receive(
        "unparsed_no_update",
        "Genuine, but no update.",
        &signed(r#"{"message": {}}"#),
    );
}

fn file(media: MediaRef) -> OutboundMessage {
    OutboundMessage {
        content: Content {
            media: vec![Media {
                source: media,
                content_type: Some("image/png".into()),
                name: Some("a.png".into()),
                size: Some(7),
            }],
            ..Content::text("look")
        },
        ..to_ada("")
    }
}

fn sends(cases: &mut Channel<'_, Telegram>) {
    let answer = OutboundMessage {
        reply_to: Some("5001:7".into()),
        ..to_ada("yes")
    };
    cases.send(
        "send_text",
        "A text that answers a message.",
        &answer,
        [taken(42)],
    );
    let linked = file(MediaRef {
        url: Some("https://files.example.org/a.png".into()),
        ..MediaRef::default()
    });
    cases.send(
        "send_photo_link",
        "A photo that Telegram fetches.",
        &linked,
        [taken(42)],
    );
    let uploaded = file(MediaRef {
        sha256: Some(SHA.into()),
        ..MediaRef::default()
    });
    cases.send(
        "send_photo_file",
        "A photo that is uploaded.",
        &uploaded,
        [taken(42)],
    );
    let reaction = OutboundMessage {
        content: Content {
            reaction: Some(ReactionCall {
                target: "5001:7".into(),
                emoji: "👍".into(),
            }),
            ..Content::default()
        },
        ..to_ada("")
    };
    let done = json_reply(200, &json!({"ok": true, "result": true}));
    cases.send("send_reaction", "An emoji on a message.", &reaction, [done]);
    let moved = refusal(
        400,
        "Bad Request: group chat was upgraded to a supergroup chat",
        &json!({"migrate_to_chat_id": GROUP}),
    );
    cases.send(
        "send_migrated",
        "The group has become another chat: asked again there.",
        &to_ada("hello"),
        [moved, taken(42)],
    );
}

fn failures(cases: &mut Channel<'_, Telegram>) {
    let hello = to_ada("hello");
    let rows = [
        (
            "send_throttled",
            "Too fast: later.",
            refusal(
                429,
                "Too Many Requests: retry after 7",
                &json!({"retry_after": 7}),
            ),
        ),
        (
            "send_blocked",
            "The person has blocked the bot.",
            refusal(403, "Forbidden: bot was blocked by the user", &json!(null)),
        ),
        (
            "send_unknown_chat",
            "Nobody is there.",
            refusal(400, "Bad Request: chat not found", &json!(null)),
        ),
        (
            "send_credentials",
            "The token was revoked.",
            refusal(401, "Unauthorized", &json!(null)),
        ),
        (
            "send_5xx",
            "Telegram is not well: perhaps it was sent.",
            reply(502, ""),
        ),
        (
            "send_lost",
            "No answer: perhaps it was sent.",
            transport(TransportKind::TimeoutAfterSend),
        ),
        (
            "send_no_connection",
            "No connection: surely not sent.",
            transport(TransportKind::Connect),
        ),
    ];
    for (name, about, reply) in rows {
        cases.send(name, about, &hello, [reply]);
    }
    cases.send("send_empty", "Nothing to send: no call.", &to_ada(""), []);
}

fn reads(cases: &mut Channel<'_, Telegram>) {
    let bot =
        json!({"id": 110_201_543, "is_bot": true, "first_name": "Acme", "username": "acme_bot"});
    let me = || json_reply(200, &json!({"ok": true, "result": bot}));
    let webhook = |url: &str| {
        let result =
            json!({"url": url, "has_custom_certificate": false, "pending_update_count": 0});
        json_reply(200, &json!({"ok": true, "result": result}))
    };
    cases.probe(
        "probe_healthy",
        "Bot and webhook are there.",
        [me(), webhook(HOOK)],
    );
    cases.probe(
        "probe_no_webhook",
        "No webhook is set.",
        [me(), webhook("")],
    );
    let revoked = refusal(401, "Unauthorized", &json!(null));
    cases.probe("probe_refused", "The token was revoked.", [revoked]);
    let wanted = MediaRef {
        provider_id: Some("AgACAgIAAxk".into()),
        ..MediaRef::default()
    };
    let found = json!({"file_id": "AgACAgIAAxk", "file_path": "photos/file_1.jpg"});
    let found = json_reply(200, &json!({"ok": true, "result": found}));
    let bytes = Reply::Http(HttpReply {
        status: 200,
        headers: vec![("content-type".into(), "application/octet-stream".into())],
        file: Some(FileReply {
            sha256: SHA.into(),
            size: 7,
        }),
        ..HttpReply::default()
    });
    cases.fetch_media(
        "media",
        "A file: its path, then its bytes.",
        &wanted,
        [found, bytes],
    );
    let too_big = refusal(400, "Bad Request: file is too big", &json!(null));
    cases.fetch_media("media_too_large", "Beyond 20 MB.", &wanted, [too_big]);
    let read = ReceivedRef {
        external_id: "5001:7".into(),
        sender: Identity::new("telegram", "5001"),
        typing: true,
    };
    let done = json_reply(200, &json!({"ok": true, "result": true}));
    cases.mark_read("typing", "An answer is being written.", &read, [done]);
}
