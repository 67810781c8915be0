//! What the schema can't say: limits between keys, and what must be unique.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, time::Duration};

use serde_json::Value;

use super::{
    Config,
    channel::Channel,
    finding::{Finding, child, key_path},
    form,
    layer::Layer,
    listener,
    lmtp::LmtpListen,
    paths,
    report::Report,
    rhythm::Coalesce,
    units::{ByteSize, HumanTime},
    watching, words,
};

/// Bounds of a webhook body: below, no provider's request fits; above, memory is at risk.
const BODY_BYTES: (u64, u64) = (1 << 10, 64 << 20);
/// Bounds of a mail: it is in memory while it is stored.
const MAIL_BYTES: (u64, u64) = (64 << 10, 256 << 20);
/// Longest path of a Unix socket on Linux (unix(7), `sun_path` without its end).
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Checks everything that no single key can be wrong about.
pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    server(config, report);
    listener::check(config, report);
    lmtp(config, report);
    storage(config, report);
    telemetry(config, report);
    plugins(config, report);
    rhythm(config, report);
    words::check(config, report);
    for channel in config.channels.values() {
        one_channel(channel, report);
        if let Some(name) = channel.account.as_ref()
            && !config.accounts.contains_key(name)
        {
            let pointer = child(&child("/channel", &channel.id), "account");
            let message = format!("there is no [account.{name}] with its rate");
            report.error(&pointer, message);
        }
    }
    organizations(config, report);
    form::check(config, report);
    paths::check(&config.channels, report);
    watching::check(&config.channels, report);
}

fn server(config: &Config, report: &mut Report<'_>) {
    let (server, admin) = (&config.server, &config.admin);
    within(
        report,
        "/server/body_bytes_max",
        server.body_bytes_max,
        BODY_BYTES,
    );
    if overlap(server.listen, admin.listen) {
        let message = format!("is the address of [server] ({}) too", server.listen);
        report.error("/admin/listen", message);
    }
    if !admin.listen.ip().is_loopback() {
        report.warn(
            "/admin/listen",
            "the admin listener is reachable from other machines",
        );
    }
    let url = &server.public_url;
    if !config.channels.is_empty() && !report.places.has("/server/public_url") {
        report.warn(
            "/server",
            format!("public_url is missing: no provider can call {url}"),
        );
    } else if !url.is_https() && !url.is_loopback() {
        report.warn(
            "/server/public_url",
            "is http: tokens and messages travel in the open",
        );
    }
}

fn lmtp(config: &Config, report: &mut Report<'_>) {
    let lmtp = &config.lmtp;
    within(
        report,
        "/lmtp/mail_bytes_max",
        lmtp.mail_bytes_max,
        MAIL_BYTES,
    );
    match &lmtp.listen {
        LmtpListen::Off => {}
        LmtpListen::Socket(socket) => {
            path(report, "/lmtp/listen", socket);
            if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
                let message =
                    format!("must have at most {SOCKET_PATH_BYTES_MAX} bytes: it is a socket");
                report.error("/lmtp/listen", message);
            }
            if *socket == config.admin.socket {
                report.error("/lmtp/listen", "is the socket of [admin] too");
            }
        }
        LmtpListen::Address(address) => {
            let taken = [config.server.listen, config.admin.listen];
            if taken.iter().any(|other| overlap(*other, *address)) {
                report.error("/lmtp/listen", "is the address of [server] or [admin] too");
            }
        }
    }
}

fn telemetry(config: &Config, report: &mut Report<'_>) {
    let otlp = &config.telemetry.otlp;
    let url = url::Url::parse(otlp).ok();
    let is_http = url.is_some_and(|url| matches!(url.scheme(), "http" | "https"));
    if !otlp.is_empty() && !is_http {
        let message = "must be an address such as \"http://127.0.0.1:4318\", or empty";
        report.error("/telemetry/otlp", message);
    }
}

fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let all = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (all || one.ip() == other.ip())
}

fn storage(config: &Config, report: &mut Report<'_>) {
    within(
        report,
        "/store/cache_bytes",
        config.store.cache_bytes,
        (1 << 20, 1 << 40),
    );
    path(report, "/store/path", &config.store.path);
    path(report, "/admin/socket", &config.admin.socket);
    if config.admin.socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        let message = format!("must have at most {SOCKET_PATH_BYTES_MAX} bytes: it is a socket");
        report.error("/admin/socket", message);
    }
}

fn path(report: &mut Report<'_>, pointer: &str, path: &Path) {
    if path.as_os_str().is_empty() || path.as_os_str().as_encoded_bytes().contains(&0) {
        report.error(pointer, "must be a path");
    }
}

fn plugins(config: &Config, report: &mut Report<'_>) {
    let plugins = &config.plugins;
    for (index, folder) in plugins.path.iter().enumerate() {
        path(report, &format!("/plugins/path/{index}"), folder);
    }
    for (adapter, hash) in &plugins.pins {
        let hexadecimal = hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hash.len() != 64 || !hexadecimal {
            let message = "must be a SHA-256 in hexadecimal: 64 digits, as sha256sum prints it";
            report.error(&child("/plugins/pins", adapter), message);
        }
    }
    within(
        report,
        "/plugins/output_bytes_max",
        plugins.output_bytes_max,
        (4 << 10, 1 << 30),
    );
    let budget = ("call_budget", plugins.call_budget);
    at_least(
        report,
        "/plugins/call_watchdog",
        plugins.call_watchdog,
        budget,
    );
}

