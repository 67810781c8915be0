//! Calls into the plugin: each in a process that is started where there is none, and looked at.

use std::time::{Duration, Instant};

use serde_json::Value;
use trunkline_host::{
    sanity,
    worker::{Limits, Output, Worker, WorkerError},
};
use trunkline_plugin_api::{
    AdapterError, Facts, OpenContext, Received, Step, Turn, WebhookRequest, ffi,
    testkit::case::{StepsCase, read_step},
    wire::{self, ABI_MINOR, Call, Carries, Code, Op, OpenInput, Opened},
};

use crate::{
    bench::{Asked, Bench, percentiles},
    findings::Trouble,
};

/// Bytes of address space of a plugin's process.
const MEMORY_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// What each call of a storm has at least: a busy machine is no fault of the plugin.
const STORM_CALL_MIN: Duration = Duration::from_millis(2);
/// After so many broken processes the rest is not tried.
const BROKEN_MAX: u32 = 12;

impl Bench {
    /// Opens a channel in a process that it has not for long: what it says of itself.
    pub(crate) fn open(&mut self, name: &str, config: &Value) -> Result<Facts, Trouble> {
        let label = format!("open of {name}");
        let output = self.try_open(&label, config, ffi::HOST_SIZE)?;
        let opened: Opened = decoded(&label, &output)?;
        sanity::facts(&opened.facts)
            .map_err(|words| Trouble::Fault(format!("{label}: {words}")))?;
        Ok(opened.facts)
    }

    /// What `open` answers to a configuration, whatever it is.
    pub(crate) fn try_open(
        &mut self,
        label: &str,
        config: &Value,
        host_struct_size: u32,
    ) -> Result<Output, Trouble> {
        let input = open_input(config);
        let opened = self.with_spare(label, |worker| {
            let opened = worker.open_with(&input, host_struct_size)?;
            worker.close()?;
            Ok(Some(opened))
        })?;
        let output = opened.ok_or(Trouble::Elsewhere("load"))?;
        self.look(label, 0, &output)?;
        Ok(output)
    }

    pub(crate) fn with_spare(
        &mut self,
        label: &str,
        run: impl FnOnce(&mut Worker) -> Result<Option<Output>, WorkerError>,
    ) -> Result<Option<Output>, Trouble> {
        let mut worker = match self.spare.take() {
            Some(worker) => worker,
            None => self.start(label, 0)?,
        };
        let result = run(&mut worker);
        self.take_logs(label, &mut worker);
        match result {
            Ok(output) => {
                self.spare = Some(worker);
                Ok(output)
            }
            Err(error) => Err(self.broken(label, &error)),
        }
    }

    fn start(&mut self, label: &str, threads: usize) -> Result<Worker, Trouble> {
        if self.broken >= BROKEN_MAX {
            return Err(Trouble::GivenUp(self.broken));
        }
        let limits = Limits {
            output_bytes_max: self.options.output_bytes_max,
            memory_bytes_max: MEMORY_BYTES_MAX,
            timeout: self.options.timeout,
            threads,
        };
        match Worker::start(&self.options.program, &self.options.file, &limits) {
            Ok(worker) => {
                self.is_landlocked &= worker.is_landlocked();
                Ok(worker)
            }
            Err(error) => Err(self.broken(label, &error)),
        }
    }

    /// A process with a channel open in it.
    fn start_open(
        &mut self,
        label: &str,
        channel: usize,
        threads: usize,
    ) -> Result<Worker, Trouble> {
        let mut worker = self.start(label, threads)?;
        let label = format!("open, for {label}");
        let config = self.channels[channel].config.clone();
        let opened = worker.open(&open_input(&config));
        let output = opened.map_err(|error| self.broken(&label, &error))?;
        self.look(&label, 0, &output)?;
        let _: Opened = decoded(&label, &output)?;
        Ok(worker)
    }

    /// Forgets a channel's process: the next call runs in a new one.
    pub(crate) fn renew(&mut self, channel: usize) {
        self.sessions[channel] = None;
    }

    /// Makes one call. `label` says for people which: "send in case basic/text".
    pub(crate) fn call(
        &mut self,
        channel: usize,
        label: &str,
        asked: &Asked,
    ) -> Result<Output, Trouble> {
        let mut worker = match self.sessions[channel].take() {
            Some(worker) => worker,
            None => self.start_open(label, channel, 0)?,
        };
        let parts: Vec<&[u8]> = asked.parts.iter().map(Vec::as_slice).collect();
        let begun = Instant::now();
        let result = worker.call(asked.op, &parts);
        let took = begun.elapsed();
        self.take_logs(label, &mut worker);
        let output = result.map_err(|error| self.broken(label, &error))?;
        self.watch.answered(label, took, output.bytes.len());
        self.look(label, asked.op, &output)?;
        self.sessions[channel] = Some(worker);
        Ok(output)
    }

    /// Makes each call alone, then all of them on many threads at once, in a process of its own. It has as
    /// long as so many calls take that are as slow as the slowest of a hundred were.
    pub(crate) fn storm(
        &mut self,
        channel: usize,
        calls: &[(u32, Vec<Vec<u8>>)],
        threads: usize,
        rounds: usize,
    ) -> Result<(), Trouble> {
        let label = "calls on many threads";
        let mut worker = self.start_open(label, channel, threads)?;
        let slow = percentiles(&self.watch.times).map_or(STORM_CALL_MIN, |(_, slow)| slow);
        let count = calls
            .len()
            .saturating_mul(threads.saturating_mul(rounds) + 1);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let storm = slow.max(STORM_CALL_MIN).saturating_mul(count);
        worker.set_timeout(self.options.timeout.saturating_add(storm));
        let result = worker.storm(calls, threads, rounds);
        self.take_logs(label, &mut worker);
        match result {
            Ok(_) => Ok(()),
            Err(WorkerError::Garbage(words)) => Err(Trouble::Fault(words)),
            Err(error) => Err(self.broken(label, &error)),
        }
    }

