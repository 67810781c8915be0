//! The Bot API: `/bot{token}/{method}` and `/file/bot{token}/{path}`.
//!
//! ```text
//! request ─► token ─► parameters ─► rules ─► record ─► behaviour, account
//!               └────────┴────────────┴─ refusal ─► record ─► answer
//! ```

use super::Telegram;
use super::account::{Account, TelegramFile, TelegramMessage, Webhook};
use super::rules::{self, Draft, Refusal};
use crate::behaviour::Fault;
use crate::multipart;
use crate::recorded::RecordedRequest;
use crate::reply::{Incoming, Reply};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The largest file that a bot can fetch.
const DOWNLOAD_BYTES_MAX: usize = 20 * 1024 * 1024;

/// A call that is right in every way.
enum Call {
    Send(Box<Draft>),
    Answer(Value),
    SetWebhook(Webhook, Option<String>),
    Download(Vec<u8>),
}

impl Telegram {
    /// Answers one request.
    pub(crate) async fn serve(&self, incoming: Incoming) -> Reply {
        let mut findings = Vec::new();
        let (shown, admitted) = self.admit(&incoming, &mut findings);
        if let Err(refusal) = &admitted {
            let Refusal {
                code, description, ..
            } = refusal;
            findings.push(format!("refused with {code}: {description}"));
        }
        self.record(incoming, shown, &findings);
        match admitted {
            Ok(Call::Send(draft)) => self.send(*draft).await,
            Ok(Call::Answer(result)) => answer(&result),
            Ok(Call::SetWebhook(webhook, secret)) => {
                let mut account = self.inner.account.lock();
                account.secret_token = secret.unwrap_or_default();
                account.webhook = Some(webhook);
                answer(&json!(true))
            }
            Ok(Call::Download(bytes)) => Reply::Answer {
                status: 200,
                headers: vec![("content-type", "application/octet-stream".to_owned())],
                body: bytes,
            },
            Err(refusal) => refusal.reply(),
        }
    }

    /// The path without the token, and the call.
    fn admit(
        &self,
        incoming: &Incoming,
        findings: &mut Vec<String>,
    ) -> (String, Result<Call, Refusal>) {
        let account = self.inner.account.lock();
        let path = &incoming.path[Self::PREFIX.len()..];
        let (is_file, rest) = match path.strip_prefix("file/") {
            Some(rest) => (true, rest),
            None => (false, path),
        };
        let not_found = || Refusal::new(404, "Not Found");
        let Some((token, rest)) = rest
            .strip_prefix("bot")
            .and_then(|rest| rest.split_once('/'))
        else {
            return ("/".to_owned(), Err(not_found()));
        };
        let shown = if is_file {
            format!("/file/{rest}")
        } else {
            format!("/{rest}")
        };
        let token = percent_decoded(token);
        let call = check_token(&account, &token).and_then(|()| {
            if is_file {
                let path = percent_decoded(rest);
                let mut files = account.files.values();
                let found = files.find(|(known, _)| *known == path);
                found
                    .map(|(_, bytes)| Call::Download(bytes.clone()))
                    .ok_or_else(not_found)
            } else {
                call(&account, rest, incoming, findings)
            }
        });
        (shown, call)
    }

    async fn send(&self, draft: Draft) -> Reply {
        let (plan, answer) = {
            let mut account = self.inner.account.lock();
            let plan = account.sends.next();
            let answer = plan.accepted.then(|| accept(&mut account, draft));
            (plan, answer)
        };
        Reply::finish(plan, answer, fault).await
    }

    fn record(&self, incoming: Incoming, path: String, findings: &[String]) {
        self.inner.requests.push(|| RecordedRequest {
            method: incoming.method,
            path,
            headers: incoming.headers,
            params: vec![(
                "json".to_owned(),
                String::from_utf8_lossy(&incoming.body[..incoming.body.len().min(16_384)])
                    .into_owned(),
            )],
            problem: (!findings.is_empty()).then(|| findings.join("; ")),
        });
    }
}

/// A token that can't be one is no path of the API; another bot's is not authorized.
fn check_token(account: &Account, token: &str) -> Result<(), Refusal> {
    let is_one = token
        .split_once(':')
        .is_some_and(|(bot, secret)| bot.parse::<u64>().is_ok() && secret.len() >= 30);
    if !is_one {
        return Err(Refusal::new(404, "Not Found"));
    }
    if account.revoked || token != account.token {
        return Err(Refusal::new(401, "Unauthorized"));
    }
    Ok(())
}

fn percent_decoded(text: &str) -> String {
    // A path holds no plus signs that stand for spaces.
    let escaped = text.replace('+', "%2B");
    let mut pairs = form_urlencoded::parse(escaped.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(name, _)| name.into_owned())
}

