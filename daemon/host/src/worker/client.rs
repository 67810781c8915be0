//! The side that starts a worker and asks it.

use std::{
    io,
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use trunkline_plugin_api::ffi;

use super::{
    Limits, LogLine, Output, Program, WorkerError, calls,
    error::end_words,
    frame::{self, Frame, FrameError, Frames, Kind},
    logs::Logs,
    spawn::spawn,
    stream::Stream,
};
use crate::error::printable;

/// Bytes that a frame may have beside an answer: words, a log line.
const FRAME_BYTES_SPARE: usize = 8 * 1024;
/// Bytes of a worker's own words that are kept.
const WORDS_BYTES_MAX: usize = 1024;

/// A running worker with one library. Dropping it ends the process.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    stream: Stream,
    frames: Frames,
    timeout: Duration,
    threads: usize,
    logs: Logs,
    is_landlocked: bool,
    /// Why it is no more.
    failed: Option<WorkerError>,
}

impl Worker {
    /// Starts a process, which seals itself in and loads the library. Blocks until it is ready.
    pub fn start(program: &Program, file: &Path, limits: &Limits) -> Result<Self, WorkerError> {
        let not_started = |error: io::Error| WorkerError::NotStarted(error.to_string());
        let (ours, theirs) = UnixStream::pair().map_err(not_started)?;
        let limit = limits.timeout.max(Duration::from_millis(1));
        let stream = Stream::new(ours, limit).map_err(not_started)?;
        // It works in another folder than this process does.
        let file = std::path::absolute(file).map_err(not_started)?;
        let child = spawn(command(program, &file, limits, theirs)).map_err(|error| {
            WorkerError::NotStarted(format!("{}: {error}", program.path.display()))
        })?;
        let mut worker = Self {
            child,
            stream,
            frames: Frames::new(limits.output_bytes_max.saturating_add(FRAME_BYTES_SPARE)),
            timeout: limit,
            threads: limits.threads,
            logs: Logs::default(),
            is_landlocked: false,
            failed: None,
        };
        worker.get_ready()?;
        Ok(worker)
    }

    fn get_ready(&mut self) -> Result<(), WorkerError> {
        let deadline = Instant::now() + self.timeout;
        let mut sealed = None;
        let result = self.receive(deadline, |frame| match frame.kind {
            Kind::Sealed => {
                sealed = Some(frame.number == 1);
                None
            }
            Kind::Loaded if sealed.is_some() => Some(Ok(())),
            Kind::NotLoaded if sealed.is_some() => {
                Some(Err(WorkerError::NotLoaded(words(frame.payload))))
            }
            Kind::Failed => Some(Err(WorkerError::NotStarted(words(frame.payload)))),
            _ => Some(Err(unexpected(frame.kind))),
        });
        let result = match (result, sealed) {
            // What ended before it was sealed in has run no code of the plugin.
            (Err(WorkerError::Died(words)), None) => {
                Err(WorkerError::NotStarted(format!("it {words}")))
            }
            (result, _) => result,
        };
        self.is_landlocked = sealed == Some(true);
        self.end_on_error(result)
    }

    /// Whether the kernel's landlock took part in sealing it in.
    pub fn is_landlocked(&self) -> bool {
        self.is_landlocked
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How long one call may take from here on.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout.max(Duration::from_millis(1));
    }

    /// Asks for the manifest.
    pub fn describe(&mut self) -> Result<Output, WorkerError> {
        self.exchange(Kind::Describe, 0, &[])
    }

    /// Opens a channel, in the place of one that is open.
    pub fn open(&mut self, input: &[u8]) -> Result<Output, WorkerError> {
        self.open_with(input, ffi::HOST_SIZE)
    }

    /// The same with a host struct that says another size of itself.
    pub fn open_with(
        &mut self,
        input: &[u8],
        host_struct_size: u32,
    ) -> Result<Output, WorkerError> {
        self.exchange(Kind::Open, host_struct_size, &[input])
    }

    /// Makes one call on the open channel; an error without one.
    pub fn call(&mut self, op: u32, parts: &[&[u8]]) -> Result<Output, WorkerError> {
        let lengths = frame::lengths(parts).map_err(unwritable)?;
        let mut pieces: [&[u8]; frame::PARTS_MAX + 1] = [&[]; frame::PARTS_MAX + 1];
        pieces[0] = &lengths;
        pieces[1..=parts.len()].copy_from_slice(parts);
        self.exchange(Kind::Call, op, &pieces[..=parts.len()])
    }

    /// Closes the channel where one is open.
    pub fn close(&mut self) -> Result<Output, WorkerError> {
        self.exchange(Kind::Close, 0, &[])
    }

