//! Courier wants a token for each call, takes files by a call of their own, and then the message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use trunkline_plugin_api::{Body, Media, prelude::*};

/// The cursor: what was asked last. It is saved before the request is made, so no secret is in it: a token is
/// asked for right before the call that needs it, and lives in that turn alone.
#[derive(Serialize, Deserialize)]
#[serde(tag = "asked", rename_all = "snake_case")]
enum Asked {
    TokenToUpload,
    Upload,
    TokenToSend { file: Option<String> },
    Send,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Courier {
    /// The account's key.
    api_key: Secret,
    /// Where the API is, without a slash at its end.
    api_base: String,
}

impl Courier {
    fn call(&self, path: &str, token: &Secret) -> HttpRequest {
        HttpRequest::new("POST", format!("{}{path}", self.api_base)).bearer(token)
    }

    fn ask(request: HttpRequest, asked: &Asked) -> Step<Receipt> {
        Step::call(request, json!(asked))
    }

    fn ask_token(&self, asked: &Asked) -> Step<Receipt> {
        Self::ask(self.call("/token", &self.api_key), asked)
    }

    fn upload(&self, media: &Media, token: &Secret) -> Step<Receipt> {
        let mut request = self.call("/files", token);
        request.body = Body::Media {
            media: media.source.clone(),
        }; // the daemon streams it
        Self::ask(request, &Asked::Upload)
    }

    fn post(&self, message: &OutboundMessage, file: Option<&str>, token: &Secret) -> Step<Receipt> {
        let body = json!({"to": message.to.identifier, "text": message.content.text, "file": file});
        Self::ask(self.call("/messages", token).json(&body), &Asked::Send)
    }
}

impl Adapter for Courier {
    type Config = Self;

    fn manifest() -> Manifest {
        Manifest::new("Courier", [Medium::Chat], [Capability::Send])
    }

    fn open(config: Self, _: OpenContext) -> Result<(Self, Facts), AdapterError> {
        let mut facts = Facts::new(Medium::Chat, "courier");
        facts.can_send = true;
        Ok((config, facts))
    }

    fn receive(&self, _: &WebhookRequest) -> Received {
        Received::refused(Verdict::NoSecret, 401, "Courier sends no webhooks")
    }

    fn send(&self, message: &OutboundMessage, turn: Turn) -> Step<Receipt> {
        let media = message.content.media.first();
        let asked = serde_json::from_value(turn.cursor.clone()).ok();
        let reply = match (turn.http(), &asked) {
            // A token, or a file that nothing names yet: whatever became of it, the message was not sent.
            (
                Some(Err(mut error)),
                Some(Asked::TokenToUpload | Asked::Upload | Asked::TokenToSend { .. }),
            ) => {
                if error.class == ErrorClass::Ambiguous {
                    error.class = ErrorClass::Transient;
                }
                return Step::fail(error);
            }
            (Some(Err(error)), _) => return Step::fail(error),
            (Some(Ok(reply)), _) if reply.status != 200 => {
                return Step::fail(refused(reply, turn.now_ms));
            }
            (Some(Ok(reply)), _) => Some(reply.json()),
            (None, _) => None,
        };
        let text = |name: &str| {
            reply
                .as_ref()
                .and_then(|reply| Some(reply[name].as_str()?.to_owned()))
        };
        let token = Secret::new(text("token").unwrap_or_default());
        match (asked, media) {
            // A restart while the message itself was on its way: nobody knows. Of all else nothing is lost.
            (Some(Asked::Send), _) if reply.is_none() => {
                Step::fail(AdapterError::unknown_outcome())
            }
            (Some(Asked::Send), _) => Step::sent(text("id").as_deref()),
            (Some(Asked::Upload), _) if reply.is_some() => match text("file") {
                // Without a name the text would go without its attachment, and nobody would know.
                None => Step::fail(no_file()),
                file => self.ask_token(&Asked::TokenToSend { file }),
            },
            (Some(Asked::TokenToSend { file }), _) if reply.is_none() => {
                self.ask_token(&Asked::TokenToSend { file })
            }
            (Some(Asked::TokenToSend { file }), _) => self.post(message, file.as_deref(), &token),
            (Some(Asked::TokenToUpload), Some(media)) if reply.is_some() => {
                self.upload(media, &token)
            }
            (_, Some(_)) => self.ask_token(&Asked::TokenToUpload),
            (_, None) => self.ask_token(&Asked::TokenToSend { file: None }),
        }
    }

    fn probe(&self, _: Turn) -> Step<Probe> {
        Step::unsupported("probe")
    }
}

fn no_file() -> AdapterError {
    let words = "Courier took the file and did not say its name: nothing was sent";
    AdapterError::new(ErrorClass::Bug, "no_file", words)
}

fn refused(reply: &HttpReply, now_ms: Timestamp) -> AdapterError {
    let class = match reply.status {
        401 | 403 => ErrorClass::Credentials,
        429 => ErrorClass::Throttled,
        500 | 503 => ErrorClass::Transient,
        _ => ErrorClass::Bug,
    };
    let error = AdapterError::new(
        class,
        format!("http_{}", reply.status),
        "Courier refused the call",
    );
    error.with_retry_after(reply.retry_after_ms(now_ms))
}