fn rhythm(config: &Config, report: &mut Report<'_>) {
    let outbound = &config.outbound;
    let base = ("backoff_base", outbound.backoff_base);
    at_least(report, "/outbound/backoff_max", outbound.backoff_max, base);
    coalesce(report, "/coalesce", &config.coalesce);
    let health = &config.health;
    if health.sends_min > health.sends_window {
        let message = format!(
            "is {}, more than sends_window ({})",
            health.sends_min, health.sends_window
        );
        report.error("/health/sends_min", message);
    }
}

fn coalesce(report: &mut Report<'_>, pointer: &str, coalesce: &Coalesce) {
    let quiet = ("quiet", coalesce.quiet);
    at_least(report, &child(pointer, "max"), coalesce.max, quiet);
}

pub(super) fn at_least(
    report: &mut Report<'_>,
    pointer: &str,
    value: Duration,
    floor: (&str, Duration),
) {
    if value < floor.1 {
        let (value, least) = (HumanTime::format(value), HumanTime::format(floor.1));
        report.error(
            pointer,
            format!("is {value}, less than {} ({least})", floor.0),
        );
    }
}

/// The other way round.
pub(super) fn at_most(
    report: &mut Report<'_>,
    pointer: &str,
    value: Duration,
    ceiling: (&str, Duration),
) {
    if value > ceiling.1 {
        let (value, most) = (HumanTime::format(value), HumanTime::format(ceiling.1));
        report.error(
            pointer,
            format!("is {value}, more than {} ({most})", ceiling.0),
        );
    }
}

pub(super) fn within(
    report: &mut Report<'_>,
    pointer: &str,
    value: u64,
    (least, most): (u64, u64),
) {
    if !(least..=most).contains(&value) {
        let (least, most) = (ByteSize::format(least), ByteSize::format(most));
        report.error(pointer, format!("must be between {least} and {most}"));
    }
}

fn one_channel(channel: &Channel, report: &mut Report<'_>) {
    let pointer = child("/channel", &channel.id);
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if channel.id.is_empty() || !channel.id.chars().all(|c| word(c) || c == '_') {
        report.error(&pointer, "a channel's id may hold only a-z, 0-9 and _");
    } else if channel.id.len() > 64 {
        report.error(&pointer, "a channel's id must have at most 64 characters");
    }
    let organization = &channel.organization;
    if !organization.chars().all(|c| word(c) || c == '-') {
        let message = "an organization may hold only a-z, 0-9 and -";
        report.error(&child(&pointer, "organization"), message);
    }
    if channel.display_name.chars().any(char::is_control) {
        report.error(
            &child(&pointer, "display_name"),
            "must not hold control characters",
        );
    }
    if let Some(bytes) = channel.body_bytes_max {
        within(
            report,
            &child(&pointer, "body_bytes_max"),
            bytes,
            BODY_BYTES,
        );
    }
    let own = child(&pointer, "coalesce");
    if report.places.has(&own) {
        coalesce(report, &own, &channel.coalesce);
    }
    tokens(channel, &child(&pointer, "webhook_token"), report);
}

/// An organization that no channel belongs to is most likely a slip of its name.
fn organizations(config: &Config, report: &mut Report<'_>) {
    for slug in config.organizations.keys() {
        if config
            .channels
            .values()
            .all(|channel| channel.organization != *slug)
        {
            let message = "no channel belongs to this organization";
            report.warn(&child("/organization", slug), message);
        }
    }
}

fn tokens(channel: &Channel, pointer: &str, report: &mut Report<'_>) {
    if !report.places.has(pointer) {
        return;
    }
    let items = (0..channel.webhook_tokens.len()).map(|index| format!("{pointer}/{index}"));
    let written: Vec<_> = items.filter(|item| report.places.has(item)).collect();
    let written = if written.is_empty() {
        vec![pointer.to_owned()]
    } else {
        written
    };
    for item in written
        .iter()
        .filter(|item| report.places.in_plain_sight(item))
    {
        report.warn(item, INLINE_SECRET);
    }
}

/// What to say of a secret that stands in a configuration file.
pub(super) const INLINE_SECRET: &str = "is a secret in plain sight: use { file = ... }, { credential = ... } or { env = ... }, or seal \
     it with `trunkline secret seal`";

/// Two files that both say which adapter a channel has define it twice: by mistake where they
/// differ, worth a look where they do not. A file that leaves the adapter out refines it.
pub(super) fn definitions(
    layers: &[Layer],
    errors: &mut Vec<Finding>,
    warnings: &mut Vec<Finding>,
) {
    let mut first: BTreeMap<&str, (&Value, &Layer)> = BTreeMap::new();
    // The last layer is the environment, which is meant to override.
    let files = layers.split_last().map_or(&[][..], |(_, files)| files);
    for layer in files {
        let channels = layer.tree.get("channel").and_then(Value::as_object);
        for (id, channel) in channels.into_iter().flatten() {
            let Some(adapter) = channel.get("adapter") else {
                continue;
            };
            let pointer = child("/channel", id);
            let Some((defined, earlier)) = first.get(id.as_str()) else {
                first.insert(id, (adapter, layer));
                continue;
            };
            let place = earlier.places.of(&pointer);
            let finding = |message| Finding {
                place: layer.places.of(&pointer).clone(),
                key: key_path(&pointer),
                message,
            };
            if *defined == adapter {
                warnings.push(finding(format!(
                    "is defined at {place} too; this one wins where both give a key"
                )));
            } else {
                errors.push(finding(format!(
                    "is defined at {place} too, with another adapter"
                )));
            }
        }
    }
}
