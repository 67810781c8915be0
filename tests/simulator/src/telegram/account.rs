//! What Telegram knows of the bot.

use crate::behaviour::Script;
use serde_json::{Value, json};
use std::collections::HashMap;

/// A message, a reaction or a chat action that was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct TelegramMessage {
    /// The method that made it: `sendMessage`.
    pub method: String,
    /// The chat it went to.
    pub chat: i64,
    /// Its number in the chat; 0 where it is no message.
    pub message_id: i64,
    /// The parameters of the call.
    pub parameters: Value,
    /// The file that was uploaded with it.
    pub file: Option<TelegramFile>,
}

/// A file of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelegramFile {
    /// The parameter that held it: `photo`.
    pub parameter: String,
    /// Its name.
    pub name: String,
    /// Its type.
    pub content_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// How a chat stands to the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chat {
    /// It may be written to.
    Open,
    /// The person has blocked the bot.
    Blocked,
    /// The group has become another chat.
    MovedTo(i64),
}

/// The webhook, and how its deliveries went.
#[derive(Debug, Clone, Default)]
pub(super) struct Webhook {
    pub(super) url: String,
    pub(super) allowed_updates: Vec<String>,
    pub(super) pending: u64,
    /// Seconds since 1970, and what went wrong.
    pub(super) last_error: Option<(i64, String)>,
}

pub(super) struct Account {
    pub(super) bot: i64,
    pub(super) token: String,
    pub(super) revoked: bool,
    pub(super) secret_token: String,
    pub(super) webhook: Option<Webhook>,
    pub(super) chats: HashMap<i64, Chat>,
    /// Numbers of the messages of each chat, both ways.
    pub(super) known: HashMap<i64, Vec<i64>>,
    pub(super) messages: Vec<TelegramMessage>,
    /// Path and bytes by `file_id`.
    pub(super) files: HashMap<String, (String, Vec<u8>)>,
    pub(super) sends: Script,
    next_message: i64,
    next_update: i64,
}

impl Account {
    pub(super) fn new() -> Self {
        let random = rand::random::<u128>();
        let bot = 1_000_000_000 + i64::from(rand::random::<u16>());
        Self {
            bot,
            token: format!("{bot}:AA{random:032x}"),
            revoked: false,
            secret_token: format!("s_{:032x}", rand::random::<u128>()),
            webhook: None,
            chats: HashMap::new(),
            known: HashMap::new(),
            messages: Vec::new(),
            files: HashMap::new(),
            sends: Script::default(),
            next_message: 0,
            next_update: 700_000_000,
        }
    }

    /// The number of a new message in a chat.
    pub(super) fn new_message(&mut self, chat: i64) -> i64 {
        self.next_message += 1;
        self.known.entry(chat).or_default().push(self.next_message);
        self.next_message
    }

    pub(super) fn knows(&self, chat: i64, message: i64) -> bool {
        self.known
            .get(&chat)
            .is_some_and(|numbers| numbers.contains(&message))
    }

    pub(super) fn new_update(&mut self) -> i64 {
        self.next_update += 1;
        self.next_update
    }

    pub(super) fn keep(&mut self, path: &str, bytes: Vec<u8>) -> String {
        let id = format!("AgAC{:032x}", rand::random::<u128>());
        self.files.insert(id.clone(), (path.to_owned(), bytes));
        id
    }

    pub(super) fn me(&self) -> Value {
        json!({
            "id": self.bot, "is_bot": true, "first_name": "Simulated bot", "username": "simulated_bot",
            "can_join_groups": true, "can_read_all_group_messages": false, "supports_inline_queries": false,
        })
    }

    pub(super) fn webhook_info(&self) -> Value {
        let none = Webhook::default();
        let webhook = self.webhook.as_ref().unwrap_or(&none);
        let mut info = json!({
            "url": webhook.url, "has_custom_certificate": false, "pending_update_count": webhook.pending,
        });
        if let Some((at, words)) = &webhook.last_error {
            info["last_error_date"] = (*at).into();
            info["last_error_message"] = words.as_str().into();
        }
        if !webhook.allowed_updates.is_empty() {
            info["allowed_updates"] = webhook.allowed_updates.clone().into();
        }
        info
    }

    /// The message as Telegram answers with it.
    pub(super) fn shown(&self, message: &TelegramMessage, now_s: i64) -> Value {
        let kind = if message.chat > 0 {
            "private"
        } else {
            "supergroup"
        };
        let mut shown = json!({
            "message_id": message.message_id, "from": self.me(), "date": now_s,
            "chat": {"id": message.chat, "type": kind},
        });
        for name in ["text", "caption"] {
            if let Some(text) = message.parameters.get(name) {
                shown[name] = text.clone();
            }
        }
        shown
    }
}
