//! The configuration of the demo's daemon, written as an operator would write it.

use std::{fs, io, path::Path};

use data_encoding::BASE64;
use serde_json::{Value, json};
use trunkline_simulator::Simulator;

/// Where providers believe the gateway is. The demo plays the TLS proxy in front of it.
pub(super) const PUBLIC_URL: &str = "https://hooks.example.org";

/// The channels of the story.
pub(super) const SUPPORT: &str = "sms_support";
/// A second number.
pub(super) const SALES: &str = "sms_sales";
/// WhatsApp by the same provider.
pub(super) const WHATSAPP: &str = "whatsapp";
/// A shop that posts and takes signed webhooks.
pub(super) const SHOP: &str = "shop";
/// The channel that a reload adds.
pub(super) const EVENTS: &str = "sms_events";
/// Those that are there from the start.
pub(super) const CHANNELS: [&str; 4] = [SUPPORT, SALES, WHATSAPP, SHOP];

/// Writes `trunkline.toml` and `channels.d/`; gives the secret that signs the shop's webhooks.
pub(super) fn write(folder: &Path, simulator: &Simulator) -> io::Result<String> {
    fs::create_dir(folder.join("channels.d"))?;
    fs::write(folder.join("trunkline.toml"), main_file(folder))?;
    let numbers = simulator.twilio().numbers();
    let sender = [
        (SUPPORT, "Support line", numbers[0].clone()),
        (SALES, "Sales line", numbers[1].clone()),
        (WHATSAPP, "WhatsApp", format!("whatsapp:{}", numbers[2])),
    ];
    for (id, name, from) in sender {
        write_channel(folder, id, &twilio(id, name, &from, simulator))?;
    }
    let secret = format!("whsec_{}", BASE64.encode(&rand::random::<[u8; 32]>()));
    write_channel(folder, SHOP, &shop(&secret, simulator))?;
    Ok(secret)
}

/// Adds the channel that the story's reload brings.
pub(super) fn add_events_line(folder: &Path, simulator: &Simulator) -> io::Result<()> {
    let number = simulator.twilio().numbers().swap_remove(3);
    write_channel(
        folder,
        EVENTS,
        &twilio(EVENTS, "Events", &number, simulator),
    )
}

/// Makes a mistake in that channel's file, as people do.
pub(super) fn break_events_line(folder: &Path) -> io::Result<()> {
    let path = channel_file(folder, EVENTS);
    let text = fs::read_to_string(&path)?.replace("display_name", "dispaly_name");
    fs::write(path, text)
}

fn channel_file(folder: &Path, id: &str) -> std::path::PathBuf {
    folder.join("channels.d").join(format!("{id}.toml"))
}

fn write_channel(folder: &Path, id: &str, text: &str) -> io::Result<()> {
    fs::write(channel_file(folder, id), text)
}

fn main_file(folder: &Path) -> String {
    let path = |name: &str| quoted(&folder.join(name).to_string_lossy());
    format!(
        r#"[server]
listen = "127.0.0.1:0"
public_url = "{PUBLIC_URL}"
drain = "5s"

[admin]
listen = "127.0.0.1:0"
socket = {socket}

[store]
path = {store}

[plugins]
path = [{plugins}]

# Short, so that the demo need not wait.
[health]
interval = "2s"
timeout = "2s"

[delivery]
interval = "5s"

[coalesce]
quiet = "500ms"
max = "5s"

[outbound]
backoff_base = "200ms"
backoff_max = "1s"
call_timeout = "5s"

[log]
format = "json"
"#,
        socket = path("admin.sock"),
        store = path("store"),
        plugins = path("plugins"),
    )
}

fn twilio(id: &str, name: &str, from: &str, simulator: &Simulator) -> String {
    let twilio = simulator.twilio();
    let section = json!({
        "account_sid": twilio.account_sid(),
        "auth_token": twilio.auth_token(),
        "from": from,
        "api_base": twilio.api_base(),
    });
    channel(id, "twilio", name, &section)
}

fn shop(secret: &str, simulator: &Simulator) -> String {
    let webhook = simulator.webhook();
    let section = json!({
        "signing_secret": secret,
        "url": webhook.sink_url(),
        "url_secret": webhook.url_secret(),
    });
    channel(SHOP, "webhook", "Web shop", &section)
}

/// The file of one channel; `section` holds strings only.
fn channel(id: &str, adapter: &str, name: &str, section: &Value) -> String {
    let token = format!("{:032x}", rand::random::<u128>());
    let mut text = format!(
        "[channel.{id}]\nadapter = \"{adapter}\"\ndisplay_name = {}\nwebhook_token = \"{token}\"\n\
         # The simulated provider is on this machine.\nallow_private = true\n\n[channel.{id}.config]\n",
        quoted(name),
    );
    for (key, value) in section.as_object().into_iter().flatten() {
        text.extend([key.as_str(), " = ", &value.to_string(), "\n"]);
    }
    text
}

/// A TOML string: its basic strings escape as JSON's do.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment};

    fn load(folder: &Path) -> Result<Config, crate::config::ConfigErrors> {
        Config::load(&folder.join("trunkline.toml"), &Environment::default())
    }

    #[test]
    fn the_configuration_is_one_that_the_daemon_takes() {
        let folder = tempfile::tempdir().expect("a folder");
        let simulator = Simulator::start().expect("a simulator");
        write(folder.path(), &simulator).expect("written");
        let config = load(folder.path()).expect("valid");
        let mut expected = CHANNELS;
        expected.sort_unstable();
        assert!(config.channels.keys().eq(&expected));

        add_events_line(folder.path(), &simulator).expect("written");
        assert!(
            load(folder.path())
                .expect("valid")
                .channels
                .contains_key(EVENTS)
        );
        break_events_line(folder.path()).expect("written");
        let errors = load(folder.path()).expect_err("a mistake").to_string();
        assert!(errors.contains("sms_events.toml:3: "), "{errors}");
    }
}
