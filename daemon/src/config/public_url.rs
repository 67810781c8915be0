//! The address under which providers reach the daemon.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use url::{Host, Url};

/// An absolute `http` or `https` URL without query, fragment, credentials and trailing slash;
/// it may carry a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(Url);

impl PublicUrl {
    /// Reads a URL; the error is a phrase for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut url = Url::parse(text).map_err(|error| {
            format!("is not an absolute URL such as \"https://hooks.example.org\": {error}")
        })?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err("must begin with https:// or http://".into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not carry a user or password".into());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must not carry a query or fragment".into());
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The URL without trailing slash.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The full URL of a path of the daemon, which begins with a slash; a query may follow it.
    pub fn join(&self, path_and_query: &str) -> String {
        format!("{}{path_and_query}", self.as_str())
    }

    /// The name that the daemon gives itself among mail servers: the URL's host, an address in
    /// brackets (RFC 5321, 4.1.3).
    pub fn mail_name(&self) -> String {
        match self.0.host() {
            Some(Host::Ipv4(address)) => format!("[{address}]"),
            Some(Host::Ipv6(address)) => format!("[IPv6:{address}]"),
            Some(Host::Domain(name)) => name.to_owned(),
            None => "localhost".to_owned(),
        }
    }

    /// True for `https`.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// True where only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

impl Default for PublicUrl {
    fn default() -> Self {
        Self::parse("http://localhost:8080").expect("the default is a URL")
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for PublicUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for PublicUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for PublicUrl {
    fn schema_name() -> Cow<'static, str> {
        "PublicUrl".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "public-url" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_kept_and_a_trailing_slash_is_not() {
        for (text, joined) in [
            ("https://a.example", "https://a.example/webhooks/x"),
            ("https://a.example/", "https://a.example/webhooks/x"),
            (
                "https://a.example:8443/in/",
                "https://a.example:8443/in/webhooks/x",
            ),
            ("http://[::1]:80", "http://[::1]/webhooks/x"),
        ] {
            let url = PublicUrl::parse(text).expect(text);
            assert_eq!(url.join("/webhooks/x"), joined);
        }
    }

    #[test]
    fn what_no_provider_could_call_is_refused() {
        for text in [
            "",
            "hooks.example.org",
            "/webhooks",
            "ftp://a.example",
            "mailto:a@example.org",
            "https://",
            "https://user@a.example",
            "https://a.example/?x=1",
            "https://a.example/#top",
        ] {
            assert!(PublicUrl::parse(text).is_err(), "{text}");
        }
    }
}
