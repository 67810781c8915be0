//! The account's state: app and token, numbers, people's windows, templates, files, messages.

use super::reports::Reports;
use crate::behaviour::Script;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// How long a person may be written to freely (customer service window).
const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// A business phone number, with the fields of its resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessNumber {
    /// Its id, what webhooks and paths name.
    pub phone_number_id: String,
    /// As people see it: `+1 555-010-0`.
    pub display_phone_number: String,
    /// The name that people see.
    pub verified_name: String,
    /// `GREEN`, `YELLOW`, `RED` or `NA`.
    pub quality_rating: String,
    /// `CONNECTED` where it works.
    pub status: String,
    /// `APPROVED` where the name was.
    pub name_status: String,
}

/// A call of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetaEndpoint {
    /// `POST {number}/messages` with a message.
    Messages,
    /// The same with a read mark.
    Read,
    /// `POST {number}/media`.
    Upload,
    /// `GET {media}`.
    Media,
    /// The attachments' own origin.
    Download,
    /// `GET {number}`, the health probe.
    Number,
    /// `GET {account}/message_templates`.
    Templates,
}

/// A message that was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct MetaMessage {
    /// `wamid.` and more.
    pub id: String,
    /// From which number.
    pub phone_number_id: String,
    /// To whom, as it was given.
    pub to: String,
    /// `text`, `image`, `template` ...
    pub kind: String,
    /// The whole request.
    pub body: Value,
}

/// A message of a person that was marked as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadMark {
    /// Which.
    pub message_id: String,
    /// True where the typing indicator came with it.
    pub typing: bool,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMedia {
    /// Its type.
    pub content_type: String,
    /// The name that the upload gave.
    pub name: Option<String>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Everything of the account that changes.
pub(super) struct Account {
    pub(super) waba_id: String,
    pub(super) app_secret: String,
    pub(super) access_token: String,
    pub(super) token_expired: bool,
    pub(super) verify_token: String,
    pub(super) numbers: Vec<BusinessNumber>,
    pub(super) templates: Vec<Value>,
    /// When each person last wrote.
    pub(super) windows: HashMap<String, Instant>,
    pub(super) unreachable: HashSet<String>,
    /// Ids of the messages that people wrote.
    pub(super) inbound: HashSet<String>,
    pub(super) media: HashMap<String, StoredMedia>,
    /// Files by the hash in their short-lived address.
    pub(super) addresses: HashMap<String, String>,
    pub(super) messages: Vec<MetaMessage>,
    pub(super) read_marks: Vec<ReadMark>,
    pub(super) webhook: Option<String>,
    pub(super) reports: Reports,
    scripts: HashMap<MetaEndpoint, Script>,
}

impl Account {
    /// A fresh account with three numbers, one template and random credentials.
    pub(super) fn new() -> Self {
        let number = |digit: u64| BusinessNumber {
            phone_number_id: format!(
                "{}",
                100_000_000_000_000 + random_below(1 << 40) * 10 + digit
            ),
            display_phone_number: format!("+1 555-020-000{digit}"),
            verified_name: format!("Acme {digit}"),
            quality_rating: "GREEN".to_owned(),
            status: "CONNECTED".to_owned(),
            name_status: "APPROVED".to_owned(),
        };
        let mut account = Self {
            waba_id: format!("{}", 200_000_000_000_000 + random_below(1 << 40)),
            app_secret: random_hex(),
            access_token: format!("EAA{}{}", random_hex(), random_hex()),
            token_expired: false,
            verify_token: random_hex(),
            numbers: (0..3).map(number).collect(),
            templates: Vec::new(),
            windows: HashMap::new(),
            unreachable: HashSet::new(),
            inbound: HashSet::new(),
            media: HashMap::new(),
            addresses: HashMap::new(),
            messages: Vec::new(),
            read_marks: Vec::new(),
            webhook: None,
            reports: Reports::None,
            scripts: HashMap::new(),
        };
        account.add_template(json!({
            "name": "hello_world", "language": "en_US", "status": "APPROVED", "category": "UTILITY",
            "components": [{"type": "BODY", "text": "Welcome and congratulations!"}],
        }));
        account
    }

    /// The number of this id.
    pub(super) fn number(&self, id: &str) -> Option<&BusinessNumber> {
        self.numbers
            .iter()
            .find(|known| known.phone_number_id == id)
    }

    /// The behaviour of one call.
    pub(super) fn script(&mut self, endpoint: MetaEndpoint) -> &mut Script {
        self.scripts.entry(endpoint).or_default()
    }

    /// Notes that a person wrote.
    pub(super) fn wrote(&mut self, person: &str) {
        self.windows.insert(person.to_owned(), Instant::now());
    }

    /// True where a person wrote within 24 hours.
    pub(super) fn is_open(&self, person: &str) -> bool {
        self.windows
            .get(person)
            .is_some_and(|wrote| wrote.elapsed() < WINDOW)
    }

    pub(super) fn add_template(&mut self, mut template: Value) {
        if template.get("id").is_none() {
            template["id"] = format!("{}", 300_000_000_000 + self.templates.len()).into();
        }
        self.templates.push(template);
    }

    pub(super) fn keep_media(&mut self, content_type: &str, bytes: Vec<u8>) -> String {
        self.keep(StoredMedia {
            content_type: content_type.to_owned(),
            name: None,
            bytes,
        })
    }

    /// Keeps a file under a new id.
    pub(super) fn keep(&mut self, media: StoredMedia) -> String {
        let id = format!("{}", 400_000_000_000_000 + random_below(1 << 48));
        self.media.insert(id.clone(), media);
        id
    }

    /// True for ids of messages in either direction.
    pub(super) fn knows_message(&self, id: &str) -> bool {
        self.inbound.contains(id) || self.messages.iter().any(|message| message.id == id)
    }
}

/// 32 random hexadecimal digits.
pub(super) fn random_hex() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn random_below(end: u64) -> u64 {
    rand::random::<u64>() % end
}

/// The id of a message, another one each time.
pub(super) fn new_wamid() -> String {
    let bytes: [u8; 24] = rand::random();
    format!("wamid.{}", data_encoding::BASE64.encode(&bytes))
}
