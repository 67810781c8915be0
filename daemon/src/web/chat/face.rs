//! What a chat channel shows to the world, read from its section: title, greeting, and which sites may
//! show it.

use actix_web::{HttpRequest, http::header};
use serde_json::Value;
use url::Url;

use crate::{channel::Channel, config::PublicUrl};

/// Title, greeting and origins of a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Face {
    /// What stands above the conversation.
    pub(super) title: String,
    /// What a visitor reads first; empty for nothing.
    pub(super) greeting: String,
    origins: Vec<String>,
}

impl Face {
    /// The face of a channel as it is configured now.
    pub(super) fn of(channel: &Channel) -> Self {
        let config = channel.config();
        let section = config.config.expose();
        let text = |key: &str| section.get(key).and_then(Value::as_str);
        let origins = section.get("allowed_origins").and_then(Value::as_array);
        let origins = origins.into_iter().flatten().filter_map(Value::as_str);
        Self {
            title: text("title").unwrap_or(&config.display_name).to_owned(),
            greeting: text("greeting").unwrap_or_default().to_owned(),
            // The adapter has checked them; what stands in a header is checked where it is put there.
            origins: origins
                .filter(|origin| is_origin(origin))
                .map(str::to_owned)
                .collect(),
        }
    }

    /// Whether a request may come from where it says it comes. Browsers always say so where it
    /// matters; what says nothing is no browser, and proves itself by its token alone.
    pub(super) fn admits(&self, request: &HttpRequest, public_url: &PublicUrl) -> bool {
        let Some(origin) = request.headers().get(header::ORIGIN) else {
            return true;
        };
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        let host = request.headers().get(header::HOST);
        let host = host.and_then(|host| host.to_str().ok());
        let is_same_host = host.is_some() && origin.split_once("://").map(|(_, at)| at) == host;
        is_same_host
            || Some(origin) == own_origin(public_url).as_deref()
            || self.origins.iter().any(|allowed| allowed == origin)
    }

    /// The policy of the page: everything from here, nothing inline, shown by nobody but us and the
    /// sites named.
    pub(super) fn policy(&self, public_url: &PublicUrl) -> String {
        let mut policy =
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                          form-action 'self'; base-uri 'none'; connect-src 'self'"
                .to_owned();
        // Some browsers do not count a WebSocket to the page's own host as 'self'.
        if let Some(origin) = own_origin(public_url) {
            policy.push_str(" ws");
            policy.push_str(origin.trim_start_matches("http"));
        }
        policy.push_str("; frame-ancestors 'self'");
        for origin in &self.origins {
            policy.push(' ');
            policy.push_str(origin);
        }
        policy
    }
}

fn own_origin(public_url: &PublicUrl) -> Option<String> {
    let url = Url::parse(public_url.as_str()).ok()?;
    Some(url.origin().ascii_serialization())
}

fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn face() -> Face {
        Face {
            origins: vec!["https://www.example.org".into()],
            ..Face::default()
        }
    }

    fn admits(origin: Option<&str>) -> bool {
        let public_url = PublicUrl::parse("https://hooks.example.org/in").unwrap();
        let mut request = TestRequest::default().insert_header(("host", "127.0.0.1:8080"));
        if let Some(origin) = origin {
            request = request.insert_header(("origin", origin));
        }
        face().admits(&request.to_http_request(), &public_url)
    }

    #[test]
    fn our_own_pages_and_the_sites_named_may_ask() {
        for origin in [
            None,
            Some("https://hooks.example.org"),
            Some("http://127.0.0.1:8080"),
            Some("https://www.example.org"),
        ] {
            assert!(admits(origin), "{origin:?}");
        }
        for origin in [
            "https://evil.example",
            "https://hooks.example.org.evil.example",
            "http://www.example.org",
            "https://hooks.example.org:8443",
            "null",
            "",
        ] {
            assert!(!admits(Some(origin)), "{origin}");
        }
    }

    #[test]
    fn the_policy_names_who_may_show_the_page() {
        let public_url = PublicUrl::parse("https://hooks.example.org/in").unwrap();
        let policy = face().policy(&public_url);
        assert!(policy.ends_with("frame-ancestors 'self' https://www.example.org"));
        assert!(policy.contains("connect-src 'self' wss://hooks.example.org;"));
        assert!(!policy.contains("unsafe") && !policy.contains('*'));
    }

    #[test]
    fn what_is_no_origin_never_reaches_a_header() {
        assert!(is_origin("http://localhost:3000"));
        for text in [
            "https://a.example; script-src *",
            "https://a.example/",
            "*",
            "data:x",
            "https://a.example\r\nx: y",
        ] {
            assert!(!is_origin(text), "{text:?}");
        }
    }
}
