//! The fixtures: channels open, and every case comes out as it is written.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    AdapterError,
    testkit::case::{CaseCall, ReceiveCase, StepsCase, received_form, request_form},
};

use crate::{
    bench::{Bench, CaseAt},
    diff,
    findings::{Findings, Trouble},
    play::{Played, play},
};

/// Every configuration opens.
pub(super) fn open(bench: &mut Bench, findings: &mut Findings) {
    if let Some(words) = &bench.unreadable {
        return findings.fail(format!("the fixtures can't be read: {words}"));
    }
    for channel in bench.channels.iter() {
        if let Err(trouble) = &channel.opened {
            findings.trouble(trouble.clone());
        }
    }
    if bench.channels.is_empty() {
        findings.skip("no fixtures");
    } else if bench.fixtures.is_none() || !bench.has_cases() {
        findings.fact("with the empty configuration: there are no fixtures");
    }
}

/// Every case.
pub(super) fn fixtures(bench: &mut Bench, findings: &mut Findings) {
    let cases = bench.cases();
    for case in &cases {
        let result = match &case.named.case.call {
            CaseCall::Receive(receive) => received(bench, case, receive),
            CaseCall::Steps(steps) => stepped(bench, case, steps),
        };
        if let Err(trouble) = result {
            findings.trouble(trouble);
        }
        if findings.is_full() {
            break;
        }
    }
    findings.fact(format!("{} cases", cases.len()));
}

fn received(bench: &mut Bench, at: &CaseAt, case: &ReceiveCase) -> Result<(), Trouble> {
    let label = at.label("receive");
    let received = bench.receive(at.channel, &label, &case.request)?;
    differs(
        &label,
        "",
        &received_form(&case.want),
        &received_form(&received),
    )
}

fn stepped(bench: &mut Bench, at: &CaseAt, case: &StepsCase) -> Result<(), Trouble> {
    let label = at.label(case.op.as_str());
    let played = play(bench, at.channel, &label, case)?;
    compare(&label, case, &played)
}

fn compare(label: &str, case: &StepsCase, played: &Played) -> Result<(), Trouble> {
    let wanted = case.turns.iter().map(|turn| &turn.request);
    for (index, (wanted, asked)) in wanted.zip(played.requests()).enumerate() {
        let place = format!(" request {}", index + 1);
        differs(label, &place, &request_form(wanted), &request_form(asked))?;
    }
    let (wanted, asked) = (case.turns.len(), played.requests().count());
    let Some(end) = &played.end else {
        let next = played
            .requests()
            .nth(wanted)
            .map_or(json!(null), request_form);
        return Err(Trouble::Fault(format!(
            "{label}: asks for request {}, where the case has replies for {wanted}: {}",
            wanted + 1,
            diff::cut(&next.to_string())
        )));
    };
    if asked < wanted {
        return Err(Trouble::Fault(format!(
            "{label}: ended after {asked} of the case's {wanted} requests, with {}",
            diff::cut(&outcome(end).to_string())
        )));
    }
    differs(label, "", &outcome(&case.want), &outcome(end))
}

fn outcome(end: &Result<Value, AdapterError>) -> Value {
    match end {
        Ok(result) => json!({ "done": result }),
        Err(error) => json!({ "fail": error }),
    }
}

fn differs(label: &str, place: &str, wanted: &Value, came: &Value) -> Result<(), Trouble> {
    match diff::first(wanted, came) {
        Some(words) => Err(Trouble::Fault(format!("{label}:{place} {words}"))),
        None => Ok(()),
    }
}

impl CaseAt {
    /// For people: which call in which case.
    pub(super) fn label(&self, call: &str) -> String {
        format!("{call} in case {}", self.named.name)
    }
}
