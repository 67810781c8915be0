//! What must hold before a message is taken: afterwards it is ours to deliver.
//!
//! ```text
//! check: channel, content, address, text plan, two machines? ─┬─> store: one transaction with the
//!                                                             │   day's count, over the cap?
//!                                                             └─> preview: the same, nothing stored
//! ```

use std::sync::Arc;

use serde_json::{Map, Value};
use trunkline_plugin_api::{Content, Identity, Media};

use super::{
    TemplateOutlook, TextPlan, TextPolicy, WindowOutlook, attachments,
    gate::{Asked, Gate},
    plan_text,
};
use crate::{
    channel::Channel,
    model::{Author, AuthorKind, ConsentEntry, MessageId, Millis, Priority, mask_identifier},
    store::{Accepted, Charge, ClosedPolicy, Idempotency, NewOutbound, StoreError},
};

/// Bytes of text, HTML and subject of one message.
const CONTENT_BYTES_MAX: usize = 64 * 1024;
/// The same with the parts that go out in place of the text: one record keeps both.
const STORED_BYTES_MAX: usize = 96 * 1024;
/// Bytes of an address.
const ADDRESS_BYTES_MAX: usize = 320;
/// Bytes of the caller's metadata, as JSON.
const METADATA_BYTES_MAX: usize = 16 * 1024;

/// A message that someone wants sent.
#[derive(Debug, Clone)]
pub struct SendRequest {
    /// To whom, in the channel's own form.
    pub to: String,
    /// What.
    pub content: Content,
    /// The provider's id of the message it answers.
    pub reply_to: Option<String>,
    /// Its lane.
    pub priority: Priority,
    /// Not before this time.
    pub send_at_ms: Option<Millis>,
    /// What the caller adds.
    pub metadata: Map<String, Value>,
    /// The id of the request that asks.
    pub request: Option<String>,
    /// The caller's idempotency key.
    pub idempotency: Option<Idempotency>,
}

/// Who sends.
#[derive(Debug, Clone)]
pub struct Sender {
    /// What kind.
    pub kind: AuthorKind,
    /// Name to stamp it with.
    pub name: Option<String>,
}

impl Sender {
    /// True where no person wrote it: an agent, the gateway, or a program behind the API.
    pub fn is_automatic(&self) -> bool {
        matches!(self.kind, AuthorKind::Agent | AuthorKind::System)
    }
}

/// Why a message is not taken. `code` is for programs, the words are for people.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// It can't be sent as it is.
    #[error("{detail}")]
    Refused {
        /// For programs.
        code: &'static str,
        /// For people.
        detail: String,
    },
    /// The recipient's reply window is closed, and the channel's policy has nothing else for the
    /// message.
    #[error("{detail}")]
    WindowClosed {
        /// For people.
        detail: String,
    },
    /// The idempotency key stands for another request.
    #[error("this Idempotency-Key was used for another request")]
    KeyConflict,
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(super) fn refused(code: &'static str, detail: impl Into<String>) -> AcceptError {
    AcceptError::Refused {
        code,
        detail: detail.into(),
    }
}

/// Takes a message: checked, durable, in its thread. Returns its id, the same one for a repeated
/// request, also where it would be refused by now.
pub async fn accept(
    gate: &Gate,
    channel: &Arc<Channel>,
    policy: ClosedPolicy,
    sender: Sender,
    request: SendRequest,
) -> Result<MessageId, AcceptError> {
    let checked = match check(gate, channel, &sender, &request, Asked::ToSend) {
        Ok(checked) => checked,
        Err(error) => {
            return match repeated(gate, channel, &request) {
                Some(first) => first,
                None => Err(weightier(gate, channel, &request, error).await),
            };
        }
    };
    let is_reply = is_automatic_reply(&sender, &request);
    let (to, charge) = (checked.to, checked.charge);
    let plan = checked.text.filter(TextPlan::is_rewritten);
    let new = NewOutbound {
        channel: channel.reference(),
        to: to.clone(),
        content: Content {
            template: checked.template.map(|template| template.call),
            media: checked.media,
            ..request.content
        },
        parts: plan.map_or(Vec::new(), |plan| plan.parts),
        author: Author {
            kind: sender.kind,
            name: sender.name,
        },
        reply_to: request.reply_to,
        priority: request.priority,
        send_at_ms: request.send_at_ms,
        metadata: request.metadata,
        request: request.request,
        idempotency: request.idempotency,
        policy,
        charge,
    };
    match gate.store.accept_outbound(new).await? {
        Accepted::New { id, .. } => {
            if is_reply {
                gate.replied(channel, &to);
            }
            Ok(id)
        }
        Accepted::Repeated { id } => Ok(id),
        Accepted::KeyConflict => Err(AcceptError::KeyConflict),
        Accepted::OverCap(over) => Err(gate.over_cap(channel, over, charge, Asked::ToSend)),
        Accepted::OptedOut(entry) => Err(opted_out(&entry)),
        Accepted::NoMedia(name) => Err(unknown_media(&name)),
    }
}

