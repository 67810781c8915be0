//! The LMTP listener (RFC 2033): a mail server of this machine hands mails over, and keeps those that
//! are not taken.
//!
//! ```text
//! connection ─ LHLO ─ MAIL ─ RCPT: an address of a channel? ─ DATA: one buffer ─┐
//!     ┌─────────────────────────────────────────────────────────────────────────┘
//!     └> for each recipient: inbound/ingress as method LMTP ─ durable ─> 250, one reply for each
//! ```
//!
//! - `command`: what a client says. `data`: the mail itself, byte for byte.
//! - `connection`: lines in, replies out, within their times. `session`: the conversation.
//! - `route`: which channel an address belongs to.
//!
//! 250 is the store's word that the mail is durable; 451 leaves it with the mail server, which comes
//! back. Only loopback addresses and sockets are listened at, since nothing proves who connects.

mod command;
mod connection;
mod data;
mod route;
mod session;

use std::{io, net::SocketAddr, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use actix::Arbiter;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    sync::{Semaphore, oneshot, watch},
    task::JoinSet,
};
use tracing::{debug, warn};

use crate::{config::LmtpListen, gateway::Gateway, web};
use session::Session;

/// Owner and group of the socket may connect.
const SOCKET_MODE: u32 = 0o660;
/// Mails in memory at the same time, in bytes, at least; twice the largest mail where that is more.
const MEMORY_BYTES_MIN: u64 = 64 << 20;
/// What the memory is counted in.
const MEMORY_UNIT: u64 = 1024;

/// The running listener.
pub struct Lmtp {
    /// Where it listens.
    pub at: LmtpListen,
    stop: watch::Sender<bool>,
    stopped: oneshot::Receiver<()>,
    arbiter: Arbiter,
}

/// What all connections share.
struct Shared {
    gateway: Arc<Gateway>,
    /// Bytes of mails that may still come into memory, in units.
    memory: Semaphore,
    memory_units: u32,
}

/// A bound socket of either kind.
enum Bound {
    Unix(std::os::unix::net::UnixListener),
    Tcp(std::net::TcpListener),
}

/// Binds and serves the listener where there is one to be. The error says what could not be bound.
pub fn listen(gateway: &Arc<Gateway>) -> Result<Option<Lmtp>, (String, io::Error)> {
    let config = gateway.settings.load().lmtp.clone();
    let failed = |error| {
        (
            format!("[lmtp] listen {} can't be bound", config.listen),
            error,
        )
    };
    let (bound, at) = match &config.listen {
        LmtpListen::Off => return Ok(None),
        LmtpListen::Socket(path) => (bind_socket(path).map_err(failed)?, config.listen.clone()),
        LmtpListen::Address(address) => bind_address(*address).map_err(failed)?,
    };
    let memory = MEMORY_BYTES_MIN.max(2 * config.mail_bytes_max) / MEMORY_UNIT;
    let memory_units = u32::try_from(memory).unwrap_or(u32::MAX >> 4);
    let shared = Arc::new(Shared {
        gateway: gateway.clone(),
        memory: Semaphore::new(memory_units as usize),
        memory_units,
    });
    let (stop, stopping) = watch::channel(false);
    let (tell_end, stopped) = oneshot::channel();
    let arbiter = Arbiter::new();
    let connections_max = config.connections_max as usize;
    arbiter.spawn_fn(move || {
        actix::spawn(async move {
            if let Err(error) = serve(bound, &shared, connections_max, stopping).await {
                warn!(event = "lmtp_ended", %error, "the LMTP listener ended");
            }
            // Nobody may be waiting any more.
            let _ = tell_end.send(());
        });
    });
    Ok(Some(Lmtp {
        at,
        stop,
        stopped,
        arbiter,
    }))
}

fn bind_socket(path: &Path) -> io::Result<Bound> {
    web::make_way(path)?;
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    listener.set_nonblocking(true)?;
    Ok(Bound::Unix(listener))
}

fn bind_address(address: SocketAddr) -> io::Result<(Bound, LmtpListen)> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let at = LmtpListen::Address(listener.local_addr()?);
    Ok((Bound::Tcp(listener), at))
}

impl Lmtp {
    /// Takes no more connections, lets mails under way be answered, says goodbye to the rest.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // It has ended already where nobody tells.
        let _ = self.stopped.await;
        self.arbiter.stop();
    }
}

/// Takes connections until it is told to stop, then waits for those that it has.
async fn serve(
    bound: Bound,
    shared: &Arc<Shared>,
    connections_max: usize,
    mut stopping: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = Listener::new(bound)?;
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(stream) if sessions.len() < connections_max => {
                    let (shared, stopping) = (shared.clone(), stopping.clone());
                    sessions.spawn_local(converse(stream, shared, stopping));
                }
                Ok(stream) => {
                    sessions.spawn_local(turn_away(stream));
                }
                // Out of file descriptors, for example: it may pass.
                Err(error) => {
                    warn!(event = "lmtp_connection_refused", %error, "a mail server could not be let in");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            },
            Some(_) = sessions.join_next() => {}
            _ = stopping.changed() => break,
        }
    }
    drop(listener);
    while sessions.join_next().await.is_some() {}
    Ok(())
}

async fn converse(stream: Box<dyn Stream>, shared: Arc<Shared>, stopping: watch::Receiver<bool>) {
    let ended = Session::new(stream, shared, stopping).run().await;
    debug!(?ended, "an LMTP connection ended");
}

async fn turn_away(mut stream: Box<dyn Stream>) {
    // A client that is gone needs no answer.
    let _ = stream
        .write_all(b"421 4.3.2 too many connections, come back later\r\n")
        .await;
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// A [`Bound`] in its runtime.
enum Listener {
    Unix(tokio::net::UnixListener),
    Tcp(tokio::net::TcpListener),
}

impl Listener {
    fn new(bound: Bound) -> io::Result<Self> {
        Ok(match bound {
            Bound::Unix(listener) => Self::Unix(tokio::net::UnixListener::from_std(listener)?),
            Bound::Tcp(listener) => Self::Tcp(tokio::net::TcpListener::from_std(listener)?),
        })
    }

    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Replies are short and waited for.
                let _ = stream.set_nodelay(true);
                Box::new(stream)
            }
        })
    }
}