    /// What is true of every answer: a code that means something, no panic, not too large, no secret.
    fn look(&mut self, label: &str, op: u32, output: &Output) -> Result<(), Trouble> {
        if output.overflowed {
            self.watch.oversized(label);
            return Err(Trouble::Elsewhere("limits"));
        }
        self.watch
            .look_at_answer(label, op, output.code, &output.bytes);
        match Code::from_number(output.code) {
            Some(Code::Panic) => Err(Trouble::Fault(format!(
                "{label} panicked: {}; a call must answer, whatever it is given",
                words(output)
            ))),
            Some(_) => Ok(()),
            None => Err(Trouble::Fault(format!(
                "{label} returned {}, which is no code of the interface: 0 to 4",
                output.code
            ))),
        }
    }

    fn take_logs(&mut self, label: &str, worker: &mut Worker) {
        for line in worker.take_logs() {
            self.watch.look("a log line", label, &line.message);
            self.watch.look("a log line's target", label, &line.target);
        }
    }

    /// A process is gone, or never came: what that says of the plugin.
    fn broken(&mut self, label: &str, error: &WorkerError) -> Trouble {
        if let WorkerError::NotStarted(words) = error {
            return Trouble::Fault(format!(
                "{label}: this machine can't start the process that the plugin is tried in, which says nothing of \
                 the plugin: {words}"
            ));
        }
        self.broken += 1;
        match error {
            WorkerError::Forbidden { what } => {
                self.watch.forbidden(label, what);
                Trouble::Elsewhere("purity")
            }
            WorkerError::NotLoaded(words) => Trouble::Fault(words.clone()),
            error => Trouble::Fault(format!("{label}: {error}")),
        }
    }

    /// Verifies and reads a webhook.
    pub(crate) fn receive(
        &mut self,
        channel: usize,
        label: &str,
        request: &WebhookRequest,
    ) -> Result<Received, Trouble> {
        let output = self.call(channel, label, &Call::receive(request).into())?;
        let received: Received = decoded(label, &output)?;
        sanity::received(&received, request.body.len())
            .map_err(|words| Trouble::Fault(format!("{label}: {words}")))?;
        Ok(received)
    }

    /// Makes one step of a case's run.
    pub(crate) fn step(
        &mut self,
        channel: usize,
        label: &str,
        case: &StepsCase,
        turn: &Turn,
    ) -> Result<Step<Value>, Trouble> {
        let output = self.call(channel, label, &case.call(turn).into())?;
        read_as_step(label, case.op, &output)
    }
}

/// What an answer of code 0 says.
pub(crate) fn decoded<T>(label: &str, output: &Output) -> Result<T, Trouble>
where
    T: Carries + serde::de::DeserializeOwned,
{
    let (json, raw) = parts_of(label, output)?;
    wire::decode(json, raw).map_err(|error| garbage(label, &error))
}

/// Reads an answer to a step.
pub(crate) fn read_as_step(label: &str, op: Op, output: &Output) -> Result<Step<Value>, Trouble> {
    let (json, raw) = parts_of(label, output)?;
    let step = read_step(op, json, raw).map_err(|error| garbage(label, &error))?;
    if let Step::Call { request, .. } = &step {
        sanity::request(request).map_err(|words| Trouble::Fault(format!("{label}: {words}")))?;
    }
    Ok(step)
}

fn parts_of<'o>(label: &str, output: &'o Output) -> Result<(&'o [u8], &'o [u8]), Trouble> {
    let said = match Code::from_number(output.code) {
        Some(Code::Ok) => {
            return wire::read_parts(&output.bytes).map_err(|error| garbage(label, &error));
        }
        Some(Code::Error) => refusal(output).map_or_else(
            || "answered an error that is no AdapterError".into(),
            |error| format!("answered an error ({:?}): {error}", error.class),
        ),
        Some(Code::Unsupported) => "answered 2: there is no such call".into(),
        Some(Code::BadInput) => {
            format!("answered 3: it could not read its input: {}", words(output))
        }
        Some(Code::Panic) | None => format!("answered {}", output.code),
    };
    Err(Trouble::Fault(format!("{label} {said}")))
}

fn garbage(label: &str, error: &wire::WireError) -> Trouble {
    Trouble::Fault(format!("{label} answered garbage: {error}"))
}

/// The error in an answer of code 1.
pub(crate) fn refusal(output: &Output) -> Option<AdapterError> {
    let (json, raw) = wire::read_parts(&output.bytes).ok()?;
    wire::decode(json, raw).ok()
}

/// The plain words in an answer of code 3 or 4.
pub(crate) fn words(output: &Output) -> String {
    const WORDS_CHARS_MAX: usize = 300;
    let text = match wire::read_parts(&output.bytes) {
        Ok((text, _)) if !text.is_empty() => String::from_utf8_lossy(text).into_owned(),
        _ => "it gave no reason".into(),
    };
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(WORDS_CHARS_MAX)
        .collect()
}

fn open_input(config: &Value) -> Vec<u8> {
    let context = OpenContext {
        channel: "under_test".into(),
        abi_minor: ABI_MINOR,
        features: Vec::new(),
    };
    let config = config.clone();
    serde_json::to_vec(&OpenInput { context, config }).unwrap_or_default()
}
