//! The configuration of the demo's daemon, written as an operator would write it.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use data_encoding::BASE64;
use serde_json::Value;
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
    fs::create_dir(folder.join("secrets"))?;
    fs::write(folder.join("trunkline.toml"), main_file(folder))?;
    let numbers = simulator.twilio().numbers();
    let sender = [
        (SUPPORT, "Support line", numbers[0].clone()),
        (SALES, "Sales line", numbers[1].clone()),
        (WHATSAPP, "WhatsApp", format!("whatsapp:{}", numbers[2])),
    ];
    for (id, name, from) in sender {
        twilio(folder, id, name, &from, simulator)?;
    }
    let signing_secret = format!("whsec_{}", BASE64.encode(&rand::random::<[u8; 32]>()));
    shop(folder, &signing_secret, simulator)?;
    Ok(signing_secret)
}

/// Adds the channel that the story's reload brings.
pub(super) fn add_events_line(folder: &Path, simulator: &Simulator) -> io::Result<()> {
    let number = simulator.twilio().numbers().swap_remove(3);
    twilio(folder, EVENTS, "Events", &number, simulator)
}

/// Makes a mistake in that channel's file, as people do.
pub(super) fn break_events_line(folder: &Path) -> io::Result<()> {
    let path = channel_file(folder, EVENTS);
    let text = fs::read_to_string(&path)?.replace("display_name", "dispaly_name");
    fs::write(path, text)
}

fn channel_file(folder: &Path, id: &str) -> PathBuf {
    folder.join("channels.d").join(format!("{id}.toml"))
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

fn twilio(
    folder: &Path,
    id: &str,
    name: &str,
    from: &str,
    simulator: &Simulator,
) -> io::Result<()> {
    let twilio = simulator.twilio();
    let section = [
        ("account_sid", quoted(&twilio.account_sid())),
        (
            "auth_token",
            secret(folder, "twilio", &twilio.auth_token())?,
        ),
        ("from", quoted(from)),
        ("api_base", quoted(&twilio.api_base())),
    ];
    channel(folder, id, "twilio", name, &section)
}

fn shop(folder: &Path, signing_secret: &str, simulator: &Simulator) -> io::Result<()> {
    let webhook = simulator.webhook();
    let section = [
        ("signing_secret", secret(folder, "shop-in", signing_secret)?),
        ("url", quoted(&webhook.sink_url())),
        (
            "url_secret",
            secret(folder, "shop-out", &webhook.url_secret())?,
        ),
    ];
    channel(folder, SHOP, "webhook", "Web shop", &section)
}

/// Writes the file of one channel; the values of `section` are TOML.
fn channel(
    folder: &Path,
    id: &str,
    adapter: &str,
    name: &str,
    section: &[(&str, String)],
) -> io::Result<()> {
    let path_token = format!("{:032x}", rand::random::<u128>());
    let path_token = secret(folder, &format!("{id}-path"), &path_token)?;
    let keys: Vec<_> = section
        .iter()
        .map(|(key, value)| format!("{key} = {value}\n"))
        .collect();
    let text = format!(
        r#"[channel.{id}]
adapter = "{adapter}"
display_name = {name}
webhook_token = {path_token}
# The simulated provider is on this machine.
allow_private = true

[channel.{id}.config]
{keys}"#,
        name = quoted(name),
        keys = keys.concat(),
    );
    fs::write(channel_file(folder, id), text)
}

/// Puts a secret into a file of its own, for the owner alone; gives the TOML that names it.
fn secret(folder: &Path, name: &str, value: &str) -> io::Result<String> {
    let path = folder.join("secrets").join(name);
    fs::write(&path, value)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(format!("{{ file = {} }}", quoted(&path.to_string_lossy())))
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
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);

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
