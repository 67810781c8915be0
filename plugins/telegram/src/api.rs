//! Calls to the Bot API: `{base}/bot{token}/{method}`, and `{base}/file/bot{token}/{path}` for files.

use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError, ErrorClass, HttpReply, HttpRequest, Reply, Secret, Timestamp,
};
use url::Url;

use crate::errors;

/// Where to call and as which bot. Not printable: the token is in every URL.
pub(crate) struct Api {
    /// Without a slash at its end.
    base: String,
    token: Secret,
    /// The bot's id: what stands before the colon of the token.
    bot: String,
}

impl Api {
    /// None where the token can't be one: it goes into a path.
    pub(crate) fn new(base: &Url, token: &str) -> Option<Self> {
        let (bot, secret) = token.split_once(':')?;
        let is_id = !bot.is_empty() && bot.bytes().all(|byte| byte.is_ascii_digit());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        (is_id && !secret.is_empty() && secret.bytes().all(plain)).then(|| Self {
            base: base.as_str().trim_end_matches('/').into(),
            token: Secret::new(token),
            bot: bot.into(),
        })
    }

    /// The bot's id.
    pub(crate) fn bot(&self) -> &str {
        &self.bot
    }

    /// A call of a method with parameters in JSON.
    pub(crate) fn call(&self, method: &str, parameters: &Value) -> HttpRequest {
        self.post(method, "application/json")
            .body(parameters.to_string())
    }

    /// A call of a method whose body is still to be set.
    pub(crate) fn post(&self, method: &str, content_type: &str) -> HttpRequest {
        let url = format!("{}/bot{}/{method}", self.base, self.token.expose());
        HttpRequest::new("POST", url).header("content-type", content_type)
    }

    /// The download of a file; none where its path would lead elsewhere.
    pub(crate) fn file(&self, path: &str) -> Option<HttpRequest> {
        let leads_away = |part: &str| matches!(part, "" | "." | "..");
        if path.split('/').any(leads_away) {
            return None;
        }
        let mut url = Url::parse(&format!("{}/file/bot{}", self.base, self.token.expose())).ok()?;
        url.path_segments_mut().ok()?.extend(path.split('/'));
        Some(HttpRequest::new("GET", url.as_str()))
    }

    /// A text without the token.
    pub(crate) fn mask(&self, text: &str) -> String {
        let token = self.token.expose();
        let secret = token.split_once(':').map_or(token, |(_, secret)| secret);
        text.replace(secret, "***")
    }
}

/// The `result` of an answer, or the error that it means for a send.
pub(crate) fn result(reply: &Reply, now_ms: Timestamp) -> Result<Value, AdapterError> {
    let answer = reply.http()?;
    if !(200..300).contains(&answer.status) {
        return Err(errors::of_answer(answer, now_ms));
    }
    let body = body(answer);
    if body["ok"] == false {
        return Err(errors::of_answer(answer, now_ms));
    }
    match body.get("result") {
        Some(result) => Ok(result.clone()),
        None => Err(AdapterError::new(
            ErrorClass::Ambiguous,
            "unreadable_answer",
            "Telegram answered with success, but without a result",
        )),
    }
}

/// The JSON of an answer, null where it is none.
pub(crate) fn body(answer: &HttpReply) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}
