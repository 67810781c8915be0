//! Cases of a plugin's fixtures: one call each, as JSON that people write and read.
//!
//! ```text
//! fixtures/config.json           the channel's configuration, secrets in plain (made up)
//! fixtures/text_signed.json      {"about": "...", "receive": {"request", "want", "tampering"}}
//! fixtures/send_text.json        {"about": "...", "steps": {"op", "input", "turns", "want"}}
//! fixtures/basic/config.json     another channel, with cases of its own
//! ```
//!
//! The values in them are those of the interface. Bytes stand at their own place, as text in a
//! member that JSON itself has no room for (`body`), or in base64 beside it (`body_base64`):
//! see [`Case`]. What is not known is refused by its name: a misspelt member would check nothing.

mod bytes;
mod folder;
mod strict;
#[cfg(test)]
mod tests;
mod typed;

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use folder::{CASE_BYTES_MAX, CASES_MAX, CONFIG_FILE, CaseChannel, NamedCase, read_channels};
pub use typed::read_step;

use super::{NOW_MS, RANDOM, Tampering};
use crate::{
    AdapterError, Received, Reply, Request, Timestamp, Turn, WebhookRequest,
    wire::{Call, Op},
};

/// Why a case or a folder of them can't be used: where, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CaseError(pub String);

/// One call and what must come of it.
///
/// In JSON: `{"about", "receive"}` or `{"about", "steps"}`. Bytes are written as text or in base64:
///
/// - a webhook's and its response's: `body` or `body_base64`, likewise an HTTP reply's;
/// - an HTTP request's: `body` or `body_base64` where they are all of it; where the body is of
///   pieces, `bytes` or `bytes_base64` beside `pieces`. Of a mail `data` or `data_base64`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Case {
    /// What the case shows, in one sentence.
    pub about: String,
    /// The call.
    pub call: CaseCall,
}

/// Which kind of call a case makes.
#[derive(Debug, Clone, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "cases are few, and read one after the other"
)]
pub enum CaseCall {
    /// `receive`.
    Receive(ReceiveCase),
    /// A call that goes in steps.
    Steps(StepsCase),
}

/// A webhook in, a result out.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceiveCase {
    /// The webhook.
    pub request: WebhookRequest,
    /// What must come of it.
    pub want: Received,
    /// What the proof of the webhook covers.
    pub tampering: Tampering,
}

/// An input and scripted replies in, requests and an outcome out.
#[derive(Debug, Clone, PartialEq)]
pub struct StepsCase {
    /// Which call; never `receive`.
    pub op: Op,
    /// What the call gets beside its turn: `{"message": ...}`, `{}` where it gets nothing.
    pub input: Map<String, Value>,
    /// The cursor of the first step; null but where a run goes on after a restart.
    pub cursor: Value,
    /// The time in every turn.
    pub now_ms: Timestamp,
    /// The requests in order, and the reply to each.
    pub turns: Vec<CaseTurn>,
    /// The result as JSON, or the error.
    pub want: Result<Value, AdapterError>,
}

/// One step: what the adapter must ask for, and what it is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseTurn {
    /// The request, exactly.
    pub request: Request,
    /// The provider's reply.
    pub reply: Reply,
}

impl Case {
    /// The case of a webhook.
    pub fn receive(
        about: &str,
        request: &WebhookRequest,
        want: &Received,
        tampering: Tampering,
    ) -> Self {
        Self {
            about: about.into(),
            call: CaseCall::Receive(ReceiveCase {
                request: request.clone(),
                want: want.clone(),
                tampering,
            }),
        }
    }

    /// The case of a step machine. `input` is what the call gets beside its turn
    /// (`json!({"message": message})`); each turn is a request and the reply to it.
    ///
    /// # Errors
    /// Where input or outcome are not those of this call.
    pub fn steps<T: Serialize>(
        about: &str,
        op: Op,
        input: &Value,
        turns: impl IntoIterator<Item = (Request, Reply)>,
        outcome: &Result<T, AdapterError>,
    ) -> Result<Self, CaseError> {
        let want = match outcome {
            Ok(result) => {
                let result = serde_json::to_value(result);
                let result = result.map_err(|error| CaseError(error.to_string()))?;
                Ok(typed::result(op, &result)?)
            }
            Err(error) => Err(error.clone()),
        };
        let steps = StepsCase {
            op,
            input: typed::input(op, input)?,
            cursor: Value::Null,
            now_ms: NOW_MS,
            turns: turns
                .into_iter()
                .map(|(request, reply)| CaseTurn { request, reply })
                .collect(),
            want,
        };
        Ok(Self {
            about: about.into(),
            call: CaseCall::Steps(steps),
        })
    }

    /// The case as people read it.
    pub fn to_text(&self) -> String {
        let value = Value::from(self.clone());
        format!("{value:#}\n")
    }

    /// Writes the case into a file, as people read it.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, self.to_text())
    }
}

