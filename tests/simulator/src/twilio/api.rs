//! The REST API: finds the call in a request, checks it as strictly as Twilio, performs it.
//!
//! ```text
//! request ─► admit (credentials, path, parameters) ─► record ─► perform (behaviour, ledger)
//!                 └─► refusal ────────────────────────► record ─► answer
//! ```

use super::account::{Account, AccountStatus, Endpoint};
use super::callbacks::Callbacks;
use super::create::Draft;
use super::ledger::{LedgerMessage, StatusWord};
use super::refusal::Refusal;
use super::{Inner, Twilio, content, create, list, media, resource};
use crate::recorded::RecordedRequest;
use crate::reply::{Incoming, Reply};
use data_encoding::BASE64;

/// A call that is right in every way.
enum Call {
    Create(Draft),
    Fetch(String),
    List(list::Query),
    Cancel(String),
    Account,
    Balance,
    Media(String),
    Content(content::Query),
}

impl Call {
    fn endpoint(&self) -> Endpoint {
        match self {
            Self::Create(_) => Endpoint::Create,
            Self::Fetch(_) => Endpoint::Fetch,
            Self::List(_) => Endpoint::List,
            Self::Cancel(_) => Endpoint::Cancel,
            Self::Account => Endpoint::Account,
            Self::Balance => Endpoint::Balance,
            Self::Media(_) => Endpoint::Media,
            Self::Content(_) => Endpoint::Content,
        }
    }
}

/// The true answer, and what begins with it.
struct Done {
    reply: Reply,
    created: Option<(String, Callbacks)>,
}

/// What a request carries, decoded.
struct Params {
    list: Vec<(String, String)>,
    problem: Option<String>,
}

impl Twilio {
    /// Answers one request to the API.
    pub(crate) async fn serve(&self, incoming: Incoming) -> Reply {
        let params = params(&incoming);
        let admitted = admit(&self.inner.account.lock(), &incoming, &params.list);
        let problem = problem(&admitted, &params);
        let call = match admitted {
            Ok(call) => call,
            Err(refusal) => {
                self.record(incoming, params.list, problem);
                return refusal.reply();
            }
        };
        self.record(incoming, params.list, problem);
        self.perform(call).await
    }

    async fn perform(&self, call: Call) -> Reply {
        let is_create = call.endpoint() == Endpoint::Create;
        let _under_way = is_create.then(|| self.inner.creates.enter());
        let (plan, done) = {
            let mut account = self.inner.account.lock();
            let plan = account.script(call.endpoint()).next();
            let done = plan.accepted.then(|| act(&mut account, &self.inner, call));
            (plan, done)
        };
        let mut reply = None;
        if let Some(done) = done {
            if let Some((sid, callbacks)) = done.created {
                self.begin_loop(&sid);
                self.begin_callbacks(sid, &callbacks).await;
            }
            reply = Some(done.reply);
        }
        Reply::finish(plan, reply, Refusal::of_fault).await
    }

    fn record(&self, incoming: Incoming, params: Vec<(String, String)>, problem: Option<String>) {
        self.inner.requests.push(|| RecordedRequest {
            method: incoming.method,
            path: incoming.path,
            headers: incoming.headers,
            params,
            problem,
        });
    }
}

/// What was wrong with the request, refused or not.
fn problem(admitted: &Result<Call, Refusal>, params: &Params) -> Option<String> {
    let mut problems: Vec<String> = params.problem.iter().cloned().collect();
    match admitted {
        Ok(Call::Create(_)) => problems.extend(create::findings(&params.list)),
        Ok(Call::List(_)) => problems.extend(list::findings(&params.list)),
        Ok(_) => {}
        Err(refusal) => {
            let Refusal {
                status,
                code,
                message,
            } = refusal;
            problems.push(format!("refused with {status}/{code}: {message}"));
        }
    }
    (!problems.is_empty()).then(|| problems.join("; "))
}

/// Form parameters of a POST, query parameters otherwise. A POST that is not a form has none.
fn params(incoming: &Incoming) -> Params {
    if incoming.method != "POST" {
        return Params {
            list: decode(incoming.query.as_bytes()),
            problem: None,
        };
    }
    let content_type = incoming.header("content-type").unwrap_or("");
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Params {
            list: Vec::new(),
            problem: Some(format!("content type `{content_type}` is not a form")),
        };
    }
    let list = decode(&incoming.body);
    let damaged = list
        .iter()
        .any(|(name, value)| name.contains('\u{fffd}') || value.contains('\u{fffd}'));
    Params {
        list,
        problem: damaged.then(|| "the form is not UTF-8".to_owned()),
    }
}

