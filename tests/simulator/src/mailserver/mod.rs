//! Mail servers: one that takes mails from the gateway by SMTP submission (RFC 6409), and a client that
//! hands mails to it by LMTP (RFC 2033), as a mail server beside it would.
//!
//! - `session`: the conversation, checked as strictly as a good server does. `checks`: what a mail
//!   itself must look like.
//! - `certificate`: certificates of our own making, good and bad.
//! - `fault`: what goes wrong, and where.
//! - `lmtp`: the client.

mod certificate;
mod checks;
mod fault;
mod lmtp;
mod session;
mod wire;

pub use certificate::Certificate;
pub use fault::{MailFault, Stage, Trouble};
pub use lmtp::{LmtpAnswer, LmtpClient};

use crate::{SimulatorError, wait};
use certificate::Certificates;
use fault::Troubles;
use parking_lot::Mutex;
use session::Session;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// What the server offers and demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Whether STARTTLS is offered.
    pub starttls: bool,
    /// The ways to authenticate, over TLS: `PLAIN`, `LOGIN`.
    pub auth: Vec<&'static str>,
    /// Whether mails are taken only from who is known.
    pub auth_required: bool,
    /// PIPELINING.
    pub pipelining: bool,
    /// 8BITMIME.
    pub eight_bit: bool,
    /// SMTPUTF8.
    pub utf8: bool,
    /// SIZE, in bytes.
    pub size_max: Option<u64>,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            starttls: true,
            auth: vec!["PLAIN", "LOGIN"],
            auth_required: true,
            pipelining: true,
            eight_bit: true,
            utf8: true,
            size_max: Some(32 << 20),
        }
    }
}

/// A mail that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenMail {
    /// Envelope sender.
    pub mail_from: String,
    /// Envelope recipients.
    pub rcpt_to: Vec<String>,
    /// The mail, its doubled dots taken out.
    pub bytes: Vec<u8>,
    /// Who authenticated.
    pub user: Option<String>,
    /// Whether it came over TLS.
    pub tls: bool,
}

impl TakenMail {
    /// The mail as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The first header of this name, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        let text = self.text();
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    }
}

/// The server. Clones are the same server.
#[derive(Clone)]
pub struct MailServer {
    inner: Arc<Inner>,
}

struct Inner {
    plain: SocketAddr,
    tls: SocketAddr,
    certificates: Certificates,
    state: Mutex<State>,
}

/// What changes.
struct State {
    username: String,
    password: String,
    certificate: Certificate,
    offer: Offer,
    troubles: Troubles,
    mails: Vec<TakenMail>,
    commands: Vec<String>,
    complaints: Vec<String>,
    connections: usize,
}

impl MailServer {
    /// The name that its good certificate is for.
    pub const HOST: &'static str = "localhost";

    /// Binds both ports and serves them on the runtime that this is called in.
    pub(crate) async fn start() -> Result<Self, SimulatorError> {
        let failed = |error: std::io::Error| SimulatorError::Start(error.to_string());
        let plain = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let tls = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let server = Self {
            inner: Arc::new(Inner {
                plain: plain.local_addr().map_err(failed)?,
                tls: tls.local_addr().map_err(failed)?,
                certificates: Certificates::new()?,
                state: Mutex::new(State {
                    username: "trunkline".to_owned(),
                    password: format!("pw-{:016x}", rand::random::<u64>()),
                    certificate: Certificate::default(),
                    offer: Offer::default(),
                    troubles: Troubles::default(),
                    mails: Vec::new(),
                    commands: Vec::new(),
                    complaints: Vec::new(),
                    connections: 0,
                }),
            }),
        };
        for (listener, is_tls) in [(plain, false), (tls, true)] {
            actix_web::rt::spawn(accept(server.clone(), listener, is_tls));
        }
        Ok(server)
    }

    /// The port of submission with STARTTLS.
    pub fn port(&self) -> u16 {
        self.inner.plain.port()
    }

    /// The port of submission with TLS from the first byte.
    pub fn tls_port(&self) -> u16 {
        self.inner.tls.port()
    }

    /// The user who may send.
    pub fn username(&self) -> String {
        self.inner.state.lock().username.clone()
    }

    /// That user's password.
    pub fn password(&self) -> String {
        self.inner.state.lock().password.clone()
    }

    /// Replaces the password and gives the new one.
    pub fn rotate_password(&self) -> String {
        let mut state = self.inner.state.lock();
        state.password = format!("pw-{:016x}", rand::random::<u64>());
        state.password.clone()
    }

    /// The authority of the good certificate, in PEM form.
    pub fn ca_pem(&self) -> String {
        self.inner.certificates.ca_pem.clone()
    }

    /// Shows another certificate from now on.
    pub fn present(&self, certificate: Certificate) {
        self.inner.state.lock().certificate = certificate;
    }

    /// Changes what is offered from now on.
    pub fn offer(&self, change: impl FnOnce(&mut Offer)) {
        change(&mut self.inner.state.lock().offer);
    }

    /// Adds a trouble behind those that are to come already.
    pub fn trouble(&self, trouble: Trouble) {
        self.inner.state.lock().troubles.push(trouble);
    }

    /// Forgets all troubles.
    pub fn behave(&self) {
        self.inner.state.lock().troubles.clear();
    }

    /// The mails that were taken, oldest first.
    pub fn mails(&self) -> Vec<TakenMail> {
        self.inner.state.lock().mails.clone()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.inner.state.lock().connections
    }

    /// Every command, oldest first; what proves who somebody is, is left out.
    pub fn commands(&self) -> Vec<String> {
        self.inner.state.lock().commands.clone()
    }

    /// What a good server would have disliked, in words.
    pub fn complaints(&self) -> Vec<String> {
        self.inner.state.lock().complaints.clone()
    }

    /// Waits until `condition` holds, looking every 5 ms. Needs a tokio runtime with time.
    pub async fn wait_until(
        &self,
        mut condition: impl FnMut(&Self) -> bool,
        timeout: Duration,
    ) -> Result<(), SimulatorError> {
        wait::until(|| condition(self), timeout).await
    }
}

async fn accept(server: MailServer, listener: TcpListener, is_tls: bool) {
    // Ends with the runtime.
    while let Ok((stream, _)) = listener.accept().await {
        server.inner.state.lock().connections += 1;
        actix_web::rt::spawn(serve(server.clone(), stream, is_tls));
    }
}

async fn serve(server: MailServer, stream: TcpStream, is_tls: bool) {
    // Where the client breaks off there is nobody left to tell.
    let _ = Session::new(&server.inner, stream).run(is_tls).await;
}