fn call(
    account: &Account,
    method: &str,
    incoming: &Incoming,
    findings: &mut Vec<String>,
) -> Result<Call, Refusal> {
    if !matches!(incoming.method.as_str(), "GET" | "POST") {
        return Err(Refusal::new(405, "Method Not Allowed"));
    }
    let (parameters, file) = parameters(incoming)?;
    if let Some(known) = rules::sending(method) {
        let draft = rules::admit(account, known, parameters, file, findings)?;
        return Ok(Call::Send(Box::new(draft)));
    }
    match method.to_ascii_lowercase().as_str() {
        "getme" => Ok(Call::Answer(account.me())),
        "getwebhookinfo" => Ok(Call::Answer(account.webhook_info())),
        "setwebhook" => webhook(&parameters),
        "getfile" => file_of(account, &parameters),
        _ => Err(Refusal::new(404, "Not Found: method not found")),
    }
}

/// Parameters from the query, JSON or a form, and the file of a form.
fn parameters(incoming: &Incoming) -> Result<(Map<String, Value>, Option<TelegramFile>), Refusal> {
    let pairs = form_urlencoded::parse(incoming.query.as_bytes()).into_owned();
    let mut parameters: Map<String, Value> = pairs
        .map(|(name, value)| (name, Value::from(value)))
        .collect();
    let content_type = incoming.header("content-type").unwrap_or_default();
    if incoming.body.is_empty() {
        return Ok((parameters, None));
    }
    if content_type.starts_with("application/json") {
        let body: Value = serde_json::from_slice(&incoming.body)
            .map_err(|_| Refusal::bad("can't parse JSON object"))?;
        parameters.extend(body.as_object().cloned().unwrap_or_default());
        return Ok((parameters, None));
    }
    let announced = incoming.header("content-length");
    if announced.is_none_or(|len| len.parse() != Ok(incoming.body.len())) {
        return Err(Refusal::bad("an upload needs a content-length"));
    }
    let parts =
        multipart::parts(content_type, &incoming.body).map_err(|words| Refusal::bad(&words))?;
    let mut file = None;
    for part in parts {
        if let Some(name) = part.file_name {
            file = Some(TelegramFile {
                parameter: part.name.to_owned(),
                name: name.to_owned(),
                content_type: part.content_type.unwrap_or_default().to_owned(),
                bytes: part.bytes.to_vec(),
            });
        } else {
            let text = String::from_utf8_lossy(part.bytes).into_owned();
            parameters.insert(part.name.to_owned(), text.into());
        }
    }
    Ok((parameters, file))
}

fn webhook(parameters: &Map<String, Value>) -> Result<Call, Refusal> {
    let text = |name: &str| parameters.get(name).and_then(Value::as_str);
    let secret = text("secret_token").unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if secret.len() > 256 || !secret.bytes().all(plain) {
        return Err(Refusal::bad("secret token contains unallowed characters"));
    }
    let allowed = parameters.get("allowed_updates").and_then(Value::as_array);
    let allowed = allowed.into_iter().flatten().filter_map(Value::as_str);
    let webhook = Webhook {
        url: text("url").unwrap_or_default().to_owned(),
        allowed_updates: allowed.map(str::to_owned).collect(),
        ..Webhook::default()
    };
    let secret = (!secret.is_empty()).then(|| secret.to_owned());
    Ok(Call::SetWebhook(webhook, secret))
}

fn file_of(account: &Account, parameters: &Map<String, Value>) -> Result<Call, Refusal> {
    let id = parameters.get("file_id").and_then(Value::as_str);
    let known = id.and_then(|id| Some((id, account.files.get(id)?)));
    let (id, (path, bytes)) = known.ok_or_else(|| Refusal::bad("invalid file_id"))?;
    if bytes.len() > DOWNLOAD_BYTES_MAX {
        return Err(Refusal::bad("file is too big"));
    }
    Ok(Call::Answer(json!({
        "file_id": id, "file_unique_id": &id[4..], "file_size": bytes.len(), "file_path": path,
    })))
}

fn accept(account: &mut Account, draft: Draft) -> Reply {
    let is_message = !matches!(draft.method, "setMessageReaction" | "sendChatAction");
    let message = TelegramMessage {
        method: draft.method.to_owned(),
        chat: draft.chat,
        message_id: if is_message {
            account.new_message(draft.chat)
        } else {
            0
        },
        parameters: draft.parameters.into(),
        file: draft.file,
    };
    let result = if is_message {
        account.shown(&message, Timestamp::now().as_second())
    } else {
        json!(true)
    };
    account.messages.push(message);
    answer(&result)
}

fn answer(result: &Value) -> Reply {
    Reply::json(200, &json!({"ok": true, "result": result}))
}

fn fault(fault: Fault) -> Reply {
    if fault.code.is_none() {
        return Reply::text(fault.status, fault.message);
    }
    let mut refusal = Refusal::new(fault.status, fault.message);
    if let Some(wait) = fault.retry_after {
        refusal.description = format!("Too Many Requests: retry after {wait}");
        refusal.parameters = json!({"retry_after": wait});
    }
    refusal.reply()
}
