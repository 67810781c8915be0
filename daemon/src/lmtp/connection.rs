//! A client's connection: lines in, replies out.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::watch,
    time::timeout,
};

use super::{Stream, data::Unstuffer};

/// Bytes of a command's line with its end.
const LINE_BYTES_MAX: usize = 2048;
/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Time for the next command, and for more of a mail (RFC 5321, 4.5.3.2).
const IDLE: Duration = Duration::from_secs(300);
/// Time for a whole mail.
const MAIL_TIME: Duration = Duration::from_secs(1800);
/// Time for a client to take its replies.
const WRITE_TIME: Duration = Duration::from_secs(60);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// The client said so, or closed it.
    #[error("it was closed")]
    Closed,
    /// The daemon stops.
    #[error("the daemon stops")]
    Stopping,
    /// Nothing came for too long.
    #[error("the client was silent for too long")]
    Silent,
    /// Too much that was wrong.
    #[error("the client does not speak LMTP")]
    Hopeless,
    /// It broke.
    #[error(transparent)]
    Broken(#[from] io::Error),
}

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Without its end.
    Whole(Vec<u8>),
    /// Longer than allowed, or not ended by CR LF.
    Wrong,
}

/// A connection.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
    replies: Vec<u8>,
    stopping: watch::Receiver<bool>,
}

impl Connection {
    pub(super) fn new(stream: Box<dyn Stream>, stopping: watch::Receiver<bool>) -> Self {
        Self {
            stream,
            unread: Vec::new(),
            replies: Vec::new(),
            stopping,
        }
    }

    /// Notes a reply; it goes out with the next ones, before anything is waited for.
    pub(super) fn reply(&mut self, code: u16, text: &str) {
        self.replies
            .extend_from_slice(format!("{code} {text}\r\n").as_bytes());
    }

    /// Notes a reply of several lines.
    pub(super) fn reply_lines(&mut self, code: u16, lines: &[String]) {
        for (index, line) in lines.iter().enumerate() {
            let mark = if index + 1 == lines.len() { ' ' } else { '-' };
            self.replies
                .extend_from_slice(format!("{code}{mark}{line}\r\n").as_bytes());
        }
    }

    /// Sends the replies noted so far.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        let (stream, replies) = (&mut self.stream, &self.replies);
        let write = async {
            stream.write_all(replies).await?;
            stream.flush().await
        };
        timeout(WRITE_TIME, write)
            .await
            .map_err(|_| End::Silent)??;
        self.replies.clear();
        Ok(())
    }

    /// The next command's line. While it waits, a stop of the daemon ends the connection.
    pub(super) async fn line(&mut self) -> Result<Line, End> {
        let mut is_long = false;
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Ok(match line.strip_suffix(b"\r\n") {
                    Some(line) if !is_long && line.len() < LINE_BYTES_MAX => {
                        Line::Whole(line.to_vec())
                    }
                    _ => Line::Wrong,
                });
            }
            if self.unread.len() > LINE_BYTES_MAX {
                is_long = true;
                self.unread.clear();
            }
            self.flush().await?;
            let (stream, unread) = (&mut self.stream, &mut self.unread);
            unread.reserve(LINE_BYTES_MAX);
            tokio::select! {
                biased;
                read = timeout(IDLE, stream.read_buf(unread)) => {
                    if read.map_err(|_| End::Silent)?? == 0 {
                        return Err(End::Closed);
                    }
                }
                _ = self.stopping.wait_for(|stopping| *stopping) => return Err(End::Stopping),
            }
        }
    }

    /// Reads a mail to its end. What follows it stays for the next line.
    pub(super) async fn mail(&mut self, unstuffer: &mut Unstuffer) -> Result<(), End> {
        self.flush().await?;
        timeout(MAIL_TIME, self.read_mail(unstuffer))
            .await
            .map_err(|_| End::Silent)?
    }

    async fn read_mail(&mut self, unstuffer: &mut Unstuffer) -> Result<(), End> {
        // As much again as a mail may have is read for an answer in order; then no more.
        let patience = unstuffer.keep_max.saturating_mul(2).saturating_add(1 << 20);
        let mut chunk = std::mem::take(&mut self.unread);
        loop {
            if let Some(end) = unstuffer.push(&chunk) {
                self.unread = chunk.split_off(end);
                return Ok(());
            }
            if unstuffer.len > patience {
                return Err(End::Hopeless);
            }
            chunk.clear();
            chunk.reserve(CHUNK_BYTES);
            let read = timeout(IDLE, self.stream.read_buf(&mut chunk)).await;
            if read.map_err(|_| End::Silent)?? == 0 {
                return Err(End::Closed);
            }
        }
    }

    /// Says why it ends, where there is something to say.
    pub(super) async fn close(mut self, end: &End) {
        match end {
            End::Stopping => self.reply(421, "4.3.2 the gateway is stopping, come back later"),
            End::Silent => self.reply(421, "4.4.2 nothing came for too long"),
            End::Hopeless => self.reply(421, "4.7.0 too much of this is wrong"),
            End::Closed | End::Broken(_) => {}
        }
        // A client that is gone needs no goodbye.
        let _ = self.flush().await;
        let _ = self.stream.shutdown().await;
    }
}
