//! The Graph API: finds the call in a request, checks it as strictly as Meta, performs it.
//!
//! ```text
//! request ─► admit (token, path, parameters) ─► record ─► perform (behaviour, account)
//!                 └─► refusal ─────────────────► record ─► answer
//! ```

use super::account::{Account, MetaEndpoint, MetaMessage, ReadMark, StoredMedia, new_wamid};
use super::message::{self, Post};
use super::refusal::Refusal;
use super::{Meta, upload};
use crate::recorded::RecordedRequest;
use crate::reply::{Incoming, Reply};
use serde_json::{Value, json};

/// Versions of the Graph API that answer.
const VERSIONS: std::ops::RangeInclusive<u32> = 19..=26;
/// Templates on a page where no limit is given, and at most.
const PAGE_SIZE: (usize, usize) = (25, 250);

/// A call that is right in every way.
enum Call {
    Message {
        number: String,
        message: Box<message::Draft>,
    },
    Read(ReadMark),
    Upload(StoredMedia),
    Media(String),
    Number(String),
    Templates {
        after: usize,
        limit: usize,
    },
}

impl Call {
    fn endpoint(&self) -> MetaEndpoint {
        match self {
            Self::Message { .. } => MetaEndpoint::Messages,
            Self::Read(_) => MetaEndpoint::Read,
            Self::Upload(_) => MetaEndpoint::Upload,
            Self::Media(_) => MetaEndpoint::Media,
            Self::Number(_) => MetaEndpoint::Number,
            Self::Templates { .. } => MetaEndpoint::Templates,
        }
    }
}

impl Meta {
    /// True for the paths of the Graph API: `/v25.0/...`.
    pub(crate) fn is_path(path: &str) -> bool {
        version(path).is_some()
    }

    /// Answers one request to the API.
    pub(crate) async fn serve(&self, incoming: Incoming) -> Reply {
        let mut findings = Vec::new();
        let admitted = admit(&self.inner.account.lock(), &incoming, &mut findings);
        if let Err(refusal) = &admitted {
            let Refusal {
                status,
                code,
                message,
                details,
            } = refusal;
            findings.push(format!(
                "refused with {status}/{code}: {message}: {details}"
            ));
        }
        self.record(incoming, &findings);
        match admitted {
            Ok(call) => self.perform(call).await,
            Err(refusal) => refusal.reply(),
        }
    }

    /// Answers one request to the origin of attachments, which wants the token as well.
    pub(crate) async fn serve_lookaside(&self, incoming: Incoming) -> Reply {
        let (plan, found) = {
            let mut account = self.inner.account.lock();
            let found = lookaside(&account, &incoming);
            let plan = account.script(MetaEndpoint::Download).next();
            (plan, found)
        };
        let findings: Vec<String> = found
            .as_ref()
            .err()
            .map(|(_, why)| (*why).to_owned())
            .into_iter()
            .collect();
        self.record(incoming, &findings);
        match found {
            Ok(media) => {
                let reply = Reply::Answer {
                    status: 200,
                    headers: vec![("content-type", media.content_type)],
                    body: media.bytes,
                };
                Reply::finish(plan, Some(reply), Refusal::of_fault).await
            }
            Err((status, words)) => Reply::text(status, words),
        }
    }

    async fn perform(&self, call: Call) -> Reply {
        let (plan, done) = {
            let mut account = self.inner.account.lock();
            let plan = account.script(call.endpoint()).next();
            let done = plan
                .accepted
                .then(|| act(&mut account, &self.inner.lookaside_base, call));
            (plan, done)
        };
        let mut reply = None;
        if let Some((answer, sent)) = done {
            if let Some(message) = sent {
                self.begin_reports(message).await;
            }
            reply = Some(answer);
        }
        Reply::finish(plan, reply, Refusal::of_fault).await
    }

