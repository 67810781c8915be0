//! What an adapter says of itself, and what an opened channel says of its configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A kind of conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    /// Text messages, MMS included.
    Sms,
    /// WhatsApp, through whichever provider.
    Whatsapp,
    /// E-mail.
    Email,
    /// A messenger, whichever, and the daemon's own visitor chat. The identity space names the provider.
    Chat,
    /// Any system that speaks HTTP, and whatever has no medium of its own here.
    Webhook,
}

impl Medium {
    /// The medium as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Whatsapp => "whatsapp",
            Self::Email => "email",
            Self::Chat => "chat",
            Self::Webhook => "webhook",
        }
    }
}

/// A call that the adapter implements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// `receive`
    Receive,
    /// `send`
    Send,
    /// `probe`
    Probe,
    /// `delivery_status`
    DeliveryStatus,
    /// `find_sent`
    FindSent,
    /// `list_inbound`
    ListInbound,
    /// `templates`
    Templates,
    /// `fetch_media`
    FetchMedia,
    /// `mark_read`
    MarkRead,
    /// `complete`
    Complete,
    /// One that this version does not know.
    #[serde(other)]
    Unknown,
}

/// What the provider allows at most.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Characters in one message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_chars_max: Option<u32>,
    /// Attachments in one message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_count_max: Option<u32>,
    /// Bytes of one attachment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_bytes_max: Option<u64>,
}

/// The adapter's description, the same for all its channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `twilio`: what `adapter = "..."` names. Set by `export_adapter!`.
    #[serde(default)]
    pub id: String,
    /// The plugin's own version. Set by `export_adapter!`.
    #[serde(default)]
    pub version: String,
    /// For people: `Twilio`.
    pub name: String,
    /// The media it can carry.
    pub media: Vec<Medium>,
    /// The calls it implements.
    pub capabilities: Vec<Capability>,
    /// What the provider allows.
    #[serde(default)]
    pub limits: Limits,
    /// JSON Schema of the configuration section. Set by `export_adapter!`.
    #[serde(default)]
    pub config_schema: Value,
}

impl Manifest {
    /// A description without limits; the rest is filled in by `export_adapter!`.
    pub fn new(
        name: impl Into<String>,
        media: impl Into<Vec<Medium>>,
        capabilities: impl Into<Vec<Capability>>,
    ) -> Self {
        Self {
            id: String::new(),
            version: String::new(),
            name: name.into(),
            media: media.into(),
            capabilities: capabilities.into(),
            limits: Limits::default(),
            config_schema: Value::Null,
        }
    }
}

/// What a channel is told when it is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenContext {
    /// The channel's id.
    pub channel: String,
    /// The minor version of the interface that the host speaks.
    #[serde(default)]
    pub abi_minor: u32,
    /// Features of the host by name; unknown ones are ignored.
    #[serde(default)]
    pub features: Vec<String>,
}

/// One of the daemon's own front doors beside webhooks. What comes in there reaches `receive` as a
/// request whose method is the door's ([`Front::method`]); the daemon vouches for it, and never lets
/// an HTTP request through with such a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Front {
    /// The visitor's chat page. The body is the visitor's frame (JSON); header `x-chat-visitor` names the
    /// visitor.
    Chat,
    /// The LMTP listener. The body is the mail; headers `x-envelope-from` and `x-envelope-to`.
    Mail,
    /// One that this version does not know.
    #[serde(other)]
    Unknown,
}

impl Front {
    /// The method of requests that come by this door.
    pub fn method(self) -> &'static str {
        match self {
            Self::Chat => "CHAT",
            Self::Mail => "LMTP",
            Self::Unknown => "",
        }
    }
}

/// What an opened channel can do with its configuration. Routing, health and limits rest on this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts, each with its name in JSON"
)]
pub struct Facts {
    /// Our addresses at the provider (numbers, ids): events that name one come to this channel.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// The media of this channel, the main one first; never empty.
    pub media: Vec<Medium>,
    /// The identity space of the people on it: `phone`.
    pub space: String,
    /// True where inbound can be proved (there is a secret).
    pub can_receive: bool,
    /// True where there are credentials to send.
    pub can_send: bool,
    /// Characters allowed in one message, where limited.
    #[serde(default)]
    pub max_len: Option<u32>,
    /// Largest webhook body in bytes, where the adapter wants another limit than the server's.
    #[serde(default)]
    pub body_bytes_max: Option<u64>,
    /// True where webhooks also come by GET.
    #[serde(default)]
    pub accepts_get: bool,
    /// True where the provider treats a repeated send with the same key as one.
    #[serde(default)]
    pub idempotent_send: bool,
    /// The daemon's front doors that this channel is served at.
    #[serde(default)]
    pub fronts: Vec<Front>,
    /// For how long after a person's last message free-form answers are allowed, in milliseconds;
    /// none where there is no such window.
    #[serde(default)]
    pub reply_window_ms: Option<i64>,
    /// Appended to the webhook URL shown to people (`#rc=3&rp=all`).
    #[serde(default)]
    pub webhook_url_suffix: String,
    /// Things the operator should know, for `trunkline check`.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Facts {
    /// Facts of a channel that can neither receive nor send yet.
    pub fn new(medium: Medium, space: impl Into<String>) -> Self {
        Self {
            addresses: Vec::new(),
            media: vec![medium],
            space: space.into(),
            can_receive: false,
            can_send: false,
            max_len: None,
            body_bytes_max: None,
            accepts_get: false,
            idempotent_send: false,
            fronts: Vec::new(),
            reply_window_ms: None,
            webhook_url_suffix: String::new(),
            notes: Vec::new(),
        }
    }
}
