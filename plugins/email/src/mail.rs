//! A mail as a message: who wrote it, what it says, what it answers.

use mail_parser::Addr;
use serde_json::{Map, Value, json};
use trunkline_plugin_api::{
    Content, Identity, InboundMessage, Media, MediaRange, MediaRef, Sender, WebhookRequest, sign,
};

use crate::{
    SPACE,
    address::{self, normal},
    automatic,
    config::Settings,
    mime::{self, Encoding, Headers, Leaf, Mail},
};

/// Attachments of one mail.
const MEDIA_MAX: usize = 100;
/// Addresses and message ids kept of one header.
const LIST_MAX: usize = 50;
/// Characters of a subject and of other headers that are kept.
const HEADER_CHARS_MAX: usize = 998;
/// Bytes of a Message-ID that is used as it is.
const ID_BYTES_MAX: usize = 250;

/// Who handed the mail over, and for whom.
#[derive(Debug, Default)]
pub(crate) struct Envelope {
    /// The return path, where there is one.
    pub(crate) from: Option<String>,
    /// True where the return path is empty on purpose (`<>`).
    pub(crate) has_null_sender: bool,
    /// The recipient that this copy is for.
    pub(crate) to: Option<String>,
}

impl Envelope {
    /// The envelope as it came with the request, else as an MTA wrote it into the mail.
    pub(crate) fn of(request: &WebhookRequest, mail: &Mail<'_>) -> Self {
        // `<>` is read as no id at all.
        let returned = || {
            let headers = &mail.headers;
            let is_there = headers.has("Return-Path");
            is_there.then(|| headers.text("Return-Path").unwrap_or_default())
        };
        let from = request.header("x-envelope-from").or_else(returned);
        let to = request.header("x-envelope-to").or_else(|| {
            let names = ["X-Original-To", "Delivered-To", "Envelope-To"];
            names.into_iter().find_map(|name| mail.headers.text(name))
        });
        let null = |text: &str| {
            matches!(text.trim(), "<>" | "") || text.trim().eq_ignore_ascii_case("mailer-daemon")
        };
        Self {
            has_null_sender: from.is_some_and(null),
            from: from.and_then(normal),
            to: to.and_then(normal),
        }
    }
}

/// Makes a message of a mail, or says why it is none.
pub(crate) fn message(
    settings: &Settings,
    mail: &Mail<'_>,
    envelope: &Envelope,
) -> Result<InboundMessage, &'static str> {
    let headers = &mail.headers;
    let sender = sender(headers, envelope).ok_or("the mail names no sender")?;
    let mut metadata = metadata(headers, envelope);
    if let Some(reason) = automatic::reason(settings, headers, envelope) {
        metadata.insert("auto_reply".into(), true.into());
        metadata.insert("auto_reply_reason".into(), reason.into());
    }
    if mail.is_cut {
        metadata.insert("parts_left_out".into(), true.into());
    }
    let content = content(mail, &mut metadata);
    let to = recipient(settings, headers, envelope);
    Ok(InboundMessage {
        id: id(headers, mail.bytes, to.as_deref()),
        address: to,
        sender,
        content,
        sent_at_ms: headers.time("Date"),
        reply_to: answered(
            settings,
            &headers.ids("In-Reply-To"),
            &headers.ids("References"),
        ),
        metadata,
    })
}

/// The id of what a mail answers, by its `In-Reply-To`, else by the last of its `References`.
pub(crate) fn answered(
    settings: &Settings,
    parents: &[&str],
    references: &[&str],
) -> Option<String> {
    let parent = parents.first().or_else(|| references.last())?;
    Some(settings.external_id(parent).to_owned())
}

/// The id by which a mail is known: its own, and the recipient of this copy, so that one mail to two of our
/// addresses is two, and a mail of ours that comes back is not taken for the one that was sent.
pub(crate) fn id_of(message_id: Option<&str>, bytes: &[u8], to: Option<&str>) -> String {
    let id = match message_id {
        Some(id) if id.len() <= ID_BYTES_MAX => id.to_owned(),
        // Where it is missing, or too long to be a key, the hash of what there is.
        Some(id) => format!("sha256:{}", sign::hex(&sign::sha256(id.as_bytes()))),
        None => format!("sha256:{}", sign::hex(&sign::sha256(bytes))),
    };
    format!("{id} {}", to.unwrap_or("-"))
}

fn id(headers: &Headers<'_>, bytes: &[u8], to: Option<&str>) -> String {
    id_of(headers.ids("Message-ID").first().copied(), bytes, to)
}

fn sender(headers: &Headers<'_>, envelope: &Envelope) -> Option<Sender> {
    for name in ["From", "Sender", "Reply-To"] {
        for found in headers.addresses(name) {
            let Some(address) = found.address().and_then(normal) else {
                continue;
            };
            let shown = found.name().map(str::trim);
            let shown =
                shown.filter(|name| !name.is_empty() && normal(name).as_deref() != Some(&address));
            return Some(Sender {
                identity: Identity::new(SPACE, address),
                name: shown.map(clip),
                ..Sender::default()
            });
        }
    }
    let address = envelope.from.clone()?;
    Some(Sender {
        identity: Identity::new(SPACE, address),
        ..Sender::default()
    })
}

