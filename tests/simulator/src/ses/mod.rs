//! SES's side, API version 2: one account in one region.
//!
//! `signature` verifies signature version 4 with code of its own; here are the calls and their rules.

mod signature;

use crate::behaviour::{Behaviour, Fault, Script};
use crate::recorded::{RecordedRequest, RequestLog};
use crate::reply::{Incoming, Reply};
use crate::{SimulatorError, wait};
use data_encoding::BASE64;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use signature::Keys;
use std::sync::Arc;
use std::time::Duration;

/// How many requests are kept.
const REQUESTS_KEPT: usize = 10_000;
/// Members of SendEmail (SES API v2 reference).
const MEMBERS: [&str; 11] = [
    "ConfigurationSetName",
    "Content",
    "Destination",
    "EmailTags",
    "EndpointId",
    "FeedbackForwardingEmailAddress",
    "FeedbackForwardingEmailAddressIdentityArn",
    "FromEmailAddress",
    "FromEmailAddressIdentityArn",
    "ListManagementOptions",
    "ReplyToAddresses",
];

/// The simulated account. Clones are the same account.
#[derive(Clone)]
pub struct Ses {
    inner: Arc<Inner>,
}

struct Inner {
    base: String,
    keys: Keys,
    account: Mutex<Account>,
    requests: RequestLog,
}

/// A mail that was really accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct SesMessage {
    /// SES's id.
    pub id: String,
    /// The call's JSON.
    pub json: Value,
}

#[derive(Default)]
struct Account {
    sends: Script,
    messages: Vec<SesMessage>,
    is_paused: bool,
}

/// A refusal: status, type, words.
type Refusal = (u16, &'static str, String);

impl Ses {
    /// Before every path of the API.
    pub(crate) const PREFIX: &'static str = "/ses";

    pub(crate) fn new(base: &str) -> Self {
        Self {
            inner: Arc::new(Inner {
                base: format!("{base}{}", Self::PREFIX),
                keys: Keys::random("eu-west-1", "ses"),
                account: Mutex::default(),
                requests: RequestLog::new(REQUESTS_KEPT),
            }),
        }
    }

    /// What to put in place of `https://email.eu-west-1.amazonaws.com`.
    pub fn api_base(&self) -> String {
        self.inner.base.clone()
    }

    /// The account's region.
    pub fn region(&self) -> String {
        self.inner.keys.region.clone()
    }

    /// The access key: its id and its secret.
    pub fn access_key(&self) -> (String, String) {
        (self.inner.keys.id.clone(), self.inner.keys.secret.clone())
    }

    /// A verified address.
    pub fn address(&self) -> String {
        "support@example.com".into()
    }

    /// Pauses sending for the account, or resumes it.
    pub fn set_paused(&self, is_paused: bool) {
        self.inner.account.lock().is_paused = is_paused;
    }

    /// How valid sends are treated from now on. An error's words are its type, which is sent where there is a
    /// code, whatever its number.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.inner.account.lock().sends.set(behaviour);
    }

    /// How the next valid send is treated; several calls queue up.
    pub fn behave_once(&self, behaviour: Behaviour) {
        self.inner.account.lock().sends.push(behaviour);
    }

    /// The mails that were really accepted, oldest first.
    pub fn messages(&self) -> Vec<SesMessage> {
        self.inner.account.lock().messages.clone()
    }

    /// The latest requests, oldest first.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.inner.requests.all()
    }

    /// The requests since this was last asked; they are kept no longer.
    pub(crate) fn take_requests(&self) -> Vec<RecordedRequest> {
        self.inner.requests.take()
    }

    /// The kept requests that SES would dislike, as `METHOD path: what is wrong`.
    pub fn problems(&self) -> Vec<String> {
        let all = self.requests().into_iter();
        all.filter_map(|request| {
            let problem = request.problem?;
            Some(format!("{} {}: {problem}", request.method, request.path))
        })
        .collect()
    }

    /// Waits until `condition` holds. Needs a tokio runtime with time.
    pub async fn wait_until(
        &self,
        mut condition: impl FnMut(&Self) -> bool,
        timeout: Duration,
    ) -> Result<(), SimulatorError> {
        wait::until(|| condition(self), timeout).await
    }

    /// Answers one request.
    pub(crate) async fn serve(&self, incoming: Incoming) -> Reply {
        let outcome = self.check(&incoming);
        let problem = outcome
            .as_ref()
            .err()
            .map(|(status, name, words)| format!("refused with {status} {name}: {words}"));
        self.inner.requests.push(|| RecordedRequest {
            method: incoming.method,
            path: incoming.path,
            headers: incoming.headers,
            params: Vec::new(),
            problem,
        });
        match outcome {
            Err((status, name, words)) => refusal(status, name, &words),
            Ok(None) => self.account(),
            Ok(Some(mail)) => self.send(mail).await,
        }
    }

    /// The mail of a right SendEmail, none for a right GetAccount.
    fn check(&self, incoming: &Incoming) -> Result<Option<Value>, Refusal> {
        self.inner
            .keys
            .verify(incoming, Timestamp::now())
            .map_err(|words| (403, "SignatureDoesNotMatch", words))?;
        let path = &incoming.path[Self::PREFIX.len()..];
        match (incoming.method.as_str(), path) {
            ("GET", "/v2/email/account") => Ok(None),
            ("POST", "/v2/email/outbound-emails") => {
                let mail: Value = serde_json::from_slice(&incoming.body)
                    .map_err(|error| bad(format!("not JSON: {error}")))?;
                check_mail(&mail)?;
                Ok(Some(mail))
            }
            _ => Err((404, "UnknownOperationException", "no such call".into())),
        }
    }

    fn account(&self) -> Reply {
        let account = self.inner.account.lock();
        let sent = account.messages.len();
        Reply::json(
            200,
            &json!({
                "DedicatedIpAutoWarmupEnabled": false, "EnforcementStatus": "HEALTHY", "ProductionAccessEnabled": true,
                "SendQuota": {"Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": sent},
                "SendingEnabled": !account.is_paused,
            }),
        )
    }

    async fn send(&self, mail: Value) -> Reply {
        let (plan, answer) = {
            let mut account = self.inner.account.lock();
            if account.is_paused {
                return refusal(400, "SendingPausedException", "sending is paused");
            }
            let plan = account.sends.next();
            let answer = plan.accepted.then(|| {
                let id = format!("01020{:027x}-000000", rand::random::<u128>() >> 20);
                account.messages.push(SesMessage {
                    id: id.clone(),
                    json: mail,
                });
                Reply::json(200, &json!({"MessageId": id}))
            });
            (plan, answer)
        };
        Reply::finish(plan, answer, fault).await
    }
}

