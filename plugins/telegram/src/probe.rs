//! The live check: who is the bot (`getMe`), and do updates arrive (`getWebhookInfo`).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trunkline_plugin_api::{AdapterError, ErrorClass, Probe, ProbeState, Step, Turn};

use crate::{api, config::Settings, errors, fields};

/// For how long a failed delivery counts, in milliseconds. Telegram goes on trying for a day, at most some minutes
/// apart.
const ERROR_AGE_MS_MAX: i64 = 60 * 60 * 1_000;

/// What the first call has shown.
#[derive(Default, Serialize, Deserialize)]
struct Bot {
    username: Option<String>,
    name: Option<String>,
}

/// One step of the check. A token that is refused is a finding (down), not a failed check.
pub(crate) fn probe(settings: &Settings, turn: &Turn) -> Result<Step<Probe>, AdapterError> {
    let api = match settings.api() {
        Ok(api) => api,
        Err(error) => return Ok(down(settings, &error.message)),
    };
    let Some(reply) = &turn.reply else {
        return Ok(Step::call(api.call("getMe", &json!({})), json!("me")));
    };
    let found = match api::result(reply, turn.now_ms).map_err(errors::for_reading) {
        Ok(found) => found,
        Err(error) if is_finding(error.class) => return Ok(down(settings, &error.message)),
        Err(error) => return Err(error),
    };
    if let Ok(bot) = serde_json::from_value::<Bot>(turn.cursor.clone()) {
        return Ok(Step::done(webhook(settings, bot, &found, turn.now_ms)));
    }
    let bot = Bot {
        username: fields::text(&found, "username").map(|name| format!("@{name}")),
        name: fields::owned(&found, "first_name"),
    };
    if found.get("id").is_none() {
        let words = "Telegram's answer names no bot: check api_base".to_owned();
        return Ok(Step::done(report(
            settings,
            bot,
            ProbeState::Degraded,
            Some(words),
        )));
    }
    if settings.secrets.is_empty() {
        return Ok(Step::done(report(settings, bot, ProbeState::Healthy, None)));
    }
    let call = api.call("getWebhookInfo", &json!({}));
    Ok(Step::call(call, json!(bot)))
}

fn is_finding(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Credentials | ErrorClass::Config)
}

/// Messages go out; whether they come in is in Telegram's word on the webhook.
fn webhook(settings: &Settings, bot: Bot, found: &Value, now_ms: i64) -> Probe {
    match trouble(found, now_ms) {
        Some(words) => report(
            settings,
            bot,
            ProbeState::Degraded,
            Some(settings.mask(&words)),
        ),
        None => report(settings, bot, ProbeState::Healthy, None),
    }
}

fn trouble(found: &Value, now_ms: i64) -> Option<String> {
    if fields::text(found, "url").is_none() {
        return Some(
            "Telegram sends no updates: call setWebhook with this channel's webhook URL and secret_token".into(),
        );
    }
    let kinds = found.get("allowed_updates").and_then(Value::as_array);
    if kinds.is_some_and(|kinds| !kinds.is_empty() && !kinds.contains(&"message".into())) {
        return Some(
            "Telegram sends no messages: call setWebhook with \"message\" in allowed_updates"
                .into(),
        );
    }
    let waiting = found.get("pending_update_count").and_then(Value::as_u64);
    let waiting = waiting.filter(|waiting| *waiting > 0)?;
    let failed_at = fields::time(found, "last_error_date")?;
    let said = fields::text(found, "last_error_message").unwrap_or("no reason given");
    (now_ms.saturating_sub(failed_at) <= ERROR_AGE_MS_MAX).then(|| {
        let said = errors::bounded(said);
        format!("Telegram could not deliver updates, {waiting} wait: {said}")
    })
}

fn down(settings: &Settings, words: &str) -> Step<Probe> {
    let words = settings.mask(words);
    Step::done(report(
        settings,
        Bot::default(),
        ProbeState::Down,
        Some(words),
    ))
}

fn report(settings: &Settings, bot: Bot, state: ProbeState, detail: Option<String>) -> Probe {
    Probe {
        account: bot.username,
        display_name: bot.name,
        address: settings.bot().map(String::from),
        detail,
        ..Probe::new(state)
    }
}
