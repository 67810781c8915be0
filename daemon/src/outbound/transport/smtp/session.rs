//! The conversation with a server, step by step.

use std::fmt::Write as _;

use data_encoding::BASE64;
use trunkline_plugin_api::{
    Body, Piece, PieceEncoding, SmtpReply, SmtpRequest, SmtpTls, TransportError, TransportKind,
};

use super::{
    super::{BodyStream, refused},
    Means,
    connect::{encrypt, failed},
    dots::Stuffer,
    reply::{Answer, Offer},
    wire::Wire,
};

/// Bytes of the mail that are written at once.
const PIECE_BYTES: usize = 64 * 1024;
/// Bytes of a command with the first answer of an authentication in it (RFC 4954, section 4).
const AUTH_LINE_BYTES_MAX: usize = 500;

/// Why a conversation ended early.
pub(super) enum Stop {
    /// The server refused.
    Answered(SmtpReply),
    /// There is no answer.
    Broken(TransportError),
}

impl From<TransportError> for Stop {
    fn from(error: TransportError) -> Self {
        Self::Broken(error)
    }
}

/// A conversation that has not begun yet.
pub(super) struct Session<'a> {
    pub(super) wire: Wire,
    pub(super) request: &'a SmtpRequest,
    pub(super) means: &'a Means<'a>,
    pub(super) may_authenticate: bool,
}

