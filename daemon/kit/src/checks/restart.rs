//! A daemon that dies between a request and its reply goes on with the cursor and without a reply. What
//! was perhaps sent must not be sent again on the quiet.

use trunkline_plugin_api::{
    ErrorClass, Step, Turn,
    testkit::case::{CaseCall, StepsCase},
    wire::Op,
};

use crate::{
    bench::{Bench, CaseAt},
    findings::{Findings, Trouble},
    play::play,
};

/// Every step of every run, as after a restart.
pub(super) fn restart(bench: &mut Bench, findings: &mut Findings) {
    let mut tried = 0;
    for case in bench.cases() {
        if let CaseCall::Steps(steps) = &case.named.case.call {
            match run(bench, &case, steps, findings) {
                Ok(count) => tried += count,
                Err(trouble) => findings.trouble(trouble),
            }
        }
        if findings.is_full() {
            break;
        }
    }
    if tried == 0 {
        findings.skip("no case asks for a request");
    }
    findings.fact(format!("{tried} restarts"));
}

fn run(
    bench: &mut Bench,
    case: &CaseAt,
    steps: &StepsCase,
    findings: &mut Findings,
) -> Result<usize, Trouble> {
    let label = case.label(steps.op.as_str());
    let played = play(bench, case.channel, &label, steps)?;
    let idempotent =
        matches!(&bench.channels[case.channel].opened, Ok(facts) if facts.idempotent_send);
    let asked = played.requests().count();
    for (index, step) in played.steps.iter().enumerate() {
        let Some((request, cursor)) = &step.call else {
            continue;
        };
        let turn = Turn {
            cursor: cursor.clone(),
            reply: None,
            ..step.turn.clone()
        };
        let label = format!("{label}, as after a restart behind request {}", index + 1);
        let again = bench.step(case.channel, &label, steps, &turn)?;
        if steps.op != Op::Send {
            continue;
        }
        // What sends is the last request of a run that ended well; those before it prepare.
        let sends = index + 1 == asked && matches!(played.end, Some(Ok(_)));
        let words = match again {
            Step::Done { .. } => "is done, though nobody knows whether the request arrived",
            Step::Fail { error } if sends && error.class.is_retried() => {
                "says that it is surely not sent, so the daemon sends it again"
            }
            Step::Fail { error } if sends && error.class != ErrorClass::Ambiguous => {
                "fails for good, though it may have been sent"
            }
            Step::Call { request: same, .. } if sends && same == *request && !idempotent => {
                "asks for the same request again, and facts.idempotent_send is false: a person may get it twice"
            }
            Step::Fail { .. } | Step::Call { .. } => continue,
        };
        findings.fail(format!(
            "{label}: {words}; answer `ambiguous`, or ask the provider what it has"
        ));
    }
    Ok(asked)
}
