//! The last refused webhooks of each channel, whole, for the doctor to try again. In memory alone:
//! what is not genuine is worth nobody's disk, and what it holds is nobody's to read in a log.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use trunkline_plugin_api::{Verdict, WebhookRequest};

use crate::model::{ChannelId, Millis, Needles, OrgId};

/// Requests kept of one channel.
const PER_CHANNEL_MAX: usize = 50;
/// Bytes kept of one request: method, URL, headers and body together.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// Bytes kept over all channels.
const TOTAL_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What a request costs beside its own bytes, about.
const OVERHEAD_BYTES: usize = 256;

/// A refused webhook.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// Whose channel it came to.
    pub org: OrgId,
    /// What the adapter found.
    pub verdict: Verdict,
    /// In the adapter's words.
    pub reason: String,
    /// The request; not all of it where `is_cut`.
    pub request: WebhookRequest,
    /// True where it was larger than is kept. Its proof can't be tried again.
    pub is_cut: bool,
}

impl Rejected {
    /// Takes as much of a request as is kept.
    pub fn new(org: OrgId, verdict: Verdict, reason: &str, request: &WebhookRequest) -> Self {
        let head = head_bytes(request);
        if head > REQUEST_BYTES_MAX {
            let url = request.url.chars().take(1024).collect();
            let request = WebhookRequest {
                method: request.method.clone(),
                url,
                received_at_ms: request.received_at_ms,
                ..WebhookRequest::default()
            };
            return Self::of(org, verdict, reason, request, true);
        }
        let room = REQUEST_BYTES_MAX - head;
        let request_kept = WebhookRequest {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            received_at_ms: request.received_at_ms,
            body: request.body[..request.body.len().min(room)].into(),
        };
        let is_cut = request.body.len() > room;
        Self::of(org, verdict, reason, request_kept, is_cut)
    }

    fn of(
        org: OrgId,
        verdict: Verdict,
        reason: &str,
        request: WebhookRequest,
        is_cut: bool,
    ) -> Self {
        Self {
            org,
            verdict,
            reason: reason.to_owned(),
            request,
            is_cut,
        }
    }

    /// When it came.
    pub fn at_ms(&self) -> Millis {
        self.request.received_at_ms
    }

    fn names(&self, needles: &Needles) -> bool {
        let request = &self.request;
        let headers = request.headers.iter().map(|(_, value)| value.as_bytes());
        let mut texts = headers.chain([request.url.as_bytes(), &request.body[..]]);
        texts.any(|text| needles.are_in(text))
    }

    fn bytes(&self) -> usize {
        OVERHEAD_BYTES + self.reason.len() + head_bytes(&self.request) + self.request.body.len()
    }
}

fn head_bytes(request: &WebhookRequest) -> usize {
    let headers = request.headers.iter();
    let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
    request.method.len() + request.url.len() + headers
}

/// The refused webhooks of all channels.
#[derive(Debug, Default)]
pub struct Rejects(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    channels: HashMap<ChannelId, VecDeque<Arc<Rejected>>>,
    bytes: usize,
}

impl Rejects {
    /// Keeps one; the oldest make room, first those of the channel that holds the most.
    pub fn keep(&self, channel: &ChannelId, rejected: Rejected) {
        let mut kept = self.0.lock();
        kept.bytes += rejected.bytes();
        let list = kept.channels.entry(channel.clone()).or_default();
        list.push_back(Arc::new(rejected));
        if list.len() > PER_CHANNEL_MAX {
            kept.drop_oldest(channel);
        }
        while kept.bytes > TOTAL_BYTES_MAX {
            let longest = kept.channels.iter().max_by_key(|(_, list)| list.len());
            let Some(longest) = longest.map(|(id, _)| id.clone()) else {
                break;
            };
            kept.drop_oldest(&longest);
        }
    }

