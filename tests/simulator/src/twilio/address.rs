//! The forms of numbers, senders, ids and web addresses that Twilio accepts.

use url::Url;

/// An absolute `http` or `https` address with a host.
pub(super) fn is_web_address(text: &str) -> bool {
    Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some())
}

/// `+` and 7 to 15 digits, the first not zero.
pub(super) fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// A number, a short code, an alphanumeric sender or a WhatsApp address.
pub(super) fn is_sender(from: &str) -> bool {
    if let Some(number) = from.strip_prefix("whatsapp:") {
        return is_e164(number);
    }
    let short_code = (3..=8).contains(&from.len()) && from.bytes().all(|b| b.is_ascii_digit());
    let alphanumeric = from.len() <= 11
        && from.bytes().any(|byte| byte.is_ascii_alphabetic())
        && from
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b' ');
    is_e164(from) || short_code || alphanumeric
}

/// Two letters and 32 hexadecimal digits.
pub(super) fn is_sid(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_senders_have_their_forms() {
        for (text, number, sender) in [
            ("+15550100", true, true),
            ("+150055501010000", true, true),
            ("+1500555010100000", false, false),
            ("+05005550101", false, false),
            ("15005550101", false, false),
            ("55501", false, true),
            ("ACME Shop", false, true),
            ("ACME Shop is it", false, false),
            ("whatsapp:+15550100", false, true),
            ("whatsapp:ACME", false, false),
            ("", false, false),
        ] {
            assert_eq!(is_e164(text), number, "{text}");
            assert_eq!(is_sender(text), sender, "{text}");
        }
    }
}
