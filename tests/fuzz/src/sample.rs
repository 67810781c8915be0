//! A webhook as bytes that a fuzzer can change piece by piece.
//!
//! ```text
//! channel: 1 byte | mode: 1 byte | METHOD URL\n | name: value\n ... | \n | body
//! ```

use trunkline_plugin_api::{WebhookRequest, testkit::NOW_MS};

/// The mode's bit that has the webhook signed; the others choose how.
const SIGNED: u8 = 1;

/// A webhook, and where it goes.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Which channel of the fixtures, counted round.
    pub channel: u8,
    /// How the webhook is signed before it is handed in, where it is.
    pub signing: Option<u8>,
    /// The webhook.
    pub request: WebhookRequest,
}

impl Sample {
    /// Reads a sample; none where it is too short to be one.
    pub fn read(data: &[u8]) -> Option<Self> {
        let [channel, mode, text @ ..] = data else {
            return None;
        };
        let (first, mut rest) = line(text);
        let first = String::from_utf8_lossy(first);
        let (method, url) = first.split_once(' ').unwrap_or((&first, ""));
        let mut headers = Vec::new();
        loop {
            let (header, after) = line(rest);
            rest = after;
            if header.is_empty() {
                break;
            }
            let header = String::from_utf8_lossy(header);
            let (name, value) = header.split_once(": ").unwrap_or((&header, ""));
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        Some(Self {
            channel: *channel,
            signing: (mode & SIGNED != 0).then_some(mode >> 1),
            request: WebhookRequest {
                method: method.into(),
                url: url.into(),
                headers,
                received_at_ms: NOW_MS,
                body: rest.into(),
            },
        })
    }

    /// The bytes that are read as this sample; what has a line break in its head comes back as something else.
    pub fn write(&self) -> Vec<u8> {
        let mode = self.signing.map_or(0, |way| SIGNED | way << 1);
        let mut bytes = vec![self.channel, mode];
        let request = &self.request;
        bytes.extend_from_slice(format!("{} {}\n", request.method, request.url).as_bytes());
        for (name, value) in &request.headers {
            bytes.extend_from_slice(format!("{name}: {value}\n").as_bytes());
        }
        bytes.push(b'\n');
        bytes.extend_from_slice(&request.body);
        bytes
    }
}

/// The first line, and what is behind it.
fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}
