//! A server's end of a connection: lines in, answers out, resets on request.

use rustls::ServerConfig;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// Plain or encrypted.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

pub(super) struct Wire {
    stream: Box<dyn Stream>,
    pub(super) unread: Vec<u8>,
    /// A second handle, for resetting the connection.
    socket: Option<socket2::Socket>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            socket: socket2::SockRef::from(&stream).try_clone().ok(),
            stream: Box::new(stream),
            unread: Vec::new(),
        }
    }

    /// The same connection, encrypted. Anything that came before the handshake is a fault.
    pub(super) async fn encrypt(self, config: Arc<ServerConfig>) -> io::Result<Self> {
        if !self.unread.is_empty() {
            return Err(io::Error::other("something came before the handshake"));
        }
        let stream = TlsAcceptor::from(config).accept(self.stream).await?;
        Ok(Self {
            stream: Box::new(stream),
            unread: Vec::new(),
            socket: self.socket,
        })
    }

    pub(super) async fn say(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes()).await?;
        self.stream.flush().await
    }

    /// Reads more; an error where the client has gone.
    pub(super) async fn read(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.unread).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next line with its end.
    pub(super) async fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                return Ok(self.unread.drain(..=end).collect());
            }
            self.read().await?;
        }
    }

    /// Says nothing until the client has gone.
    pub(super) async fn hang(&mut self) -> io::Error {
        loop {
            self.unread.clear();
            if let Err(error) = self.read().await {
                return error;
            }
        }
    }

    /// Makes the coming end a reset.
    pub(super) fn reset(&mut self) -> io::Error {
        if let Some(socket) = self.socket.take() {
            // Should the socket be gone already, the client has its broken connection.
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
        io::ErrorKind::ConnectionReset.into()
    }
}
