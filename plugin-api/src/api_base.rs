//! The address of a provider's API as an operator may set it: for another region, a proxy, a simulator.

use url::{Host, Url};

use crate::AdapterError;

/// Reads `api_base`.
///
/// # Errors
/// [`AdapterError::config`] where it is no `http` or `https` URL with a host, or holds a user name, a
/// password, a query or a fragment. The text is not quoted: it may hold a password.
pub fn parse(text: &str) -> Result<Url, AdapterError> {
    let base = Url::parse(text)
        .map_err(|error| AdapterError::config(format!("api_base is not a URL: {error}")))?;
    let plain = base.username().is_empty()
        && base.password().is_none()
        && base.query().is_none()
        && base.fragment().is_none();
    if !matches!(base.scheme(), "http" | "https") || !base.has_host() || !plain {
        return Err(AdapterError::config(
            "api_base must be http:// or https:// with a host, without user name, password and query",
        ));
    }
    Ok(base)
}

/// A note for [`crate::Facts`] where credentials leave this machine unencrypted.
pub fn note(base: &Url) -> Option<String> {
    let is_open = base.scheme() == "http" && !is_loopback(base);
    is_open.then(|| "api_base is plain http: credentials can be read on the way".to_owned())
}

/// True where the host is this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plain_base_is_refused_without_quoting_it() {
        for text in [
            "hunter2",
            "ftp://hunter2.example",
            "https://user@hunter2.example",
            "https://:hunter2@api.example",
            "https://api.example/?key=hunter2",
            "https://api.example/#hunter2",
        ] {
            let error = parse(text).expect_err(text);
            assert!(!error.message.contains("hunter2"), "{}", error.message);
        }
        assert_eq!(parse("https://api.example/v1").unwrap().path(), "/v1");
    }

    #[test]
    fn plain_http_is_noted_unless_it_stays_here() {
        for (text, noted) in [
            ("https://api.example", false),
            ("http://api.example", true),
            ("http://localhost:8080", false),
            ("http://127.3.2.1:8080", false),
            ("http://[::1]/", false),
            ("http://localhost.example", true),
        ] {
            assert_eq!(note(&parse(text).unwrap()).is_some(), noted, "{text}");
        }
    }
}
