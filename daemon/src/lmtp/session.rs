//! The conversation with one client.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{SemaphorePermit, watch},
    time::timeout,
};
use tracing::debug;
use trunkline_plugin_api::{Front, WebhookRequest};

use super::{
    MEMORY_UNIT, Shared, Stream,
    command::{self, Command},
    connection::{Connection, End, Line},
    data::Unstuffer,
    route::{Route, route},
};
use crate::{channel::Channel, inbound::Answer, model::mask_identifier};

/// Recipients of one mail (RFC 5321, 4.5.3.1.8).
const RECIPIENTS_MAX: usize = 100;
/// Wrong lines of one connection.
const WRONG_MAX: u32 = 20;
/// Bytes that a mail may have beyond what was announced: servers add headers on the way.
const SLACK_BYTES: u64 = 64 * 1024;
/// How long a mail waits for others to leave the memory.
const MEMORY_WAIT: Duration = Duration::from_secs(30);

const TAKEN: (u16, &str) = (250, "2.0.0 taken");
const TOO_LARGE: (u16, &str) = (552, "5.3.4 the mail is too large");
const BUSY: (u16, &str) = (451, "4.3.1 too many mails at once, come back later");
const NOT_STORED: (u16, &str) = (451, "4.3.0 it could not be stored now, come back later");
const NOT_GENUINE: (u16, &str) = (550, "5.7.1 the channel takes no mails this way");
const NOT_TAKEN: (u16, &str) = (554, "5.6.0 the channel can't take this mail");

/// A connection and what was said on it.
pub(super) struct Session {
    connection: Connection,
    shared: Arc<Shared>,
    greeted: bool,
    envelope: Option<Envelope>,
    wrong: u32,
}

/// A mail that is announced.
struct Envelope {
    from: String,
    size: Option<u64>,
    recipients: Vec<Recipient>,
}

struct Recipient {
    address: String,
    channel: Arc<Channel>,
}

