//! One conversation, from the server's side.

use super::checks::{Announced, end_of_mail, read};
use super::fault::{MailFault, Stage, Trouble};
use super::wire::Wire;
use super::{Inner, Offer, TakenMail};
use data_encoding::BASE64;
use std::io;
use tokio::net::TcpStream;

/// Bytes of a command's line with its end (RFC 5321, 4.5.3.1.4, and what the extensions add).
const COMMAND_BYTES_MAX: usize = 1024;

pub(super) struct Session<'a> {
    server: &'a Inner,
    wire: Option<Wire>,
    is_tls: bool,
    greeted: bool,
    user: Option<String>,
    envelope: Option<Envelope>,
}

struct Envelope {
    from: String,
    to: Vec<String>,
    announced: Announced,
}

impl<'a> Session<'a> {
    pub(super) fn new(server: &'a Inner, stream: TcpStream) -> Self {
        Self {
            server,
            wire: Some(Wire::new(stream)),
            is_tls: false,
            greeted: false,
            user: None,
            envelope: None,
        }
    }

    /// Talks until the client leaves, or is made to.
    pub(super) async fn run(mut self, is_tls: bool) -> io::Result<()> {
        if is_tls {
            self.encrypt().await?;
        }
        self.answer(Stage::Greeting, 220, "mx.simulator.example ESMTP")
            .await?;
        loop {
            let line = self.wire()?.line().await?;
            self.check(&line);
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let verb = verb.to_ascii_uppercase();
            let shown = if verb == "AUTH" {
                rest.split(' ').next()
            } else {
                Some(rest)
            };
            let shown = format!("{verb} {}", shown.unwrap_or_default());
            self.server
                .state
                .lock()
                .commands
                .push(shown.trim().to_owned());
            match verb.as_str() {
                "EHLO" => self.hello(rest).await?,
                "STARTTLS" => self.start_tls().await?,
                "AUTH" => self.authenticate(rest).await?,
                "MAIL" => self.mail(rest).await?,
                "RCPT" => self.recipient(rest).await?,
                "DATA" => self.data().await?,
                "NOOP" => self.say(250, "2.0.0 ok").await?,
                "RSET" => {
                    self.envelope = None;
                    self.say(250, "2.0.0 ok").await?;
                }
                "QUIT" => return self.say(221, "2.0.0 bye").await,
                _ => self.say(500, "5.5.1 no such command").await?,
            }
        }
    }

