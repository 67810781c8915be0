//! Mails that came in at Resend.
//!
//! ```text
//! webhook email.received (no text, no headers) ── kept, answered ──> GET /emails/receiving/{id} ──> the message
//! ```
//!
//! Resend announces a mail without its content (Resend: email.received), so the webhook asks the daemon for a
//! follow-up. Where Resend no longer has the mail, or its texts are too large for an answer, the message is made of
//! what was announced, with the raw mail as an attachment to be fetched.

use serde_json::{Map, Value, json};
use trunkline_plugin_api::{
    AdapterError, Content, ErrorClass, Event, Identity, InboundMessage, Media, MediaRef, Received,
    Reply, Response, Sender, Step, TransportKind, Turn,
};

use crate::{
    SPACE,
    address::{self, Mailbox, is_message_id, normal},
    automatic,
    config::Settings,
    errors,
    mail::{Envelope, answered, clip, id_of},
    mime::{self, Headers},
    resend_events::{recipients, time},
};

/// Attachments of one mail.
const MEDIA_MAX: usize = 100;

/// A mail was announced.
pub(crate) fn announced(settings: &Settings, body: &Value) -> Received {
    let done = Response::status(200);
    let mut data = body["data"].clone();
    if data["created_at"].is_null() {
        data["created_at"] = body["created_at"].clone();
    }
    if !data["email_id"].as_str().is_some_and(is_id) {
        return Received::unparsed(done, "the webhook names no mail");
    }
    if settings.resend().is_some() {
        return Received {
            follow_up: data,
            ..Received::authentic(done, Vec::new())
        };
    }
    // Nothing can be fetched without a key: what was announced is all there is.
    match message(settings, &data, true) {
        Ok(message) => Received::authentic(done, vec![Event::Message(message)]),
        Err(why) => Received::unparsed(done, why),
    }
}

/// Fetches the announced mail and makes the message of it.
pub(crate) fn complete(settings: &Settings, data: &Value, turn: &Turn) -> Step<Vec<Event>> {
    let id = data["email_id"].as_str().filter(|id| is_id(id));
    let (Some(api), Some(id)) = (settings.resend(), id) else {
        return Step::fail(errors::no_credentials());
    };
    let Some(reply) = &turn.reply else {
        let mut request = api.request("GET", &["emails", "receiving", id]);
        // Else inline images would stand in the HTML text as base64.
        request.url.push_str("?html_format=cid");
        return Step::call(request, Value::from("mail"));
    };
    let fetched = match reply {
        Reply::Error(error) if error.kind == TransportKind::TooLarge => None,
        reply => match read(reply, turn) {
            Ok(fetched) => fetched,
            Err(error) => return Step::fail(error),
        },
    };
    let made = match &fetched {
        Some(mail) => message(settings, mail, false).or_else(|_| message(settings, data, true)),
        None => message(settings, data, true),
    };
    match made {
        Ok(message) => Step::done(vec![Event::Message(message)]),
        Err(why) => Step::fail(AdapterError::new(
            ErrorClass::Content,
            "unreadable_mail",
            why,
        )),
    }
}

/// The mail as Resend holds it; none where it no longer does.
fn read(reply: &Reply, turn: &Turn) -> Result<Option<Value>, AdapterError> {
    let answer = reply.http().map_err(errors::for_reading)?;
    match answer.status {
        200 => {
            let mail: Option<Value> = serde_json::from_slice(&answer.body).ok();
            mail.filter(Value::is_object).map(Some).ok_or_else(|| {
                let words = "Resend's answer is not JSON as expected: check api_base";
                AdapterError::new(ErrorClass::Transient, "unreadable_answer", words)
            })
        }
        404 | 410 => Ok(None),
        _ => Err(errors::for_reading(errors::of_resend(answer, turn.now_ms))),
    }
}

/// A message of the mail's JSON; with the raw mail as an attachment where its texts are missing.
fn message(
    settings: &Settings,
    mail: &Value,
    lacks_text: bool,
) -> Result<InboundMessage, &'static str> {
    let email_id = mail["email_id"].as_str().or(mail["id"].as_str());
    let email_id = email_id
        .filter(|id| is_id(id))
        .ok_or("the mail has no id")?;
    let section = header_section(&mail["headers"]);
    let (headers, _) = Headers::read(&settings.parser, section.as_bytes());
    let from = mail["from"].as_str().and_then(Mailbox::parse);
    let in_header = || {
        let found = headers.addresses("From").into_iter().next()?;
        Some(Mailbox {
            address: found.address()?.to_owned(),
            name: found.name().map(str::to_owned),
        })
    };
    let from = from.or_else(in_header).ok_or("the mail names no sender")?;
    let identifier = normal(&from.address).ok_or("the mail names no sender")?;
    let to = recipient(settings, mail);
    let message_id = mail["message_id"]
        .as_str()
        .map(|id| id.trim().trim_matches(['<', '>']));
    let message_id = message_id.filter(|id| is_message_id(id));
    let references = headers.ids("References");
    let mut metadata = metadata(mail, &headers, email_id, message_id);
    if let Some(reason) = automatic::reason(settings, &headers, &Envelope::default()) {
        metadata.insert("auto_reply".into(), true.into());
        metadata.insert("auto_reply_reason".into(), reason.into());
    }
    if lacks_text {
        metadata.insert("text_missing".into(), true.into());
    }
    Ok(InboundMessage {
        id: id_of(message_id, email_id.as_bytes(), to.as_deref()),
        address: to,
        sender: Sender {
            identity: Identity::new(SPACE, identifier),
            name: from.name.map(|name| clip(&name)),
            ..Sender::default()
        },
        content: content(mail, email_id, lacks_text, &mut metadata),
        sent_at_ms: headers.time("Date").or_else(|| time(&mail["created_at"])),
        reply_to: answered(settings, &headers.ids("In-Reply-To"), &references),
        metadata,
    })
}

