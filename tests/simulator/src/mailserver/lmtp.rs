//! A client that hands mails to the gateway by LMTP, as a mail server beside it does.

use std::io;
use std::path::Path;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixStream};

/// One of the gateway's answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LmtpAnswer {
    /// The code.
    pub code: u16,
    /// The words of all lines, each by itself.
    pub lines: Vec<String>,
}

impl LmtpAnswer {
    /// The last line's words.
    pub fn words(&self) -> &str {
        self.lines.last().map_or("", String::as_str)
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection to the gateway's listener.
pub struct LmtpClient {
    stream: BufReader<Box<dyn Stream>>,
    /// What the gateway said to LHLO.
    pub hello: LmtpAnswer,
}

impl LmtpClient {
    /// Connects to `address:port`, or to the socket at a path with a slash in it, and says LHLO.
    pub async fn connect(at: &str) -> io::Result<Self> {
        let mut client = Self::bare(at).await?;
        client.hello = client.ask("LHLO mx.simulator.example").await?;
        Ok(client)
    }

    /// The same without LHLO, the greeting read.
    pub async fn bare(at: &str) -> io::Result<Self> {
        let stream: Box<dyn Stream> = if at.contains('/') {
            Box::new(UnixStream::connect(Path::new(at)).await?)
        } else {
            Box::new(TcpStream::connect(at).await?)
        };
        let hello = LmtpAnswer {
            code: 0,
            lines: Vec::new(),
        };
        let mut client = Self {
            stream: BufReader::new(stream),
            hello,
        };
        let greeting = client.answer().await?;
        if greeting.code != 220 {
            return Err(io::Error::other(format!("{greeting:?}")));
        }
        Ok(client)
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes).await?;
        self.stream.get_mut().flush().await
    }

    /// Sends a line and reads its answer.
    pub async fn ask(&mut self, line: &str) -> io::Result<LmtpAnswer> {
        self.send(format!("{line}\r\n").as_bytes()).await?;
        self.answer().await
    }

    /// The next answer.
    pub async fn answer(&mut self) -> io::Result<LmtpAnswer> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(line) = line.strip_suffix("\r\n") else {
                return Err(io::Error::other(format!(
                    "{line:?} does not end with CR LF"
                )));
            };
            let code = line.get(..3).and_then(|code| code.parse().ok());
            let code = code.ok_or_else(|| io::Error::other(format!("{line:?} has no code")))?;
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(LmtpAnswer { code, lines });
            }
        }
    }

    /// Hands one mail over: the answer for each recipient, whichever step it came from. The envelope
    /// goes out in one piece, as PIPELINING allows.
    pub async fn deliver(
        &mut self,
        from: &str,
        to: &[&str],
        mail: &[u8],
    ) -> io::Result<Vec<LmtpAnswer>> {
        let recipients = to.iter().map(|to| format!("RCPT TO:<{to}>\r\n"));
        let recipients: String = recipients.collect();
        let envelope = format!(
            "MAIL FROM:<{from}> SIZE={}\r\n{recipients}DATA\r\n",
            mail.len()
        );
        self.send(envelope.as_bytes()).await?;
        let sender = self.answer().await?;
        let mut answers = Vec::with_capacity(to.len());
        for _ in to {
            answers.push(self.answer().await?);
        }
        let data = self.answer().await?;
        if sender.code != 250 {
            return Ok(vec![sender; to.len()]);
        }
        let is_taken = |answer: &LmtpAnswer| answer.code == 250;
        if data.code != 354 {
            let refused = |answer: LmtpAnswer| {
                if is_taken(&answer) {
                    data.clone()
                } else {
                    answer
                }
            };
            return Ok(answers.into_iter().map(refused).collect());
        }
        self.send(&stuffed(mail)).await?;
        for answer in answers.iter_mut().filter(|answer| is_taken(answer)) {
            *answer = self.answer().await?;
        }
        Ok(answers)
    }
}

/// The mail with its dots doubled and the final one.
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(mail.len() + 16);
    let mut start = true;
    for &byte in mail {
        if start && byte == b'.' {
            out.push(b'.');
        }
        out.push(byte);
        start = out.ends_with(b"\r\n");
    }
    if !start {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}
