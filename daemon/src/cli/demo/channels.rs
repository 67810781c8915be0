//! The files in the demo's `channels.d/`, one for each channel.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use data_encoding::BASE64;
use serde_json::Value;
use trunkline_simulator::{MailServer, Simulator};

use super::settings::{
    MAIL, SALES, SHOP, SMS_VONAGE, SUPPORT, TELEGRAM, WEB, WHATSAPP, WHATSAPP_TWILIO,
};

/// Our mail address, as the world sees it.
pub(super) const OUR_ADDRESS: &str = "help@example.com";
/// The file of certificates that the daemon believes, beside the main file.
pub(super) const AUTHORITY: &str = "authority.pem";

/// Keys of a channel's own section with their values in TOML.
type Section = [(&'static str, String)];

/// Where the file of a channel is.
pub(super) fn file(folder: &Path, id: &str) -> PathBuf {
    folder.join("channels.d").join(format!("{id}.toml"))
}

/// Writes those that are there from the start; gives the secret that signs the shop's webhooks.
pub(super) fn write(folder: &Path, simulator: &Simulator) -> io::Result<String> {
    fs::create_dir(folder.join("channels.d"))?;
    fs::create_dir(folder.join("secrets"))?;
    let numbers = simulator.twilio().numbers();
    twilio(folder, SUPPORT, "Support line", &numbers[0], simulator)?;
    twilio(folder, SALES, "Sales line", &numbers[1], simulator)?;
    let sender = format!("whatsapp:{}", numbers[2]);
    twilio(folder, WHATSAPP_TWILIO, "WhatsApp", &sender, simulator)?;
    vonage(folder, simulator)?;
    meta(folder, simulator)?;
    mail(folder, simulator)?;
    telegram(folder, simulator)?;
    chat(folder)?;
    let signing_secret = format!("whsec_{}", BASE64.encode(&rand::random::<[u8; 32]>()));
    shop(folder, &signing_secret, simulator)?;
    Ok(signing_secret)
}

/// Writes a channel of one of the Twilio account's numbers.
pub(super) fn twilio(
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

fn vonage(folder: &Path, simulator: &Simulator) -> io::Result<()> {
    let vonage = simulator.vonage();
    let signature = vonage.signature_secret();
    let section = [
        ("api_key", quoted(&vonage.api_key())),
        (
            "api_secret",
            secret(folder, "vonage", &vonage.api_secret())?,
        ),
        ("signature_secret", secret(folder, "vonage-in", &signature)?),
        ("from", quoted(&vonage.number())),
        ("api_base", quoted(&vonage.api_base())),
    ];
    channel(folder, SMS_VONAGE, "vonage", "Delivery line", &section)
}

fn meta(folder: &Path, simulator: &Simulator) -> io::Result<()> {
    let meta = simulator.meta();
    let section = [
        ("phone_number_id", quoted(&meta.phone_number_id())),
        ("waba_id", quoted(&meta.waba_id())),
        (
            "app_secret",
            secret(folder, "meta-app", &meta.app_secret())?,
        ),
        (
            "access_token",
            secret(folder, "meta-access", &meta.access_token())?,
        ),
        (
            "verify_token",
            secret(folder, "meta-verify", &meta.verify_token())?,
        ),
        ("api_base", quoted(&meta.api_base())),
    ];
    channel(folder, WHATSAPP, "whatsapp", "WhatsApp", &section)
}

fn mail(folder: &Path, simulator: &Simulator) -> io::Result<()> {
    let server = simulator.smtp();
    fs::write(folder.join(AUTHORITY), server.ca_pem())?;
    let section = [
        ("provider", quoted("smtp")),
        ("from", quoted(&format!("Support <{OUR_ADDRESS}>"))),
        ("host", quoted(MailServer::HOST)),
        ("port", server.port().to_string()),
        ("username", quoted(&server.username())),
        ("password", secret(folder, "mail", &server.password())?),
    ];
    channel(folder, MAIL, "email", "Mail", &section)
}

fn telegram(folder: &Path, simulator: &Simulator) -> io::Result<()> {
    let bot = simulator.telegram();
    let proof = bot.secret_token();
    let section = [
        ("bot_token", secret(folder, "telegram", &bot.token())?),
        ("secret_token", secret(folder, "telegram-in", &proof)?),
        ("api_base", quoted(&bot.api_base())),
    ];
    channel(folder, TELEGRAM, "telegram", "Telegram", &section)
}

fn chat(folder: &Path) -> io::Result<()> {
    let section = [
        ("title", quoted("Talk to us")),
        ("greeting", quoted("Hello! How can we help?")),
    ];
    channel(folder, WEB, "chat", "Chat", &section)
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

fn channel(
    folder: &Path,
    id: &str,
    adapter: &str,
    name: &str,
    section: &Section,
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
    fs::write(file(folder, id), text)
}

/// Puts a secret into a file of its own, for the owner alone; gives the TOML that names it.
fn secret(folder: &Path, name: &str, value: &str) -> io::Result<String> {
    let path = folder.join("secrets").join(name);
    fs::write(&path, value)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(format!("{{ file = {} }}", quoted(&path.to_string_lossy())))
}

/// A TOML string: its basic strings escape as JSON's do.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
