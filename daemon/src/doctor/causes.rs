//! The usual reasons why a provider signs another URL than the one that is checked, as edits of
//! that URL. Pure: what a request and the configuration say goes in, URLs to try come out.

use std::collections::HashSet;

use trunkline_plugin_api::WebhookRequest;

use super::{address::Address, edits};

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
pub(super) type Parts = u8;
pub(super) const SCHEME: Parts = 1;
pub(super) const PORT: Parts = 2;
pub(super) const HOST: Parts = 4;
pub(super) const PATH: Parts = 8;
pub(super) const QUERY: Parts = 16;

/// One way in which the signed URL may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    /// Its name, for programs.
    pub(super) cause: &'static str,
    /// What may have happened to path or query, and what to do; empty for scheme, host and port,
    /// whose advice is made from the URL itself.
    pub(super) advice: String,
    pub(super) parts: Parts,
    pub(super) to: Address,
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
    let edits = edits::edits(&base, request, known);
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
        assert!(
            all.len() <= edits::EDITS_MAX * edits::EDITS_MAX / 2,
            "{}",
            all.len()
        );
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
