//! The calls of Resend's API.

use super::{Account, DOMAIN, Resend, ResendMessage};
use crate::behaviour::Fault;
use crate::recorded::RecordedRequest;
use crate::reply::{Incoming, Reply};
use data_encoding::BASE64;
use serde_json::{Value, json};

/// Members of a mail (Resend: Send Email).
const MEMBERS: [&str; 13] = [
    "from",
    "to",
    "subject",
    "bcc",
    "cc",
    "scheduled_at",
    "reply_to",
    "html",
    "text",
    "headers",
    "topic_id",
    "attachments",
    "tags",
];

/// A refusal: status, `name`, `message`.
type Refusal = (u16, &'static str, String);

impl Resend {
    /// Answers one request.
    pub(crate) async fn serve(&self, incoming: Incoming) -> Reply {
        let path = incoming.path[Self::PREFIX.len()..].to_owned();
        let outcome = match path.strip_prefix("/files/") {
            Some(file) => return self.file(file, &incoming),
            None => self.check(&incoming, &path),
        };
        let problem = outcome
            .as_ref()
            .err()
            .map(|(status, name, words)| format!("refused with {status} {name}: {words}"));
        self.inner.requests.push(|| RecordedRequest {
            method: incoming.method.clone(),
            path: path.clone(),
            headers: incoming.headers.clone(),
            params: Vec::new(),
            problem,
        });
        match outcome {
            Err((status, name, words)) => refusal(status, name, &words),
            Ok(None) => self.read(&path).await,
            Ok(Some(mail)) => self.send(&incoming, mail).await,
        }
    }

    /// The mail of a right send, none for a right call that only reads.
    fn check(&self, incoming: &Incoming, path: &str) -> Result<Option<Value>, Refusal> {
        let bearer = format!("Bearer {}", self.inner.api_key);
        match incoming.header("authorization") {
            None => return Err((401, "missing_api_key", "no Authorization".into())),
            Some(given) if given != bearer => {
                return Err((403, "invalid_api_key", "the API key is invalid".into()));
            }
            Some(_) => {}
        }
        match (incoming.method.as_str(), path) {
            ("GET", "/domains") => Ok(None),
            ("GET", path) if path.starts_with("/emails/receiving/") => Ok(None),
            ("POST", "/emails") => {
                let kind = incoming.header("content-type").unwrap_or_default();
                if kind != "application/json" {
                    return Err(invalid(format!("content type `{kind}` is not JSON")));
                }
                if let Some(key) = incoming.header("idempotency-key")
                    && !(1..=256).contains(&key.len())
                {
                    return Err((400, "invalid_idempotency_key", "1 to 256 characters".into()));
                }
                let mail: Value = serde_json::from_slice(&incoming.body)
                    .map_err(|error| invalid(format!("not JSON: {error}")))?;
                check_mail(&mail)?;
                Ok(Some(mail))
            }
            _ => Err((405, "method_not_allowed", "no such call".into())),
        }
    }

    async fn send(&self, incoming: &Incoming, mail: Value) -> Reply {
        let key = incoming.header("idempotency-key").map(str::to_owned);
        let (plan, answer) = {
            let mut account = self.inner.account.lock();
            let plan = account.sends.next();
            let answer = plan
                .accepted
                .then(|| accept(&mut account, key, &incoming.body, mail));
            (plan, answer)
        };
        Reply::finish(plan, answer, fault).await
    }

    async fn read(&self, path: &str) -> Reply {
        let (plan, answer) = {
            let mut account = self.inner.account.lock();
            if path == "/domains" {
                let status = account.domain_status.as_deref().unwrap_or("verified");
                return Reply::json(
                    200,
                    &json!({"object": "list", "has_more": false, "data": [
                        {"id": "d91cd9bd", "name": DOMAIN, "status": status, "region": "eu-west-1"},
                    ]}),
                );
            }
            let plan = account.reads.next();
            let ids: Vec<&str> = path
                .trim_start_matches("/emails/receiving/")
                .split('/')
                .collect();
            let found = match ids.as_slice() {
                [mail] => account.received.get(*mail).cloned(),
                [mail, "attachments", id] => account.files.get(&format!("{mail}/{id}")).map(|_| {
                    let url = format!("{}/files/{mail}/{id}?signature=s", self.inner.base);
                    json!({"object": "attachment", "id": id, "download_url": url})
                }),
                _ => None,
            };
            let answer = match found {
                Some(found) => Reply::json(200, &found),
                None => refusal(404, "not_found", "there is no such mail"),
            };
            (plan, answer)
        };
        let answer = plan.accepted.then_some(answer);
        Reply::finish(plan, answer, fault).await
    }

    /// The file store behind the signed links: it takes no credentials.
    fn file(&self, file: &str, incoming: &Incoming) -> Reply {
        let problem = incoming
            .header("authorization")
            .map(|_| "credentials for the file store".to_owned());
        self.inner.requests.push(|| RecordedRequest {
            method: incoming.method.clone(),
            path: incoming.path.clone(),
            headers: incoming.headers.clone(),
            params: Vec::new(),
            problem: problem.clone(),
        });
        let account = self.inner.account.lock();
        match account
            .files
            .get(file)
            .filter(|_| problem.is_none() && incoming.query == "signature=s")
        {
            Some((kind, bytes)) => Reply::Answer {
                status: 200,
                headers: vec![("content-type", kind.clone())],
                body: bytes.clone(),
            },
            None => Reply::text(403, "AccessDenied"),
        }
    }
}

/// Takes a mail, once for each idempotency key.
fn accept(account: &mut Account, key: Option<String>, body: &[u8], mail: Value) -> Reply {
    if let Some((known, id)) = key.as_ref().and_then(|key| account.keys.get(key)) {
        if known != body {
            return refusal(
                409,
                "invalid_idempotent_request",
                "another body under this key",
            );
        }
        return Reply::json(200, &json!({"id": id}));
    }
    let random = rand::random::<u128>();
    let id = format!(
        "{:08x}-0000-4000-8000-{:012x}",
        random >> 96,
        random & 0xffff_ffff_ffff
    );
    if let Some(key) = &key {
        account
            .keys
            .insert(key.clone(), (body.to_vec(), id.clone()));
    }
    account.messages.push(ResendMessage {
        id: id.clone(),
        json: mail,
        idempotency_key: key,
    });
    Reply::json(200, &json!({"id": id})).with_header("ratelimit-remaining", "9")
}

fn check_mail(mail: &Value) -> Result<(), Refusal> {
    let members = mail.as_object().ok_or_else(|| invalid("not an object"))?;
    if let Some(unknown) = members.keys().find(|key| !MEMBERS.contains(&key.as_str())) {
        return Err(invalid(format!("`{unknown}` is no member of a mail")));
    }
    let from = mail["from"].as_str().ok_or_else(|| missing("from"))?;
    let address = from
        .rsplit('<')
        .next()
        .unwrap_or(from)
        .trim_end_matches('>');
    if !address.ends_with(&format!("@{DOMAIN}")) {
        return Err((
            403,
            "validation_error",
            format!("the domain of {address} is not verified"),
        ));
    }
    let to = mail["to"].as_array().ok_or_else(|| missing("to"))?;
    let is_address = |to: &Value| {
        to.as_str()
            .is_some_and(|to| to.split('@').count() == 2 && !to.contains(' '))
    };
    if !(1..=50).contains(&to.len()) || !to.iter().all(is_address) {
        return Err(invalid("`to` is no list of 1 to 50 addresses"));
    }
    mail["subject"].as_str().ok_or_else(|| missing("subject"))?;
    let filled = |name: &str| mail[name].as_str().is_some_and(|text| !text.is_empty());
    if !filled("html") && !filled("text") {
        return Err(missing("html` or `text"));
    }
    for (name, value) in mail["headers"].as_object().into_iter().flatten() {
        let value = value
            .as_str()
            .ok_or_else(|| invalid(format!("header {name} is no text")))?;
        if value.contains(['\r', '\n']) || name.contains([':', '\r', '\n', ' ']) {
            return Err(invalid(format!("header {name} is malformed")));
        }
    }
    for tag in mail["tags"].as_array().into_iter().flatten() {
        let plain = |text: &str| {
            (1..=256).contains(&text.len())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        if ![&tag["name"], &tag["value"]]
            .into_iter()
            .all(|part| part.as_str().is_some_and(plain))
        {
            return Err(invalid(
                "tags hold ASCII letters, numbers, underscores and dashes only",
            ));
        }
    }
    for file in mail["attachments"].as_array().into_iter().flatten() {
        let content = file["content"]
            .as_str()
            .map(|text| BASE64.decode(text.as_bytes()));
        if !matches!(content, Some(Ok(_))) || file["filename"].as_str().is_none_or(str::is_empty) {
            return Err((422, "invalid_attachment", "no name, or not base64".into()));
        }
    }
    Ok(())
}

fn invalid(words: impl Into<String>) -> Refusal {
    (422, "validation_error", words.into())
}

fn missing(what: &str) -> Refusal {
    (
        422,
        "missing_required_field",
        format!("`{what}` is missing"),
    )
}

fn refusal(status: u16, name: &str, words: &str) -> Reply {
    Reply::json(
        status,
        &json!({"statusCode": status, "name": name, "message": words}),
    )
}

fn fault(fault: Fault) -> Reply {
    match fault.code {
        Some(_) => refusal(fault.status, &fault.message, "trouble"),
        None => Reply::text(fault.status, fault.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(change: impl FnOnce(&mut Value)) -> Option<String> {
        let mut mail = json!({
            "from": "Support <support@example.com>", "to": ["ada@example.org"], "subject": "Hi", "text": "Hi",
            "tags": [{"name": "a", "value": "b-1"}], "headers": {"X-A": "b"},
            "attachments": [{"filename": "a.txt", "content": "YQ=="}],
        });
        change(&mut mail);
        check_mail(&mail).err().map(|(_, name, _)| name.to_owned())
    }

    #[test]
    fn mails_are_checked() {
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(mail(|_| {}), None);
        assert_eq!(
            mail(|mail| mail["from"] = json!("a@elsewhere.org")),
            name("validation_error")
        );
        assert_eq!(
            mail(|mail| mail["to"] = json!([])),
            name("validation_error")
        );
        assert_eq!(
            mail(|mail| mail["to"] = json!("ada@example.org")),
            name("missing_required_field")
        );
        assert_eq!(
            mail(|mail| mail["text"] = json!("")),
            name("missing_required_field")
        );
        assert_eq!(
            mail(|mail| mail["surprise"] = json!(1)),
            name("validation_error")
        );
        assert_eq!(
            mail(|mail| mail["tags"][0]["value"] = json!("a.b")),
            name("validation_error")
        );
        assert_eq!(
            mail(|mail| mail["headers"]["X-A"] = json!("a\r\nb")),
            name("validation_error")
        );
        assert_eq!(
            mail(|mail| mail["attachments"][0]["content"] = json!("?")),
            name("invalid_attachment")
        );
    }
}
