//! Folding: typographic look-alikes that GSM-7 lacks, replaced by what it has.
//!
//! One curly quote, put there by a keyboard or a word processor, makes a whole text UCS-2 and more
//! than doubles its segments. Only signs whose replacement reads the same are folded; letters are
//! never: dropping an accent changes words and names.

use super::{count, gsm7};

/// What stands for a character that GSM-7 lacks.
fn replacement(c: char) -> Option<&'static str> {
    Some(match c {
        // Single quotes, primes, the modifier apostrophe, backtick and acute.
        '‘' | '’' | '‚' | '‛' | '‹' | '›' | '′' | 'ʼ' | '`' | '´' => "'",
        // Double quotes, guillemets, double prime.
        '“' | '”' | '„' | '‟' | '«' | '»' | '″' => "\"",
        // Hyphens, dashes, minus.
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' => "-",
        '…' => "...",
        '•' | '‣' => "*",
        '·' | '․' => ".",
        '⁄' | '∕' => "/",
        // Spaces of another width, non-breaking ones, the tabulator.
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\t' => " ",
        // Line and paragraph separator.
        '\u{2028}' | '\u{2029}' => "\n",
        // Invisible: soft hyphen, zero-width space, word joiner, byte order mark.
        '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' => "",
        _ => return None,
    })
}

/// The text with its look-alikes folded, where that makes all of it GSM-7 and takes no more
/// segments than before (an ellipsis becomes three characters). None where folding changes
/// nothing, or would not help: then the text goes as it was written.
pub fn fold(text: &str) -> Option<String> {
    let mut folded = String::with_capacity(text.len());
    let mut changed = false;
    for c in text.chars() {
        if gsm7::septets(c).is_some() {
            folded.push(c);
        } else {
            folded.push_str(replacement(c)?);
            changed = true;
        }
    }
    let helps = changed && !folded.is_empty() && count(&folded).segments <= count(text).segments;
    helps.then_some(folded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Encoding;
    use super::*;

    #[test]
    fn only_what_becomes_gsm7_as_a_whole_is_folded() {
        let table = [
            ("it’s", Some("it's")),
            (
                "„Grüße“ – bis\u{a0}morgen…",
                Some("\"Grüße\" - bis morgen..."),
            ),
            ("a\u{200b}b\tc", Some("ab c")),
            ("plain", None),
            ("", None),
            ("\u{feff}", None),
            ("it’s 😀", None),
            ("déjà vu, ça va’", None),
        ];
        for (text, expected) in table {
            assert_eq!(fold(text).as_deref(), expected, "{text}");
        }
        // 60 code units are one segment, 180 septets two.
        assert_eq!(fold(&"…".repeat(60)), None);
        assert!(fold(&"…".repeat(71)).is_some());
    }

    #[test]
    fn no_character_of_gsm7_has_a_replacement_and_each_replacement_is_gsm7() {
        for c in '\0'..=char::MAX {
            if let Some(text) = replacement(c) {
                assert_eq!(gsm7::septets(c), None, "{c:?}");
                assert_eq!(count(text).encoding, Encoding::Gsm7, "{c:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn folding_never_costs_more(text in "[a-z’“–…• €ж]{0,300}") {
            if let Some(folded) = fold(&text) {
                prop_assert_eq!(count(&folded).encoding, Encoding::Gsm7);
                prop_assert!(count(&folded).segments <= count(&text).segments);
                prop_assert_eq!(fold(&folded), None);
            }
        }
    }
}
