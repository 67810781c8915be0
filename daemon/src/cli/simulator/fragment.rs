//! The channels that a daemon needs to speak to the simulator, as a file for its `channels.d`.

use std::{fs, io, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use data_encoding::BASE64;
use serde_json::Value;
use trunkline_simulator::Simulator;

use super::{Part, Side};

/// The file and what it says.
pub(super) struct Fragment {
    /// TOML.
    pub(super) text: String,
    /// The channels in it.
    pub(super) channels: Vec<Made>,
    /// Signs the webhooks of the generic peer.
    pub(super) signing_secret: String,
}

/// A channel.
pub(super) struct Made {
    pub(super) part: Part,
    /// The path of its webhook.
    pub(super) path: String,
}

impl Fragment {
    /// Writes it for the owner alone: it holds secrets, if only the simulator's.
    pub(super) fn write(&self, file: &Path) -> io::Result<()> {
        let mut options = fs::File::options();
        let options = options.create(true).write(true).truncate(true).mode(0o600);
        options.open(file)?.write_all(self.text.as_bytes())
    }
}

/// Makes a channel for each of some adapters, with tokens of its own.
pub(super) fn make(parts: Vec<Part>, simulator: &Simulator) -> Fragment {
    let signing_secret = format!("whsec_{}", BASE64.encode(&rand::random::<[u8; 32]>()));
    let mut text = String::from("# Made by `trunkline simulator`: good for as long as it runs.\n");
    let mut channels = Vec::new();
    for part in parts {
        let (id, token) = (part.channel(), format!("{:032x}", rand::random::<u128>()));
        let adapter = &part.adapter;
        let mut lines = vec![
            format!("\n[channel.{id}]\nadapter = \"{adapter}\"\nwebhook_token = \"{token}\""),
            format!("allow_private = true\n\n[channel.{id}.config]"),
        ];
        let keys = section(part.side, simulator, &signing_secret);
        let keys = keys.into_iter();
        lines.extend(keys.map(|(key, value)| format!("{key} = {}", quoted(&value))));
        text.push_str(&lines.join("\n"));
        text.push('\n');
        channels.push(Made {
            part,
            path: format!("/webhooks/{id}/{token}"),
        });
    }
    Fragment {
        text,
        channels,
        signing_secret,
    }
}

fn section(side: Side, simulator: &Simulator, signing_secret: &str) -> Vec<(&'static str, String)> {
    match side {
        Side::Twilio => {
            let account = simulator.twilio();
            vec![
                ("account_sid", account.account_sid()),
                ("auth_token", account.auth_token()),
                ("from", account.number()),
                ("api_base", account.api_base()),
            ]
        }
        Side::Vonage => {
            let account = simulator.vonage();
            vec![
                ("api_key", account.api_key()),
                ("api_secret", account.api_secret()),
                ("signature_secret", account.signature_secret()),
                ("from", account.number()),
                ("api_base", account.api_base()),
            ]
        }
        Side::Whatsapp => {
            let account = simulator.meta();
            vec![
                ("phone_number_id", account.phone_number_id()),
                ("waba_id", account.waba_id()),
                ("app_secret", account.app_secret()),
                ("access_token", account.access_token()),
                ("verify_token", account.verify_token()),
                ("api_base", account.api_base()),
            ]
        }
        Side::Email => {
            let account = simulator.resend();
            vec![
                ("provider", "resend".to_owned()),
                ("from", account.address()),
                ("api_key", account.api_key()),
                ("webhook_secret", account.webhook_secret()),
                ("api_base", account.api_base()),
            ]
        }
        Side::Telegram => {
            let bot = simulator.telegram();
            vec![
                ("bot_token", bot.token()),
                ("secret_token", bot.secret_token()),
                ("api_base", bot.api_base()),
            ]
        }
        Side::Acme => {
            let account = simulator.acme();
            vec![("token", account.token()), ("api_base", account.api_base())]
        }
        Side::Chat => vec![("title", "Simulated".to_owned())],
        Side::Webhook => {
            let peer = simulator.webhook();
            vec![
                ("signing_secret", signing_secret.to_owned()),
                ("url", peer.sink_url()),
                ("url_secret", peer.url_secret()),
            ]
        }
    }
}

/// A TOML string: its basic strings escape as JSON's do.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