/// Which address of ours the mail came to: that of the envelope without its tag, else ours among those in the
/// headers.
fn recipient(settings: &Settings, headers: &Headers<'_>, envelope: &Envelope) -> Option<String> {
    if let Some(to) = &envelope.to {
        return Some(address::split_tag(to).0);
    }
    let own = settings.from.as_ref()?.address.to_lowercase();
    let named = ["To", "Cc"]
        .into_iter()
        .flat_map(|name| headers.addresses(name));
    let mut named = named.filter_map(Addr::address).filter_map(normal);
    named
        .any(|address| address::split_tag(&address).0 == own)
        .then_some(own)
}

fn metadata(headers: &Headers<'_>, envelope: &Envelope) -> Map<String, Value> {
    let mut kept = Map::new();
    let mut keep = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            kept.insert(name.into(), value);
        }
    };
    let list = |items: Vec<String>| (!items.is_empty()).then(|| Value::from(items));
    let ids = |name| headers.ids(name).into_iter().map(str::to_owned);
    let addresses = |name| {
        let all = headers.addresses(name).into_iter();
        list(
            all.filter_map(|each| normal(each.address()?))
                .take(LIST_MAX)
                .collect(),
        )
    };
    keep("message_id", ids("Message-ID").next().map(Value::from));
    // The first is where the conversation began, the last ones are the nearest.
    let mut references: Vec<String> = ids("References").collect();
    if references.len() > LIST_MAX {
        references.drain(1..=references.len() - LIST_MAX);
    }
    keep("references", list(references));
    keep("to", addresses("To"));
    keep("cc", addresses("Cc"));
    keep("reply_to", addresses("Reply-To"));
    let list_id = headers.addresses("List-Id").into_iter().next();
    keep(
        "list_id",
        list_id.and_then(Addr::address).map(clip).map(Value::from),
    );
    keep("envelope_from", envelope.from.clone().map(Value::from));
    keep("envelope_to", envelope.to.clone().map(Value::from));
    for (key, name) in [
        ("auto_submitted", "Auto-Submitted"),
        ("precedence", "Precedence"),
    ] {
        keep(key, headers.text(name).map(clip).map(Value::from));
    }
    kept
}

fn content(mail: &Mail<'_>, metadata: &mut Map<String, Value>) -> Content {
    let (mut texts, mut htmls) = (Vec::new(), Vec::new());
    let (mut media, mut content_ids) = (Vec::new(), Vec::new());
    let (mut text_in, mut html_in) = (None, None);
    for leaf in &mail.leaves {
        let (texts_of_type, seen) = match leaf.content_type.as_str() {
            "text/plain" => (&mut texts, &mut text_in),
            _ => (&mut htmls, &mut html_in),
        };
        // Of alternatives of one type the first is taken; the others say the same once more.
        let is_repeated = leaf.alternative.is_some() && *seen == leaf.alternative;
        if leaf.is_body() && !is_repeated {
            texts_of_type.push(mime::text_of(leaf));
            *seen = leaf.alternative;
        } else if media.len() < MEDIA_MAX {
            media.push(attachment(leaf));
            content_ids.push(leaf.content_id.clone());
        } else {
            metadata.insert("parts_left_out".into(), true.into());
        }
    }
    if content_ids.iter().any(Option::is_some) {
        metadata.insert("content_ids".into(), json!(content_ids));
    }
    let html = (!htmls.is_empty()).then(|| htmls.join("\n"));
    let text = match (texts.is_empty(), &html) {
        (true, Some(html)) => {
            metadata.insert("text_from".into(), "html".into());
            Some(mime::from_html(html))
        }
        (true, None) => None,
        (false, _) => Some(texts.join("\n")),
    };
    Content {
        text,
        html,
        subject: mail.headers.text("Subject").map(clip),
        media,
        ..Content::default()
    }
}

/// An attachment as a stretch of the request's body.
fn attachment(leaf: &Leaf<'_>) -> Media {
    let as_bytes = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let len = as_bytes(leaf.range.len());
    let name = leaf
        .name
        .clone()
        .or_else(|| (leaf.content_type == "message/rfc822").then(|| "message.eml".to_owned()));
    Media {
        source: MediaRef {
            range: Some(MediaRange {
                part: 1,
                offset: as_bytes(leaf.range.start),
                len,
                encoding: leaf.encoding,
            }),
            ..MediaRef::default()
        },
        content_type: Some(leaf.content_type.clone()),
        name,
        size: (leaf.encoding == Encoding::Identity).then_some(len),
    }
}

pub(crate) fn clip(text: &str) -> String {
    text.chars().take(HEADER_CHARS_MAX).collect()
}
