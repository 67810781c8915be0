//! A server that attachments are fetched from: it makes files of any size as they are asked for, keeps
//! count, and can be told to stop in the middle.
//!
//! `/{kind}/{size}/{seed}`: the kind says what the file is, or what goes wrong. The bytes follow from
//! kind, size and seed alone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Bytes written at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// The server.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    seen: Arc<Seen>,
    gate: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: AtomicUsize,
    authorized: AtomicUsize,
}

impl Origin {
    /// Starts one on a free port, with its gate shut.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::new(Seen::default());
        let (gate, gated) = watch::channel(false);
        let counted = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, gate) = (counted.clone(), gated.clone());
                // Who hangs up gets no more.
                tokio::spawn(async move { serve(stream, &seen, gate).await.ok() });
            }
        });
        Self {
            address,
            seen,
            gate,
        }
    }

    /// The URL of a file. Kinds: `png`, `exe`; `gated` is a `png` that stops in the middle until the
    /// gate opens; `chunked` does not announce its size; `gone` is a 404; `shaky` answers 503 to
    /// every other request.
    pub fn url(&self, kind: &str, size: usize, seed: u64) -> String {
        format!("http://{}/{kind}/{size}/{seed}", self.address)
    }

    /// Lets everything through that waits, now and later.
    pub fn open_gate(&self) {
        self.gate.send_replace(true);
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    /// How many of them carried credentials.
    pub fn authorized(&self) -> usize {
        self.seen.authorized.load(Ordering::SeqCst)
    }
}

/// The bytes of a file.
pub fn file(kind: &str, size: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; size];
    fill(kind, seed, 0, &mut bytes);
    bytes
}

/// The part of a file that begins `at`, a multiple of 8.
fn fill(kind: &str, seed: u64, at: usize, part: &mut [u8]) {
    for (index, word) in part.chunks_mut(8).enumerate() {
        let place = (at / 8 + index) as u64;
        let mixed = place
            .wrapping_add(seed << 32)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word.copy_from_slice(&mixed.to_be_bytes()[..word.len()]);
    }
    let magic: &[u8] = match kind {
        "exe" => b"\x7fELF\x02\x01\x01\0",
        _ => b"\x89PNG\r\n\x1a\n",
    };
    if at == 0 {
        let len = magic.len().min(part.len());
        part[..len].copy_from_slice(&magic[..len]);
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: &Seen,
    mut gate: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let count = seen.requests.fetch_add(1, Ordering::SeqCst);
    if head.contains("\r\nauthorization:") {
        seen.authorized.fetch_add(1, Ordering::SeqCst);
    }
    let target = head.split(' ').nth(1).unwrap_or_default();
    let mut steps = target.trim_start_matches('/').split('/');
    let mut step = || steps.next().unwrap_or_default();
    let (kind, size, seed) = (step(), step(), step());
    let size: usize = size.parse().unwrap_or_default();
    let seed: u64 = seed.parse().unwrap_or_default();
    if kind == "gone" || (kind == "shaky" && count.is_multiple_of(2)) {
        let status = if kind == "gone" { 404 } else { 503 };
        let answer =
            format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        return stream.write_all(answer.as_bytes()).await;
    }
    let length = match kind {
        "chunked" => String::new(),
        _ => format!("content-length: {size}\r\n"),
    };
    // The type is a lie, as it often is.
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n{length}\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut at = 0;
    let mut chunk = vec![0; CHUNK_BYTES];
    while at < size {
        if kind == "gated" && at >= size / 2 {
            let _ = gate.wait_for(|open| *open).await;
        }
        let len = CHUNK_BYTES.min(size - at);
        fill(kind, seed, at, &mut chunk[..len]);
        stream.write_all(&chunk[..len]).await?;
        at += len;
    }
    stream.shutdown().await
}
