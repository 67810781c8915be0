//! The calls: each checked as strictly as Vonage does, recorded, then performed as told.

use super::account::{Account, VonageEndpoint, VonageMessage};
use super::token::{Caller, authenticate};
use super::{Vonage, messages, sms};
use crate::behaviour::Fault;
use crate::recorded::RecordedRequest;
use crate::reply::{Incoming, Reply};
use serde_json::{Value, json};

type Params = Vec<(String, String)>;
type FaultReply = fn(Fault) -> Reply;

/// What the checks of a call came to.
struct Checked {
    params: Params,
    problems: Vec<String>,
    /// What to perform, or the refusal.
    outcome: Result<Call, Reply>,
}

enum Call {
    Sms(VonageMessage),
    Message(VonageMessage),
    Balance,
    Media(String),
}

impl Vonage {
    /// Answers one request to the API.
    pub(crate) async fn serve(&self, incoming: Incoming) -> Reply {
        let checked = check(&mut self.inner.account.lock(), &incoming);
        let Checked {
            params,
            problems,
            outcome,
        } = checked;
        self.inner.requests.push(|| RecordedRequest {
            method: incoming.method,
            path: incoming.path,
            headers: incoming.headers,
            params,
            problem: (!problems.is_empty()).then(|| problems.join("; ")),
        });
        match outcome {
            Ok(call) => self.perform(call).await,
            Err(refusal) => refusal,
        }
    }

    async fn perform(&self, call: Call) -> Reply {
        let (endpoint, fault): (_, FaultReply) = match &call {
            Call::Sms(_) => (VonageEndpoint::Send, sms::fault),
            Call::Message(_) => (VonageEndpoint::Send, messages::fault),
            Call::Balance => (VonageEndpoint::Balance, messages::fault),
            Call::Media(_) => (VonageEndpoint::Media, messages::fault),
        };
        let (plan, mut answer, begun) = {
            let mut account = self.inner.account.lock();
            let plan = account.script(endpoint).next();
            let (answer, begun) = if plan.accepted {
                let (answer, begun) = act(&mut account, call);
                (Some(answer), begun)
            } else {
                (None, None)
            };
            (plan, answer, begun)
        };
        if let Some((message, receipts)) = begun {
            self.begin_receipts(message, &receipts).await;
        }
        Reply::finish(plan, answer.take(), fault).await
    }
}

/// Lets an accepted call take effect.
fn act(account: &mut Account, call: Call) -> (Reply, Option<(VonageMessage, super::Receipts)>) {
    match call {
        Call::Sms(mut message) => {
            let refused = (message.ids.len() > 1)
                .then(|| account.refuse_last_part.take())
                .flatten();
            let reply = sms::accepted(&message, refused);
            if refused.is_some() {
                message.ids.pop();
            }
            account.messages.push(message.clone());
            (reply, Some((message, account.receipts.clone())))
        }
        Call::Message(message) => {
            account.messages.push(message.clone());
            let reply = messages::accepted(&message);
            (reply, Some((message, account.receipts.clone())))
        }
        Call::Balance => {
            let (value, reloads) = account.balance;
            let reply = Reply::json(200, &json!({"value": value, "autoReload": reloads}));
            (reply, None)
        }
        Call::Media(id) => {
            let reply = match account.media.get(&id) {
                Some((content_type, bytes)) => Reply::Answer {
                    status: 200,
                    headers: vec![("content-type", content_type.clone())],
                    body: bytes.clone(),
                },
                None => Reply::text(404, "no such file"),
            };
            (reply, None)
        }
    }
}

fn check(account: &mut Account, incoming: &Incoming) -> Checked {
    let caller = authenticate(account, incoming.header("authorization"));
    match (incoming.method.as_str(), incoming.path.as_str()) {
        ("POST", "/sms/json") => check_sms(account, incoming, caller),
        ("POST", "/v1/messages") => check_message(account, incoming, caller),
        ("GET", "/account/get-balance") => {
            let login = caller.and_then(|caller| match caller {
                Caller::Login => Ok(()),
                Caller::Application => Err("the balance takes key and secret alone".into()),
            });
            bare(login.map(|()| Call::Balance))
        }
        ("GET", path) if path.starts_with("/v3/media/") => {
            let id = path.trim_start_matches("/v3/media/").to_owned();
            bare(caller.map(|_| Call::Media(id)))
        }
        _ => Checked {
            params: Vec::new(),
            problems: vec!["no such call".into()],
            outcome: Err(Reply::text(405, "no such call")),
        },
    }
}

/// A call without parameters.
fn bare(outcome: Result<Call, String>) -> Checked {
    let problems = outcome.as_ref().err().cloned().into_iter().collect();
    let refusal = json!({"error-code": "401", "error-code-label": "authentication failed"});
    Checked {
        params: Vec::new(),
        problems,
        outcome: outcome.map_err(|_| Reply::json(401, &refusal)),
    }
}

fn check_sms(account: &Account, incoming: &Incoming, caller: Result<Caller, String>) -> Checked {
    let params: Params = form_urlencoded::parse(&incoming.body)
        .into_owned()
        .collect();
    let mut problems = sms::findings(&params);
    problems.extend(content_type(incoming, "application/x-www-form-urlencoded"));
    let admitted = match caller {
        Ok(Caller::Login) => sms::draft(account, &params),
        Ok(Caller::Application) => Err((4, "Bad Credentials: a token".to_owned())),
        Err(why) => Err((4, format!("Bad Credentials: {why}"))),
    };
    let outcome = admitted.map(Call::Sms).map_err(|refusal| {
        problems.push(format!("refused with {}: {}", refusal.0, refusal.1));
        sms::refused(&refusal)
    });
    Checked {
        params,
        problems,
        outcome,
    }
}

fn check_message(
    account: &Account,
    incoming: &Incoming,
    caller: Result<Caller, String>,
) -> Checked {
    let body: Value = serde_json::from_slice(&incoming.body).unwrap_or_default();
    let members = body.as_object().into_iter().flatten();
    let params = members.map(|(name, value)| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        (name.clone(), text)
    });
    let params: Params = params.collect();
    let mut problems: Vec<String> = content_type(incoming, "application/json")
        .into_iter()
        .collect();
    let outcome = match caller {
        Err(why) => {
            problems.push(why);
            Err(messages::unauthorized())
        }
        Ok(caller) => {
            problems.extend(messages::findings(caller, &body));
            messages::draft(account, &body)
                .map(Call::Message)
                .map_err(|refusal| {
                    // An empty message only tries the credentials.
                    if !params.is_empty() {
                        let (status, code, words) = &refusal;
                        problems.push(format!("refused with {status}/{code}: {words}"));
                    }
                    messages::refused(&refusal)
                })
        }
    };
    Checked {
        params,
        problems,
        outcome,
    }
}

fn content_type(incoming: &Incoming, expected: &str) -> Option<String> {
    let given = incoming.header("content-type").unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim();
    (!media_type.eq_ignore_ascii_case(expected)).then(|| format!("content type `{given}`"))
}