impl StepsCase {
    /// The first turn of the run.
    pub fn first_turn(&self) -> Turn {
        Turn {
            cursor: self.cursor.clone(),
            reply: None,
            now_ms: self.now_ms,
            random: RANDOM.into(),
        }
    }

    /// The call of one step.
    pub fn call<'t>(&self, turn: &'t Turn) -> Call<'t> {
        let mut input = self.input.clone();
        let value = serde_json::to_value(turn).unwrap_or_default();
        input.insert("turn".into(), value);
        let raw: &[u8] = match &turn.reply {
            Some(Reply::Http(reply)) => &reply.body,
            _ => &[],
        };
        Call {
            op: self.op,
            json: Value::Object(input).to_string().into_bytes(),
            raw,
        }
    }
}

/// The JSON of a case, bytes and values not yet read.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseForm {
    about: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receive: Option<ReceiveForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    steps: Option<StepsForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceiveForm {
    request: Value,
    want: Value,
    #[serde(default)]
    tampering: Tampering,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepsForm {
    op: String,
    #[serde(default)]
    input: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    cursor: Value,
    #[serde(default = "now_ms", skip_serializing_if = "is_now")]
    now_ms: Timestamp,
    #[serde(default)]
    turns: Vec<TurnForm>,
    want: WantForm,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TurnForm {
    request: Value,
    reply: Value,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WantForm {
    Done(Value),
    Fail(Value),
}

fn now_ms() -> Timestamp {
    NOW_MS
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_now(time: &Timestamp) -> bool {
    *time == NOW_MS
}

impl TryFrom<Value> for Case {
    type Error = CaseError;

    fn try_from(value: Value) -> Result<Self, CaseError> {
        let form: CaseForm =
            serde_json::from_value(value).map_err(|error| CaseError(error.to_string()))?;
        let call = match (form.receive, form.steps) {
            (Some(receive), None) => CaseCall::Receive(receive.read()?),
            (None, Some(steps)) => CaseCall::Steps(steps.read()?),
            _ => {
                return Err(CaseError(
                    "a case has either `receive` or `steps`: write one of them".into(),
                ));
            }
        };
        Ok(Self {
            about: form.about,
            call,
        })
    }
}

impl ReceiveForm {
    fn read(self) -> Result<ReceiveCase, CaseError> {
        Ok(ReceiveCase {
            request: bytes::webhook(self.request, "receive.request")?,
            want: bytes::received(self.want, "receive.want")?,
            tampering: self.tampering,
        })
    }
}

impl StepsForm {
    fn read(self) -> Result<StepsCase, CaseError> {
        let op = Op::ALL
            .into_iter()
            .find(|op| op.as_str() == self.op && *op != Op::Receive)
            .ok_or_else(|| {
                let op = &self.op;
                CaseError(format!(
                    "steps.op: {op:?} is no call that goes in steps: `send`, `probe`, ..."
                ))
            })?;
        let turns = self.turns.into_iter().enumerate().map(|(index, turn)| {
            Ok(CaseTurn {
                request: bytes::request(turn.request, &format!("steps.turns[{index}].request"))?,
                reply: bytes::reply(turn.reply, &format!("steps.turns[{index}].reply"))?,
            })
        });
        Ok(StepsCase {
            op,
            input: typed::input(op, &self.input)?,
            cursor: self.cursor,
            now_ms: self.now_ms,
            turns: turns.collect::<Result<_, CaseError>>()?,
            want: match self.want {
                WantForm::Done(result) => Ok(typed::result(op, &result)?),
                WantForm::Fail(error) => Err(strict::read(&error, "steps.want.fail")?),
            },
        })
    }
}

impl From<Case> for Value {
    fn from(case: Case) -> Self {
        let (receive, steps) = match case.call {
            CaseCall::Receive(receive) => (Some(receive.into()), None),
            CaseCall::Steps(steps) => (None, Some(steps.into())),
        };
        let form = CaseForm {
            about: case.about,
            receive,
            steps,
        };
        serde_json::to_value(form).unwrap_or_default()
    }
}

impl From<ReceiveCase> for ReceiveForm {
    fn from(case: ReceiveCase) -> Self {
        Self {
            request: bytes::webhook_form(&case.request),
            want: bytes::received_form(&case.want),
            tampering: case.tampering,
        }
    }
}

impl From<StepsCase> for StepsForm {
    fn from(case: StepsCase) -> Self {
        let turns = case.turns.into_iter().map(|turn| TurnForm {
            request: bytes::request_form(&turn.request),
            reply: bytes::reply_form(&turn.reply),
        });
        Self {
            op: case.op.as_str().into(),
            input: Value::Object(case.input),
            cursor: case.cursor,
            now_ms: case.now_ms,
            turns: turns.collect(),
            want: match case.want {
                Ok(result) => WantForm::Done(result),
                Err(error) => WantForm::Fail(serde_json::to_value(error).unwrap_or_default()),
            },
        }
    }
}