pub(super) fn unknown_media(name: &str) -> AcceptError {
    let detail = format!("there is no file {name}: upload it with POST /api/v1/media first");
    refused("unknown_media", detail)
}

/// The recipient wants no messages from here.
pub(super) fn opted_out(entry: &ConsentEntry) -> AcceptError {
    refused("opted_out", entry.words())
}

/// Who wants no messages is said to want none: to have them write first is no way to reach them.
pub(super) async fn weightier(
    gate: &Gate,
    channel: &Channel,
    request: &SendRequest,
    error: AcceptError,
) -> AcceptError {
    let (AcceptError::WindowClosed { .. }, Some(facts)) = (&error, &channel.facts) else {
        return error;
    };
    let Ok(identifier) = address(&facts.space, &request.to) else {
        return error;
    };
    let to = Identity::new(facts.space.clone(), identifier);
    let charge = gate.charge(channel, None);
    let outlook = gate.store.outlook(channel.org, &channel.id, &to, charge);
    match outlook.await.map(|outlook| outlook.opted_out) {
        Ok(Some(entry)) => opted_out(&entry),
        Ok(None) | Err(_) => error,
    }
}

/// What became of the first request with this idempotency key, where there was one.
fn repeated(
    gate: &Gate,
    channel: &Channel,
    request: &SendRequest,
) -> Option<Result<MessageId, AcceptError>> {
    let idempotency = request.idempotency.as_ref()?;
    match gate.store.repeated(channel.org, idempotency) {
        Ok(Some(Accepted::Repeated { id })) => Some(Ok(id)),
        Ok(Some(_)) => Some(Err(AcceptError::KeyConflict)),
        Ok(None) => None,
        Err(error) => Some(Err(error.into())),
    }
}

/// A request that may be taken.
#[derive(Debug)]
pub(super) struct Checked {
    /// To whom, in normal form.
    pub(super) to: Identity,
    /// How its text goes out, where it has one.
    pub(super) text: Option<TextPlan>,
    /// Its attachments, complete.
    pub(super) media: Vec<Media>,
    /// What it adds to the day's count.
    pub(super) charge: Charge,
    /// What the reply window means for it, on channels that have one.
    pub(super) window: Option<WindowOutlook>,
    /// The template it calls, where it calls one.
    pub(super) template: Option<TemplateOutlook>,
}

/// Checks everything but the day's count, which belongs to the transaction.
pub(super) fn check(
    gate: &Gate,
    channel: &Channel,
    sender: &Sender,
    request: &SendRequest,
    asked: Asked,
) -> Result<Checked, AcceptError> {
    let Some(facts) = &channel.facts else {
        let reason = channel.down_reason().unwrap_or_default();
        return Err(refused(
            "channel_down",
            format!("channel {} can't send: {reason}", channel.id),
        ));
    };
    if !facts.can_send {
        return Err(refused(
            "no_credentials",
            format!("channel {} has no credentials to send with", channel.id),
        ));
    }
    check_content(&request.content)?;
    if Value::Object(request.metadata.clone()).to_string().len() > METADATA_BYTES_MAX {
        let detail = format!("metadata is larger than {METADATA_BYTES_MAX} bytes");
        return Err(refused("metadata_too_large", detail));
    }
    let media = attachments::check(gate, channel, &request.content)?;
    let text = planned(channel, &request.content, facts.max_len)?;
    let to = Identity {
        space: facts.space.clone(),
        identifier: address(&facts.space, &request.to)?,
    };
    let content = &request.content;
    let window = gate.check_window(channel, &to, content, request.send_at_ms)?;
    let template = content.template.as_ref();
    let template = template.map(|call| gate.check_template(channel, Some(&to), call));
    let template = template.transpose()?;
    if is_automatic_reply(sender, request) {
        gate.check_echo(channel, &to, asked)?;
    }
    let charge = gate.charge(channel, text.as_ref());
    Ok(Checked {
        to,
        text,
        media,
        charge,
        window,
        template,
    })
}