/// Which address of ours it came to: the one in `from` where it is named, else the first.
fn recipient(settings: &Settings, mail: &Value) -> Option<String> {
    let mut named = recipients(&mail["received_for"]);
    named.extend(recipients(&mail["to"]));
    let own = settings.from.as_ref().map(|own| own.address.to_lowercase());
    let bare: Vec<String> = named
        .iter()
        .map(|each| address::split_tag(each).0)
        .collect();
    own.filter(|own| bare.contains(own))
        .or_else(|| bare.into_iter().next())
}

fn metadata(
    mail: &Value,
    headers: &Headers<'_>,
    email_id: &str,
    message_id: Option<&str>,
) -> Map<String, Value> {
    let mut kept = Map::new();
    kept.insert("email_id".into(), email_id.into());
    if let Some(id) = message_id {
        kept.insert("message_id".into(), id.into());
    }
    for name in ["to", "cc", "reply_to"] {
        let addresses = recipients(&mail[name]);
        if !addresses.is_empty() {
            kept.insert(name.into(), addresses.into());
        }
    }
    let references = headers.ids("References");
    if !references.is_empty() {
        kept.insert("references".into(), references.into());
    }
    for (key, name) in [
        ("auto_submitted", "Auto-Submitted"),
        ("precedence", "Precedence"),
    ] {
        if let Some(text) = headers.text(name) {
            kept.insert(key.into(), clip(text).into());
        }
    }
    let list_id = headers.addresses("List-Id").into_iter().next();
    if let Some(id) = list_id.and_then(mail_parser::Addr::address) {
        kept.insert("list_id".into(), clip(id).into());
    }
    kept
}

fn content(
    mail: &Value,
    email_id: &str,
    lacks_text: bool,
    metadata: &mut Map<String, Value>,
) -> Content {
    let filled = |name: &str| mail[name].as_str().filter(|text| !text.is_empty());
    let html = filled("html").map(str::to_owned);
    let mut text = filled("text").map(str::to_owned);
    if let (None, Some(html)) = (&text, &html) {
        metadata.insert("text_from".into(), "html".into());
        text = Some(mime::from_html(html));
    }
    let listed = mail["attachments"].as_array().into_iter().flatten();
    let listed: Vec<&Value> = listed
        .filter(|each| each["id"].as_str().is_some_and(is_id))
        .take(MEDIA_MAX)
        .collect();
    let mut media: Vec<Media> = listed
        .iter()
        .map(|each| attachment(email_id, each))
        .collect();
    let content_ids: Vec<&Value> = listed.iter().map(|each| &each["content_id"]).collect();
    if content_ids.iter().any(|id| id.is_string()) {
        metadata.insert("content_ids".into(), json!(content_ids));
    }
    if lacks_text {
        media.push(Media {
            source: at_provider(email_id, "raw"),
            content_type: Some("message/rfc822".into()),
            name: Some("message.eml".into()),
            size: None,
        });
    }
    Content {
        text,
        html,
        subject: filled("subject").map(clip),
        media,
        ..Content::default()
    }
}

fn attachment(email_id: &str, about: &Value) -> Media {
    let text = |name: &str| {
        about[name]
            .as_str()
            .filter(|text| !text.is_empty())
            .map(clip)
    };
    Media {
        source: at_provider(email_id, about["id"].as_str().unwrap_or_default()),
        content_type: text("content_type").map(|kind| kind.to_ascii_lowercase()),
        name: text("filename"),
        size: about["size"].as_u64(),
    }
}

/// `{email}/{attachment}`, or `{email}/raw` for the mail itself: see `media.rs`.
fn at_provider(email_id: &str, what: &str) -> MediaRef {
    MediaRef {
        provider_id: Some(format!("{email_id}/{what}")),
        ..MediaRef::default()
    }
}

/// Resend gives headers as an object; written as a header section they are read like any other's.
fn header_section(headers: &Value) -> String {
    let mut section = String::new();
    for (name, value) in headers.as_object().into_iter().flatten() {
        let plain = name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b':');
        let values = value
            .as_array()
            .into_iter()
            .flatten()
            .chain(value.is_string().then_some(value));
        for value in values
            .filter_map(Value::as_str)
            .filter(|_| plain && !name.is_empty())
        {
            let line = value.replace(['\r', '\n'], " ");
            section += &[name, ": ", &line, "\r\n"].concat();
        }
    }
    section.push_str("\r\n");
    section
}

/// True for an id that can stand in a path.
pub(crate) fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}
