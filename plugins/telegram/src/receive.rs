//! Is an update genuine, and which kind is it (Bot API, setWebhook and Update).

use serde_json::Value;
use trunkline_plugin_api::{Event, Note, Received, Response, Verdict, WebhookRequest, sign};

use crate::{config::Settings, fields, message, signals};

/// Holds the secret token that was given with `setWebhook`.
const HEADER: &str = "x-telegram-bot-api-secret-token";

/// Verifies one update and reads it. The secret stands beside the body: a changed body can't be told.
pub(crate) fn receive(settings: &Settings, request: &WebhookRequest) -> Received {
    if settings.secrets.is_empty() {
        let reason = format!(
            "no secret_token configured: set it in [channel.{}.config]",
            settings.channel
        );
        return Received::refused(Verdict::NoSecret, 404, reason);
    }
    let Some(given) = request.header(HEADER) else {
        let reason = format!("no {HEADER}: give secret_token to Telegram with setWebhook");
        return Received::refused(Verdict::Unsigned, 401, reason);
    };
    if !matches_any(settings, given) {
        let reason = format!("{HEADER} is not secret_token of the configuration");
        return Received::refused(Verdict::Mismatch, 403, reason);
    }
    match serde_json::from_slice::<Value>(&request.body) {
        Ok(update) => read(settings, &update),
        Err(_) => Received::unparsed(Response::status(200), "not the JSON of an update"),
    }
}

/// All secrets are compared, so that the time does not tell which one is close.
fn matches_any(settings: &Settings, given: &str) -> bool {
    let secrets = settings.secrets.iter();
    secrets.fold(false, |found, secret| {
        sign::equal(given.as_bytes(), secret.as_bytes()) | found
    })
}

/// An update holds its number and one member that is named like its kind.
fn read(settings: &Settings, update: &Value) -> Received {
    let number = update.get("update_id").and_then(Value::as_i64);
    let mut members = update.as_object().into_iter().flatten();
    let member = members.find(|(name, _)| *name != "update_id");
    let (Some(number), Some((kind, member))) = (number, member) else {
        let why = "an update has an update_id and one other member";
        return Received::unparsed(Response::status(200), why);
    };
    let about = About {
        number,
        address: settings.bot(),
    };
    let event = match kind.as_str() {
        "message" => message::new(member, &about),
        "edited_message" => message::edited(member, &about),
        "callback_query" => signals::pressed(member, &about),
        "message_reaction" => signals::reaction(member, &about),
        "my_chat_member" => signals::membership(member, &about),
        // Posts of channels, polls, business accounts, payments and whatever is new.
        _ => None,
    };
    let event = event.unwrap_or_else(|| note(kind, member));
    Received::authentic(response(kind, member), vec![event])
}

/// What every event of an update shares.
pub(crate) struct About<'a> {
    /// The update's number, the same when Telegram sends it again.
    pub(crate) number: i64,
    /// The bot.
    pub(crate) address: Option<&'a str>,
}

/// Kept, and nothing more.
fn note(kind: &str, member: &Value) -> Event {
    Event::Note(Note {
        kind: kind.into(),
        data: member.clone(),
    })
}

/// The phone shows a pressed button as busy until the bot has said something to it; the answer to a webhook may
/// hold that call (Bot API, making requests when getting updates).
fn response(kind: &str, member: &Value) -> Response {
    match fields::text(member, "id").filter(|_| kind == "callback_query") {
        Some(id) => {
            let call =
                serde_json::json!({"method": "answerCallbackQuery", "callback_query_id": id});
            Response::with_body(200, "application/json", call.to_string())
        }
        None => Response::status(200),
    }
}
