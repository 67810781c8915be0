//! Links that open a conversation with a channel: the person who follows one writes first.

use std::fmt::Write as _;

use trunkline_plugin_api::Medium;

/// The link to an address, with a text that the person may send as it is or change. None where
/// people can't reach a channel of this medium by a link, or the address is not one.
///
/// `https://wa.me/` takes the full number as digits alone (WhatsApp Help Center, "How to use click
/// to chat"); `sms:` is RFC 5724, `mailto:` RFC 6068.
pub fn contact_link(medium: Medium, address: &str, text: Option<&str>) -> Option<String> {
    let text = text.filter(|text| !text.is_empty());
    match medium {
        Medium::Whatsapp => {
            let digits = digits(address)?;
            Some(with_query(format!("https://wa.me/{digits}"), "text", text))
        }
        Medium::Sms => {
            let digits = digits(address)?;
            let plus = if digits.len() > 6 { "+" } else { "" };
            Some(with_query(format!("sms:{plus}{digits}"), "body", text))
        }
        Medium::Email => {
            let (local, domain) = bare(address).rsplit_once('@')?;
            if local.is_empty() || domain.is_empty() {
                return None;
            }
            let to = format!("mailto:{}@{}", encoded(local), encoded(domain));
            Some(with_query(to, "body", text))
        }
        Medium::Chat | Medium::Webhook => None,
    }
}

/// The digits of a number however it is written for people; none where it holds anything else.
fn digits(address: &str) -> Option<String> {
    let number = address.strip_prefix("whatsapp:").unwrap_or(address).trim();
    let number = number.strip_prefix('+').unwrap_or(number);
    let plain: String = number
        .chars()
        .filter(|c| !" .-()/\u{a0}".contains(*c))
        .collect();
    let is_number = (3..=15).contains(&plain.len()) && plain.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some(plain)
}

/// The address in `Ada <ada@example.org>`.
fn bare(address: &str) -> &str {
    let inside = address
        .rsplit_once('<')
        .and_then(|(_, rest)| rest.strip_suffix('>'));
    inside.unwrap_or(address).trim()
}

fn with_query(link: String, name: &str, text: Option<&str>) -> String {
    match text {
        Some(text) => format!("{link}?{name}={}", encoded(text)),
        None => link,
    }
}

/// Percent-encoded, also the blanks: none of these takes a plus for one.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_medium_has_its_link() {
        use Medium::{Chat, Email, Sms, Webhook, Whatsapp};
        let rows = [
            (
                Whatsapp,
                "whatsapp:+15550100",
                Some("Hi, I'm 50% + é\n"),
                Some("https://wa.me/15550100?text=Hi%2C%20I%27m%2050%25%20%2B%20%C3%A9%0A"),
            ),
            (
                Whatsapp,
                "+1 (555) 010-0123",
                None,
                Some("https://wa.me/15550100123"),
            ),
            (
                Whatsapp,
                "+15550100",
                Some(""),
                Some("https://wa.me/15550100"),
            ),
            (
                Whatsapp,
                "MG00000000000000000000000000000001",
                Some("x"),
                None,
            ),
            (Whatsapp, "106540352242922000", None, None),
            (
                Sms,
                "+15550100",
                Some("a b"),
                Some("sms:+15550100?body=a%20b"),
            ),
            (Sms, "55501", None, Some("sms:55501")),
            (Sms, "ACME Shop", None, None),
            (
                Email,
                "Help <help+shop@example.org>",
                Some("Q?"),
                Some("mailto:help%2Bshop@example.org?body=Q%3F"),
            ),
            (Email, "nobody", None, None),
            (Chat, "page", Some("x"), None),
            (Webhook, "https://example.org", None, None),
        ];
        for (medium, address, text, want) in rows {
            assert_eq!(
                contact_link(medium, address, text).as_deref(),
                want,
                "{address}"
            );
        }
    }
}
