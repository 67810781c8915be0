//! The socket to a worker, with one time for all that is written and read for a call.

use std::{
    io::{self, IoSlice, Read, Write},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{SendAncillaryBuffer, SendFlags, sendmsg},
};

use super::frame::{self, Kind};

/// The socket. An ordinary call costs one call of the kernel to write and one to read: the limit that stands
/// serves them, and what takes longer is given what is left.
#[derive(Debug)]
pub(super) struct Stream {
    socket: UnixStream,
    /// How long the kernel has one read wait.
    limit: Duration,
    /// Nothing has waited since the call began: the limit that stands is what is left.
    is_fresh: bool,
}

impl Stream {
    /// A call of this limit begins now.
    pub(super) fn new(socket: UnixStream, limit: Duration) -> io::Result<Self> {
        socket.set_read_timeout(Some(limit))?;
        Ok(Self {
            socket,
            limit,
            is_fresh: true,
        })
    }

    /// Begins a call of this limit, which ends at `deadline`, and writes its frame.
    pub(super) fn write(
        &mut self,
        (limit, deadline): (Duration, Instant),
        kind: Kind,
        number: u32,
        pieces: &[&[u8]],
    ) -> io::Result<()> {
        self.set_limit(limit)?;
        let mut writer = Writer {
            socket: &self.socket,
            deadline,
            has_waited: false,
        };
        let outcome = frame::write(&mut writer, kind, number, pieces);
        self.is_fresh = !writer.has_waited;
        outcome
    }

    /// Reads some bytes, 0 at the end; an error of the kinds for that where the deadline comes first.
    pub(super) fn read(&mut self, deadline: Instant, buffer: &mut [u8]) -> io::Result<usize> {
        if !std::mem::take(&mut self.is_fresh) {
            self.set_limit(left(deadline)?)?;
        }
        self.socket.read(buffer)
    }

    fn set_limit(&mut self, limit: Duration) -> io::Result<()> {
        if self.limit != limit {
            self.socket.set_read_timeout(Some(limit))?;
            self.limit = limit;
        }
        Ok(())
    }
}

/// Never zero.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}

/// Writes what the socket takes, and waits for it to take more until the deadline.
struct Writer<'stream> {
    socket: &'stream UnixStream,
    deadline: Instant,
    has_waited: bool,
}

impl Writer<'_> {
    fn wait(&mut self) -> io::Result<()> {
        self.has_waited = true;
        let left = Timespec::try_from(left(self.deadline)?).map_err(io::Error::other)?;
        let mut writable = [PollFd::new(self.socket, PollFlags::OUT)];
        match poll(&mut writable, Some(&left)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        loop {
            let mut nothing = SendAncillaryBuffer::default();
            match sendmsg(self.socket, slices, &mut nothing, flags) {
                Err(Errno::AGAIN) => self.wait()?,
                outcome => return Ok(outcome?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(100);

    #[test]
    fn what_nobody_reads_is_late_and_leaves_no_time_to_read() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let mut stream = Stream::new(ours, LIMIT).expect("ours");
        let deadline = Instant::now() + LIMIT;
        let large = vec![7; 4 << 20];
        let outcome = stream.write((LIMIT, deadline), Kind::Call, 0, &[&large]);
        let error = outcome.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let error = stream.read(deadline, &mut [0]).expect_err("it is over");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(theirs);
    }

    #[test]
    fn only_the_first_read_has_the_limit_that_stands() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let mut stream = Stream::new(ours, LIMIT).expect("ours");
        let over = Instant::now();
        theirs.write_all(b"ab").expect("there is room");
        let mut byte = [0];
        assert_eq!(stream.read(over, &mut byte).expect("it is there"), 1);
        let error = stream.read(over, &mut byte).expect_err("it is over");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let later = Instant::now() + LIMIT * 600;
        assert_eq!(stream.read(later, &mut byte).expect("it is there"), 1);
        assert_ne!(stream.limit, LIMIT, "what is left");
        let outcome = stream.write((LIMIT, later), Kind::Close, 0, &[]);
        outcome.expect("there is room");
        assert_eq!((stream.limit, stream.is_fresh), (LIMIT, true));
    }
}
