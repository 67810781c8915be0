//! The canaries that are out: what the way of a message in compares with. While none is, that costs one
//! load of a number.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;
use trunkline_plugin_api::Event;

use crate::{model::ChannelId, store::Routed};

/// The member of a message's metadata that marks a canary.
pub const CANARY: &str = "canary";
/// Canaries of one channel that are looked out for: the one that is out, and the one before it, which may
/// come late.
const LOOKED_FOR: usize = 2;

/// The canaries that are out.
#[derive(Debug, Default)]
pub struct Canaries {
    count: AtomicUsize,
    out: Mutex<Vec<Out>>,
}

#[derive(Debug)]
struct Out {
    from: ChannelId,
    via: ChannelId,
    token: String,
    home: oneshot::Sender<()>,
}

impl Canaries {
    /// Looks out for a canary that `from` sends and that should come in on `via`. What is returned
    /// tells when it did.
    pub(super) fn expect(
        &self,
        from: &ChannelId,
        via: &ChannelId,
        token: &str,
    ) -> oneshot::Receiver<()> {
        let (home, back) = oneshot::channel();
        let mut out = self.out.lock();
        let own = out.iter().filter(|known| known.from == *from).count();
        let mut surplus = (own + 1).saturating_sub(LOOKED_FOR);
        out.retain(|known| {
            let goes = surplus > 0 && known.from == *from;
            surplus -= usize::from(goes);
            !goes
        });
        out.push(Out {
            from: from.clone(),
            via: via.clone(),
            token: token.to_owned(),
            home,
        });
        self.count.store(out.len(), Ordering::Release);
        back
    }

    /// Marks the canaries among these events. Gives what marks them, for [`returned`](Self::returned).
    pub fn mark(&self, events: &mut [Routed]) -> Vec<String> {
        let mut found = Vec::new();
        if self.count.load(Ordering::Acquire) == 0 {
            return found;
        }
        let out = self.out.lock();
        for routed in events {
            let Event::Message(message) = &routed.event else {
                continue;
            };
            let text = message.content.text.as_deref().unwrap_or_default();
            let canary = out
                .iter()
                .find(|known| known.via == routed.channel.id && text.contains(&known.token));
            if let Some(canary) = canary {
                let reading = routed.reading.get_or_insert_default();
                reading.canary = Some(canary.token.clone());
                reading.limited = false;
                found.push(canary.token.clone());
            }
        }
        found
    }

    /// These came in and are durable.
    pub fn returned(&self, tokens: &[String]) {
        if tokens.is_empty() {
            return;
        }
        let mut out = self.out.lock();
        for token in tokens {
            if let Some(at) = out.iter().position(|known| known.token == *token) {
                // Nobody waits any more for one that comes late.
                let _ = out.remove(at).home.send(());
            }
        }
        self.count.store(out.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use trunkline_plugin_api::{Content, Identity, InboundMessage, Medium, Sender};

    use super::*;
    use crate::{model::OrgId, store::ChannelRef};

    fn message(channel: &str, text: &str) -> Routed {
        let identity = Identity {
            space: "phone".into(),
            identifier: "+15550101".into(),
        };
        Routed {
            channel: ChannelRef {
                id: ChannelId::new(channel),
                org: OrgId(1),
                medium: Medium::Sms,
            },
            event: Event::Message(InboundMessage {
                id: "1".into(),
                address: None,
                sender: Sender {
                    identity,
                    also: Vec::new(),
                    name: None,
                },
                content: Content::text(text),
                reply_to: None,
                sent_at_ms: None,
                metadata: Map::new(),
            }),
            reading: None,
        }
    }

    #[test]
    fn only_the_one_that_is_out_is_marked_and_only_on_its_channel() {
        let canaries = Canaries::default();
        let (a, b) = (ChannelId::new("a"), ChannelId::new("b"));
        assert!(canaries.mark(&mut [message("b", "tok1")]).is_empty());
        let mut back = canaries.expect(&a, &b, "tok1");
        let mut events = [
            message("b", "x tok1"),
            message("a", "x tok1"),
            message("b", "x"),
        ];
        assert_eq!(canaries.mark(&mut events), ["tok1"]);
        assert_eq!(
            events.map(|event| event.reading.is_some()),
            [true, false, false]
        );
        assert!(back.try_recv().is_err(), "not durable yet");
        canaries.returned(&["tok1".into()]);
        assert!(back.try_recv().is_ok());
        assert!(canaries.mark(&mut [message("b", "x tok1")]).is_empty());
    }

    #[test]
    fn a_late_one_is_still_marked_and_older_ones_are_forgotten() {
        let canaries = Canaries::default();
        let (a, b) = (ChannelId::new("a"), ChannelId::new("b"));
        drop(canaries.expect(&b, &b, "other"));
        for token in ["tok1", "tok2", "tok3"] {
            drop(canaries.expect(&a, &b, token));
        }
        let marked = |token: &str| !canaries.mark(&mut [message("b", token)]).is_empty();
        assert!(!marked("tok1") && marked("tok2") && marked("tok3") && marked("other"));
        canaries.returned(&["tok2".into(), "unknown".into()]);
        assert!(!marked("tok2") && marked("tok3"));
    }
}
