//! Webhooks as an attacker or a broken proxy would send them. The same ones in every run.

use crate::{RawBody, WebhookRequest};

/// Random changes of each kind.
const ROUNDS: usize = 64;

/// Bodies cut and changed, headers lost, doubled and changed, other methods and URLs.
pub fn of_webhook(request: &WebhookRequest) -> Vec<WebhookRequest> {
    let mut dice = Dice::new();
    let mut changed = of_body(request);
    for index in 0..request.headers.len() {
        changed.push(with(request, |copy| {
            copy.headers.remove(index);
        }));
        changed.push(with(request, |copy| {
            let header = copy.headers[index].clone();
            copy.headers.insert(0, (header.0, String::new()));
        }));
        for _ in 0..8 {
            changed.push(with(request, |copy| {
                let value = &mut copy.headers[index].1;
                *value = dice.change_text(value);
            }));
        }
    }
    for method in ["GET", "HEAD", ""] {
        changed.push(with(request, |copy| copy.method = method.into()));
    }
    for _ in 0..ROUNDS {
        changed.push(with(request, |copy| copy.url = dice.change_text(&copy.url)));
    }
    changed.push(WebhookRequest::default());
    changed
}

/// Bodies cut and changed, everything else as it was.
pub fn of_body(request: &WebhookRequest) -> Vec<WebhookRequest> {
    let mut dice = Dice::new();
    let mut changed = Vec::new();
    for _ in 0..ROUNDS {
        changed.push(with(request, |copy| dice.flip(copy.body.to_mut())));
        changed.push(with(request, |copy| {
            let len = dice.below(copy.body.len() + 1);
            copy.body.to_mut().truncate(len);
        }));
        changed.push(with(request, |copy| dice.splice(copy.body.to_mut())));
    }
    changed.push(with(request, |copy| copy.body = RawBody::default()));
    changed.push(with(request, |copy| copy.body = vec![b'['; 10_000].into()));
    changed.push(with(request, |copy| copy.body = vec![0xff; 64].into()));
    changed.retain(|copy| copy.body != request.body);
    changed
}

fn with(request: &WebhookRequest, change: impl FnOnce(&mut WebhookRequest)) -> WebhookRequest {
    let mut copy = request.clone();
    change(&mut copy);
    copy
}

/// A small generator (xorshift, Marsaglia 2003): tests must repeat, so no real chance here.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }

    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`, 0 where `end` is 0.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).expect("a usize has 64 bits at most");
        usize::try_from(self.roll() % end).expect("smaller than a usize")
    }

    fn byte(&mut self) -> u8 {
        self.roll().to_le_bytes()[7]
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        if !bytes.is_empty() {
            let at = self.below(bytes.len());
            bytes[at] ^= 1 << self.below(8);
        }
    }

    /// Repeats, removes or invents a few bytes.
    fn splice(&mut self, bytes: &mut Vec<u8>) {
        let start = self.below(bytes.len() + 1);
        let end = (start + self.below(16)).min(bytes.len());
        let piece = match self.below(3) {
            0 => Vec::new(),
            1 => bytes[start..end].repeat(2),
            _ => (0..self.below(8)).map(|_| self.byte()).collect(),
        };
        bytes.splice(start..end, piece);
    }

    fn change_text(&mut self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.flip(&mut bytes);
        self.splice(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
