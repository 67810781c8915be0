//! Under which names webhooks come: the last few pairs of host and scheme that each channel saw.
//! Asked by the doctor; kept in memory.

use std::collections::HashMap;

use parking_lot::Mutex;
use trunkline_plugin_api::WebhookRequest;

use crate::model::{ChannelId, Millis};

/// Different names remembered of one channel, for genuine and for refused webhooks each.
const NAMES_MAX: usize = 4;
/// Bytes of a header that are compared and kept.
const VALUE_BYTES_MAX: usize = 128;

/// What a webhook says of the name and scheme it was sent to, as the headers have it; empty where
/// they do not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen<'a> {
    host: &'a str,
    forwarded_host: &'a str,
    forwarded_proto: &'a str,
}

/// A name under which webhooks came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sighting {
    /// `Host`.
    pub host: String,
    /// `X-Forwarded-Host`, as a proxy sets it.
    pub forwarded_host: String,
    /// `X-Forwarded-Proto`, as a proxy sets it.
    pub forwarded_proto: String,
    /// Whether the webhooks were genuine. What others say may be anything.
    pub is_genuine: bool,
    /// How many.
    pub count: u64,
    /// When the last one came.
    pub last_at_ms: Millis,
}

impl Sighting {
    fn seen(&self) -> Seen<'_> {
        Seen {
            host: &self.host,
            forwarded_host: &self.forwarded_host,
            forwarded_proto: &self.forwarded_proto,
        }
    }
}

impl<'a> Seen<'a> {
    fn in_headers(request: &'a WebhookRequest) -> Self {
        let mut seen = Self {
            host: "",
            forwarded_host: "",
            forwarded_proto: "",
        };
        for (name, value) in &request.headers {
            match name.as_str() {
                "host" => seen.host = clip(value),
                "x-forwarded-host" => seen.forwarded_host = clip(value),
                "x-forwarded-proto" => seen.forwarded_proto = clip(value),
                _ => {}
            }
        }
        seen
    }
}

fn clip(value: &str) -> &str {
    let mut end = value.len().min(VALUE_BYTES_MAX);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    &value[..end]
}

/// The names of all channels.
#[derive(Debug, Default)]
pub struct Sightings(Mutex<HashMap<ChannelId, Vec<Sighting>>>);

impl Sightings {
    /// Notes a webhook. Allocates only for a name that is new.
    pub fn note(&self, channel: &ChannelId, request: &WebhookRequest, is_genuine: bool) {
        let seen = Seen::in_headers(request);
        let mut channels = self.0.lock();
        if !channels.contains_key(channel) {
            channels.insert(channel.clone(), Vec::new());
        }
        let Some(list) = channels.get_mut(channel) else {
            return;
        };
        let known = list
            .iter_mut()
            .find(|known| known.is_genuine == is_genuine && known.seen() == seen);
        if let Some(known) = known {
            known.count += 1;
            known.last_at_ms = request.received_at_ms;
            return;
        }
        let of_kind = list.iter().filter(|known| known.is_genuine == is_genuine);
        if of_kind.count() >= NAMES_MAX {
            let oldest = list
                .iter()
                .enumerate()
                .filter(|(_, known)| known.is_genuine == is_genuine)
                .min_by_key(|(_, known)| known.last_at_ms)
                .map(|(index, _)| index);
            oldest.map(|index| list.swap_remove(index));
        }
        list.push(Sighting {
            host: seen.host.to_owned(),
            forwarded_host: seen.forwarded_host.to_owned(),
            forwarded_proto: seen.forwarded_proto.to_owned(),
            is_genuine,
            count: 1,
            last_at_ms: request.received_at_ms,
        });
    }

    /// The names of one channel, the latest first.
    pub fn of(&self, channel: &ChannelId) -> Vec<Sighting> {
        let mut list = self.0.lock().get(channel).cloned().unwrap_or_default();
        list.sort_by_key(|sighting| std::cmp::Reverse(sighting.last_at_ms));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host: &str, at_ms: Millis) -> WebhookRequest {
        WebhookRequest {
            headers: vec![
                ("host".into(), host.into()),
                ("x-forwarded-proto".into(), "https".into()),
            ],
            received_at_ms: at_ms,
            ..WebhookRequest::default()
        }
    }

    #[test]
    fn names_are_counted_and_bounded_and_forgeries_do_not_wash_out_genuine_ones() {
        let (sightings, channel) = (Sightings::default(), ChannelId::new("sms"));
        for at_ms in 1..=3 {
            sightings.note(&channel, &request("hooks.example.org", at_ms), true);
        }
        for number in 0..20 {
            sightings.note(
                &channel,
                &request(&format!("h{number}"), 10 + number),
                false,
            );
        }
        let long = "ä".repeat(500);
        sightings.note(&channel, &request(&long, 50), false);
        let seen = sightings.of(&channel);
        assert_eq!(seen.len(), NAMES_MAX + 1);
        assert!(seen[0].host.len() <= VALUE_BYTES_MAX);
        let genuine: Vec<_> = seen.iter().filter(|one| one.is_genuine).collect();
        assert_eq!(genuine.len(), 1);
        assert_eq!(
            (
                genuine[0].count,
                genuine[0].last_at_ms,
                genuine[0].host.as_str()
            ),
            (3, 3, "hooks.example.org")
        );
        assert_eq!(genuine[0].forwarded_proto, "https");
    }
}
