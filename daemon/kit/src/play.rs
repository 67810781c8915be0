//! A case's run against its script: requests in order, replies from the case.

use serde_json::Value;
use trunkline_host::worker::Output;
use trunkline_plugin_api::{AdapterError, Request, Step, Turn, testkit::case::StepsCase};

use crate::{
    bench::{Asked, Bench},
    calls::read_as_step,
    findings::Trouble,
};

/// Steps of a run at most; the daemon allows as many.
const STEPS_MAX: usize = 16;

/// What a run did.
#[derive(Debug)]
pub(crate) struct Played {
    /// Each step: the turn, what crossed, what it came to.
    pub(crate) steps: Vec<PlayedStep>,
    /// How it ended; none where it asked for more than the case answers.
    pub(crate) end: Option<Result<Value, AdapterError>>,
}

/// One step of a run.
#[derive(Debug)]
pub(crate) struct PlayedStep {
    /// The turn that it was given.
    pub(crate) turn: Turn,
    /// The call as it crossed.
    pub(crate) asked: Asked,
    /// The answer as it crossed.
    pub(crate) output: Output,
    /// The request that it asked for, and the cursor; none for the last step.
    pub(crate) call: Option<(Request, Value)>,
}

impl Played {
    /// The requests, in order.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &Request> {
        let calls = self.steps.iter().filter_map(|step| step.call.as_ref());
        calls.map(|(request, _)| request)
    }
}

/// Runs a case until it ends or asks for more than the case has replies for.
pub(crate) fn play(
    bench: &mut Bench,
    channel: usize,
    label: &str,
    case: &StepsCase,
) -> Result<Played, Trouble> {
    let mut steps = Vec::new();
    let mut turn = case.first_turn();
    loop {
        let asked: Asked = case.call(&turn).into();
        let output = bench.call(channel, label, &asked)?;
        let step = read_as_step(label, case.op, &output)?;
        let (call, end) = match step {
            Step::Call { request, cursor } => (Some((request, cursor)), None),
            Step::Done { result } => (None, Some(Ok(result))),
            Step::Fail { error } => (None, Some(Err(error))),
        };
        let next = call.as_ref().and_then(|(_, cursor)| {
            let reply = case.turns.get(steps.len())?.reply.clone();
            Some(Turn {
                cursor: cursor.clone(),
                reply: Some(reply),
                ..turn.clone()
            })
        });
        steps.push(PlayedStep {
            turn,
            asked,
            output,
            call,
        });
        match next {
            Some(next) if steps.len() <= STEPS_MAX => turn = next,
            _ => return Ok(Played { steps, end }),
        }
    }
}