impl Session {
    pub(super) fn new(
        stream: Box<dyn Stream>,
        shared: Arc<Shared>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            connection: Connection::new(stream, stopping),
            shared,
            greeted: false,
            envelope: None,
            wrong: 0,
        }
    }

    /// Talks until one of the two has enough.
    pub(super) async fn run(mut self) -> End {
        let greeting = format!("{} LMTP trunkline", self.name());
        self.connection.reply(220, &greeting);
        let end = loop {
            if let Err(end) = self.step().await {
                break end;
            }
        };
        self.connection.close(&end).await;
        end
    }

    fn name(&self) -> String {
        let config = self.shared.gateway.settings.load();
        config.server.public_url.mail_name()
    }

    async fn step(&mut self) -> Result<(), End> {
        let read = match self.connection.line().await? {
            Line::Whole(line) => command::parse(&line),
            Line::Wrong => Err(command::Refusal(
                500,
                "5.5.2 a line ends with CR LF and has at most 2048 bytes",
            )),
        };
        match read {
            Ok(command) => self.obey(command).await,
            Err(refusal) => {
                self.connection.reply(refusal.0, refusal.1);
                self.wrong += 1;
                if self.wrong > WRONG_MAX {
                    return Err(End::Hopeless);
                }
                Ok(())
            }
        }
    }

    async fn obey(&mut self, command: Command) -> Result<(), End> {
        match command {
            Command::Lhlo => self.hello(),
            Command::Noop => self.connection.reply(250, "2.0.0 ok"),
            Command::Vrfy => self.connection.reply(252, "2.0.0 send it and see"),
            Command::Rset => {
                self.envelope = None;
                self.connection.reply(250, "2.0.0 forgotten");
            }
            Command::Quit => {
                self.connection.reply(221, "2.0.0 goodbye");
                return Err(End::Closed);
            }
            _ if !self.greeted => self.connection.reply(503, "5.5.1 say LHLO first"),
            Command::Mail { from, size } => self.mail(from, size),
            Command::Rcpt(address) => self.recipient(address),
            Command::Data => self.data().await?,
        }
        Ok(())
    }

    fn hello(&mut self) {
        self.greeted = true;
        self.envelope = None;
        let lines = [
            self.name(),
            "PIPELINING".to_owned(),
            "ENHANCEDSTATUSCODES".to_owned(),
            "8BITMIME".to_owned(),
            "SMTPUTF8".to_owned(),
            format!("SIZE {}", self.bytes_max()),
        ];
        self.connection.reply_lines(250, &lines);
    }

    fn bytes_max(&self) -> u64 {
        self.shared.gateway.settings.load().lmtp.mail_bytes_max
    }

    fn mail(&mut self, from: String, size: Option<u64>) {
        if self.envelope.is_some() {
            return self
                .connection
                .reply(503, "5.5.1 a mail is announced already");
        }
        if size.is_some_and(|size| size > self.bytes_max()) {
            return self.connection.reply(TOO_LARGE.0, TOO_LARGE.1);
        }
        self.envelope = Some(Envelope {
            from,
            size,
            recipients: Vec::new(),
        });
        self.connection.reply(250, "2.1.0 ok");
    }

    fn recipient(&mut self, address: String) {
        let Some(envelope) = &mut self.envelope else {
            return self.connection.reply(503, "5.5.1 say MAIL first");
        };
        if envelope.recipients.len() == RECIPIENTS_MAX {
            return self
                .connection
                .reply(452, "4.5.3 too many recipients of one mail");
        }
        match route(&self.shared.gateway.registry.routes(), &address) {
            Route::Channel(channel) => {
                envelope.recipients.push(Recipient { address, channel });
                self.connection.reply(250, "2.1.5 ok");
            }
            Route::NotNow(words) => self.connection.reply(451, words),
            Route::Unknown => {
                debug!(to = %mask_identifier(&address), "a mail to an address of no channel was refused");
                self.connection
                    .reply(550, "5.1.1 no channel has this address");
            }
        }
    }

    /// Reads the mail and answers for each recipient, in their order.
    async fn data(&mut self) -> Result<(), End> {
        let Some(envelope) = self
            .envelope
            .take_if(|envelope| !envelope.recipients.is_empty())
        else {
            self.connection
                .reply(503, "5.5.1 no recipient is taken yet");
            return Ok(());
        };
        let shared = self.shared.clone();
        let bytes_max = self.bytes_max();
        let announced = envelope.size.unwrap_or(bytes_max);
        let keep_max = announced.saturating_add(SLACK_BYTES).min(bytes_max);
        // Each recipient but the last is given a copy, one after the other.
        let copies = envelope.recipients.len().min(2) as u64;
        let Some(room) = shared.room(keep_max.saturating_mul(copies)).await else {
            self.connection.reply(BUSY.0, BUSY.1);
            return Ok(());
        };
        self.connection
            .reply(354, "go on, end with a dot by itself");
        let mut unstuffer = Unstuffer::new(envelope.size.map_or(0, |_| keep_max), keep_max);
        self.connection.mail(&mut unstuffer).await?;
        let outcome = match (unstuffer.is_cut(), unstuffer.len > bytes_max) {
            (_, true) => Err(TOO_LARGE),
            // More than was announced, and announced is what there was room for.
            (true, false) => Err((
                451,
                "4.3.1 the mail is larger than was announced, come back",
            )),
            (false, false) => Ok(unstuffer.mail),
        };
        match outcome {
            Ok(mail) => self.deliver(envelope, mail).await,
            Err((code, text)) => {
                for _ in &envelope.recipients {
                    self.connection.reply(code, text);
                }
            }
        }
        drop(room);
        Ok(())
    }

    async fn deliver(&mut self, envelope: Envelope, mut mail: Vec<u8>) {
        let Envelope {
            from, recipients, ..
        } = envelope;
        let last = recipients.len() - 1;
        for (index, recipient) in recipients.into_iter().enumerate() {
            // One recipient is the rule: its mail is moved, never copied.
            let body = if index == last {
                std::mem::take(&mut mail)
            } else {
                mail.clone()
            };
            let (code, text) = self.take(&from, recipient, body).await;
            self.connection.reply(code, text);
        }
    }

    /// Has one recipient's channel take the mail. Returns when it is durable, or refused.
    async fn take(&self, from: &str, to: Recipient, body: Vec<u8>) -> (u16, &'static str) {
        let facts = to.channel.facts.as_ref();
        let limits = [
            to.channel.config().body_bytes_max,
            facts.and_then(|facts| facts.body_bytes_max),
        ];
        if limits
            .into_iter()
            .flatten()
            .any(|limit| body.len() as u64 > limit)
        {
            return TOO_LARGE;
        }
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let request = WebhookRequest {
            method: Front::Mail.method().to_owned(),
            url: "lmtp:".to_owned(),
            headers: vec![
                header("x-envelope-from", from),
                header("x-envelope-to", &to.address),
            ],
            received_at_ms: self.shared.gateway.store.wall(),
            body: body.into(),
        };
        let gateway = &self.shared.gateway;
        let id = gateway.store.new_event_id();
        match gateway.ingress.take(&to.channel, id, request).await {
            Answer::Adapter(response) => reply_for(response.status),
            Answer::Unavailable => NOT_STORED,
        }
    }
}

/// The adapter speaks HTTP's words.
fn reply_for(status: u16) -> (u16, &'static str) {
    match status {
        200..=299 => TAKEN,
        401 | 403 | 404 => NOT_GENUINE,
        413 => TOO_LARGE,
        400..=499 if status != 429 => NOT_TAKEN,
        _ => NOT_STORED,
    }
}

impl Shared {
    /// Room in memory for a mail; none where others hold it for too long.
    async fn room(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        let units = u32::try_from(bytes.div_ceil(MEMORY_UNIT)).unwrap_or(u32::MAX);
        let units = units.min(self.memory_units);
        match timeout(MEMORY_WAIT, self.memory.acquire_many(units)).await {
            Ok(Ok(room)) => Some(room),
            Ok(Err(_)) | Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_stored_is_taken() {
        assert_eq!(reply_for(200).0, 250);
        assert_eq!(reply_for(204).0, 250);
        for status in [401, 403, 404, 413, 400, 422] {
            assert!(reply_for(status).0 >= 550, "{status}");
        }
        for status in [429, 500, 503, 302, 0] {
            assert_eq!(reply_for(status).0, 451, "{status}");
        }
    }
}
