//! The rules of each type of message but templates.

use super::account::Account;
use super::refusal::Refusal;
use serde_json::Value;

/// Bytes of a file by its type (Media: supported types).
const MIB: usize = 1024 * 1024;

/// Checks the object of a type.
pub(super) fn check(
    account: &Account,
    kind: &str,
    object: &Value,
    findings: &mut Vec<String>,
) -> Result<(), Refusal> {
    match kind {
        "text" => text(object, findings),
        "image" | "video" | "audio" | "document" | "sticker" => media(account, kind, object),
        "location" => location(object),
        "contacts" => contacts(object),
        "reaction" => reaction(account, object),
        "interactive" => interactive(object),
        other => Err(Refusal::parameter(format!("type {other} is not one"))),
    }
}

/// Refuses members that are not known.
pub(super) fn only(object: &Value, known: &[&str]) -> Result<(), Refusal> {
    for (name, _) in object.as_object().into_iter().flatten() {
        if !known.contains(&name.as_str()) {
            return Err(Refusal::parameter(format!("unexpected member {name}")));
        }
    }
    Ok(())
}

/// A text of 1 to `max` characters.
fn bounded(object: &Value, name: &str, max: usize) -> Result<(), Refusal> {
    let text = object[name]
        .as_str()
        .ok_or_else(|| Refusal::missing(name.to_owned()))?;
    let count = text.chars().count();
    if (1..=max).contains(&count) {
        Ok(())
    } else {
        Err(Refusal::invalid(format!(
            "{name} has {count} characters, not 1 to {max}"
        )))
    }
}

/// The same for a member that may be absent.
fn maybe_bounded(object: &Value, name: &str, max: usize) -> Result<(), Refusal> {
    match object.get(name) {
        None => Ok(()),
        Some(_) => bounded(object, name, max),
    }
}

fn text(object: &Value, findings: &mut Vec<String>) -> Result<(), Refusal> {
    only(object, &["body", "preview_url"])?;
    bounded(object, "body", 4_096)?;
    match object.get("preview_url") {
        None | Some(Value::Bool(false)) => Ok(()),
        Some(Value::Bool(true)) => {
            let body = object["body"].as_str().unwrap_or_default();
            if !body.contains("http://") && !body.contains("https://") {
                findings.push("preview_url without a link".to_owned());
            }
            Ok(())
        }
        Some(_) => Err(Refusal::parameter("preview_url is no boolean")),
    }
}

fn media(account: &Account, kind: &str, object: &Value) -> Result<(), Refusal> {
    let mut known = vec!["id", "link"];
    if matches!(kind, "image" | "video" | "document") {
        known.push("caption");
    }
    if kind == "document" {
        known.push("filename");
    }
    only(object, &known)?;
    maybe_bounded(object, "caption", 1_024)?;
    maybe_bounded(object, "filename", 240)?;
    match (object["id"].as_str(), object["link"].as_str()) {
        (Some(id), None) => stored(account, kind, id),
        (None, Some(link)) if link.starts_with("http://") || link.starts_with("https://") => Ok(()),
        (None, Some(_)) => Err(Refusal::invalid(format!("{kind}.link is no URL"))),
        _ => Err(Refusal::parameter(format!(
            "{kind} needs either id or link"
        ))),
    }
}

fn stored(account: &Account, kind: &str, id: &str) -> Result<(), Refusal> {
    let unknown = || Refusal::bad(131_053, "Media upload error", format!("no file {id}"));
    let media = account.media.get(id).ok_or_else(unknown)?;
    let (types, bytes_max): (&[&str], usize) = match kind {
        "image" => (&["image/jpeg", "image/png"], 5 * MIB),
        "video" => (&["video/mp4", "video/3gpp"], 16 * MIB),
        "audio" => (
            &[
                "audio/aac",
                "audio/amr",
                "audio/mpeg",
                "audio/mp4",
                "audio/ogg",
            ],
            16 * MIB,
        ),
        "sticker" => (&["image/webp"], MIB / 2),
        _ => (&[], 100 * MIB),
    };
    let fits = types.is_empty() || types.contains(&media.content_type.as_str());
    if fits && media.bytes.len() <= bytes_max {
        return Ok(());
    }
    let words = format!("a file of type {} can't go as {kind}", media.content_type);
    Err(Refusal::bad(131_053, "Media upload error", words))
}