fn decode(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

/// Finds the call and checks everything about it.
fn admit(
    account: &Account,
    incoming: &Incoming,
    params: &[(String, String)],
) -> Result<Call, Refusal> {
    let by_key = authenticate(account, incoming)?;
    let lost = || Refusal::not_found(&incoming.path);
    if incoming.path == content::PATH {
        return match incoming.method.as_str() {
            "GET" => content::query(params).map(Call::Content),
            _ => Err(Refusal::with_status(405, 20004, "Method not allowed")),
        };
    }
    let rest = incoming.path.strip_prefix("/2010-04-01/Accounts/");
    let path: Vec<&str> = rest.ok_or_else(lost)?.split('/').collect();
    let sid = path[0].strip_suffix(".json").filter(|_| path.len() == 1);
    if sid.unwrap_or(path[0]) != account.sid {
        return Err(lost());
    }
    if account.status != AccountStatus::Active && sid.is_none() {
        return Err(Refusal::with_status(401, 20005, "Account is not active"));
    }
    match (incoming.method.as_str(), &path[1..]) {
        // Standard keys may use everything but Accounts and Keys (Twilio's "API keys overview").
        ("GET", []) if by_key => Err(Refusal::credentials("Authenticate")),
        ("GET", []) => Ok(Call::Account),
        ("GET", ["Balance.json"]) => Ok(Call::Balance),
        ("GET", ["Messages.json"]) => list::query(params).map(Call::List),
        ("POST", ["Messages.json"]) => create::draft(params, account).map(Call::Create),
        ("GET", ["Messages", file]) => {
            let message = known(account, file).ok_or_else(lost)?;
            Ok(Call::Fetch(message.sid.clone()))
        }
        ("POST", ["Messages", file]) => cancel(known(account, file).ok_or_else(lost)?, params),
        ("GET", ["Messages", message, "Media", file]) => {
            media::find(account, message, file).ok_or_else(lost)?;
            Ok(Call::Media((*file).to_owned()))
        }
        (_, [] | ["Balance.json" | "Messages.json"] | ["Messages", _]) => {
            Err(Refusal::with_status(405, 20004, "Method not allowed"))
        }
        _ => Err(lost()),
    }
}

/// Whether an API key was used; refuses anything but the account's own credentials.
fn authenticate(account: &Account, incoming: &Incoming) -> Result<bool, Refusal> {
    let Some(header) = incoming.header("authorization") else {
        let words = "Authentication Error - No credentials provided";
        return Err(Refusal::credentials(words));
    };
    let decoded = header
        .strip_prefix("Basic ")
        .and_then(|text| BASE64.decode(text.as_bytes()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let (user, password) = decoded
        .as_deref()
        .and_then(|text| text.split_once(':'))
        .unwrap_or_default();
    let (key, secret) = &account.api_key;
    if (user, password) == (account.sid.as_str(), account.auth_token.as_str()) {
        Ok(false)
    } else if (user, password) == (key.as_str(), secret.as_str()) {
        Ok(true)
    } else {
        Err(Refusal::credentials("Authenticate"))
    }
}

/// The message that `SM….json` names.
fn known<'a>(account: &'a Account, file: &str) -> Option<&'a LedgerMessage> {
    account.ledger.get(file.strip_suffix(".json")?)
}

/// Only scheduled messages can be taken back (error 30409).
fn cancel(message: &LedgerMessage, params: &[(String, String)]) -> Result<Call, Refusal> {
    let asked = params
        .iter()
        .any(|(name, value)| name == "Status" && value == "canceled");
    if !asked {
        return Err(Refusal::bad(20001, "Parameter 'Status' is not valid"));
    }
    if message.status != StatusWord::Scheduled {
        return Err(Refusal::bad(30409, "This message cannot be canceled"));
    }
    Ok(Call::Cancel(message.sid.clone()))
}

/// Lets an accepted call take effect.
fn act(account: &mut Account, inner: &Inner, call: Call) -> Done {
    let mut created = None;
    let reply = match call {
        Call::Create(draft) => {
            let sender = draft.from.clone();
            let sender = sender.unwrap_or_else(|| account.service_sender(&draft.to));
            let callbacks = account.fate(&draft);
            let message = LedgerMessage::outbound(draft, sender);
            created = Some((message.sid.clone(), callbacks));
            let reply = Reply::json(201, &resource::message(&message, &account.sid));
            account.ledger.insert(message);
            reply
        }
        Call::Fetch(sid) => show(account, &sid),
        Call::List(query) => Reply::json(200, &list::page(&query, account)),
        Call::Cancel(sid) => {
            account.ledger.apply(&sid, StatusWord::Canceled, None);
            show(account, &sid)
        }
        Call::Account => Reply::json(200, &resource::account(account)),
        Call::Balance => Reply::json(200, &resource::balance(account)),
        Call::Media(sid) => media::reply(account, &inner.media_base, &sid)
            .unwrap_or_else(|| Refusal::not_found(&sid).reply()),
        Call::Content(query) => Reply::json(200, &content::page(&query, account, &inner.api_base)),
    };
    Done { reply, created }
}

fn show(account: &Account, sid: &str) -> Reply {
    match account.ledger.get(sid) {
        Some(message) => Reply::json(200, &resource::message(message, &account.sid)),
        None => Refusal::not_found(sid).reply(),
    }
}
