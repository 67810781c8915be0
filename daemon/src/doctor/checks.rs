//! Facts of a running channel that need no look at the network.

use trunkline_plugin_api::Verdict;

use super::{
    address::{Address, split_port},
    report::{Check, Examined, State},
    retest::Finding,
};
use trunkline_host::{PluginSet, Quarantine};

use crate::{
    channel::Channel,
    config::PublicUrl,
    inbound::{Rejected, Sighting},
    model::Millis,
};

/// A clock this far off is worth a word, in milliseconds.
const SKEW_WARNING_MS: i64 = 30_000;
/// Providers refuse requests, and adapters webhooks, whose time is five minutes off.
const SKEW_FAULT_MS: i64 = 4 * 60_000;

/// Whether the channel runs.
pub(super) fn running(channel: &Channel) -> Check {
    match channel.down_reason() {
        Some(reason) => Check::new("channel", State::Fault, format!("it is down: {reason}")),
        None => Check::new("channel", State::Ok, "it runs"),
    }
}

/// What the refused webhooks say together. What is refused matters less where genuine ones came
/// after it: anybody can send nonsense.
pub(super) fn signatures(examined: &[Examined], seen: &[Sighting]) -> Check {
    const NAME: &str = "signatures";
    let Some(newest) = examined.first() else {
        return Check::new(NAME, State::Ok, "no refused webhook is remembered");
    };
    let genuine = seen.iter().filter(|seen| seen.is_genuine);
    let last_genuine = genuine.map(|seen| seen.last_at_ms).max();
    let since = last_genuine.is_some_and(|at_ms| at_ms > newest.at_ms);
    let open = |one: &&Examined| match &one.finding {
        Finding::Match(found) => found.cause != "changed",
        Finding::Nothing(_) => false,
    };
    let explained = examined.iter().filter(open).count();
    let count = examined.len();
    let refused = format!("{count} refused webhooks are remembered, {explained} of them explained");
    match (since, explained) {
        (true, _) => Check::new(
            NAME,
            State::Warning,
            format!("{refused}; genuine ones have come since the last of them"),
        ),
        (false, 0) if last_genuine.is_some() => Check::new(
            NAME,
            State::Warning,
            format!("{refused}; genuine ones came before them"),
        ),
        (false, _) => Check::new(
            NAME,
            State::Fault,
            format!("{refused}; no genuine one has come since"),
        ),
    }
}

/// `public_url` against the names under which webhooks come.
pub(super) fn public_url(url: &PublicUrl, seen: &[Sighting]) -> Check {
    const NAME: &str = "public_url";
    let genuine = seen.iter().any(|seen| seen.is_genuine);
    if url.is_loopback() && !genuine {
        let words = format!("server.public_url is {url}, which no provider can call: set it");
        return Check::new(NAME, State::Warning, words);
    }
    let mut found = Vec::new();
    for seen in seen {
        let Some(words) = differs(url, seen) else {
            continue;
        };
        // Proof is stronger than names: a proxy may rewrite them.
        if !seen.is_genuine && !genuine {
            found.push((State::Warning, words));
        }
    }
    let fine = match seen.len() {
        0 => format!("{url}; no webhook has come yet to compare it with"),
        _ => format!("{url}; nothing that webhooks carry speaks against it"),
    };
    Check::of(NAME, found, &fine)
}

/// How the name that a webhook carries differs from `public_url`.
fn differs(url: &PublicUrl, seen: &Sighting) -> Option<String> {
    let own = Address::parse(url.as_str())?;
    let outer = |list: &str| list.split(',').next().unwrap_or_default().trim().to_owned();
    let forwarded = outer(&seen.forwarded_host);
    let is_forwarded = !forwarded.is_empty();
    let name = if is_forwarded {
        forwarded
    } else {
        seen.host.clone()
    };
    let (host, _) = split_port(&name);
    // Behind a proxy that does not say, the name is the proxy's word for us.
    let is_inner = matches!(host, "" | "localhost" | "[::1]") || host.starts_with("127.");
    let other_host = !is_inner && !host.eq_ignore_ascii_case(&own.host);
    let proto = outer(&seen.forwarded_proto).to_ascii_lowercase();
    let other_scheme = !proto.is_empty() && proto != own.scheme;
    if !other_host && !other_scheme {
        return None;
    }
    let header = if is_forwarded {
        "X-Forwarded-Host"
    } else {
        "Host"
    };
    let mut carries = Vec::new();
    if other_host {
        carries.push(format!("{header} \"{}\"", super::printable(&name)));
    }
    if other_scheme {
        carries.push(format!(
            "X-Forwarded-Proto \"{}\"",
            super::printable(&proto)
        ));
    }
    Some(format!(
        "{} refused webhooks carry {}, but server.public_url is {url}: if that is how the provider \
         calls, set public_url so",
        seen.count,
        carries.join(" and ")
    ))
}

/// Our clock against that of the providers.
pub(super) fn clock(ahead: Option<(i64, Millis)>, rejected: &[&Rejected]) -> Check {
    const NAME: &str = "clock";
    let expired = rejected
        .iter()
        .filter(|one| one.verdict == Verdict::Expired)
        .count();
    let Some((ahead_ms, _)) = ahead else {
        return match expired {
            0 => Check::new(
                NAME,
                State::Ok,
                "no provider has answered yet to compare it with",
            ),
            _ => Check::new(
                NAME,
                State::Warning,
                format!("{expired} webhooks were refused for their signed time: look at the clock"),
            ),
        };
    };
    let direction = if ahead_ms > 0 { "ahead of" } else { "behind" };
    let seconds = ahead_ms.unsigned_abs() / 1000;
    let off = format!("this machine's clock is {seconds} s {direction} the provider's");
    match ahead_ms.abs() {
        SKEW_FAULT_MS.. => Check::new(
            NAME,
            State::Fault,
            format!("{off}: signed times are refused; have NTP set it"),
        ),
        SKEW_WARNING_MS.. => Check::new(NAME, State::Warning, format!("{off}: have NTP set it")),
        _ => Check::new(
            NAME,
            State::Ok,
            format!("{off}, as far as that can be told"),
        ),
    }
}

