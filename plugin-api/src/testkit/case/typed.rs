//! What each call gets and gives, by its number.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{CaseError, strict};
use crate::{
    Event, Lookup, Media, MediaRef, OutboundMessage, Probe, Receipt, ReceivedRef, Sent,
    StatusReport, Step, Template, Timestamp,
    wire::{self, Op, WireError},
};

/// The input of a call beside its turn, checked; null is an empty one.
pub(super) fn input(op: Op, value: &Value) -> Result<Map<String, Value>, CaseError> {
    let mut input = match value {
        Value::Object(members) => members.clone(),
        Value::Null => Map::new(),
        _ => return Err(CaseError("steps.input: is not an object".into())),
    };
    let subject = subject(op);
    if let Some(name) = input.keys().find(|name| Some(name.as_str()) != subject) {
        let op = op.as_str();
        return Err(CaseError(format!(
            "steps.input.{name}: `{op}` gets no such member"
        )));
    }
    let Some(name) = subject else {
        return Ok(input);
    };
    let Some(value) = input.get_mut(name) else {
        let op = op.as_str();
        return Err(CaseError(format!("steps.input: `{op}` needs `{name}`")));
    };
    *value = subject_value(op, value, &format!("steps.input.{name}"))?;
    Ok(input)
}

/// The result of a call, checked.
pub(super) fn result(op: Op, value: &Value) -> Result<Value, CaseError> {
    let place = "steps.want.done";
    match op {
        Op::Receive => Err(CaseError("steps.op: `receive` has no steps".into())),
        Op::Send => again::<Receipt>(value, place),
        Op::Probe => again::<Probe>(value, place),
        Op::DeliveryStatus => again::<Vec<StatusReport>>(value, place),
        Op::FindSent => again::<Lookup>(value, place),
        Op::ListInbound | Op::Complete => again::<Vec<Event>>(value, place),
        Op::Templates => again::<Vec<Template>>(value, place),
        Op::FetchMedia => again::<Media>(value, place),
        Op::MarkRead => again::<()>(value, place),
    }
}

/// Reads what a plugin answered to a step: the result is JSON in the form of this version.
///
/// # Errors
/// Where it is not what this call answers.
pub fn read_step(op: Op, json: &[u8], raw: &[u8]) -> Result<Step<Value>, WireError> {
    match op {
        Op::Receive => step::<Value>(json, raw),
        Op::Send => step::<Receipt>(json, raw),
        Op::Probe => step::<Probe>(json, raw),
        Op::DeliveryStatus => step::<Vec<StatusReport>>(json, raw),
        Op::FindSent => step::<Lookup>(json, raw),
        Op::ListInbound | Op::Complete => step::<Vec<Event>>(json, raw),
        Op::Templates => step::<Vec<Template>>(json, raw),
        Op::FetchMedia => step::<Media>(json, raw),
        Op::MarkRead => step::<()>(json, raw),
    }
}

fn step<T: Serialize + DeserializeOwned>(
    json: &[u8],
    raw: &[u8],
) -> Result<Step<Value>, WireError> {
    Ok(match wire::decode::<Step<T>>(json, raw)? {
        Step::Call { request, cursor } => Step::Call { request, cursor },
        Step::Done { result } => Step::Done {
            result: serde_json::to_value(result).unwrap_or_default(),
        },
        Step::Fail { error } => Step::Fail { error },
    })
}

fn subject(op: Op) -> Option<&'static str> {
    match op {
        Op::Send | Op::FindSent | Op::MarkRead => Some("message"),
        Op::DeliveryStatus => Some("sent"),
        Op::ListInbound => Some("since_ms"),
        Op::FetchMedia => Some("media"),
        Op::Complete => Some("follow_up"),
        Op::Receive | Op::Probe | Op::Templates => None,
    }
}

fn subject_value(op: Op, value: &Value, place: &str) -> Result<Value, CaseError> {
    match op {
        Op::Send | Op::FindSent => again::<OutboundMessage>(value, place),
        Op::MarkRead => again::<ReceivedRef>(value, place),
        Op::DeliveryStatus => again::<Sent>(value, place),
        Op::ListInbound => again::<Timestamp>(value, place),
        Op::FetchMedia => again::<MediaRef>(value, place),
        Op::Complete | Op::Receive | Op::Probe | Op::Templates => Ok(value.clone()),
    }
}

fn again<T: Serialize + DeserializeOwned>(value: &Value, place: &str) -> Result<Value, CaseError> {
    let value: T = strict::read(value, place)?;
    Ok(serde_json::to_value(value).unwrap_or_default())
}
