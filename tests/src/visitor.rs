//! A visitor of a chat channel, as the page's script would speak: token, WebSocket, event stream, POST.
//!
//! The WebSocket is the least that RFC 6455 asks of a client, written over plain TCP.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::http::{Reply, Request};
use crate::wait::SOON;

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Somebody with a token.
#[derive(Debug, Clone)]
pub struct Visitor {
    address: SocketAddr,
    channel: String,
    /// The token.
    pub token: String,
}

impl Visitor {
    /// Asks a daemon for a token.
    pub async fn new(address: SocketAddr, channel: &str) -> Self {
        let mut visitor = Self::with_token(address, channel, "");
        let reply = visitor.request("POST", "session", &[], &json!({})).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let body: Value = serde_json::from_slice(&reply.body).expect("a token in JSON");
        body["token"]
            .as_str()
            .expect("a token")
            .clone_into(&mut visitor.token);
        visitor
    }

    /// Somebody with this token, whatever it is worth.
    pub fn with_token(address: SocketAddr, channel: &str, token: &str) -> Self {
        Self {
            address,
            channel: channel.to_owned(),
            token: token.to_owned(),
        }
    }

    /// The same visitor at a daemon that was started again.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        Self {
            address,
            ..self.clone()
        }
    }

    fn path(&self, rest: &str) -> String {
        format!("/chat/{}/{rest}", self.channel)
    }

    /// A request to one of the chat's routes, with further headers.
    pub async fn request(
        &self,
        method: &'static str,
        rest: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Reply {
        let mut request = Request::new(method, self.path(rest));
        if method != "GET" {
            request = request.body("application/json", body.to_string());
        }
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let sent = tokio::time::timeout(SOON, request.send(self.address)).await;
        sent.expect("an answer in time")
            .expect("the daemon answers")
    }

    /// Sends one frame by POST; status and answer.
    pub async fn post(&self, frame: &Value) -> (u16, Value) {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str())];
        let reply = self.request("POST", "messages", &headers, frame).await;
        let body = serde_json::from_slice(&reply.body).unwrap_or_default();
        (reply.status, body)
    }

    /// Opens a WebSocket and says hello; it is not waited for what comes then.
    pub async fn connect(&self, after: Option<&str>) -> io::Result<Socket> {
        let mut socket = Socket::open(self.address, &self.path("ws"), &[])
            .await?
            .map_err(|status| io::Error::other(format!("refused with {status}")))?;
        let hello = json!({"type": "hello", "token": self.token, "after": after});
        socket.send(&hello).await?;
        Ok(socket)
    }

    /// Opens a WebSocket, and gives it with everything that came until the page has caught up.
    pub async fn arrive(&self, after: Option<&str>) -> (Socket, Vec<Value>) {
        let mut socket = self.connect(after).await.expect("the socket opens");
        let frames = socket.until("caught_up").await;
        (socket, frames)
    }

    /// Opens the event stream.
    pub async fn events(&self, after: Option<&str>) -> io::Result<Events> {
        let mut stream = TcpStream::connect(self.address).await?;
        let after = after.map_or(String::new(), |after| format!("?after={after}"));
        let head = format!(
            "GET {}{after} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
            self.path("events"),
            self.token
        );
        stream.write_all(head.as_bytes()).await?;
        Ok(Events {
            stream,
            text: String::new(),
        })
    }
}

/// Messages among frames.
pub fn messages(frames: &[Value]) -> Vec<&Value> {
    let is_message = |frame: &&Value| frame["type"] == "message";
    frames.iter().filter(is_message).collect()
}

/// An open WebSocket.
#[derive(Debug)]
pub struct Socket<S = TcpStream> {
    stream: S,
    buffer: Vec<u8>,
    frames: VecDeque<Value>,
}

