//! Segments of a text, as the carrier counts them: written here on its own, so that a gateway's
//! count can be checked against it.

/// The GSM default alphabet in the order of its codes, without the escape (3GPP TS 23.038).
const ALPHABET: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                        ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// What takes an escape before it.
const ESCAPED: &str = "\u{c}^{}\\[~]|€";

/// Segments of a text; an empty one has one.
pub(crate) fn segments(body: &str) -> usize {
    let septets = body.chars().map(|c| match c {
        _ if ALPHABET.contains(c) => Some(1),
        _ if ESCAPED.contains(c) => Some(2),
        _ => None,
    });
    match septets.collect::<Option<Vec<usize>>>() {
        Some(widths) => packed(&widths, 160, 153),
        None => packed(
            &body.chars().map(char::len_utf16).collect::<Vec<_>>(),
            70,
            67,
        ),
    }
}

/// How many segments characters of these widths take: one where all fit, else segments that leave
/// room for their header and cut no character.
fn packed(widths: &[usize], alone: usize, joined: usize) -> usize {
    if widths.iter().sum::<usize>() <= alone {
        return 1;
    }
    let mut rest = widths;
    let mut segments = 0;
    while !rest.is_empty() {
        let mut free = joined;
        let fitting = rest.iter().take_while(|width| {
            let fits = **width <= free;
            free = free.saturating_sub(**width);
            fits
        });
        rest = &rest[fitting.count()..];
        segments += 1;
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_have_more_segments() {
        assert_eq!(ALPHABET.chars().count(), 127);
        for (length, expected) in [(0, 1), (160, 1), (161, 2), (306, 2), (307, 3)] {
            assert_eq!(segments(&"a".repeat(length)), expected, "{length} in GSM-7");
        }
        for (length, expected) in [(80, 1), (81, 2), (152, 2), (153, 3)] {
            assert_eq!(segments(&"€".repeat(length)), expected, "{length} escaped");
        }
        for (length, expected) in [(70, 1), (71, 2), (134, 2), (135, 3)] {
            assert_eq!(segments(&"ж".repeat(length)), expected, "{length} in UCS-2");
        }
        for (length, expected) in [(35, 1), (36, 2), (66, 2), (67, 3)] {
            assert_eq!(segments(&"😀".repeat(length)), expected, "{length} pairs");
        }
    }
}
