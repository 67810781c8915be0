//! An adapter is a function: the same input gives the same bytes, whenever, wherever.

use std::time::Duration;

use trunkline_host::worker::Output;
use trunkline_plugin_api::testkit::case::CaseCall;

use crate::{
    bench::{Asked, Bench, CaseAt, percentiles},
    diff,
    findings::{Findings, Trouble},
    play::play,
};

/// Threads of the storm.
const THREADS: usize = 8;
/// How often each thread makes every call, where calls are fast.
const ROUNDS_MAX: u128 = 25;
/// A storm of slow calls has fewer rounds: as many as take so long.
const STORM_TIME: Duration = Duration::from_secs(20);
/// Calls in a storm; of more cases only so many take part.
const STORM_CALLS_MAX: usize = 64;

/// One call of a case, and what came of it.
struct Made {
    channel: usize,
    label: String,
    asked: Asked,
    output: Output,
}

/// Every call again in the same process, and once more in another.
pub(super) fn determinism(bench: &mut Bench, findings: &mut Findings) {
    let made = make_all(bench, findings);
    for channel in bench.open_indexes() {
        let here = || made.iter().filter(|call| call.channel == channel);
        for (place, is_new) in [("the second time", false), ("in another process", true)] {
            if is_new {
                bench.renew(channel);
            }
            for call in here() {
                if findings.is_full() {
                    return;
                }
                match bench.call(channel, &call.label, &call.asked) {
                    Ok(output) if output == call.output => {}
                    Ok(output) => findings.fail(format!(
                        "{} answered {place} other bytes to the same input: {}; use nothing but the input: \
                         turn.now_ms is the time, turn.random is chance",
                        call.label,
                        difference(&call.output, &output)
                    )),
                    Err(trouble) => findings.trouble(trouble),
                }
            }
        }
    }
    findings.fact(format!("{} calls, each three times", made.len()));
}

/// Every call on many threads at once.
pub(super) fn concurrency(bench: &mut Bench, findings: &mut Findings) {
    let mut made = make_all(bench, findings);
    let mut total = 0;
    for channel in bench.open_indexes() {
        let rest = made.split_off(made.partition_point(|call| call.channel <= channel));
        let calls: Vec<_> = made.drain(..).take(STORM_CALLS_MAX).collect();
        made = rest;
        if calls.is_empty() || findings.is_full() {
            continue;
        }
        let storm: Vec<_> = calls
            .iter()
            .map(|call| (call.asked.op, call.asked.parts.clone()))
            .collect();
        let rounds = rounds(bench, storm.len() * THREADS);
        total += storm.len() * rounds * THREADS;
        match bench.storm(channel, &storm, THREADS, rounds) {
            Ok(()) => {}
            Err(Trouble::Fault(words)) => findings.fail(format!(
                "{words}; calls run at once on one handle: keep no state that they change"
            )),
            Err(trouble) => findings.trouble(trouble),
        }
    }
    findings.fact(format!("{total} calls on {THREADS} threads"));
}

/// Rounds of so many calls, by how long calls took up to here: at least one.
fn rounds(bench: &Bench, calls: usize) -> usize {
    let (_, slow) = percentiles(&bench.watch.times).unwrap_or_default();
    let calls = u32::try_from(calls).unwrap_or(u32::MAX);
    let round = slow.saturating_mul(calls).as_nanos().max(1);
    let rounds = (STORM_TIME.as_nanos() / round).clamp(1, ROUNDS_MAX);
    usize::try_from(rounds).unwrap_or(1)
}

/// Every call of every case, in order of the channels.
fn make_all(bench: &mut Bench, findings: &mut Findings) -> Vec<Made> {
    let mut made = Vec::new();
    for case in bench.cases() {
        match make(bench, &case) {
            Ok(calls) => made.extend(calls),
            Err(trouble) => findings.trouble(trouble),
        }
        if findings.is_full() {
            break;
        }
    }
    made
}

fn make(bench: &mut Bench, case: &CaseAt) -> Result<Vec<Made>, Trouble> {
    let channel = case.channel;
    match &case.named.case.call {
        CaseCall::Receive(receive) => {
            let label = case.label("receive");
            let asked: Asked = trunkline_plugin_api::wire::Call::receive(&receive.request).into();
            let output = bench.call(channel, &label, &asked)?;
            Ok(vec![Made {
                channel,
                label,
                asked,
                output,
            }])
        }
        CaseCall::Steps(steps) => {
            let label = case.label(steps.op.as_str());
            let played = play(bench, channel, &label, steps)?;
            let steps = played.steps.into_iter().enumerate();
            let made = steps.map(|(index, step)| Made {
                channel,
                label: format!("{label}, step {}", index + 1),
                asked: step.asked,
                output: step.output,
            });
            Ok(made.collect())
        }
    }
}

/// Where two answers part, with some of each.
fn difference(first: &Output, second: &Output) -> String {
    if first.code != second.code {
        return format!("code {}, then {}", first.code, second.code);
    }
    let pairs = first.bytes.iter().zip(&second.bytes);
    let at = pairs.take_while(|(one, other)| one == other).count();
    let around = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(&bytes[at.saturating_sub(24)..]);
        diff::cut(&text.chars().take(64).collect::<String>())
    };
    format!(
        "at byte {at}: …{}… then …{}…",
        around(&first.bytes),
        around(&second.bytes)
    )
}