fn check_mail(mail: &Value) -> Result<(), Refusal> {
    only(mail, &MEMBERS)?;
    let from = mail["FromEmailAddress"].as_str().unwrap_or_default();
    if !from.is_ascii() || from.contains(['\r', '\n']) {
        return Err(bad("the sender's name is not encoded"));
    }
    let address = from
        .rsplit('<')
        .next()
        .unwrap_or(from)
        .trim_end_matches('>');
    if !address.ends_with("@example.com") {
        return Err((
            400,
            "MailFromDomainNotVerifiedException",
            format!("{address} is not verified"),
        ));
    }
    only(
        &mail["Destination"],
        &["ToAddresses", "CcAddresses", "BccAddresses"],
    )?;
    let to = mail["Destination"]["ToAddresses"]
        .as_array()
        .map_or(0, Vec::len);
    if !(1..=50).contains(&to) {
        return Err(bad("1 to 50 recipients"));
    }
    only(&mail["Content"], &["Simple"])?;
    let simple = &mail["Content"]["Simple"];
    only(simple, &["Subject", "Body", "Headers", "Attachments"])?;
    let text = |part: &Value| part["Data"].as_str().is_some_and(|text| !text.is_empty());
    if !text(&simple["Subject"])
        || !(text(&simple["Body"]["Text"]) || text(&simple["Body"]["Html"]))
    {
        return Err(bad("a subject and a body are needed"));
    }
    for header in simple["Headers"].as_array().into_iter().flatten() {
        let fits = |name: &str, max: usize| {
            let value = header[name].as_str().unwrap_or_default();
            (1..=max).contains(&value.len()) && value.is_ascii() && !value.contains(['\r', '\n'])
        };
        if !fits("Name", 126) || !fits("Value", 870) {
            return Err(bad(format!("a header is too long or not ASCII: {header}")));
        }
    }
    for file in simple["Attachments"].as_array().into_iter().flatten() {
        only(
            file,
            &[
                "FileName",
                "RawContent",
                "ContentType",
                "ContentDisposition",
                "ContentTransferEncoding",
                "ContentId",
                "ContentDescription",
            ],
        )?;
        let bytes = file["RawContent"]
            .as_str()
            .map(|text| BASE64.decode(text.as_bytes()));
        if !matches!(bytes, Some(Ok(_))) || file["FileName"].as_str().is_none_or(str::is_empty) {
            return Err(bad("an attachment without name, or not base64"));
        }
    }
    for tag in mail["EmailTags"].as_array().into_iter().flatten() {
        let plain = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-.@".contains(&byte))
        };
        if ![&tag["Name"], &tag["Value"]]
            .into_iter()
            .all(|part| part.as_str().is_some_and(plain))
        {
            return Err(bad("a tag holds other characters than it may"));
        }
    }
    Ok(())
}

fn only(value: &Value, members: &[&str]) -> Result<(), Refusal> {
    let object = value
        .as_object()
        .ok_or_else(|| bad("an object is missing"))?;
    match object.keys().find(|key| !members.contains(&key.as_str())) {
        Some(unknown) => Err(bad(format!("`{unknown}` is not known here"))),
        None => Ok(()),
    }
}

fn bad(words: impl Into<String>) -> Refusal {
    (400, "BadRequestException", words.into())
}

fn refusal(status: u16, name: &str, words: &str) -> Reply {
    Reply::json(status, &json!({"message": words})).with_header("x-amzn-errortype", name)
}

fn fault(fault: Fault) -> Reply {
    match fault.code {
        Some(_) => refusal(fault.status, &fault.message, "trouble"),
        None => Reply::text(fault.status, fault.message),
    }
}
