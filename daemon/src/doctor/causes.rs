//! The usual reasons why a provider signs another URL than the one that is checked, as edits of
//! that URL. Pure: what a request and the configuration say goes in, URLs to try come out.

use std::collections::HashSet;

use trunkline_plugin_api::WebhookRequest;

use super::address::{Address, split_port};
use super::query;

/// Edits tried of one request, at most.
const EDITS_MAX: usize = 60;
/// Bytes of a header that names a host or a path.
const VALUE_BYTES_MAX: usize = 2048;

/// What is known of the channel's own addresses.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// `[server] public_url`, without trailing slash.
    pub(super) public_url: String,
    /// The paths under which the channel takes webhooks.
    pub(super) paths: Vec<String>,
    /// Names under which it saw genuine webhooks, as `Host` has them.
    pub(super) hosts: Vec<String>,
    /// The port that the daemon listens on.
    pub(super) port: u16,
}

/// A part of the URL. Two edits of one part don't go together.
type Parts = u8;
const SCHEME: Parts = 1;
const PORT: Parts = 2;
const HOST: Parts = 4;
const PATH: Parts = 8;
const QUERY: Parts = 16;

/// One way in which the signed URL may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    /// Its name, for programs.
    pub(super) cause: &'static str,
    /// What may have happened to path or query, and what to do; empty for scheme, host and port,
    /// whose advice is made from the URL itself.
    pub(super) advice: String,
    parts: Parts,
    to: Address,
}

/// A URL to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variation {
    /// The edits that led to it.
    pub(super) edits: Vec<Edit>,
    /// The URL.
    pub(super) url: Address,
}

impl Variation {
    /// The names of its causes, joined with a plus.
    pub(super) fn cause(&self) -> String {
        let causes: Vec<_> = self.edits.iter().map(|edit| edit.cause).collect();
        causes.join("+")
    }

    /// True where scheme, host or port differ.
    pub(super) fn moves_origin(&self) -> bool {
        let parts = self.edits.iter().fold(0, |parts, edit| parts | edit.parts);
        parts & (SCHEME | HOST | PORT) != 0
    }
}

/// Every URL that may have been signed instead: all single edits, then all pairs.
pub(super) fn variations(request: &WebhookRequest, known: &Known) -> Vec<Variation> {
    let Some(base) = Address::parse(&request.url) else {
        return Vec::new();
    };
    let edits = edits(&base, request, known);
    let single = edits.iter().map(|edit| Variation {
        edits: vec![edit.clone()],
        url: edit.to.clone(),
    });
    let mut seen = HashSet::from([base.clone()]);
    let mut found: Vec<Variation> = single.filter(|one| seen.insert(one.url.clone())).collect();
    for (index, first) in edits.iter().enumerate() {
        for second in &edits[index + 1..] {
            if first.parts & second.parts != 0 {
                continue;
            }
            let url = both(&base, first, second);
            if seen.insert(url.clone()) {
                let edits = vec![first.clone(), second.clone()];
                found.push(Variation { edits, url });
            }
        }
    }
    found
}

/// Applies two edits of different parts.
fn both(base: &Address, first: &Edit, second: &Edit) -> Address {
    let from = |part: Parts| {
        [first, second]
            .into_iter()
            .find(|edit| edit.parts & part != 0)
            .map_or(base, |edit| &edit.to)
    };
    Address {
        scheme: from(SCHEME).scheme.clone(),
        host: from(HOST).host.clone(),
        port: from(PORT).port.clone(),
        path: from(PATH).path.clone(),
        query: from(QUERY).query.clone(),
    }
}

fn edits(base: &Address, request: &WebhookRequest, known: &Known) -> Vec<Edit> {
    let mut list = EditList(Vec::new());
    schemes(base, &mut list);
    ports(base, request, known, &mut list);
    hosts(base, request, known, &mut list);
    slashes(base, &mut list);
    query::edits(base, &mut |cause, advice, query| {
        let query = query.map(str::to_owned);
        let to = Address {
            query,
            ..base.clone()
        };
        list.add(cause, advice, QUERY, to);
    });
    paths(base, request, known, &mut list);
    list.0.retain(|edit| edit.to != *base);
    list.0.truncate(EDITS_MAX);
    list.0
}

struct EditList(Vec<Edit>);

impl EditList {
    fn add(&mut self, cause: &'static str, advice: &str, parts: Parts, to: Address) {
        if self.0.iter().any(|edit| edit.to == to) {
            return;
        }
        self.0.push(Edit {
            cause,
            advice: advice.to_owned(),
            parts,
            to,
        });
    }
}

fn schemes(base: &Address, list: &mut EditList) {
    let other = if base.scheme == "https" {
        "http"
    } else {
        "https"
    };
    let to = Address {
        scheme: other.into(),
        ..base.clone()
    };
    list.add("scheme", "", SCHEME, to);
}

