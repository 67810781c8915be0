//! The rules of `POST {number}/messages`: a message, or a read mark.

use super::account::{Account, ReadMark};
use super::refusal::Refusal;
use super::{kinds, template};
use serde_json::Value;

/// Members that any message may have beside the object of its type.
const COMMON: &[&str] = &[
    "messaging_product",
    "recipient_type",
    "to",
    "recipient",
    "type",
    "context",
    "biz_opaque_callback_data",
];
/// Bytes of the data that states carry back.
const CALLBACK_DATA_BYTES_MAX: usize = 512;

/// What was posted.
pub(super) enum Post {
    Message(Box<Draft>),
    Read(ReadMark),
}

/// A message that is right.
pub(super) struct Draft {
    pub(super) to: String,
    pub(super) kind: String,
    pub(super) body: Value,
}

/// Checks what was posted. What Meta would take and yet is not as documented goes to `findings`.
pub(super) fn admit(
    account: &Account,
    number: &str,
    body: &Value,
    findings: &mut Vec<String>,
) -> Result<Post, Refusal> {
    if body["messaging_product"] != "whatsapp" {
        return Err(Refusal::parameter("messaging_product must be whatsapp"));
    }
    if body.get("status").is_some() {
        return read_mark(account, body).map(Post::Read);
    }
    if body["recipient_type"] != "individual" {
        findings.push("recipient_type is not individual".to_owned());
    }
    let to = recipient(body, findings)?;
    let kind = body["type"]
        .as_str()
        .ok_or_else(|| Refusal::missing("type"))?;
    check_members(body, kind, findings)?;
    check_context(account, body, kind, findings)?;
    if kind == "template" {
        template::check(account, &body[kind])?;
    } else {
        kinds::check(account, kind, &body[kind], findings)?;
    }
    check_person(account, number, &to, kind)?;
    Ok(Post::Message(Box::new(Draft {
        to,
        kind: kind.to_owned(),
        body: body.clone(),
    })))
}

fn read_mark(account: &Account, body: &Value) -> Result<ReadMark, Refusal> {
    if body["status"] != "read" {
        return Err(Refusal::invalid("status must be read"));
    }
    let id = body["message_id"]
        .as_str()
        .ok_or_else(|| Refusal::missing("message_id"))?;
    if !account.inbound.contains(id) {
        return Err(Refusal::invalid(format!("no message {id} came in")));
    }
    let known = [
        "messaging_product",
        "status",
        "message_id",
        "typing_indicator",
    ];
    kinds::only(body, &known)?;
    let typing = match body.get("typing_indicator") {
        None => false,
        Some(indicator) if indicator["type"] == "text" => true,
        Some(_) => return Err(Refusal::invalid("typing_indicator.type must be text")),
    };
    Ok(ReadMark {
        message_id: id.to_owned(),
        typing,
    })
}

/// `to` with a number, or `recipient` with a business-scoped id.
fn recipient(body: &Value, findings: &mut Vec<String>) -> Result<String, Refusal> {
    match (body["to"].as_str(), body["recipient"].as_str()) {
        (Some(_), Some(_)) => Err(Refusal::parameter("both to and recipient are given")),
        (None, None) => Err(Refusal::missing("to or recipient")),
        (Some(to), None) => {
            let digits = to.strip_prefix('+').unwrap_or(to);
            if !(7..=15).contains(&digits.len())
                || !digits.bytes().all(|byte| byte.is_ascii_digit())
            {
                return Err(Refusal::invalid(format!("to: {to} is no number")));
            }
            if !to.starts_with('+') {
                findings.push("to has no plus: Meta may add a country code".to_owned());
            }
            Ok(format!("+{digits}"))
        }
        (None, Some(id)) => {
            let (country, rest) = id.split_once('.').unwrap_or_default();
            let right = country.len() == 2 && !rest.is_empty() && !id.contains(char::is_whitespace);
            if right {
                Ok(id.to_owned())
            } else {
                Err(Refusal::invalid(format!(
                    "recipient: {id} is no business-scoped id"
                )))
            }
        }
    }
}

fn check_members(body: &Value, kind: &str, findings: &mut Vec<String>) -> Result<(), Refusal> {
    let object = body.get(kind).ok_or_else(|| Refusal::missing(kind))?;
    if object.is_array() != (kind == "contacts") || !(object.is_array() || object.is_object()) {
        return Err(Refusal::parameter(format!(
            "{kind} is not of the right type"
        )));
    }
    for name in body.as_object().into_iter().flatten().map(|(name, _)| name) {
        if name != kind && !COMMON.contains(&name.as_str()) {
            return Err(Refusal::parameter(format!("unexpected member {name}")));
        }
    }
    match body.get("biz_opaque_callback_data") {
        None => findings.push("no biz_opaque_callback_data".to_owned()),
        Some(Value::String(data)) if data.len() <= CALLBACK_DATA_BYTES_MAX => {}
        Some(_) => return Err(Refusal::invalid("biz_opaque_callback_data")),
    }
    Ok(())
}

fn check_context(
    account: &Account,
    body: &Value,
    kind: &str,
    findings: &mut Vec<String>,
) -> Result<(), Refusal> {
    let Some(context) = body.get("context") else {
        return Ok(());
    };
    kinds::only(context, &["message_id"])?;
    let id = context["message_id"]
        .as_str()
        .ok_or_else(|| Refusal::missing("context.message_id"))?;
    if !account.knows_message(id) {
        findings.push(format!(
            "context names {id}, which is no message of this number"
        ));
    }
    if kind == "reaction" {
        findings.push("a reaction has a context".to_owned());
    }
    Ok(())
}

/// Free-form messages need a person who wrote within 24 hours.
fn check_person(account: &Account, number: &str, to: &str, kind: &str) -> Result<(), Refusal> {
    let own = account.number(number).map(|own| {
        let digits = own
            .display_phone_number
            .chars()
            .filter(char::is_ascii_digit);
        digits.collect::<String>()
    });
    if own.as_deref() == to.strip_prefix('+') {
        let words = "Recipient cannot be sender";
        return Err(Refusal::bad(
            131_021,
            words,
            "sender and recipient are one number",
        ));
    }
    if account.unreachable.contains(to) {
        return Err(Refusal::bad(
            131_026,
            "Message undeliverable",
            "Message Undeliverable.",
        ));
    }
    if kind != "template" && !account.is_open(to) {
        return Err(Refusal::bad(
            131_047,
            "Re-engagement message",
            "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
        ));
    }
    Ok(())
}
