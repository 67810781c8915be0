//! A small HTTP/1.1 client that sends exactly the bytes it is given.
//!
//! Signatures, odd methods and half-written requests need full control over the wire, and the
//! benchmark needs a client that costs next to nothing. [`Connection`] keeps one connection alive
//! and reads one answer a request; [`Request`] builds the bytes for the usual cases.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Largest answer that is read, in bytes.
const REPLY_BYTES_MAX: usize = 256 << 20;

/// What an error says where a connection ends in the middle of an answer.
pub const CUT: &str = "the answer was cut off";

/// An HTTP answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Header names in lower case and their values, in the order received.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One connection, used for one request after the other.
#[derive(Debug)]
pub struct Connection<S = TcpStream> {
    stream: S,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Over a stream that is open.
    pub fn over(stream: S) -> Self {
        let buffer = Vec::with_capacity(4096);
        Self { stream, buffer }
    }

    /// Writes bytes and reads nothing.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Whether the other side ends the connection without another word.
    pub async fn is_over(&mut self) -> bool {
        self.buffer.clear();
        matches!(self.rest().await, Ok(rest) if rest.is_empty())
    }

    /// Everything that comes until the other side ends the connection.
    pub async fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = std::mem::take(&mut self.buffer);
        self.stream.read_to_end(&mut rest).await?;
        Ok(rest)
    }

    /// Sends the bytes and reads the answer.
    pub async fn send(&mut self, request: &[u8]) -> io::Result<Reply> {
        let head_len = self.exchange(request).await?;
        let head = Head::parse(&self.buffer[..head_len])?;
        let body = self.body(head_len, &head).await?;
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    /// Sends the bytes, reads the answer and gives its status alone: the cheap form for load.
    pub async fn status_of(&mut self, request: &[u8]) -> io::Result<u16> {
        let head_len = self.exchange(request).await?;
        let head = &self.buffer[..head_len];
        let status = status_code(head)?;
        if let Some(length) = content_length(head) {
            self.fill(head_len + length).await?;
            return Ok(status);
        }
        let head = Head::parse(head)?;
        self.body(head_len, &head).await?;
        Ok(status)
    }

    /// Writes the request and reads up to the end of the answer's head; gives the head's length.
    async fn exchange(&mut self, request: &[u8]) -> io::Result<usize> {
        self.buffer.clear();
        self.write(request).await?;
        let mut searched = 0;
        loop {
            if let Some(at) = find(&self.buffer[searched..], b"\r\n\r\n") {
                let end = searched + at + 4;
                // `100 Continue` and its like come before the answer proper.
                if status_code(&self.buffer)? >= 200 {
                    return Ok(end);
                }
                self.buffer.drain(..end);
                searched = 0;
                continue;
            }
            searched = self.buffer.len().saturating_sub(3);
            self.read_more().await?;
        }
    }

    async fn body(&mut self, head_len: usize, head: &Head) -> io::Result<Vec<u8>> {
        if head.status == 204 || head.status == 304 {
            return Ok(Vec::new());
        }
        if head.get("transfer-encoding") == Some("chunked") {
            return self.chunked(head_len).await;
        }
        if let Some(length) = head.get("content-length") {
            let length = length.parse().map_err(|_| bad("bad content-length"))?;
            self.fill(head_len.saturating_add(length)).await?;
            return Ok(self.buffer[head_len..head_len + length].to_vec());
        }
        while self.stream.read_buf(&mut self.buffer).await? > 0 {}
        Ok(self.buffer[head_len..].to_vec())
    }

    async fn chunked(&mut self, mut at: usize) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                match find(&self.buffer[at..], b"\r\n") {
                    Some(len) => break len,
                    None => self.read_more().await?,
                }
            };
            let size = std::str::from_utf8(&self.buffer[at..at + line]).unwrap_or_default();
            let size = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16)
                .map_err(|_| bad("bad chunk size"))?;
            at += line + 2;
            self.fill(at + size + 2).await?;
            body.extend_from_slice(&self.buffer[at..at + size]);
            at += size + 2;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn fill(&mut self, len: usize) -> io::Result<()> {
        if len > REPLY_BYTES_MAX {
            return Err(bad("the answer is too large"));
        }
        while self.buffer.len() < len {
            self.read_more().await?;
        }
        Ok(())
    }

    async fn read_more(&mut self) -> io::Result<()> {
        let has_some = !self.buffer.is_empty();
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(len) if len > 0 => Ok(()),
            Ok(_) | Err(_) if has_some => Err(bad(CUT)),
            Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => Err(error),
        }
    }
}