/// No port, the scheme's own, the other scheme's, ours, and the one that the proxy names.
fn ports(base: &Address, request: &WebhookRequest, known: &Known, list: &mut EditList) {
    let forwarded = header(request, "x-forwarded-port").map(first);
    let from_host = header(request, "host").and_then(|host| split_port(host).1);
    let ours = known.port.to_string();
    let usual = ["443", "80", "8443", "8080", ours.as_str()];
    let named = [forwarded, from_host].into_iter().flatten();
    let ports = [None]
        .into_iter()
        .chain(named.map(Some))
        .chain([Some(base.default_port())])
        .chain(usual.into_iter().map(Some));
    for port in ports {
        let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
        if is_port {
            let to = Address {
                port: port.map(str::to_owned),
                ..base.clone()
            };
            list.add("port", "", PORT, to);
        }
    }
}

/// The names that the request carries, those that genuine webhooks came under, and `www`.
fn hosts(base: &Address, request: &WebhookRequest, known: &Known, list: &mut EditList) {
    let carried = ["x-forwarded-host", "x-original-host", "host"];
    let carried = carried
        .iter()
        .filter_map(|name| header(request, name).map(first));
    let forwarded = header(request, "forwarded").and_then(forwarded_host);
    let names: Vec<&str> = carried
        .chain(forwarded)
        .chain(known.hosts.iter().map(String::as_str))
        .collect();
    for name in names {
        let (host, port) = split_port(name);
        if !is_host(host) {
            continue;
        }
        let to = Address {
            host: host.to_owned(),
            port: port.map(str::to_owned),
            ..base.clone()
        };
        list.add("host", "", HOST | PORT, to);
        let to = Address {
            host: host.to_owned(),
            ..base.clone()
        };
        list.add("host", "", HOST, to);
    }
    let www = match base.host.strip_prefix("www.") {
        Some(bare) => bare.to_owned(),
        None => format!("www.{}", base.host),
    };
    let to = Address {
        host: www,
        ..base.clone()
    };
    list.add("host", "", HOST, to);
}

fn slashes(base: &Address, list: &mut EditList) {
    let trimmed = base.path.trim_end_matches('/');
    let forms = [
        (
            format!("{trimmed}/"),
            "the address at the provider ends with a slash that does not arrive: take it away there",
        ),
        (
            trimmed.to_owned(),
            "the address at the provider has no slash at its end, but one arrives: keep the proxy from adding it",
        ),
        (
            format!("/{}", base.path),
            "the address at the provider has two slashes between host and path: take one away there",
        ),
    ];
    for (path, advice) in forms {
        let to = Address {
            path,
            ..base.clone()
        };
        list.add("slash", advice, PATH, to);
    }
}

/// The path before a proxy changed it: as its headers say, with or without a prefix, or another of
/// the channel's own.
fn paths(base: &Address, request: &WebhookRequest, known: &Known, list: &mut EditList) {
    let rewritten = "a proxy changes the path on its way here: have it pass the path as it is, or \
                     put the part it takes away at the end of server.public_url";
    for name in [
        "x-original-uri",
        "x-original-url",
        "x-forwarded-uri",
        "x-rewrite-url",
        "x-envoy-original-path",
    ] {
        let Some(value) = header(request, name) else {
            continue;
        };
        let target = Address::parse(value).map(|url| {
            let query = url.query.map(|query| format!("?{query}"));
            format!("{}{}", url.path, query.unwrap_or_default())
        });
        let target = target.unwrap_or_else(|| value.to_owned());
        if target.starts_with('/') {
            list.add("path", rewritten, PATH | QUERY, base.with_target(&target));
        }
    }
    let path = |path: String| Address {
        path,
        ..base.clone()
    };
    let prefix =
        header(request, "x-forwarded-prefix").map(|prefix| first(prefix).trim_matches('/'));
    if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
        let to = path(format!("/{prefix}{}", base.path));
        list.add("path", rewritten, PATH, to);
    }
    let own = Address::parse(&known.public_url).map(|url| url.path);
    let own = own.unwrap_or_default();
    if let Some(bare) = base.path.strip_prefix(own.as_str())
        && !own.is_empty()
    {
        let advice = format!(
            "the address at the provider lacks {own}, with which server.public_url ends: take it away from public_url"
        );
        list.add("path", &advice, PATH, path(bare.to_owned()));
    }
    let other = "the provider calls another of the channel's addresses, which a proxy changes: give \
                 it the address that `trunkline channel show` prints";
    for known in &known.paths {
        for prefix in [own.as_str(), ""] {
            list.add("path", other, PATH, path(format!("{prefix}{known}")));
        }
    }
}

/// The first value of a header, where it is of a sensible length.
fn header<'a>(request: &'a WebhookRequest, name: &str) -> Option<&'a str> {
    let value = request.header(name).map(str::trim);
    value.filter(|value| !value.is_empty() && value.len() <= VALUE_BYTES_MAX)
}

