//! The configuration of the demo's daemon, written as an operator would write it.

use std::{fs, io, path::Path};

use trunkline_simulator::Simulator;

use super::channels::{self, AUTHORITY, quoted};

/// Where providers believe the gateway is. The demo plays the TLS proxy in front of it.
pub(super) const PUBLIC_URL: &str = "https://hooks.example.org";

/// The channels of the story.
pub(super) const SUPPORT: &str = "sms_support";
/// A second number.
pub(super) const SALES: &str = "sms_sales";
/// A number of another provider.
pub(super) const SMS_VONAGE: &str = "sms_vonage";
/// WhatsApp by Meta itself.
pub(super) const WHATSAPP: &str = "whatsapp";
/// WhatsApp by the first provider.
pub(super) const WHATSAPP_TWILIO: &str = "whatsapp_twilio";
/// Mails.
pub(super) const MAIL: &str = "mail";
/// A bot.
pub(super) const TELEGRAM: &str = "telegram";
/// The chat on a website.
pub(super) const WEB: &str = "web_chat";
/// A shop that posts and takes signed webhooks.
pub(super) const SHOP: &str = "shop";
/// The channel that a reload adds.
pub(super) const EVENTS: &str = "sms_events";
/// Those that are there from the start.
pub(super) const CHANNELS: [&str; 9] = [
    SUPPORT,
    SALES,
    SMS_VONAGE,
    WHATSAPP,
    WHATSAPP_TWILIO,
    MAIL,
    TELEGRAM,
    WEB,
    SHOP,
];
/// The form on which strangers leave a message.
pub(super) const FORM: &str = "contact";
/// Where mails come in: a socket in the folder.
pub(super) const LMTP: &str = "lmtp.sock";

/// Writes `trunkline.toml` and `channels.d/`; gives the secret that signs the shop's webhooks.
pub(super) fn write(folder: &Path, simulator: &Simulator) -> io::Result<String> {
    fs::write(folder.join("trunkline.toml"), main_file(folder))?;
    channels::write(folder, simulator)
}

/// Adds the channel that the story's reload brings.
pub(super) fn add_events_line(folder: &Path, simulator: &Simulator) -> io::Result<()> {
    let number = simulator.twilio().numbers().swap_remove(3);
    channels::twilio(folder, EVENTS, "Events", &number, simulator)
}

/// Makes a mistake in that channel's file, as people do.
pub(super) fn break_events_line(folder: &Path) -> io::Result<()> {
    let path = channels::file(folder, EVENTS);
    let text = fs::read_to_string(&path)?.replace("display_name", "dispaly_name");
    fs::write(path, text)
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

[lmtp]
listen = {lmtp}

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
extra_ca = {authority}

[form.{FORM}]
title = "Ask us"
channels = ["{SUPPORT}", "{MAIL}"]
reply = "Thank you, we have it."

[log]
format = "json"
"#,
        socket = path("admin.sock"),
        lmtp = path(LMTP),
        store = path("store"),
        authority = path(AUTHORITY),
        plugins = path("plugins"),
    )
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
