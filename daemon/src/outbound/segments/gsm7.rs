//! The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038, sections 6.2.1 and
//! 6.2.1.1), as sets of characters: what number each has on the air is the provider's matter.

/// Septets that a character takes: 1 in the default alphabet, 2 in the extension, none where
/// GSM-7 lacks it.
pub(super) fn septets(c: char) -> Option<u32> {
    if is_default(c) {
        Some(1)
    } else if is_extension(c) {
        Some(2)
    } else {
        None
    }
}

/// What the default alphabet has beyond ASCII. Of the letters with a cedilla it has the capital
/// alone.
const BEYOND_ASCII: &str = "£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà";

fn is_default(c: char) -> bool {
    match c {
        '\n' | '\r' => true,
        // The backtick is in neither table.
        ' '..='~' => !is_extension(c) && c != '`',
        _ => BEYOND_ASCII.contains(c),
    }
}

fn is_extension(c: char) -> bool {
    matches!(
        c,
        '\u{c}' | '^' | '{' | '}' | '\\' | '[' | '~' | ']' | '|' | '€'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_have_their_known_size() {
        let of = |wanted| {
            let all = ('\0'..=char::MAX).filter(|c| septets(*c) == Some(wanted));
            all.collect::<String>()
        };
        // 128 places less the escape.
        assert_eq!(of(1).chars().count(), 127, "{}", of(1));
        assert_eq!(of(2), "\u{c}[\\]^{|}~€");
    }
}