/// The first of a list: what the outermost proxy saw.
fn first(list: &str) -> &str {
    list.split(',').next().unwrap_or_default().trim()
}

/// `host=` in the first element of `Forwarded` (RFC 7239).
fn forwarded_host(value: &str) -> Option<&str> {
    let pairs = first(value)
        .split(';')
        .filter_map(|pair| pair.split_once('='));
    let mut hosts = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("host"));
    hosts.next().map(|(_, host)| host.trim().trim_matches('"'))
}

fn is_host(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
    !text.is_empty() && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str, headers: &[(&str, &str)]) -> WebhookRequest {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        WebhookRequest {
            url: url.into(),
            headers: headers.iter().map(pair).collect(),
            ..WebhookRequest::default()
        }
    }

    fn known() -> Known {
        Known {
            public_url: "https://h.example".into(),
            paths: vec!["/webhooks/a/token".into(), "/alias".into()],
            hosts: vec!["seen.example".into()],
            port: 8099,
        }
    }

    fn cause_of(request: &WebhookRequest, signed: &str) -> Option<String> {
        let all = variations(request, &known());
        let found = all.iter().find(|one| one.url.to_string() == signed);
        found.map(Variation::cause)
    }

    #[test]
    fn each_usual_cause_is_among_the_variations() {
        let url = "https://h.example/webhooks/a/token?b=2&a=1%20x";
        let headers = [
            ("host", "inner.example:8080"),
            ("x-forwarded-host", "outer.example, inner.example"),
            ("forwarded", "for=1.2.3.4;Host=\"rfc.example\";proto=http"),
            ("x-forwarded-prefix", "/gate"),
            ("x-original-uri", "/public/sms?b=2"),
        ];
        let request = request(url, &headers);
        for (signed, cause) in [
            ("http://h.example/webhooks/a/token?b=2&a=1%20x", "scheme"),
            ("https://h.example:443/webhooks/a/token?b=2&a=1%20x", "port"),
            (
                "https://h.example:8099/webhooks/a/token?b=2&a=1%20x",
                "port",
            ),
            ("https://www.h.example/webhooks/a/token?b=2&a=1%20x", "host"),
            ("https://outer.example/webhooks/a/token?b=2&a=1%20x", "host"),
            ("https://rfc.example/webhooks/a/token?b=2&a=1%20x", "host"),
            ("https://seen.example/webhooks/a/token?b=2&a=1%20x", "host"),
            (
                "https://inner.example:8080/webhooks/a/token?b=2&a=1%20x",
                "host",
            ),
            ("https://h.example/webhooks/a/token/?b=2&a=1%20x", "slash"),
            ("https://h.example//webhooks/a/token?b=2&a=1%20x", "slash"),
            ("https://h.example/webhooks/a/token", "query"),
            ("https://h.example/webhooks/a/token?a=1%20x&b=2", "query"),
            ("https://h.example/webhooks/a/token?b=2&a=1+x", "query"),
            ("https://h.example/webhooks/a/token?b=2&a=1 x", "query"),
            ("https://h.example/public/sms?b=2", "path"),
            (
                "https://h.example/gate/webhooks/a/token?b=2&a=1%20x",
                "path",
            ),
            ("https://h.example/alias?b=2&a=1%20x", "path"),
            (
                "http://outer.example/webhooks/a/token?b=2&a=1%20x",
                "scheme+host",
            ),
            ("http://h.example/webhooks/a/token", "scheme+query"),
        ] {
            assert_eq!(
                cause_of(&request, signed).as_deref(),
                Some(cause),
                "{signed}"
            );
        }
        let three = "http://outer.example/webhooks/a/token";
        assert_eq!(cause_of(&request, three), None, "two causes at most");
    }

    #[test]
    fn a_hostile_request_makes_a_bounded_number_of_urls() {
        let long = "x".repeat(100_000);
        let names = ["host", "x-forwarded-host", "x-original-uri", "forwarded"];
        let headers: Vec<_> = names.iter().map(|name| (*name, long.as_str())).collect();
        let url = format!("https://h.example/?{}", "a=1&".repeat(4000));
        let all = variations(&request(&url, &headers), &known());
        assert!(all.len() <= EDITS_MAX * EDITS_MAX / 2, "{}", all.len());
        assert!(variations(&request("nonsense", &headers), &known()).is_empty());
    }

    #[test]
    fn a_prefix_of_public_url_may_be_what_is_too_much() {
        let known = Known {
            public_url: "https://h.example/in".into(),
            ..known()
        };
        let request = request("https://h.example/in/webhooks/a/token", &[]);
        let all = variations(&request, &known);
        let bare = "https://h.example/webhooks/a/token";
        assert!(all.iter().any(|one| one.url.to_string() == bare));
    }
}
