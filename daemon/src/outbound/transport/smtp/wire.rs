//! One connection to a server: lines in, bytes out, each within its time.

use std::{fmt, io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::{Instant, timeout_at},
};
use trunkline_plugin_api::{TransportError, TransportKind};

use super::reply::Answer;

/// Bytes of one line of an answer. RFC 5321 allows 512; many servers write more.
const LINE_BYTES_MAX: usize = 4096;

/// What a connection is made of, plain or encrypted.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// A single step: connecting, one answer, one piece of the mail.
    pub(super) step: Duration,
    /// Everything together ends here.
    pub(super) end: Instant,
}

impl Pace {
    /// Runs one step. Whatever goes wrong in it goes wrong before the mail was handed over.
    pub(super) async fn step<T, E: fmt::Display>(
        self,
        what: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, TransportError> {
        let by = (Instant::now() + self.step).min(self.end);
        match timeout_at(by, work).await {
            Ok(done) => done.map_err(|error| TransportError {
                kind: TransportKind::Connect,
                detail: format!("{what}: {error}"),
            }),
            Err(_) => Err(TransportError {
                kind: TransportKind::TimeoutBeforeSend,
                detail: format!("{what}: the server took too long"),
            }),
        }
    }
}

/// A connection.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
    pace: Pace,
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Stream>, pace: Pace) -> Self {
        Self {
            stream,
            unread: Vec::new(),
            pace,
        }
    }

    pub(super) fn pace(&self) -> Pace {
        self.pace
    }

    /// The stream itself, where nothing was read that nobody asked for: what comes in the open before
    /// a handshake must not be taken for what comes after it.
    pub(super) fn into_stream(self) -> Option<Box<dyn Stream>> {
        self.unread.is_empty().then_some(self.stream)
    }

    /// The next answer. `what` says what it is an answer to.
    pub(super) async fn answer(&mut self, what: &str) -> Result<Answer, TransportError> {
        let (stream, unread) = (&mut self.stream, &mut self.unread);
        let read = async {
            let mut answer = Answer::default();
            loop {
                let line = line(stream, unread).await?;
                if answer.push(&line).map_err(io::Error::other)? {
                    return Ok::<_, io::Error>(answer);
                }
            }
        };
        self.pace.step(what, read).await
    }

    /// Writes bytes out.
    pub(super) async fn write(&mut self, what: &str, bytes: &[u8]) -> Result<(), TransportError> {
        let stream = &mut self.stream;
        let write = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        self.pace.step(what, write).await
    }

    /// Writes a line and waits for its answer.
    pub(super) async fn ask(&mut self, what: &str, line: &str) -> Result<Answer, TransportError> {
        self.write(what, format!("{line}\r\n").as_bytes()).await?;
        self.answer(what).await
    }

    /// Takes leave, in the background: the outcome is known.
    pub(super) fn leave(mut self) {
        const LEAVE: Duration = Duration::from_secs(5);
        self.pace = Pace {
            step: LEAVE,
            end: Instant::now() + LEAVE,
        };
        tokio::spawn(async move {
            // A server that is gone already is as good as one that says goodbye.
            let _ = self.ask("QUIT", "QUIT").await;
            let _ = self.stream.shutdown().await;
        });
    }
}

/// The next line, without its end.
async fn line(stream: &mut Box<dyn Stream>, unread: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    loop {
        if let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
            let mut line: Vec<u8> = unread.drain(..=end).collect();
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(line);
        }
        if unread.len() > LINE_BYTES_MAX {
            return Err(io::Error::other("the server's answer has no end"));
        }
        if stream.read_buf(unread).await? == 0 {
            return Err(io::Error::other("the server closed the connection"));
        }
    }
}
