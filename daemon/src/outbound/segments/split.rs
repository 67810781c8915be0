//! Cutting a long text into parts that each fit a message.

use unicode_segmentation::UnicodeSegmentation as _;

use super::Counter;

/// How much one part may hold. A part holds at least one code point whatever the limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartLimit {
    /// Characters (Unicode scalar values), where limited.
    pub chars_max: Option<u32>,
    /// Segments of a text message, where limited.
    pub segments_max: Option<u32>,
}

/// Cuts a text into parts within a limit; joined together they are the text again, byte for byte.
///
/// A part ends before the first word that it can't hold. A word that no part can hold (also text
/// without spaces) is cut between two graphemes, where its part is full; a grapheme that no part
/// can hold is cut between two code points. Words are told by white space alone. An empty text has
/// no parts. Lazy: a part is cut when it is asked for.
pub fn split(text: &str, limit: PartLimit) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (part, after) = rest.split_at(first_part(rest, limit));
        rest = after;
        Some(part)
    })
}

/// Where the first part of a text ends, in bytes; never 0 for a text that is not empty.
fn first_part(text: &str, limit: PartLimit) -> usize {
    let mut part = Room::new(limit);
    let mut word_start = None;
    let mut after_space = false;
    for (at, grapheme) in text.grapheme_indices(true) {
        let is_space = grapheme.chars().all(char::is_whitespace);
        if after_space && !is_space {
            word_start = Some(at);
        }
        after_space = is_space;
        if part.take(grapheme) {
            continue;
        }
        return match word_start.filter(|start| fits(word_at(text, *start), limit)) {
            Some(start) => start,
            None if at > 0 => at,
            None => first_code_points(grapheme, limit),
        };
    }
    text.len()
}

/// The word that begins at a place, and no more of the text.
fn word_at(text: &str, start: usize) -> impl Iterator<Item = &str> {
    let graphemes = text[start..].graphemes(true);
    graphemes.take_while(|grapheme| !grapheme.chars().all(char::is_whitespace))
}

fn fits<'a>(mut graphemes: impl Iterator<Item = &'a str>, limit: PartLimit) -> bool {
    let mut room = Room::new(limit);
    graphemes.all(|grapheme| room.take(grapheme))
}

/// How many bytes of a grapheme that is too large go into a part: at least its first code point.
fn first_code_points(grapheme: &str, limit: PartLimit) -> usize {
    let mut room = Room::new(limit);
    let mut end = 0;
    for c in grapheme.chars() {
        if !room.take(c.encode_utf8(&mut [0; 4])) && end > 0 {
            break;
        }
        end += c.len_utf8();
    }
    end
}

/// A part being filled.
struct Room {
    limit: PartLimit,
    chars: usize,
    counter: Counter,
}

impl Room {
    fn new(limit: PartLimit) -> Self {
        Self {
            limit,
            chars: 0,
            counter: Counter::default(),
        }
    }

    /// Adds text where it fits whole; says whether it did.
    fn take(&mut self, text: &str) -> bool {
        let chars = self.chars + text.chars().count();
        if self.limit.chars_max.is_some_and(|max| chars > max as usize) {
            return false;
        }
        let mut counter = self.counter;
        if let Some(max) = self.limit.segments_max {
            counter.push(text);
            if counter.segments().segments > max {
                return false;
            }
        }
        (self.chars, self.counter) = (chars, counter);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Encoding, count};
    use super::*;

    const FAMILY: &str = "👨\u{200d}👩\u{200d}👧\u{200d}👦";

    fn chars(max: u32) -> PartLimit {
        PartLimit {
            chars_max: Some(max),
            segments_max: None,
        }
    }

    fn segments(max: u32) -> PartLimit {
        PartLimit {
            chars_max: None,
            segments_max: Some(max),
        }
    }

    fn parts(text: &str, limit: PartLimit) -> Vec<&str> {
        split(text, limit).collect()
    }

    #[test]
    fn parts_end_between_words_where_they_can() {
        let family = format!("ab{FAMILY}c");
        let after_family = format!("{FAMILY}c");
        let table: [(&str, u32, &[&str]); 11] = [
            ("", 5, &[]),
            ("short", 5, &["short"]),
            ("one two three", 9, &["one two ", "three"]),
            ("aaaa bbbb cccc", 9, &["aaaa ", "bbbb cccc"]),
            // A word that fits a part is moved to the next one, never cut.
            ("hi https://x.io/abc", 16, &["hi ", "https://x.io/abc"]),
            // One that does not is cut where the part is full.
            ("hi abcdefghijklmnop", 8, &["hi abcde", "fghijklm", "nop"]),
            ("道可道非常道", 4, &["道可道非", "常道"]),
            // White space goes with the word before it.
            ("word     next", 6, &["word  ", "   ", "next"]),
            ("abcd ", 4, &["abcd", " "]),
            (&family, 8, &["ab", &after_family]),
            ("e\u{301}e\u{301}", 3, &["e\u{301}", "e\u{301}"]),
        ];
        for (text, max, expected) in table {
            assert_eq!(parts(text, chars(max)), expected, "{text}");
        }
    }

