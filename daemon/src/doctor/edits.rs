//! Each part of a URL, and what is usually done to it on the way here.

use trunkline_plugin_api::WebhookRequest;

use super::{
    address::{Address, split_port},
    causes::{Edit, HOST, Known, PATH, PORT, Parts, QUERY, SCHEME},
    query,
};

/// Edits tried of one request, at most.
pub(super) const EDITS_MAX: usize = 60;
/// Bytes of a header that names a host or a path.
const VALUE_BYTES_MAX: usize = 2048;

/// Every single edit of a request's URL.
pub(super) fn edits(base: &Address, request: &WebhookRequest, known: &Known) -> Vec<Edit> {
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
        Some(without) => without.to_owned(),
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
