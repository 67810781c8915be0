//! The one place where identifiers are made safe for logs.

/// Masks an address: `+15550109876` becomes `+1******9876`, `ada@example.org` becomes
/// `a***@example.org`, anything else keeps its first and last two characters.
pub fn mask_identifier(identifier: &str) -> String {
    if let Some((local, domain)) = identifier.rsplit_once('@') {
        let first: String = local.chars().take(1).collect();
        return format!("{first}***@{domain}");
    }
    if let Some((prefix, number)) = identifier.split_once('+') {
        let digits = number.chars().count();
        if digits <= 6 {
            return format!("{prefix}+******");
        }
        let country: String = number.chars().take(1).collect();
        let shown: String = number.chars().skip(digits - 4).collect();
        return format!("{prefix}+{country}******{shown}");
    }
    let count = identifier.chars().count();
    if count <= 6 {
        return "***".into();
    }
    let head: String = identifier.chars().take(2).collect();
    let tail: String = identifier.chars().skip(count - 2).collect();
    format!("{head}***{tail}")
}

/// Masks what a webhook URL proves by: its path token and its query.
pub fn mask_url(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let mut parts: Vec<&str> = path.split('/').collect();
    if let Some(at) = parts.iter().position(|part| *part == "webhooks")
        && let Some(token) = parts.get_mut(at + 2)
    {
        *token = "***";
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_masked() {
        let table = [
            ("+15550109876", "+1******9876"),
            ("whatsapp:+15550109876", "whatsapp:+1******9876"),
            ("+123", "+******"),
            ("ada@example.org", "a***@example.org"),
            ("visitor-1234", "vi***34"),
            ("ab", "***"),
            ("", "***"),
        ];
        for (plain, masked) in table {
            assert_eq!(mask_identifier(plain), masked);
        }
    }

    #[test]
    fn the_token_of_a_url_is_masked() {
        let url = "https://h.example/x/webhooks/sms/secret-token?a=1#rc=3";
        assert_eq!(mask_url(url), "https://h.example/x/webhooks/sms/***");
        assert_eq!(mask_url("/webhooks/sms"), "/webhooks/sms");
    }
}