/// The loaded plugin against its file. `on_disk` is the file's SHA-256 now, or why it can't be
/// read.
pub(super) fn plugin(
    channel: &Channel,
    plugins: &PluginSet,
    on_disk: Option<Result<String, String>>,
) -> Check {
    const NAME: &str = "plugin";
    let Some(plugin) = &channel.plugin else {
        let why = plugins.why_missing(&channel.config().adapter);
        return Check::new(NAME, State::Fault, why);
    };
    let path = plugin.path().display();
    match on_disk {
        None => Check::new(NAME, State::Ok, "it is part of this process"),
        Some(Err(error)) => Check::new(
            NAME,
            State::Warning,
            format!("{path} can't be read ({error}): it runs, but would not after a restart"),
        ),
        Some(Ok(sha256)) if sha256 == plugin.sha256() => Check::new(
            NAME,
            State::Ok,
            format!(
                "{} {} runs as it is in {path}",
                plugin.id(),
                plugin.version()
            ),
        ),
        Some(Ok(sha256)) => Check::new(
            NAME,
            State::Warning,
            format!(
                "{path} was replaced but not loaded: the file has SHA-256 {sha256}, what runs has \
                 {}: `trunkline reload` takes it over",
                plugin.sha256()
            ),
        ),
    }
}

/// What is held against the channel's plugin; nothing where there is nothing.
pub(super) fn quarantine(channel: &Channel, quarantine: &Quarantine) -> Option<Check> {
    const NAME: &str = "quarantine";
    let plugin = channel.plugin.as_ref()?;
    let against = quarantine.against(plugin.sha256());
    let concerns = |of: &Option<String>| of.as_deref().is_none_or(|of| of == channel.id.as_str());
    if let Some(entry) = against.iter().find(|entry| concerns(&entry.channel)) {
        return Some(Check::new(NAME, State::Fault, entry.words()));
    }
    let other = against.first()?;
    let (of, reason) = (other.channel.as_deref().unwrap_or_default(), &other.reason);
    let words = format!("its plugin is quarantined for channel {of}: {reason}");
    Some(Check::new(NAME, State::Warning, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Match;

    fn seen(host: &str, forwarded: &str, proto: &str, is_genuine: bool) -> Sighting {
        Sighting {
            host: host.into(),
            forwarded_host: forwarded.into(),
            forwarded_proto: proto.into(),
            is_genuine,
            count: 3,
            last_at_ms: 10,
        }
    }

    #[test]
    fn a_name_that_differs_is_told_unless_proof_says_otherwise() {
        let url = PublicUrl::parse("https://hooks.example.org").expect("a URL");
        let state = |seen: &[Sighting]| public_url(&url, seen).state;
        assert_eq!(state(&[]), State::Ok);
        assert_eq!(
            state(&[seen("hooks.example.org", "", "", false)]),
            State::Ok
        );
        assert_eq!(state(&[seen("127.0.0.1:8080", "", "", false)]), State::Ok);
        assert_eq!(
            state(&[seen("other.example", "", "", false)]),
            State::Warning
        );
        let proxied = [seen("127.0.0.1", "hooks.example.org", "http", false)];
        assert!(
            public_url(&url, &proxied)
                .words
                .contains("X-Forwarded-Proto \"http\"")
        );
        let proved = [
            seen("other.example", "", "", true),
            seen("other.example", "", "", false),
        ];
        assert_eq!(state(&proved), State::Ok);
        let local = PublicUrl::parse("http://localhost:8080").expect("a URL");
        assert_eq!(public_url(&local, &[]).state, State::Warning);
    }

    #[test]
    fn the_clock_is_judged_by_how_far_it_is_off() {
        let state = |ahead| clock(ahead, &[]).state;
        assert_eq!(state(None), State::Ok);
        assert_eq!(state(Some((-1500, 1))), State::Ok);
        assert_eq!(state(Some((60_000, 1))), State::Warning);
        assert_eq!(state(Some((-600_000, 1))), State::Fault);
    }

    #[test]
    fn refused_webhooks_are_a_fault_only_while_nothing_genuine_comes() {
        let at = |at_ms, finding| Examined {
            at_ms,
            reason: String::new(),
            finding,
        };
        let found = Finding::Match(Match {
            cause: "scheme".into(),
            words: String::new(),
        });
        let genuine = [seen("h", "", "", true)];
        let state = |examined: &[Examined], seen: &[Sighting]| signatures(examined, seen).state;
        assert_eq!(state(&[], &genuine), State::Ok);
        assert_eq!(state(&[at(20, found.clone())], &genuine), State::Fault);
        assert_eq!(state(&[at(5, found)], &genuine), State::Warning);
        let nothing = Finding::Nothing(String::new());
        assert_eq!(state(&[at(20, nothing.clone())], &genuine), State::Warning);
        assert_eq!(state(&[at(20, nothing)], &[]), State::Fault);
    }
}