    fn record(&self, incoming: Incoming, findings: &[String]) {
        self.inner.requests.push(|| {
            let is_json = incoming
                .header("content-type")
                .is_some_and(|value| value.starts_with("application/json"));
            let params = if is_json {
                let text = String::from_utf8_lossy(&incoming.body).into_owned();
                vec![("json".to_owned(), text)]
            } else {
                query(&incoming)
            };
            RecordedRequest {
                method: incoming.method,
                path: incoming.path,
                headers: incoming.headers,
                params,
                problem: (!findings.is_empty()).then(|| findings.join("; ")),
            }
        });
    }
}

/// What is behind `/v25.0/`, where the version answers.
fn version(path: &str) -> Option<&str> {
    let (version, rest) = path.strip_prefix("/v")?.split_once('/')?;
    let (major, minor) = version.split_once('.')?;
    let answers = VERSIONS.contains(&major.parse().ok()?) && minor == "0";
    answers.then_some(rest)
}

fn query(incoming: &Incoming) -> Vec<(String, String)> {
    form_urlencoded::parse(incoming.query.as_bytes())
        .into_owned()
        .collect()
}

fn admit(
    account: &Account,
    incoming: &Incoming,
    findings: &mut Vec<String>,
) -> Result<Call, Refusal> {
    check_token(account, incoming)?;
    let rest = version(&incoming.path).unwrap_or_default();
    let parts: Vec<&str> = rest.split('/').collect();
    match (incoming.method.as_str(), parts.as_slice()) {
        ("POST", [id, "messages"]) if account.number(id).is_some() => {
            let body = json_body(incoming)?;
            Ok(match message::admit(account, id, &body, findings)? {
                Post::Message(message) => Call::Message {
                    number: (*id).to_owned(),
                    message,
                },
                Post::Read(mark) => Call::Read(mark),
            })
        }
        ("POST", [id, "media"]) if account.number(id).is_some() => {
            upload::admit(incoming).map(Call::Upload)
        }
        ("GET", [id, "message_templates"]) if *id == account.waba_id => {
            templates(incoming, findings)
        }
        ("GET", [id]) if account.number(id).is_some() => Ok(Call::Number((*id).to_owned())),
        ("GET", [id]) if account.media.contains_key(*id) => {
            let named = query(incoming);
            let number = named.iter().find(|(name, _)| name == "phone_number_id");
            if number.is_some_and(|(_, id)| account.number(id).is_none()) {
                return Err(Refusal::unknown_object(id));
            }
            Ok(Call::Media((*id).to_owned()))
        }
        (_, parts) => Err(Refusal::unknown_object(parts.first().unwrap_or(&""))),
    }
}

fn check_token(account: &Account, incoming: &Incoming) -> Result<(), Refusal> {
    let given = incoming
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "));
    if query(incoming)
        .iter()
        .any(|(name, _)| name == "access_token")
    {
        return Err(Refusal::parameter("the access token belongs into a header"));
    }
    match given {
        None => Err(Refusal::token(
            "An active access token must be used to query information about the current user.",
        )),
        Some(token) if token != account.access_token => Err(Refusal::token(
            "Invalid OAuth access token - Cannot parse access token",
        )),
        Some(_) if account.token_expired => Err(Refusal::token(
            "Error validating access token: Session has expired on Saturday, 01-Aug-26 10:00:00 PDT.",
        )),
        Some(_) => Ok(()),
    }
}

fn json_body(incoming: &Incoming) -> Result<Value, Refusal> {
    let content_type = incoming.header("content-type").unwrap_or_default();
    if !content_type.starts_with("application/json") {
        return Err(Refusal::parameter(format!(
            "content type `{content_type}` is not JSON"
        )));
    }
    let body: Value = serde_json::from_slice(&incoming.body)
        .map_err(|error| Refusal::parameter(format!("the body is not JSON: {error}")))?;
    if body.is_object() {
        Ok(body)
    } else {
        Err(Refusal::parameter("the body is not an object"))
    }
}