    #[test]
    fn a_grapheme_that_no_part_holds_is_cut_between_code_points() {
        let found = parts(FAMILY, chars(3));
        assert_eq!(found.concat(), FAMILY);
        assert!(found.len() == 3 && found.iter().all(|part| part.chars().count() <= 3));
        // Limits that nothing fits still end.
        assert_eq!(parts("aé😀", chars(0)), ["a", "é", "😀"]);
        assert_eq!(parts("aé😀", segments(0)), ["a", "é", "😀"]);
    }

    #[test]
    fn each_part_has_an_encoding_of_its_own() {
        let text = format!("{} 😀 {}", "word ".repeat(60), "word ".repeat(60));
        let encodings: Vec<_> = split(&text, segments(1))
            .map(|part| count(part).encoding)
            .collect();
        assert!(encodings.contains(&Encoding::Gsm7) && encodings.contains(&Encoding::Ucs2));
        let ucs2 = encodings.iter().filter(|found| **found == Encoding::Ucs2);
        assert!(ucs2.count() <= 2, "{encodings:?}");
    }

    #[test]
    fn texts_of_one_segment_each_are_full() {
        let cjk = "道".repeat(4000);
        assert_eq!(parts(&cjk, segments(1)).len(), 58);
        assert_eq!(parts(&cjk, chars(1600)).len(), 3);
        assert_eq!(parts(&"€".repeat(81), segments(1)).len(), 2);
    }

    fn any_text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-z ]{1,12}",
            "[€{}~^ ]{1,6}",
            "[ж道é’ \n]{1,6}",
            Just("😀".to_owned()),
            Just(FAMILY.to_owned()),
            Just("e\u{301}\u{302}\u{303}".to_owned()),
            Just("🇩🇪".to_owned()),
            Just("\r\n".to_owned()),
            any::<String>(),
        ];
        prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat())
    }

    fn any_limit() -> impl Strategy<Value = PartLimit> {
        (prop::option::of(1_u32..300), prop::option::of(1_u32..4)).prop_map(
            |(chars_max, segments_max)| PartLimit {
                chars_max,
                segments_max,
            },
        )
    }

    fn within(part: &str, limit: PartLimit) -> bool {
        limit
            .chars_max
            .is_none_or(|max| part.chars().count() <= max as usize)
            && limit
                .segments_max
                .is_none_or(|max| count(part).segments <= max)
    }

    proptest! {
        #[test]
        fn parts_are_the_text_again_and_each_fits(text in any_text(), limit in any_limit()) {
            let parts = parts(&text, limit);
            prop_assert_eq!(parts.concat(), text.as_str());
            for part in parts {
                prop_assert!(!part.is_empty() && within(part, limit), "{:?}", part);
            }
        }

        #[test]
        fn a_grapheme_is_cut_only_where_it_fits_no_part(text in any_text(), limit in any_limit()) {
            let mut edges = std::collections::BTreeSet::new();
            let mut at = 0;
            for part in split(&text, limit) {
                at += part.len();
                edges.insert(at);
            }
            for (start, grapheme) in text.grapheme_indices(true) {
                let inside = edges.range(start + 1..start + grapheme.len()).count();
                prop_assert!(inside == 0 || !within(grapheme, limit), "{:?}", grapheme);
            }
        }

        #[test]
        fn a_word_is_cut_only_where_it_fits_no_part(text in "[a-z€ж]{1,30}( {1,3}[a-z€ж]{1,30}){0,20}", limit in any_limit()) {
            let mut at = 0;
            for part in split(&text, limit) {
                at += part.len();
                let inside = !text[..at].ends_with(' ') && !text[at..].starts_with(' ') && at < text.len();
                if inside {
                    let start = text[..at].rfind(' ').map_or(0, |space| space + 1);
                    let end = text[at..].find(' ').map_or(text.len(), |space| at + space);
                    prop_assert!(!within(&text[start..end], limit), "{:?}", &text[start..end]);
                }
            }
        }
    }
}
