//! An adapter behind its real C table and the host, and what must hold for any webhook.
//!
//! - No panic, and no answer that the host can't decode or finds unsound.
//! - The same answer twice.
//! - A webhook that the harness did not sign is genuine only if it means what one of the fixtures means there: the
//!   fuzzer has their signatures and no key. (Not where a secret beside the body is the proof, not at the
//!   daemon's own doors, which no request comes by, and not where the text that the provider signs is that of a
//!   fixture: Twilio puts names and values one behind the other, so that `a=bc` and `ab=c` are the same to it.)

use serde_json::Value;
use trunkline_host::{Instance, LinkedTable, Plugin};
use trunkline_plugin_api::{
    Event, Received, Verdict, WebhookRequest,
    ffi::AdapterV1,
    testkit::{
        NOW_MS, Tampering,
        case::{Case, CaseCall, CaseChannel},
    },
};

use crate::{channels, sample::Sample};

/// Bytes of one answer, as the daemon's default has it.
const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Signs a webhook as the provider would, in one of several ways, for a channel of this configuration.
pub type Sign = fn(config: &Value, way: u8, request: &mut WebhookRequest);

/// The text of a webhook's body that a provider signs, where another body can have the same.
pub type Signed = fn(request: &WebhookRequest) -> String;

/// One adapter with the channels of its fixtures.
pub struct Receiver {
    channels: Vec<Opened>,
    sign: Sign,
    signed: Option<Signed>,
}

/// A webhook of the fixtures.
struct Genuine {
    request: WebhookRequest,
    /// Its proof covers the body.
    is_bound: bool,
}

impl Genuine {
    fn of(case: Case) -> Option<Self> {
        let CaseCall::Receive(case) = case.call else {
            return None;
        };
        let mut request = case.request;
        // The fuzzer's webhooks come at this time, and so those that were too late are not.
        request.received_at_ms = NOW_MS;
        Some(Self {
            request,
            is_bound: case.tampering != Tampering::Unseen,
        })
    }
}

struct Opened {
    instance: Instance,
    config: Value,
    /// What genuine webhooks mean; none where the proof does not cover the body.
    meanings: Option<Vec<Received>>,
    /// What is signed of them, where meanings are not enough.
    texts: Vec<String>,
}

impl Receiver {
    /// Opens every channel in the fixtures of an adapter.
    ///
    /// # Safety
    /// `table` points at a table that keeps to `trunkline_plugin.h`, and lives for ever.
    pub unsafe fn new(
        plugin: &str,
        table: *const AdapterV1,
        sign: Sign,
        signed: Option<Signed>,
    ) -> Self {
        // SAFETY: by this function's own condition.
        let table = unsafe { LinkedTable::new(table) }.expect("a table of this version");
        let linked = Plugin::linked(table, OUTPUT_BYTES_MAX).expect("a manifest");
        let mut channels = channels(plugin);
        // Of all channels, for each of them: several have one secret, and what they make of a webhook differs.
        let genuine: Vec<Genuine> = channels
            .iter_mut()
            .flat_map(|channel| std::mem::take(&mut channel.cases))
            .filter_map(|named| Genuine::of(named.case))
            .collect();
        Self {
            channels: channels
                .into_iter()
                .map(|channel| Opened::new(&linked, channel, &genuine, signed))
                .collect(),
            sign,
            signed,
        }
    }

    /// Hands one webhook in.
    pub fn check(&self, data: &[u8]) {
        let Some(Sample {
            channel,
            signing,
            mut request,
        }) = Sample::read(data)
        else {
            return;
        };
        let channel = &self.channels[usize::from(channel) % self.channels.len()];
        if let Some(way) = signing {
            (self.sign)(&channel.config, way, &mut request);
        }
        let received = channel.receive(&request);
        let again = channel.receive(&request);
        assert_eq!(received, again, "the same webhook, another answer");
        let is_replayed = |signed: Signed| channel.texts.contains(&signed(&request));
        if signing.is_none()
            && received.verdict == Verdict::Authentic
            && by_http(&request)
            && !self.signed.is_some_and(is_replayed)
        {
            channel.must_be_known(&received);
        }
    }
}

impl Opened {
    fn new(
        plugin: &Plugin,
        channel: CaseChannel,
        genuine: &[Genuine],
        signed: Option<Signed>,
    ) -> Self {
        let (instance, _) = plugin
            .open("fuzzed", &channel.config)
            .unwrap_or_else(|error| panic!("{}: {error}", channel.name));
        let mut opened = Self {
            instance,
            config: channel.config,
            meanings: Some(Vec::new()),
            texts: Vec::new(),
        };
        for Genuine { request, is_bound } in genuine {
            let text = signed.map(|signed| signed(request));
            opened.texts.extend(text.filter(|text| !text.is_empty()));
            let received = opened.receive(request);
            if received.verdict != Verdict::Authentic {
                opened.learn_from_refused(request);
            } else if !is_bound {
                opened.meanings = None;
            } else if let Some(meanings) = &mut opened.meanings {
                meanings.push(known_by(received));
            }
        }
        opened
    }

    /// Beside a false proof may stand a true one: without the false one such a webhook is genuine.
    fn learn_from_refused(&mut self, request: &WebhookRequest) {
        for index in 0..request.headers.len() {
            let mut fewer = request.clone();
            fewer.headers.remove(index);
            let received = self.receive(&fewer);
            if received.verdict == Verdict::Authentic
                && let Some(meanings) = &mut self.meanings
            {
                meanings.push(known_by(received));
            }
        }
    }

    fn receive(&self, request: &WebhookRequest) -> Received {
        self.instance
            .receive(request)
            .unwrap_or_else(|error| panic!("{error}\n{request:?}"))
    }

    fn must_be_known(&self, received: &Received) {
        if let Some(meanings) = &self.meanings {
            let meaning = known_by(received.clone());
            assert!(
                meanings.contains(&meaning),
                "taken as genuine, though nobody signed it: {received:#?}"
            );
        }
    }
}

/// True for what can come from outside; the daemon vouches for the methods of its own doors.
fn by_http(request: &WebhookRequest) -> bool {
    !matches!(request.method.as_str(), "LMTP" | "CHAT")
}

/// What is compared of a genuine webhook. In texts that Vonage signs, `&`, `=` and `_` are the same to the
/// signature (Vonage's page on signing messages); no other provider's fixtures tell them apart either.
fn known_by(received: Received) -> Received {
    let text = serde_json::to_string(&received.events).expect("events are JSON");
    let folded = text.replace(['&', '='], "_");
    Received {
        events: serde_json::from_str::<Vec<Event>>(&folded).unwrap_or(received.events),
        ..received
    }
}
