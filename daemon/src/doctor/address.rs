//! A URL taken apart without changing a byte of it: signatures are over bytes.

use std::fmt;

/// The parts of an absolute URL. Printing it gives the text it was read from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub(super) scheme: String,
    /// With its brackets, where it is an IPv6 address.
    pub(super) host: String,
    pub(super) port: Option<String>,
    /// Begins with a slash, or is empty.
    pub(super) path: String,
    /// Without its question mark.
    pub(super) query: Option<String>,
}

impl Address {
    /// Takes a URL apart; none where it is not absolute.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (host, port) = split_port(authority);
        let (path, query) = split_query(tail);
        (!host.is_empty()).then(|| Self {
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            port: port.map(str::to_owned),
            path,
            query,
        })
    }

    /// The same with another path and query.
    pub(super) fn with_target(&self, target: &str) -> Self {
        let (path, query) = split_query(target);
        Self {
            path,
            query,
            ..self.clone()
        }
    }

    /// Scheme, host and port, as `public_url` begins.
    pub(super) fn origin(&self) -> String {
        let port = self.port.as_ref().map(|port| format!(":{port}"));
        format!(
            "{}://{}{}",
            self.scheme,
            self.host,
            port.unwrap_or_default()
        )
    }

    /// The port that the scheme means.
    pub(super) fn default_port(&self) -> &'static str {
        if self.scheme == "http" { "80" } else { "443" }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.origin(), self.path)?;
        match &self.query {
            Some(query) => write!(formatter, "?{query}"),
            None => Ok(()),
        }
    }
}

/// `host:port`; the colons inside an IPv6 address are no port.
pub(super) fn split_port(authority: &str) -> (&str, Option<&str>) {
    let host_end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    match authority[host_end..].rfind(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(host_end + colon);
            (host, Some(&port[1..]).filter(|port| !port.is_empty()))
        }
        None => (authority, None),
    }
}

fn split_query(target: &str) -> (String, Option<String>) {
    match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (target.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_apart_and_printing_changes_nothing() {
        for url in [
            "https://h.example/webhooks/a/b?x=1&y=%20+",
            "http://h.example:8080/",
            "https://h.example",
            "https://[::1]:8443/a?",
            "https://[::1]/a??b",
            "http://h.example?x",
        ] {
            let address = Address::parse(url).expect(url);
            assert_eq!(address.to_string(), url);
        }
        let address = Address::parse("https://[::1]:8443/a/b?c").expect("a URL");
        assert_eq!(address.host, "[::1]");
        assert_eq!(address.port.as_deref(), Some("8443"));
        assert_eq!(
            (address.path.as_str(), address.query.as_deref()),
            ("/a/b", Some("c"))
        );
        assert_eq!(Address::parse("/a/b"), None);
        assert_eq!(Address::parse("https:///a"), None);
    }
}