impl Session<'_> {
    /// From the greeting to the server's last word.
    pub(super) async fn run(mut self, body: BodyStream) -> Result<SmtpReply, Stop> {
        let result = self.converse(body).await;
        if !matches!(result, Err(Stop::Broken(_))) {
            self.wire.leave();
        }
        result
    }

    async fn converse(&mut self, body: BodyStream) -> Result<SmtpReply, Stop> {
        good(self.wire.answer("the greeting").await?)?;
        let mut offer = self.hello().await?;
        if self.request.tls == SmtpTls::StartTls {
            self.start_tls(&offer).await?;
            offer = self.hello().await?;
        }
        self.authenticate(&offer).await?;
        if self.request.rcpt_to.is_empty() {
            return Ok(self.wire.ask("NOOP", "NOOP").await?.into_reply());
        }
        let envelope = self.envelope(&offer, body.len())?;
        self.introduce(&offer, &envelope).await?;
        let answer = self.wire.ask("DATA", "DATA").await?;
        if answer.code != 354 {
            return Err(Stop::Answered(answer.into_reply()));
        }
        self.hand_over(body).await
    }

    async fn hello(&mut self) -> Result<Offer, Stop> {
        let line = format!("EHLO {}", self.means.name);
        Ok(good(self.wire.ask("EHLO", &line).await?)?.offer())
    }

    /// Required where it was asked for: nothing goes on in the open.
    async fn start_tls(&mut self, offer: &Offer) -> Result<(), Stop> {
        let no = |detail: &str| Stop::Broken(failed(TransportKind::Tls, detail));
        if !offer.starttls {
            return Err(no("the server does not offer STARTTLS"));
        }
        let answer = self.wire.ask("STARTTLS", "STARTTLS").await?;
        if answer.code != 220 {
            let words = answer.into_reply().text;
            return Err(no(&format!("the server refuses STARTTLS: {words}")));
        }
        let pace = self.wire.pace();
        let plain = std::mem::replace(
            &mut self.wire,
            Wire::new(Box::new(tokio::io::empty()), pace),
        );
        let Some(stream) = plain.into_stream() else {
            return Err(no(
                "the server, or someone in between, sent more than its answer to STARTTLS",
            ));
        };
        let stream = encrypt(stream, &self.request.host, self.means.trust, pace).await?;
        self.wire = Wire::new(stream, pace);
        Ok(())
    }

    async fn authenticate(&mut self, offer: &Offer) -> Result<(), Stop> {
        let (Some(user), Some(password)) = (&self.request.username, &self.request.password) else {
            return Ok(());
        };
        if !self.may_authenticate {
            let words = "tls = \"none\" sends no password to another machine; use \"start_tls\" or \"implicit\"";
            return Err(refused(words.into()).into());
        }
        let answer = if offer.auth_plain {
            let proof = BASE64.encode(format!("\0{user}\0{password}").as_bytes());
            self.prove("AUTH PLAIN", &[proof]).await?
        } else if offer.auth_login {
            let words = [user, password].map(|word| BASE64.encode(word.as_bytes()));
            self.prove("AUTH LOGIN", &words).await?
        } else {
            let words = "the server offers neither AUTH PLAIN nor AUTH LOGIN on this connection";
            return Err(refused(words.into()).into());
        };
        good(answer).map(drop)
    }

    /// One exchange of AUTH. PLAIN's word goes with the command where the line has room for it.
    async fn prove(&mut self, command: &str, words: &[String]) -> Result<Answer, Stop> {
        let mut words = words.iter();
        let first = words.as_slice().first().filter(|word| {
            command == "AUTH PLAIN" && command.len() + 1 + word.len() <= AUTH_LINE_BYTES_MAX
        });
        let mut answer = match first {
            Some(word) => {
                words.next();
                self.wire.ask("AUTH", &format!("{command} {word}")).await?
            }
            None => self.wire.ask("AUTH", command).await?,
        };
        for word in words {
            if answer.code != 334 {
                return Ok(answer);
            }
            answer = self.wire.ask("AUTH", word).await?;
        }
        Ok(answer)
    }

    /// The commands of the envelope, or the server's refusal where its offer says already that it
    /// can't take this mail.
    fn envelope(&self, offer: &Offer, len: u64) -> Result<Vec<String>, Stop> {
        let request = self.request;
        let mut addresses = request.rcpt_to.iter().chain([&request.mail_from]);
        let is_eight_bit = is_eight_bit(&request.data);
        let needs_utf8 = addresses.any(|address| !address.is_ascii());
        let no = |code, enhanced: &str, text: String| {
            Err(Stop::Answered(SmtpReply {
                code,
                enhanced: Some(enhanced.to_owned()),
                text,
            }))
        };
        if let Some(max) = offer.size_max
            && len > max
        {
            let text = format!("the server takes mails of {max} bytes, this one has {len}");
            return no(552, "5.3.4", text);
        }
        if needs_utf8 && !offer.utf8 {
            let text = "the server takes only addresses in ASCII".to_owned();
            return no(553, "5.6.7", text);
        }
        if is_eight_bit && !offer.eight_bit {
            let text = "the server takes only mails in ASCII".to_owned();
            return no(554, "5.6.3", text);
        }
        let mut sender = format!("MAIL FROM:<{}>", request.mail_from);
        if offer.size {
            let _ = write!(sender, " SIZE={len}");
        }
        if is_eight_bit {
            sender.push_str(" BODY=8BITMIME");
        }
        if needs_utf8 {
            sender.push_str(" SMTPUTF8");
        }
        let recipients = request.rcpt_to.iter();
        let recipients = recipients.map(|address| format!("RCPT TO:<{address}>"));
        Ok([sender].into_iter().chain(recipients).collect())
    }

    /// Names sender and recipients. Goes on where all of them are taken.
    async fn introduce(&mut self, offer: &Offer, envelope: &[String]) -> Result<(), Stop> {
        if offer.pipelining {
            let lines = envelope.join("\r\n") + "\r\n";
            self.wire.write("the envelope", lines.as_bytes()).await?;
        }
        let mut refusal: Option<Answer> = None;
        for (index, line) in envelope.iter().enumerate() {
            let what = if index == 0 { "MAIL" } else { "RCPT" };
            let answer = if offer.pipelining {
                self.wire.answer(what).await?
            } else {
                self.wire.ask(what, line).await?
            };
            if answer.is_good() {
                continue;
            }
            if index == 0 || answer.code == 421 {
                return Err(Stop::Answered(answer.into_reply()));
            }
            // A lasting refusal says more than a passing one.
            if refusal
                .as_ref()
                .is_none_or(|known| known.code < 500 && answer.code >= 500)
            {
                refusal = Some(answer);
            }
        }
        match refusal {
            Some(answer) => Err(Stop::Answered(answer.into_reply())),
            None => Ok(()),
        }
    }

    /// Writes the mail. Up to its last piece the server can't have taken it.
    async fn hand_over(&mut self, mut body: BodyStream) -> Result<SmtpReply, Stop> {
        let mut stuffer = Stuffer::default();
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        loop {
            let chunk = body.next().await.map_err(|error| {
                failed(
                    TransportKind::Connect,
                    &format!("the mail could not be read: {error}"),
                )
            })?;
            let Some(chunk) = chunk else { break };
            for part in chunk.chunks(PIECE_BYTES) {
                stuffer.push(part, &mut piece);
                if piece.len() >= PIECE_BYTES {
                    self.write_piece(&piece).await?;
                    piece.clear();
                }
            }
        }
        self.write_piece(&piece).await?;
        let last = async {
            self.wire
                .write("the end of the mail", stuffer.end())
                .await?;
            self.wire.answer("the answer to the mail").await
        };
        match last.await {
            Ok(answer) => Ok(answer.into_reply()),
            Err(error) => Err(Stop::Broken(TransportError {
                kind: TransportKind::TimeoutAfterSend,
                ..error
            })),
        }
    }

    /// A server that has had enough says so and closes: its words are worth more than the error of
    /// our writing on.
    async fn write_piece(&mut self, piece: &[u8]) -> Result<(), Stop> {
        let Err(error) = self.wire.write("the mail", piece).await else {
            return Ok(());
        };
        if error.kind == TransportKind::Connect
            && let Ok(answer) = self.wire.answer("the mail").await
            && !answer.is_good()
        {
            return Err(Stop::Answered(answer.into_reply()));
        }
        Err(error.into())
    }
}

/// Whether a mail holds bytes beyond ASCII. A file that goes out as it is may.
fn is_eight_bit(body: &Body) -> bool {
    let may = |piece: &Piece| {
        let Piece::Media { encoding, .. } = piece else {
            return false;
        };
        *encoding == PieceEncoding::Identity
    };
    match body {
        Body::Empty => false,
        Body::Bytes { bytes } => !bytes.is_ascii(),
        Body::Media { .. } => true,
        Body::Pieces { bytes, pieces } => !bytes.is_ascii() || pieces.iter().any(may),
    }
}

/// The answer, where the server did what it was told.
fn good(answer: Answer) -> Result<Answer, Stop> {
    if answer.is_good() {
        return Ok(answer);
    }
    Err(Stop::Answered(answer.into_reply()))
}
