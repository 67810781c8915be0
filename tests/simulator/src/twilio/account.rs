//! The account's state: credentials, senders, opt-outs, behaviour of the calls, ledger and media.

use super::callbacks::Callbacks;
use super::content::{self, ContentTemplate, Windows};
use super::create::Draft;
use super::inbound::InboundSms;
use super::ledger::{Ledger, LedgerMessage};
use crate::behaviour::Script;
use jiff::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::{HashMap, HashSet};

/// Words by which Twilio itself opts a sender out of SMS (Twilio support: STOP filtering).
const STOP_WORDS: [&str; 8] = [
    "STOP",
    "STOPALL",
    "UNSUBSCRIBE",
    "CANCEL",
    "END",
    "QUIT",
    "REVOKE",
    "OPTOUT",
];
/// Words by which it takes that back.
const START_WORDS: [&str; 3] = ["START", "YES", "UNSTOP"];

/// The account's state at Twilio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountStatus {
    /// Works.
    Active,
    /// Suspended: reading the account works, everything else is refused with 20005.
    Suspended,
    /// Closed for good; refused in the same way.
    Closed,
}

impl AccountStatus {
    /// The word of the account resource.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }
}

/// A call of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST Messages.json`.
    Create,
    /// `GET Messages/{sid}.json`.
    Fetch,
    /// `GET Messages.json`.
    List,
    /// `POST Messages/{sid}.json`.
    Cancel,
    /// `GET Accounts/{sid}.json`, the health probe.
    Account,
    /// `GET Balance.json`.
    Balance,
    /// `GET Messages/{sid}/Media/{media sid}`.
    Media,
    /// `GET /v1/ContentAndApprovals` of the Content API.
    Content,
}

/// A stored file.
#[derive(Debug, Clone)]
pub(super) struct Media {
    pub(super) message_sid: String,
    pub(super) content_type: String,
    pub(super) bytes: Vec<u8>,
}

/// Everything of the account that changes.
pub(super) struct Account {
    pub(super) sid: String,
    pub(super) auth_token: String,
    pub(super) api_key: (String, String),
    pub(super) shared_key: Option<(String, String)>,
    pub(super) status: AccountStatus,
    pub(super) created_at: Timestamp,
    pub(super) numbers: Vec<String>,
    pub(super) messaging_service_sid: String,
    pub(super) opted_out: HashSet<String>,
    callbacks: Callbacks,
    fates: StdRng,
    pub(super) ledger: Ledger,
    pub(super) media: HashMap<String, Media>,
    pub(super) media_redirect: bool,
    /// Numbers of the account whose messages come back, and the webhook they come back to.
    pub(super) loops: HashMap<String, String>,
    /// Content templates, in the order in which they were added.
    pub(super) templates: Vec<ContentTemplate>,
    pub(super) windows: Windows,
    scripts: HashMap<Endpoint, Script>,
}

impl Account {
    /// A fresh account with ten numbers and random credentials.
    pub(super) fn new() -> Self {
        Self {
            sid: random_sid("AC"),
            auth_token: random_hex(),
            api_key: (random_sid("SK"), random_hex()),
            shared_key: None,
            status: AccountStatus::Active,
            created_at: Timestamp::now(),
            numbers: (0..10).map(|digit| format!("+1555010{digit}")).collect(),
            messaging_service_sid: random_sid("MG"),
            opted_out: HashSet::new(),
            callbacks: Callbacks::None,
            fates: StdRng::seed_from_u64(0),
            ledger: Ledger::default(),
            media: HashMap::new(),
            media_redirect: false,
            loops: HashMap::new(),
            templates: Vec::new(),
            windows: Windows::default(),
            scripts: HashMap::new(),
        }
    }

    /// Whether the address, with or without `whatsapp:`, is one of the account's numbers.
    pub(super) fn owns(&self, address: &str) -> bool {
        let number = address.strip_prefix("whatsapp:").unwrap_or(address);
        self.numbers.iter().any(|known| known == number)
    }

    /// The behaviour of one call.
    pub(super) fn script(&mut self, endpoint: Endpoint) -> &mut Script {
        self.scripts.entry(endpoint).or_default()
    }

    /// Takes an incoming message in; one that is known already changes nothing.
    pub(super) fn receive(&mut self, sms: &InboundSms, at: Timestamp) {
        let message = LedgerMessage::inbound(sms, at);
        if !self.ledger.insert(message) {
            return;
        }
        if sms.from.starts_with("whatsapp:") {
            self.windows.hear(&sms.from, &sms.to);
            return;
        }
        let word = sms.body.trim().to_uppercase();
        if STOP_WORDS.contains(&word.as_str()) {
            self.opted_out.insert(sms.from.clone());
        } else if START_WORDS.contains(&word.as_str()) {
            self.opted_out.remove(&sms.from);
        }
    }

    /// False for a template that is surely not the account's: it has some, and not this one.
    pub(super) fn may_have(&self, content_sid: &str) -> bool {
        self.templates.is_empty() || self.templates.iter().any(|known| known.sid == content_sid)
    }

    /// The number a Messaging Service chooses: the first, on the recipient's channel.
    pub(super) fn service_sender(&self, to: &str) -> String {
        let number = self.numbers.first().cloned().unwrap_or_default();
        if to.starts_with("whatsapp:") {
            return format!("whatsapp:{number}");
        }
        number
    }

    /// What will happen to an accepted message: nothing while it is scheduled, a failure where a
    /// WhatsApp recipient refuses messages (63033) or WhatsApp does not take it, else what was set.
    pub(super) fn fate(&mut self, draft: &Draft) -> Callbacks {
        if draft.scheduled {
            return Callbacks::None;
        }
        if self.opted_out.contains(&draft.to) {
            return Callbacks::Failed { code: 63033 };
        }
        let sender = draft.from.clone();
        let sender = sender.unwrap_or_else(|| self.service_sender(&draft.to));
        if let Some(code) = content::verdict(self, draft, &sender) {
            return Callbacks::Failed { code };
        }
        self.callbacks.draw(&mut self.fates)
    }

    /// What happens to messages accepted from now on.
    pub(super) fn set_callbacks(&mut self, callbacks: Callbacks) {
        if let Callbacks::Mix { seed, .. } = callbacks {
            self.fates = StdRng::seed_from_u64(seed);
        }
        self.callbacks = callbacks;
    }

    /// Stores a file and gives its path.
    pub(super) fn host_media(
        &mut self,
        message_sid: &str,
        content_type: &str,
        bytes: Vec<u8>,
    ) -> String {
        let sid = random_sid("ME");
        let path = format!(
            "/2010-04-01/Accounts/{}/Messages/{message_sid}/Media/{sid}",
            self.sid
        );
        let media = Media {
            message_sid: message_sid.to_owned(),
            content_type: content_type.to_owned(),
            bytes,
        };
        self.media.insert(sid, media);
        path
    }
}

/// A resource id: two letters and 32 hexadecimal digits.
pub(super) fn random_sid(prefix: &str) -> String {
    format!("{prefix}{}", random_hex())
}

/// 32 random hexadecimal digits.
pub(super) fn random_hex() -> String {
    format!("{:032x}", rand::random::<u128>())
}
