//! A channel whose plugin runs in a process of its own.

use std::{
    path::PathBuf,
    sync::{
        Once,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

use super::{
    CallError,
    library::Output,
    speaker::Speaker,
    worker::{Limits, Program, Worker, WorkerError},
};

/// Where a channel's plugin runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Isolation {
    /// In this process: fast, and trusted not to end it.
    #[default]
    None,
    /// In a process of its own, one for each channel.
    Process {
        /// Bytes of address space that it may use.
        memory_bytes_max: u64,
        /// How long one call may take before the process is killed.
        timeout: Duration,
    },
}

/// How a channel's process is started.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) program: Program,
    pub(super) file: PathBuf,
    pub(super) limits: Limits,
    pub(super) speaker: Speaker,
}

/// A channel's process and what became of it.
#[derive(Debug)]
pub(super) struct Isolated {
    start: Start,
    /// Milliseconds that one call may take.
    timeout_ms: AtomicU64,
    /// The process; 0 where there is none.
    pid: AtomicU32,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Not opened yet, or left after a panic: the next call opens it anew.
    Closed,
    Open(Box<Worker>),
    /// The process failed. It is not started again here: who owns the channel does that.
    Failed(CallError),
}

impl Isolated {
    pub(super) fn new(start: Start) -> Self {
        Self {
            timeout_ms: AtomicU64::new(millis(start.limits.timeout)),
            start,
            pid: AtomicU32::new(0),
            state: Mutex::new(State::Closed),
        }
    }

    /// Starts the process and opens the channel in it. What `open` wrote, also where it refused.
    pub(super) fn open(&self, input: &[u8]) -> Result<Output, CallError> {
        self.open_into(&mut self.state.lock(), input)
    }

    /// Makes one call; the others wait for it. `input` is what the channel is opened with after a panic.
    pub(super) fn call(&self, op: u32, parts: &[&[u8]], input: &[u8]) -> Result<Output, CallError> {
        let mut state = self.state.lock();
        if matches!(*state, State::Closed) {
            let opened = self.open_into(&mut state, input)?;
            if opened.code != 0 {
                *state = State::Closed;
                return Ok(opened);
            }
        }
        match &mut *state {
            State::Open(worker) => {
                worker.set_timeout(self.timeout());
                let result = worker.call(op, parts);
                self.pass_on_logs(worker);
                self.keep(&mut state, result)
            }
            State::Failed(error) => Err(error.clone()),
            State::Closed => Err(CallError::Crashed("its process is not there".into())),
        }
    }

    fn open_into(&self, state: &mut State, input: &[u8]) -> Result<Output, CallError> {
        let limits = Limits {
            timeout: self.timeout(),
            ..self.start.limits.clone()
        };
        let started = Worker::start(&self.start.program, &self.start.file, &limits);
        let mut worker = match started {
            Ok(worker) => worker,
            Err(error) => return self.keep(state, Err(error)),
        };
        tell_of_landlock(&worker);
        let result = worker.open(input);
        self.pass_on_logs(&mut worker);
        self.pid.store(worker.pid(), Ordering::Relaxed);
        *state = State::Open(Box::new(worker));
        self.keep(state, result)
    }

    fn keep(
        &self,
        state: &mut State,
        result: Result<Output, WorkerError>,
    ) -> Result<Output, CallError> {
        result.map_err(|error| {
            let error = failed(&error);
            self.pid.store(0, Ordering::Relaxed);
            *state = State::Failed(error.clone());
            error
        })
    }

    fn pass_on_logs(&self, worker: &mut Worker) {
        for line in worker.take_logs() {
            self.start
                .speaker
                .say(line.level, &line.target, &line.message);
        }
    }

    /// After a panic its state is unknown: the process is ended, the next call starts another.
    pub(super) fn give_up(&self) {
        let mut state = self.state.lock();
        self.pid.store(0, Ordering::Relaxed);
        *state = State::Closed;
    }

    /// Why it takes no more calls, where its process has failed or ended, also between two calls.
    pub(super) fn failure(&self) -> Option<CallError> {
        // While a call is under way that call finds it out.
        let mut state = self.state.try_lock()?;
        if let State::Open(worker) = &mut *state
            && let Some(error) = worker.ended()
        {
            self.pid.store(0, Ordering::Relaxed);
            *state = State::Failed(failed(&error));
        }
        match &*state {
            State::Failed(error) => Some(error.clone()),
            State::Closed | State::Open(_) => None,
        }
    }

    /// The process, where one is running.
    pub(super) fn pid(&self) -> Option<u32> {
        let pid = self.pid.load(Ordering::Relaxed);
        (pid != 0).then_some(pid)
    }

    pub(super) fn set_timeout(&self, timeout: Duration) {
        self.timeout_ms.store(millis(timeout), Ordering::Relaxed);
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.load(Ordering::Relaxed))
    }

    /// What was asked for, for another channel of the kind.
    pub(super) fn isolation(&self) -> Isolation {
        Isolation::Process {
            memory_bytes_max: self.start.limits.memory_bytes_max,
            timeout: self.timeout(),
        }
    }
}

/// Whose fault it is.
fn failed(error: &WorkerError) -> CallError {
    match error {
        WorkerError::NotStarted(_) => CallError::NotStarted(error.to_string()),
        error => CallError::Crashed(error.to_string()),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Says once where the kernel has no landlock.
pub(super) fn tell_of_landlock(worker: &Worker) {
    static TOLD: Once = Once::new();
    if !worker.is_landlocked() {
        TOLD.call_once(|| {
            tracing::warn!(
                event = "plugin_sandbox_without_landlock",
                "this kernel has no landlock: while a plugin is loaded in a process of its own, it could \
                 read files; seccomp keeps it from everything else"
            );
        });
    }
}
