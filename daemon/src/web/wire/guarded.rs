//! The stream of one connection, which ends when its client takes too long.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use futures_util::future::LocalBoxFuture;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Sleep,
};
use tokio_rustls::server::TlsStream;

use super::{
    admission::Permit,
    leaving::Leaving,
    line::{Line, Wait},
};
use crate::{
    config::Settings,
    metrics::{Metrics, Refusal},
};

/// What a client gets whose head does not come in time.
const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A connection as it comes from the network.
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection that keeps to the times of `[server.limits]`.
pub(super) struct Guarded {
    wire: Wire,
    line: Rc<Line>,
    settings: Settings,
    metrics: Arc<Metrics>,
    /// Resolves when a stop asks connections to leave.
    leave: Option<LocalBoxFuture<'static, ()>>,
    /// Wakes the connection to look at its deadline.
    timer: Option<Pin<Box<Sleep>>>,
    /// Runs while the client takes nothing.
    stall: Option<Pin<Box<Sleep>>>,
    _permit: Permit,
}

impl Guarded {
    /// A connection that was let in now.
    pub(super) fn new(
        wire: Wire,
        permit: Permit,
        settings: Settings,
        metrics: Arc<Metrics>,
        leaving: &Leaving,
    ) -> Self {
        Self {
            wire,
            line: Rc::new(Line::new(Instant::now())),
            settings,
            metrics,
            leave: Some(leaving.clone().asked()),
            timer: None,
            stall: None,
            _permit: permit,
        }
    }

    /// Its state, for the requests on it.
    pub(super) fn line(&self) -> Rc<Line> {
        self.line.clone()
    }

    /// Ready when nothing more is to be read: the client's time is over, or the daemon stops.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(leave) = &mut self.leave
            && leave.as_mut().poll(cx).is_ready()
        {
            self.leave = None;
        }
        loop {
            if self.leave.is_none() && self.line.is_quiet() {
                return Poll::Ready(());
            }
            let now = Instant::now();
            let settings = self.settings.load();
            let limits = &settings.server.limits;
            let until = match self.line.deadline(limits) {
                Some((at, wait)) if at <= now => {
                    drop(settings);
                    self.expire(cx, wait);
                    return Poll::Ready(());
                }
                Some((at, _)) => at,
                // A request is under way; its end is noticed when this time is over.
                None => now + limits.keep_alive,
            };
            drop(settings);
            ready!(self.poll_timer(cx, until, now));
        }
    }

    /// Ready when it is worth to look again: no later than `until`, seldom earlier.
    fn poll_timer(&mut self, cx: &mut Context<'_>, until: Instant, now: Instant) -> Poll<()> {
        let until = tokio::time::Instant::from_std(until);
        let now = tokio::time::Instant::from_std(now);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        // A timer that comes too early is cheaper than one that is set anew for each request.
        if timer.deadline() > until || timer.deadline() <= now {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx)
    }

    fn expire(&mut self, cx: &mut Context<'_>, wait: Wait) {
        if let Wait::Head { begun } = wait {
            self.metrics.refused(Refusal::SlowHead);
            // Nothing else is being written where no request is under way. A client that does not
            // even take this is not worth waiting for.
            if begun && self.stall.is_none() {
                let _ = Pin::new(&mut self.wire).poll_write(cx, TOO_SLOW);
            }
        }
    }

    /// Passes on what became of a write; an error where the client took nothing for too long.
    fn taken<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let limit = self.settings.load().server.limits.write_timeout;
        let stall = self
            .stall
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(stall.as_mut().poll(cx));
        self.metrics.refused(Refusal::SlowReader);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.wire).poll_read(cx, buffer) {
            Poll::Pending => this.poll_over(cx).map(Ok),
            ready @ Poll::Ready(_) => {
                if buffer.filled().len() > before {
                    this.line.heard(Instant::now());
                }
                ready
            }
        }
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.wire).poll_write(cx, bytes);
        this.taken(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.wire).poll_flush(cx);
        this.taken(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let ended = Pin::new(&mut this.wire).poll_shutdown(cx);
        this.taken(cx, ended)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