fn location(object: &Value) -> Result<(), Refusal> {
    only(object, &["latitude", "longitude", "name", "address"])?;
    for (name, max) in [("latitude", 90.0), ("longitude", 180.0)] {
        let degrees = object[name]
            .as_f64()
            .ok_or_else(|| Refusal::missing(name.to_owned()))?;
        if !(-max..=max).contains(&degrees) {
            return Err(Refusal::invalid(name.to_owned()));
        }
    }
    maybe_bounded(object, "name", 1_000)?;
    maybe_bounded(object, "address", 1_000)
}

fn contacts(list: &Value) -> Result<(), Refusal> {
    let cards = list.as_array().filter(|cards| !cards.is_empty());
    for card in cards.ok_or_else(|| Refusal::missing("contacts"))? {
        bounded(&card["name"], "formatted_name", 500)?;
    }
    Ok(())
}

fn reaction(account: &Account, object: &Value) -> Result<(), Refusal> {
    only(object, &["message_id", "emoji"])?;
    let id = object["message_id"]
        .as_str()
        .ok_or_else(|| Refusal::missing("reaction.message_id"))?;
    if !account.knows_message(id) {
        return Err(Refusal::invalid(format!("no message {id}")));
    }
    match object["emoji"].as_str() {
        Some(emoji) if emoji.chars().count() <= 16 => Ok(()),
        _ => Err(Refusal::invalid("reaction.emoji")),
    }
}

fn interactive(object: &Value) -> Result<(), Refusal> {
    only(object, &["type", "header", "body", "footer", "action"])?;
    let kind = object["type"]
        .as_str()
        .ok_or_else(|| Refusal::missing("interactive.type"))?;
    let body_max = if kind == "list" { 4_096 } else { 1_024 };
    bounded(&object["body"], "text", body_max)?;
    if let Some(footer) = object.get("footer") {
        bounded(footer, "text", 60)?;
    }
    let action = object
        .get("action")
        .ok_or_else(|| Refusal::missing("interactive.action"))?;
    match kind {
        "button" => buttons(action),
        "list" => sections(action),
        "cta_url" => {
            named(action, "cta_url")?;
            let parameters = &action["parameters"];
            bounded(parameters, "display_text", 20)?;
            bounded(parameters, "url", 2_000)
        }
        "location_request_message" => named(action, "send_location"),
        "flow" => {
            named(action, "flow")?;
            let parameters = &action["parameters"];
            bounded(parameters, "flow_message_version", 10)?;
            bounded(parameters, "flow_cta", 30)
        }
        other => Err(Refusal::invalid(format!("interactive.type {other}"))),
    }
}

fn named(action: &Value, name: &str) -> Result<(), Refusal> {
    if action["name"] == name {
        Ok(())
    } else {
        Err(Refusal::invalid(format!("action.name is not {name}")))
    }
}

fn buttons(action: &Value) -> Result<(), Refusal> {
    let buttons = action["buttons"].as_array();
    let buttons = buttons.filter(|buttons| (1..=3).contains(&buttons.len()));
    for button in buttons.ok_or_else(|| Refusal::invalid("one to three buttons"))? {
        if button["type"] != "reply" {
            return Err(Refusal::invalid("button.type"));
        }
        bounded(&button["reply"], "id", 256)?;
        bounded(&button["reply"], "title", 20)?;
    }
    Ok(())
}

fn sections(action: &Value) -> Result<(), Refusal> {
    bounded(action, "button", 20)?;
    let sections = action["sections"].as_array();
    let sections = sections.filter(|sections| (1..=10).contains(&sections.len()));
    let mut rows = 0;
    for section in sections.ok_or_else(|| Refusal::invalid("one to ten sections"))? {
        maybe_bounded(section, "title", 24)?;
        for row in section["rows"].as_array().into_iter().flatten() {
            rows += 1;
            bounded(row, "id", 200)?;
            bounded(row, "title", 24)?;
            maybe_bounded(row, "description", 72)?;
        }
    }
    if (1..=10).contains(&rows) {
        Ok(())
    } else {
        Err(Refusal::invalid(format!("{rows} rows, not 1 to 10")))
    }
}