impl Socket {
    /// Opens one; the inner error is the status that it was refused with.
    pub async fn open(
        address: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> io::Result<Result<Self, u16>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Self::over(stream, path, headers).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Opens one over a connection.
    pub async fn over(
        mut stream: S,
        path: &str,
        headers: &[(&str, &str)],
    ) -> io::Result<Result<Self, u16>> {
        let mut further = String::new();
        for (name, value) in headers {
            let _ = write!(further, "{name}: {value}\r\n");
        }
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{further}\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        let mut buffer = Vec::new();
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let answer = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        let status = answer.get(9..12).and_then(|code| code.parse().ok());
        if status != Some(101) {
            return Ok(Err(status.unwrap_or_default()));
        }
        // What RFC 6455 computes from the key above.
        assert!(
            answer.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
            "{answer}"
        );
        buffer.drain(..end);
        let frames = VecDeque::new();
        Ok(Ok(Self {
            stream,
            buffer,
            frames,
        }))
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Value) -> io::Result<()> {
        self.write(TEXT, frame.to_string().as_bytes()).await
    }

    /// Sends a text that may be no frame at all.
    pub async fn send_raw(&mut self, text: &str) -> io::Result<()> {
        self.write(TEXT, text.as_bytes()).await
    }

    async fn write(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let mut bytes = vec![0x80 | opcode];
        match payload.len() {
            len @ 0..=125 => bytes.push(0x80 | u8::try_from(len).unwrap_or_default()),
            len @ 126..=0xffff => {
                bytes.push(0xfe);
                bytes.extend(u16::try_from(len).unwrap_or_default().to_be_bytes());
            }
            len => {
                bytes.push(0xff);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        let mask: [u8; 4] = rand::random();
        bytes.extend(mask);
        let masked = payload.iter().zip(mask.iter().cycle());
        bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
        self.stream.write_all(&bytes).await
    }

    /// The next frame; none where the daemon closed the socket.
    pub async fn next(&mut self) -> io::Result<Option<Value>> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Ok(Some(frame));
            }
            let Some((opcode, payload)) = self.read().await? else {
                return Ok(None);
            };
            match opcode {
                TEXT => {
                    let frame: Value = serde_json::from_slice(&payload).expect("a frame is JSON");
                    if frame["type"] != "beat" {
                        return Ok(Some(frame));
                    }
                }
                PING => self.write(PONG, &payload).await?,
                CLOSE => return Ok(None),
                _ => {}
            }
        }
    }

    async fn read(&mut self) -> io::Result<Option<(u8, Vec<u8>)>> {
        loop {
            if let Some((opcode, from, to)) = whole(&self.buffer) {
                let payload = self.buffer[from..to].to_vec();
                self.buffer.drain(..to);
                return Ok(Some((opcode, payload)));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next frame, in time.
    pub async fn soon(&mut self) -> Value {
        let next = tokio::time::timeout(SOON, self.next()).await;
        let next = next.expect("a frame in time").expect("an open socket");
        next.expect("a frame, and not the end")
    }

    /// All frames up to the first of a type, that one included.
    pub async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let frame = self.soon().await;
            let is_last = frame["type"] == kind;
            frames.push(frame);
            if is_last {
                return frames;
            }
        }
    }

    /// Waits for the first frame of a type.
    pub async fn expect(&mut self, kind: &str) -> Value {
        self.until(kind).await.pop().expect("the last one")
    }

    /// Sends a message and waits until it is acknowledged.
    pub async fn say(&mut self, client: &str, text: &str) -> Value {
        let frame = json!({"type": "message", "client": client, "text": text});
        self.send(&frame).await.expect("an open socket");
        loop {
            let answer = self.expect("accepted").await;
            if answer["client"] == client {
                return answer;
            }
        }
    }

    /// Waits until the daemon has closed the socket; gives what came before.
    pub async fn end(&mut self) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let next = tokio::time::timeout(SOON, self.next()).await;
            match next.expect("an end in time") {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) | Err(_) => return frames,
            }
        }
    }
}

/// Opcode and the bounds of the payload, where a whole frame is there. The daemon masks nothing.
fn whole(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (opcode, short) = (bytes.first()? & 0x0f, usize::from(bytes.get(1)? & 0x7f));
    let (from, len) = match short {
        126 => (
            4,
            usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
        ),
        127 => {
            let len: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
            (10, usize::try_from(u64::from_be_bytes(len)).ok()?)
        }
        len => (2, len),
    };
    let to = from + len;
    (bytes.len() >= to).then_some((opcode, from, to))
}

/// An open event stream.
#[derive(Debug)]
pub struct Events {
    stream: TcpStream,
    text: String,
}

impl Events {
    /// All frames up to the first of a type, that one included, in time.
    pub async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let frame = tokio::time::timeout(SOON, self.next()).await;
            let frame = frame.expect("an event in time").expect("an open stream");
            let is_last = frame["type"] == kind;
            frames.push(frame);
            if is_last {
                return frames;
            }
        }
    }

    /// The next frame. Each event is a chunk of its own, so the sizes between them are passed over.
    async fn next(&mut self) -> io::Result<Value> {
        loop {
            if let Some(from) = self.text.find("data: ")
                && let Some(len) = self.text[from..].find("\n\n")
            {
                let frame = serde_json::from_str(&self.text[from + 6..from + len]);
                self.text.drain(..from + len + 2);
                return Ok(frame.expect("a frame is JSON"));
            }
            let mut bytes = vec![0; 16 * 1024];
            let read = self.stream.read(&mut bytes).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.text += &String::from_utf8_lossy(&bytes[..read]);
        }
    }
}