    /// Makes each call once, and then all of them, `rounds` times, on `threads` threads at once. Gives the
    /// first answer to each; [`WorkerError::Garbage`] where a later one differs. All of it counts as one
    /// call against the timeout.
    pub fn storm(
        &mut self,
        calls: &[(u32, Vec<Vec<u8>>)],
        threads: usize,
        rounds: usize,
    ) -> Result<Vec<Output>, WorkerError> {
        if threads > self.threads {
            return Err(WorkerError::NotStarted(format!(
                "it was given {} threads, not {threads}",
                self.threads
            )));
        }
        let mut payload = Vec::new();
        for number in [threads, rounds] {
            let number = u32::try_from(number).map_err(|_| unwritable("too many rounds"))?;
            payload.extend_from_slice(&number.to_le_bytes());
        }
        for (op, parts) in calls {
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            payload.extend_from_slice(&op.to_le_bytes());
            payload.extend_from_slice(&frame::lengths(&parts).map_err(unwritable)?);
            for part in parts {
                payload.extend_from_slice(part);
            }
        }
        let count = u32::try_from(calls.len()).map_err(|_| unwritable("too many calls"))?;
        let deadline = self.ask(Kind::Storm, count, &[&payload])?;
        (0..count).map(|_| self.answer(deadline)).collect()
    }

    /// What the plugin wrote into the log since this was last asked.
    pub fn take_logs(&mut self) -> Vec<LogLine> {
        self.logs.take()
    }

    fn exchange(
        &mut self,
        kind: Kind,
        number: u32,
        pieces: &[&[u8]],
    ) -> Result<Output, WorkerError> {
        let deadline = self.ask(kind, number, pieces)?;
        self.answer(deadline)
    }

    /// Sends a frame and gives the time by which it is to be answered.
    fn ask(&mut self, kind: Kind, number: u32, pieces: &[&[u8]]) -> Result<Instant, WorkerError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let deadline = Instant::now() + self.timeout;
        let time = (self.timeout, deadline);
        match self.stream.write(time, kind, number, pieces) {
            Err(error) if is_late(&error) => {
                let error = WorkerError::Hung(self.timeout);
                self.end_on_error(Err(error))
            }
            // An error is that it is gone: what it last said is the reason.
            Ok(()) | Err(_) => Ok(deadline),
        }
    }

    fn answer(&mut self, deadline: Instant) -> Result<Output, WorkerError> {
        let result = self.receive(deadline, |frame| match frame.kind {
            Kind::Output | Kind::Overflowed => Some(Ok(Output {
                code: frame.number.cast_signed(),
                bytes: frame.payload.to_vec(),
                overflowed: frame.kind == Kind::Overflowed,
            })),
            Kind::Differs | Kind::Failed => Some(Err(WorkerError::Garbage(words(frame.payload)))),
            _ => Some(Err(unexpected(frame.kind))),
        });
        self.end_on_error(result)
    }

    /// Reads frames until `judge` has a result; log lines and the report of a forbidden call are seen here.
    fn receive<T>(
        &mut self,
        deadline: Instant,
        mut judge: impl FnMut(Frame<'_>) -> Option<Result<T, WorkerError>>,
    ) -> Result<T, WorkerError> {
        loop {
            let stream = &mut self.stream;
            let next = self.frames.next(|buffer| stream.read(deadline, buffer));
            let frame = match next {
                Ok(frame) => frame,
                Err(error) => return Err(self.no_frame(&error)),
            };
            let result = match frame.kind {
                Kind::Log if self.logs.read(frame.number, frame.payload) => None,
                Kind::Forbidden => Some(Err(WorkerError::Forbidden {
                    what: calls::words(frame.number),
                })),
                _ => judge(frame),
            };
            if let Some(result) = result {
                return result;
            }
            // A stream of log lines is no sign of life.
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(WorkerError::Hung(self.timeout));
            }
        }
    }

    fn no_frame(&mut self, error: &FrameError) -> WorkerError {
        match error {
            FrameError::End | FrameError::Cut => WorkerError::Died(self.end()),
            FrameError::Read(error) if is_late(error) => WorkerError::Hung(self.timeout),
            FrameError::Read(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                WorkerError::Died(self.end())
            }
            error => WorkerError::Garbage(error.to_string()),
        }
    }

    /// Why it takes no more calls: the error of the last one, or that its process ended since.
    pub fn ended(&mut self) -> Option<WorkerError> {
        if self.failed.is_none()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            self.failed = Some(WorkerError::Died(end_words(status)));
        }
        self.failed.clone()
    }

    fn end_on_error<T>(&mut self, result: Result<T, WorkerError>) -> Result<T, WorkerError> {
        if let Err(error) = &result {
            self.end();
            self.failed = Some(error.clone());
        }
        result
    }

    /// Ends the process and says how it ended. One that has ended by itself keeps its own end.
    fn end(&mut self) -> String {
        let _ = self.child.kill();
        match self.child.wait() {
            Ok(status) => end_words(status),
            Err(error) => format!("ended, nobody knows how: {error}"),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

fn command(program: &Program, file: &Path, limits: &Limits, socket: UnixStream) -> Command {
    let mut command = Command::new(&program.path);
    command
        .args(&program.arguments)
        .arg(file)
        .arg(limits.output_bytes_max.to_string())
        .arg(limits.memory_bytes_max.to_string())
        .arg(limits.threads.to_string())
        .arg(std::process::id().to_string())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(socket)))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn is_late(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn words(payload: &[u8]) -> String {
    let end = payload.len().min(WORDS_BYTES_MAX);
    printable(&String::from_utf8_lossy(&payload[..end]))
}

fn unexpected(kind: Kind) -> WorkerError {
    WorkerError::Garbage(format!("a frame {kind:?} that nobody asked for"))
}

fn unwritable(error: impl std::fmt::Display) -> WorkerError {
    WorkerError::Garbage(format!("the call can't be sent: {error}"))
}
