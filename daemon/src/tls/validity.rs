//! When a certificate ends: the one field of X.509 that is needed, and that the TLS library does not
//! tell. Any other answer is left to that library.

use jiff::civil::DateTime;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version, in front of everything else where it is there.
const VERSION: u8 = 0xa0;

/// `notAfter` of a certificate in DER form (RFC 5280, 4.1), in seconds since 1970; none where that is
/// not what the bytes are.
pub(super) fn ends_at_s(certificate: &[u8]) -> Option<i64> {
    let (certificate, _) = take(certificate, SEQUENCE)?;
    let (mut fields, _) = take(certificate, SEQUENCE)?;
    if let Some((_, rest)) = take(fields, VERSION) {
        fields = rest;
    }
    let (_, fields) = take(fields, INTEGER)?;
    let (_, fields) = take(fields, SEQUENCE)?;
    let (_, fields) = take(fields, SEQUENCE)?;
    let (validity, _) = take(fields, SEQUENCE)?;
    let (_, _, not_after) = any(validity)?;
    match any(not_after)? {
        (UTC_TIME, text, _) => {
            // Years from 50 on are those of the last century (RFC 5280, 4.1.2.5.1).
            let is_past = text.first()? >= &b'5';
            let century: &[u8] = if is_past { b"19" } else { b"20" };
            seconds(&[century, text].concat())
        }
        (GENERALIZED_TIME, text, _) => seconds(text),
        _ => None,
    }
}

/// `20261121215200Z` as seconds.
fn seconds(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let time = DateTime::strptime("%Y%m%d%H%M%S", text).ok()?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(time.timestamp().as_second())
}

/// The content of the element at the beginning, which must have this tag, and what comes after it.
fn take(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = any(bytes)?;
    (found == tag).then_some((content, rest))
}

/// Tag and content of the element at the beginning, and what comes after it.
fn any(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let octets = usize::from(first & 0x7f);
        if !(1..=4).contains(&octets) || rest.len() < octets {
            return None;
        }
        let (octets, rest) = rest.split_at(octets);
        let len = octets
            .iter()
            .fold(0_usize, |len, octet| (len << 8) | usize::from(*octet));
        (len, rest)
    };
    (rest.len() >= len).then(|| {
        let (content, rest) = rest.split_at(len);
        (tag, content, rest)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let len = u16::try_from(content.len()).expect("short");
        let [high, low] = len.to_be_bytes();
        [&[tag, 0x82, high, low], content].concat()
    }

    fn certificate(version: &[u8], not_after: &[u8]) -> Vec<u8> {
        let times = [element(UTC_TIME, b"200101000000Z"), not_after.to_vec()].concat();
        let fields = [
            version.to_vec(),
            element(INTEGER, &[1]),
            element(SEQUENCE, b"algorithm"),
            element(SEQUENCE, b"issuer"),
            element(SEQUENCE, &times),
            element(SEQUENCE, b"subject"),
        ];
        element(SEQUENCE, &element(SEQUENCE, &fields.concat()))
    }

    #[test]
    fn the_end_is_read_in_both_forms_with_and_without_a_version() {
        let version = element(VERSION, &element(INTEGER, &[2]));
        let none = Vec::new();
        let cases = [
            (&version, UTC_TIME, "261121215200Z", Some(1_795_297_920)),
            (&none, UTC_TIME, "261121215200Z", Some(1_795_297_920)),
            (&version, UTC_TIME, "700101000001Z", Some(1)),
            (
                &version,
                GENERALIZED_TIME,
                "20700101000000Z",
                Some(3_155_760_000),
            ),
            (&version, UTC_TIME, "tomorrow", None),
        ];
        for (version, tag, text, expected) in cases {
            let made = certificate(version, &element(tag, text.as_bytes()));
            assert_eq!(ends_at_s(&made), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(bytes: Vec<u8>, cut in 0_usize..120) {
            let _ = ends_at_s(&bytes);
            let made = certificate(&[], &element(UTC_TIME, b"261121215200Z"));
            prop_assert_eq!(ends_at_s(&made[..cut.min(made.len() - 40)]), None);
        }
    }
}