/// The parts of a request; [`Request::bytes`] puts them together.
#[derive(Debug, Clone)]
pub struct Request {
    method: &'static str,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A request without body; `target` is path and query as they go onto the wire.
    pub fn new(method: &'static str, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The same request to another path, as a proxy that rewrites paths would pass it on.
    #[must_use]
    pub fn retarget(mut self, target: impl Into<String>) -> Self {
        self.target = target.into();
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body and its content type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// The bytes as they go onto the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: localhost\r\n",
            self.method, self.target
        );
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if !self.body.is_empty() || self.method != "GET" {
            let _ = write!(head, "content-length: {}\r\n", self.body.len());
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Sends the request over a connection of its own.
    pub async fn send(&self, address: SocketAddr) -> io::Result<Reply> {
        Connection::open(address).await?.send(&self.bytes()).await
    }
}

struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| bad("the head is not text"))?;
        let headers = text.split("\r\n").skip(1).filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        Ok(Self {
            status: status_code(bytes)?,
            headers: headers.collect(),
        })
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// `HTTP/1.1 200 OK` → 200.
fn status_code(head: &[u8]) -> io::Result<u16> {
    let digits = head
        .get(9..12)
        .and_then(|code| std::str::from_utf8(code).ok());
    digits
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| bad("no status line"))
}

/// The length that the head announces, without parsing the rest.
fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let mut lines = head.split(|byte| *byte == b'\n');
    let line = lines.find(|line| {
        line.get(..NAME.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(NAME))
    })?;
    std::str::from_utf8(&line[NAME.len()..])
        .ok()?
        .trim()
        .parse()
        .ok()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::{Connection, Request};

    /// A server that answers every request on one connection with the same bytes, in pieces.
    async fn canned(answer: &'static str, piece: usize) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            while stream.read(&mut request).await.unwrap_or_default() > 0 {
                for piece in answer.as_bytes().chunks(piece) {
                    stream.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        Connection::open(address).await.unwrap()
    }

    #[tokio::test]
    async fn answers_are_read_in_every_form_and_in_pieces_of_every_size() {
        let cases = [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                200,
                "hello",
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
            (
                "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
                404,
                "",
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
                200,
                "hello",
            ),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
                200,
                "ok",
            ),
        ];
        for (answer, status, body) in cases {
            for piece in [1, 7, 4096] {
                let mut connection = canned(answer, piece).await;
                for _ in 0..3 {
                    let reply = connection.send(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
                    assert_eq!(
                        (reply.status, reply.text().as_str()),
                        (status, body),
                        "{answer:?}"
                    );
                    let again = connection
                        .status_of(b"GET / HTTP/1.1\r\n\r\n")
                        .await
                        .unwrap();
                    assert_eq!(again, status);
                }
            }
        }
    }

    #[tokio::test]
    async fn a_closed_connection_is_an_error() {
        let mut connection = canned("HTTP/1.1 200", 4096).await;
        connection.buffer.clear();
        let waiting = connection.send(b"GET / HTTP/1.1\r\n\r\n");
        let waited = tokio::time::timeout(std::time::Duration::from_millis(50), waiting).await;
        assert!(waited.is_err(), "half an answer is none");
    }

    #[test]
    fn requests_are_written_as_given() {
        let request = Request::new("POST", "/a?b=%20")
            .header("X-One", " 1")
            .body("text/plain", "hi");
        let expected = "POST /a?b=%20 HTTP/1.1\r\nhost: localhost\r\nX-One:  1\r\n\
                        content-type: text/plain\r\ncontent-length: 2\r\n\r\nhi";
        assert_eq!(String::from_utf8(request.bytes()).unwrap(), expected);
    }
}