    /// Drops those of an organization that name somebody.
    pub fn forget(&self, org: OrgId, names: &Needles) {
        let mut kept = self.0.lock();
        let kept = &mut *kept;
        for list in kept.channels.values_mut() {
            list.retain(|rejected| {
                let gone = rejected.org == org && rejected.names(names);
                if gone {
                    kept.bytes = kept.bytes.saturating_sub(rejected.bytes());
                }
                !gone
            });
        }
        kept.channels.retain(|_, list| !list.is_empty());
    }

    /// The refused webhooks of a channel as long as it belongs to this organization, newest first.
    pub fn of(&self, org: OrgId, channel: &ChannelId) -> Vec<Arc<Rejected>> {
        let kept = self.0.lock();
        let list = kept.channels.get(channel).into_iter().flatten().rev();
        list.filter(|rejected| rejected.org == org)
            .cloned()
            .collect()
    }
}

impl Kept {
    fn drop_oldest(&mut self, channel: &ChannelId) {
        let Some(list) = self.channels.get_mut(channel) else {
            return;
        };
        if let Some(oldest) = list.pop_front() {
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
        }
        if list.is_empty() {
            self.channels.remove(channel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(number: usize, body_len: usize) -> WebhookRequest {
        WebhookRequest {
            method: "POST".into(),
            url: format!("https://h.example/{number}"),
            body: vec![b'x'; body_len].into(),
            ..WebhookRequest::default()
        }
    }

    fn keep(rejects: &Rejects, channel: &str, number: usize, body_len: usize) {
        let request = request(number, body_len);
        let rejected = Rejected::new(OrgId(1), Verdict::Mismatch, "wrong", &request);
        rejects.keep(&ChannelId::new(channel), rejected);
    }

    #[test]
    fn the_newest_of_each_channel_are_kept() {
        let rejects = Rejects::default();
        for number in 0..120 {
            keep(&rejects, "a", number, 10);
        }
        keep(&rejects, "b", 0, 10);
        let kept = rejects.of(OrgId(1), &ChannelId::new("a"));
        assert_eq!(kept.len(), PER_CHANNEL_MAX);
        assert_eq!(kept[0].request.url, "https://h.example/119");
        assert_eq!(rejects.of(OrgId(1), &ChannelId::new("b")).len(), 1);
        assert!(rejects.of(OrgId(2), &ChannelId::new("a")).is_empty());
    }

    #[test]
    fn a_large_request_is_cut_and_says_so() {
        let whole = Rejected::new(OrgId(1), Verdict::Mismatch, "", &request(1, 100));
        assert!(!whole.is_cut && whole.request.body.len() == 100);
        let cut = Rejected::new(OrgId(1), Verdict::Mismatch, "", &request(1, 1 << 20));
        assert!(cut.is_cut && cut.bytes() <= REQUEST_BYTES_MAX + OVERHEAD_BYTES);
        let mut head = request(1, 10);
        head.headers.push(("x".into(), "y".repeat(40_000)));
        let cut = Rejected::new(OrgId(1), Verdict::Mismatch, "", &head);
        assert!(cut.is_cut && cut.bytes() < REQUEST_BYTES_MAX);
    }

    #[test]
    fn the_whole_is_bounded_and_one_flood_does_not_wash_the_others_away() {
        let rejects = Rejects::default();
        keep(&rejects, "quiet", 1, 10);
        for channel in 0..40 {
            for number in 0..PER_CHANNEL_MAX {
                keep(&rejects, &format!("c{channel}"), number, 16 * 1024);
            }
        }
        let kept = rejects.0.lock();
        assert!(kept.bytes <= TOTAL_BYTES_MAX, "{}", kept.bytes);
        let counted: usize = kept
            .channels
            .values()
            .flatten()
            .map(|one| one.bytes())
            .sum();
        assert_eq!(counted, kept.bytes);
        assert!(kept.channels.contains_key(&ChannelId::new("quiet")));
    }
}