fn templates(incoming: &Incoming, findings: &mut Vec<String>) -> Result<Call, Refusal> {
    let (mut after, mut limit) = (0, PAGE_SIZE.0);
    for (name, value) in query(incoming) {
        match name.as_str() {
            "limit" => {
                limit = value
                    .parse()
                    .ok()
                    .filter(|limit| (1..=PAGE_SIZE.1).contains(limit))
                    .ok_or_else(|| Refusal::parameter("limit"))?;
            }
            "after" => {
                after = value
                    .strip_prefix("cursor-")
                    .and_then(|place| place.parse().ok())
                    .ok_or_else(|| Refusal::parameter("after"))?;
            }
            "fields" | "status" | "name" | "language" => {}
            other => findings.push(format!("unknown parameter {other}")),
        }
    }
    Ok(Call::Templates { after, limit })
}

/// The file that a short-lived address leads to.
fn lookaside(account: &Account, incoming: &Incoming) -> Result<StoredMedia, (u16, &'static str)> {
    let token = incoming
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "));
    if token != Some(account.access_token.as_str()) || account.token_expired {
        return Err((
            401,
            "the attachment's address was called without the access token",
        ));
    }
    let named = query(incoming);
    let hash = named.iter().find(|(name, _)| name == "hash");
    let id = hash.and_then(|(_, hash)| account.addresses.get(hash));
    let media = id.and_then(|id| account.media.get(id));
    media.cloned().ok_or((404, "the address has ended"))
}

/// Performs a call; a message that was sent comes along.
fn act(account: &mut Account, lookaside_base: &str, call: Call) -> (Reply, Option<MetaMessage>) {
    let answer = match call {
        Call::Message { number, message } => {
            let (answer, sent) = accept(account, number, *message);
            return (Reply::json(200, &answer), Some(sent));
        }
        Call::Read(mark) => {
            account.read_marks.push(mark);
            json!({"success": true})
        }
        Call::Upload(media) => json!({"id": account.keep(media)}),
        Call::Media(id) => address(account, lookaside_base, &id),
        Call::Number(id) => number(account, &id),
        Call::Templates { after, limit } => page(account, after, limit),
    };
    (Reply::json(200, &answer), None)
}

fn accept(account: &mut Account, number: String, draft: message::Draft) -> (Value, MetaMessage) {
    let sent = MetaMessage {
        id: new_wamid(),
        phone_number_id: number,
        to: draft.to,
        kind: draft.kind,
        body: draft.body,
    };
    account.messages.push(sent.clone());
    let person = match sent.to.strip_prefix('+') {
        Some(digits) => json!({"input": sent.to, "wa_id": digits}),
        None => json!({"input": sent.to, "user_id": sent.to}),
    };
    let mut message = json!({"id": sent.id});
    if sent.kind == "template" {
        message["message_status"] = "accepted".into();
    }
    let answer = json!({
        "messaging_product": "whatsapp", "contacts": [person], "messages": [message],
    });
    (answer, sent)
}

/// The resource of a file: its address is another one each time.
fn address(account: &mut Account, lookaside_base: &str, id: &str) -> Value {
    let hash = super::account::random_hex();
    account.addresses.insert(hash.clone(), id.to_owned());
    let media = &account.media[id];
    json!({
        "messaging_product": "whatsapp",
        "url": format!("{lookaside_base}{}?mid={id}&ext=1&hash={hash}", Meta::LOOKASIDE_PATH),
        "mime_type": media.content_type,
        "file_size": media.bytes.len(),
        "id": id,
    })
}

fn number(account: &Account, id: &str) -> Value {
    let Some(number) = account.number(id) else {
        return Value::Null;
    };
    json!({
        "id": number.phone_number_id,
        "display_phone_number": number.display_phone_number,
        "verified_name": number.verified_name,
        "quality_rating": number.quality_rating,
        "code_verification_status": "VERIFIED",
        "name_status": number.name_status,
        "status": number.status,
        "throughput": {"level": "STANDARD"},
    })
}

fn page(account: &Account, after: usize, limit: usize) -> Value {
    let items: Vec<&Value> = account.templates.iter().skip(after).take(limit).collect();
    let end = after + items.len();
    let mut paging = json!({
        "cursors": {"before": format!("cursor-{after}"), "after": format!("cursor-{end}")},
    });
    if end < account.templates.len() {
        paging["next"] = format!("https://graph.facebook.com/next?after=cursor-{end}").into();
    }
    json!({"data": items, "paging": paging})
}