/// What the breaker for two machines is about.
fn is_automatic_reply(sender: &Sender, request: &SendRequest) -> bool {
    sender.is_automatic() && request.priority == Priority::Reply
}

fn planned(
    channel: &Channel,
    content: &Content,
    max_len: Option<u32>,
) -> Result<Option<TextPlan>, AcceptError> {
    let Some(text) = &content.text else {
        return Ok(None);
    };
    let plan = plan_text(text, &TextPolicy::of(channel), max_len).map_err(|error| {
        let (remedy, id) = (error.remedy(), &channel.id);
        let detail = format!("{error}: shorten it, or {remedy} in [channel.{id}.text]");
        refused("text_too_long", detail)
    })?;
    let parts: usize = plan.parts.iter().map(String::len).sum();
    let bytes = text_bytes(content) + parts;
    if plan.is_rewritten() && bytes > STORED_BYTES_MAX {
        let detail = format!(
            "the content and the parts it goes out in have {bytes} bytes, more than \
             {STORED_BYTES_MAX}: shorten it"
        );
        return Err(refused("content_too_large", detail));
    }
    Ok(Some(plan))
}

fn text_bytes(content: &Content) -> usize {
    let texts = [&content.text, &content.html, &content.subject];
    texts.into_iter().flatten().map(String::len).sum()
}

fn check_content(content: &Content) -> Result<(), AcceptError> {
    if content.is_empty() {
        return Err(refused(
            "empty_content",
            "there is nothing to send: content has no text, html, media or template",
        ));
    }
    let bytes = text_bytes(content);
    if bytes > CONTENT_BYTES_MAX {
        let detail = format!("the content has {bytes} bytes, more than {CONTENT_BYTES_MAX}");
        return Err(refused("content_too_large", detail));
    }
    Ok(())
}

/// The address in its space's normal form.
pub(crate) fn address(space: &str, to: &str) -> Result<String, AcceptError> {
    if to.is_empty() || to.len() > ADDRESS_BYTES_MAX || to.chars().any(char::is_control) {
        return Err(refused(
            "invalid_recipient",
            "\"to\" is empty, too long or not an address",
        ));
    }
    match space {
        "phone" => phone(to),
        "whatsapp" => match phone(to.strip_prefix("whatsapp:").unwrap_or(to)) {
            // An id that stands for a person without a number is taken as it is.
            Err(_) if !to.starts_with(['+', 'w']) => Ok(to.to_owned()),
            other => other,
        },
        "email" => Ok(to.to_lowercase()),
        _ => Ok(to.to_owned()),
    }
}

/// E.164: a plus and 7 to 15 digits; blanks, dots, dashes and brackets are for people.
fn phone(to: &str) -> Result<String, AcceptError> {
    let plain: String = to.chars().filter(|c| !" .-()/".contains(*c)).collect();
    let digits = plain.strip_prefix('+').unwrap_or_default();
    let right =
        (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if right && !digits.starts_with('0') {
        return Ok(plain);
    }
    let detail = format!(
        "{} is not a number in international form, such as +15550100123",
        mask_identifier(to)
    );
    Err(refused("invalid_recipient", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_take_their_normal_form() {
        let table = [
            ("phone", "+1 (555) 010-0123", Some("+15550100123")),
            ("phone", "5550100", None),
            ("phone", "+0123456789", None),
            ("phone", "+1555010012345678", None),
            ("phone", "", None),
            ("whatsapp", "whatsapp:+15550100123", Some("+15550100123")),
            (
                "whatsapp",
                "US.13491208655302741918",
                Some("US.13491208655302741918"),
            ),
            ("email", "Ada@Example.ORG", Some("ada@example.org")),
            ("webhook", "user 7", Some("user 7")),
            ("webhook", "a\nb", None),
        ];
        for (space, to, expected) in table {
            assert_eq!(address(space, to).ok().as_deref(), expected, "{space} {to}");
        }
    }

    #[test]
    fn content_is_bounded() {
        assert!(check_content(&Content::text("hi")).is_ok());
        for (content, code) in [
            (Content::text(""), "empty_content"),
            (
                Content::text("a".repeat(CONTENT_BYTES_MAX + 1)),
                "content_too_large",
            ),
        ] {
            let error = check_content(&content).unwrap_err();
            assert!(
                matches!(error, AcceptError::Refused { code: found, .. } if found == code),
                "{error}"
            );
        }
    }
}