    fn wire(&mut self) -> io::Result<&mut Wire> {
        self.wire
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn offered(&self) -> Offer {
        self.server.state.lock().offer.clone()
    }

    fn complain(&self, words: impl Into<String>) {
        self.server.state.lock().complaints.push(words.into());
    }

    fn check(&self, line: &[u8]) {
        if !line.ends_with(b"\r\n") {
            self.complain("a command does not end with CR LF");
        }
        if line.len() > COMMAND_BYTES_MAX {
            self.complain(format!("a command has {} bytes", line.len()));
        }
    }

    async fn say(&mut self, code: u16, words: &str) -> io::Result<()> {
        self.wire()?.say(&format!("{code} {words}\r\n")).await
    }

    /// Answers, unless there is trouble at this stage.
    async fn answer(&mut self, stage: Stage, code: u16, words: &str) -> io::Result<()> {
        let trouble = self.server.state.lock().troubles.at(stage);
        match trouble {
            Some(trouble) if self.suffer(&trouble).await? => Ok(()),
            _ => self.say(code, words).await,
        }
    }

    /// Has a trouble happen. False where the right answer still follows.
    async fn suffer(&mut self, trouble: &Trouble) -> io::Result<bool> {
        match &trouble.fault {
            MailFault::Answer(code, words) => self.say(*code, words).await.map(|()| true),
            MailFault::Hang => Err(self.wire()?.hang().await),
            MailFault::Reset => Err(self.wire()?.reset()),
            MailFault::Slow(time) => {
                tokio::time::sleep(*time).await;
                Ok(false)
            }
            MailFault::Inject(more) => {
                let both = format!("220 2.0.0 go on\r\n{more}\r\n");
                self.wire()?.say(&both).await.map(|()| true)
            }
        }
    }

    /// True where a trouble with an answer of its own stands at a stage; it happens.
    async fn is_troubled(&mut self, stage: Stage) -> io::Result<bool> {
        let trouble = self.server.state.lock().troubles.at(stage);
        match trouble {
            Some(trouble) => self.suffer(&trouble).await,
            None => Ok(false),
        }
    }

    /// What must be the last command of a group, was it? (RFC 2920, 3.1)
    fn expect_silence(&mut self, command: &str) {
        let waits = self.wire.as_ref().is_none_or(|wire| wire.unread.is_empty());
        if !waits {
            self.complain(format!(
                "the client did not wait for the answer to {command}"
            ));
        }
    }

    async fn hello(&mut self, name: &str) -> io::Result<()> {
        self.expect_silence("EHLO");
        let is_literal = name.starts_with('[') && name.ends_with(']');
        if !is_literal
            && (name.is_empty()
                || name.contains(|c: char| !c.is_ascii_alphanumeric() && !"-.".contains(c)))
        {
            self.complain(format!("\"{name}\" is no name for EHLO"));
        }
        if self.is_troubled(Stage::Ehlo).await? {
            return Ok(());
        }
        self.greeted = true;
        self.envelope = None;
        let offer = self.offered();
        let mut lines = vec![
            "mx.simulator.example".to_owned(),
            "ENHANCEDSTATUSCODES".to_owned(),
        ];
        let is_tls = self.is_tls;
        let mut add = |is_offered: bool, line: String| {
            if is_offered {
                lines.push(line);
            }
        };
        add(offer.starttls && !is_tls, "STARTTLS".to_owned());
        add(
            is_tls && !offer.auth.is_empty(),
            format!("AUTH {}", offer.auth.join(" ")),
        );
        add(offer.pipelining, "PIPELINING".to_owned());
        add(offer.eight_bit, "8BITMIME".to_owned());
        add(offer.utf8, "SMTPUTF8".to_owned());
        add(
            offer.size_max.is_some(),
            format!("SIZE {}", offer.size_max.unwrap_or(0)),
        );
        let text = format!("250-{}\r\n", lines.join("\r\n250-"));
        // The last line is told by its space.
        let last = text.rfind("250-").unwrap_or_default();
        let text = format!("{}250 {}", &text[..last], &text[last + 4..]);
        self.wire()?.say(&text).await
    }

    async fn start_tls(&mut self) -> io::Result<()> {
        self.expect_silence("STARTTLS");
        if self.is_tls || !self.offered().starttls {
            return self.say(503, "5.5.1 not now").await;
        }
        if self.is_troubled(Stage::StartTls).await? {
            return Ok(());
        }
        self.say(220, "2.0.0 go on").await?;
        self.encrypt().await
    }

    async fn encrypt(&mut self) -> io::Result<()> {
        let config = {
            let state = self.server.state.lock();
            self.server.certificates.config(state.certificate)
        };
        let wire = self.wire.take().ok_or(io::ErrorKind::NotConnected)?;
        self.wire = Some(wire.encrypt(config).await?);
        self.is_tls = true;
        self.greeted = false;
        self.user = None;
        Ok(())
    }

    async fn authenticate(&mut self, rest: &str) -> io::Result<()> {
        self.expect_silence("AUTH");
        if !self.is_tls {
            self.complain("a password was sent in the open");
            return self.say(538, "5.7.11 encryption required").await;
        }
        if !self.greeted || self.user.is_some() {
            return self.say(503, "5.5.1 not now").await;
        }
        let (way, first) = rest.split_once(' ').unwrap_or((rest, ""));
        let way = way.to_ascii_uppercase();
        if !self.offered().auth.contains(&way.as_str()) {
            return self.say(504, "5.5.4 no such way").await;
        }
        let given = if way == "PLAIN" {
            let words = if first.is_empty() {
                self.challenge("").await?
            } else {
                decoded(first)
            };
            let mut words = words.split('\0').skip(1).map(str::to_owned);
            (words.next(), words.next())
        } else {
            let user = self.challenge("VXNlcm5hbWU6").await?;
            (Some(user), Some(self.challenge("UGFzc3dvcmQ6").await?))
        };
        let known = {
            let state = self.server.state.lock();
            (Some(state.username.clone()), Some(state.password.clone()))
        };
        if given != known {
            return self
                .say(535, "5.7.8 authentication credentials invalid")
                .await;
        }
        self.user = given.0;
        self.answer(Stage::Auth, 235, "2.7.0 welcome").await
    }

    async fn challenge(&mut self, words: &str) -> io::Result<String> {
        self.say(334, words).await?;
        let line = self.wire()?.line().await?;
        Ok(decoded(String::from_utf8_lossy(&line).trim()))
    }

    async fn mail(&mut self, rest: &str) -> io::Result<()> {
        let offer = self.offered();
        if !self.greeted || self.envelope.is_some() {
            return self.say(503, "5.5.1 not now").await;
        }
        if offer.auth_required && self.user.is_none() {
            return self.say(530, "5.7.0 authentication required").await;
        }
        let Some((from, parameters)) = path(rest, "FROM:") else {
            return self.say(501, "5.5.4 no address").await;
        };
        let mut announced = Announced {
            size: None,
            eight_bit: false,
        };
        let mut utf8 = false;
        for parameter in parameters.split(' ').filter(|word| !word.is_empty()) {
            match parameter.split_once('=').unwrap_or((parameter, "")) {
                ("SIZE", size) if offer.size_max.is_some() => announced.size = size.parse().ok(),
                ("BODY", "8BITMIME") if offer.eight_bit => announced.eight_bit = true,
                ("SMTPUTF8", "") if offer.utf8 => utf8 = true,
                _ => return self.say(555, "5.5.4 no such parameter").await,
            }
        }
        if announced.size > offer.size_max && offer.size_max.is_some() {
            return self.say(552, "5.3.4 too large").await;
        }
        if !rest.is_ascii() && !utf8 {
            self.complain("an address is not ASCII, and SMTPUTF8 was not said");
        }
        if self.is_troubled(Stage::MailFrom).await? {
            return Ok(());
        }
        self.envelope = Some(Envelope {
            from,
            to: Vec::new(),
            announced,
        });
        self.say(250, "2.1.0 ok").await
    }

    async fn recipient(&mut self, rest: &str) -> io::Result<()> {
        let Some((to, parameters)) = path(rest, "TO:") else {
            return self.say(501, "5.5.4 no address").await;
        };
        if !parameters.is_empty() || to.is_empty() {
            return self.say(555, "5.5.4 no such parameter").await;
        }
        if self.envelope.is_none() {
            return self.say(503, "5.5.1 MAIL first").await;
        }
        if self.is_troubled(Stage::RcptTo).await? {
            return Ok(());
        }
        if to.starts_with("nobody@") {
            return self.say(550, "5.1.1 no such user here").await;
        }
        if let Some(envelope) = &mut self.envelope {
            envelope.to.push(to);
        }
        self.say(250, "2.1.5 ok").await
    }

    async fn data(&mut self) -> io::Result<()> {
        self.expect_silence("DATA");
        let envelope = self.envelope.take_if(|envelope| !envelope.to.is_empty());
        let Some(envelope) = envelope else {
            return self.say(554, "5.5.1 no valid recipients").await;
        };
        if self.is_troubled(Stage::Data).await? {
            return Ok(());
        }
        self.say(354, "end with a dot").await?;
        let middle = self.server.state.lock().troubles.at(Stage::Middle);
        let mut looked_at = 0_usize;
        let end = loop {
            if let (Some(trouble), true) = (&middle, !self.wire()?.unread.is_empty())
                && self.suffer(trouble).await?
            {
                // It has said why, and has had enough.
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            // The end may stand across the border of what was looked at already.
            if let Some(end) = end_of_mail(&self.wire()?.unread, looked_at.saturating_sub(4)) {
                break end;
            }
            looked_at = self.wire()?.unread.len();
            self.wire()?.read().await?;
        };
        let written: Vec<u8> = self.wire()?.unread.drain(..end).collect();
        let (bytes, complaints) = read(&written, &envelope.announced);
        self.server.state.lock().complaints.extend(complaints);
        let taken = TakenMail {
            mail_from: envelope.from,
            rcpt_to: envelope.to,
            bytes,
            user: self.user.clone(),
            tls: self.is_tls,
        };
        self.take(taken).await
    }

    /// Keeps the mail before it is answered, unless there is trouble that comes first.
    async fn take(&mut self, mail: TakenMail) -> io::Result<()> {
        let trouble = self.server.state.lock().troubles.at(Stage::Message);
        let is_slow = |trouble: &Trouble| matches!(trouble.fault, MailFault::Slow(_));
        if trouble
            .as_ref()
            .is_none_or(|trouble| trouble.accepted || is_slow(trouble))
        {
            self.server.state.lock().mails.push(mail);
        }
        match trouble {
            Some(trouble) if self.suffer(&trouble).await? => Ok(()),
            _ => self.say(250, "2.0.0 ok: queued").await,
        }
    }
}

fn decoded(word: &str) -> String {
    let bytes = BASE64.decode(word.as_bytes()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The address behind a keyword, and the parameters.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<(String, &'a str)> {
    let rest = rest.strip_prefix(keyword)?.strip_prefix('<')?;
    let (address, parameters) = rest.split_once('>')?;
    Some((address.to_owned(), parameters.trim_start()))
}
