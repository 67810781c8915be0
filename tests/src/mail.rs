//! Mails as people's programs write them, the channel that takes and sends them, and load by LMTP.

use std::io;

use serde_json::Value;
use trunkline_simulator::{LmtpAnswer, LmtpClient, MailServer};

use crate::config::Channel;
use crate::daemon::Daemon;

/// Our address in the tests.
pub const HELP: &str = "help@example.com";

/// A mail to write.
#[derive(Debug, Clone)]
pub struct Mail {
    from: String,
    id: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Mail {
    /// A mail to [`HELP`] with its Message-ID, without brackets.
    pub fn new(from: &str, id: &str, body: &str) -> Self {
        Self {
            from: from.to_owned(),
            id: id.to_owned(),
            headers: Vec::new(),
            body: body.to_owned(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The mail as it is handed over.
    pub fn bytes(&self) -> Vec<u8> {
        let more = self.headers.iter();
        let more: Vec<_> = more
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let Self { from, id, body, .. } = self;
        let more = more.concat();
        format!(
            "From: {from}\r\nTo: {HELP}\r\nSubject: Hello\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n\
             Message-ID: <{id}>\r\n{more}\r\n{body}\r\n"
        )
        .into_bytes()
    }
}

/// A channel on [`HELP`] that submits to the simulator's mail server by STARTTLS.
pub fn channel(id: &str, server: &MailServer) -> Channel {
    Channel::new(id, "email")
        .config("provider", "smtp")
        .config("from", HELP)
        .config("host", MailServer::HOST)
        .config("port", server.port())
        .config("tls", "start_tls")
        .config("username", server.username())
        .config("password", server.password())
}

/// Where a running daemon takes mails by LMTP, by its `ready` line.
pub fn lmtp(daemon: &Daemon) -> String {
    let log = daemon.log();
    let found = log.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let fields = line.get("fields").unwrap_or(&line);
        fields["lmtp"].as_str().map(str::to_owned)
    });
    found.expect("the log says where mails are taken")
}

/// Hands one mail over on a connection of its own.
pub async fn deliver(
    at: &str,
    from: &str,
    to: &[&str],
    mail: &[u8],
) -> io::Result<Vec<LmtpAnswer>> {
    LmtpClient::connect(at).await?.deliver(from, to, mail).await
}

/// A mail of a load.
#[derive(Debug, Clone)]
pub struct Handed {
    /// Its Message-ID.
    pub id: String,
    /// Whom it is from.
    pub from: String,
    /// The answer's code; none where none came.
    pub code: Option<u16>,
}

impl Handed {
    /// The mail.
    pub fn bytes(&self) -> Vec<u8> {
        Mail::new(&self.from, &self.id, "under load").bytes()
    }
}

/// Hands mails of one person over, one after the other, until the connection breaks or `count` are
/// done: what became of each.
pub async fn load(at: String, from: String, count: usize) -> Vec<Handed> {
    let mut ledger = Vec::new();
    let mut client = LmtpClient::connect(&at).await.ok();
    for number in 0..count {
        let mut mail = Handed {
            id: format!("{number}.{from}"),
            from: from.clone(),
            code: None,
        };
        if let Some(client) = &mut client {
            let answers = client.deliver(&from, &[HELP], &mail.bytes()).await;
            mail.code = answers.ok().and_then(|answers| Some(answers.first()?.code));
        }
        let is_over = mail.code.is_none();
        ledger.push(mail);
        if is_over {
            break;
        }
    }
    ledger
}
