//! Segments of a text message: what a carrier bills and a phone joins again. Pure functions.
//!
//! ```text
//! text ─> count: encoding, units, segments
//!      ─> fold: typographic look-alikes ─> GSM-7, where the whole text then is
//!      ─> split: parts that fit a message, cut between words or graphemes
//! ```
//!
//! The rules are those of GSM 03.38 (3GPP TS 23.038) and of concatenated messages (TS 23.040): a
//! text whose every character is in GSM-7 goes in septets, 160 in a single segment and 153 in each
//! of several; any other goes as a whole in UTF-16, 70 and 67 code units. What takes two units (an
//! extension character, a surrogate pair) is never cut in two, so a segment may stay one short.

mod fold;
mod gsm7;
mod split;

use serde::Serialize;

pub use fold::fold;
pub use split::{PartLimit, split};

/// How a text is put into segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Septets of the GSM default alphabet and its extension.
    Gsm7,
    /// UTF-16 code units.
    Ucs2,
}

impl Encoding {
    /// The encoding as it is written in JSON: `gsm7`, `ucs2`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm7",
            Self::Ucs2 => "ucs2",
        }
    }

    /// Units that fit a message of one segment.
    fn single(self) -> u32 {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// Units that fit each segment of several.
    fn joined(self) -> u32 {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }
}

/// What a text comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Segments {
    /// How it is encoded.
    pub encoding: Encoding,
    /// Its length: septets, or UTF-16 code units.
    pub units: u32,
    /// How many segments it takes; 0 for an empty text.
    pub segments: u32,
    /// Units that fit each of these segments: 160 or 153 septets, 70 or 67 code units.
    pub unit_limit: u32,
}

/// Counts the segments of a text.
pub fn count(text: &str) -> Segments {
    let mut counter = Counter::default();
    counter.push(text);
    counter.segments()
}

/// Counts a text that grows; both encodings at once, since any character may decide for UCS-2.
#[derive(Debug, Clone, Copy)]
struct Counter {
    /// None from the first character on that GSM-7 lacks.
    gsm7: Option<Fill>,
    ucs2: Fill,
}

impl Default for Counter {
    fn default() -> Self {
        Self {
            gsm7: Some(Fill::default()),
            ucs2: Fill::default(),
        }
    }
}

impl Counter {
    fn push(&mut self, text: &str) {
        for c in text.chars() {
            self.gsm7 = self.gsm7.zip(gsm7::septets(c)).map(|(mut fill, septets)| {
                fill.add(septets, Encoding::Gsm7.joined());
                fill
            });
            let code_units = if c.len_utf16() == 2 { 2 } else { 1 };
            self.ucs2.add(code_units, Encoding::Ucs2.joined());
        }
    }

    fn segments(&self) -> Segments {
        let (encoding, fill) = match self.gsm7 {
            Some(fill) => (Encoding::Gsm7, fill),
            None => (Encoding::Ucs2, self.ucs2),
        };
        let (segments, unit_limit) = if fill.units <= encoding.single() {
            (u32::from(fill.units > 0), encoding.single())
        } else {
            (fill.joined, encoding.joined())
        };
        Segments {
            encoding,
            units: fill.units,
            segments,
            unit_limit,
        }
    }
}

/// Segments filled from the left.
#[derive(Debug, Clone, Copy, Default)]
struct Fill {
    /// All units.
    units: u32,
    /// Segments begun, were there several.
    joined: u32,
    /// Units in the last of them.
    last: u32,
}

impl Fill {
    fn add(&mut self, width: u32, limit: u32) {
        self.units = self.units.saturating_add(width);
        if self.joined == 0 || self.last + width > limit {
            self.joined = self.joined.saturating_add(1);
            self.last = 0;
        }
        self.last += width;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn segments_are_those_of_the_carriers() {
        let (gsm7, ucs2) = (Encoding::Gsm7, Encoding::Ucs2);
        let mixed = format!("{}€{}", "a".repeat(152), "a".repeat(10));
        let one_emoji = format!("{}😀", "a".repeat(100));
        let cjk = "道可道非常道名可名非常名".repeat(334)[..12_000].to_owned();
        let table = [
            (String::new(), gsm7, 0, 0),
            ("a".repeat(160), gsm7, 160, 1),
            ("a".repeat(161), gsm7, 161, 2),
            ("a".repeat(306), gsm7, 306, 2),
            ("a".repeat(307), gsm7, 307, 3),
            ("€".repeat(80), gsm7, 160, 1),
            ("€".repeat(81), gsm7, 162, 2),
            ("€".repeat(152), gsm7, 304, 2),
            ("€".repeat(153), gsm7, 306, 3),
            (mixed, gsm7, 164, 2),
            ("ж".repeat(70), ucs2, 70, 1),
            ("ж".repeat(71), ucs2, 71, 2),
            ("ж".repeat(134), ucs2, 134, 2),
            ("ж".repeat(135), ucs2, 135, 3),
            ("😀".repeat(35), ucs2, 70, 1),
            ("😀".repeat(36), ucs2, 72, 2),
            ("😀".repeat(66), ucs2, 132, 2),
            ("😀".repeat(67), ucs2, 134, 3),
            ("it’s".into(), ucs2, 4, 1),
            ("it's".into(), gsm7, 4, 1),
            ("Ç".into(), gsm7, 1, 1),
            ("ç".into(), ucs2, 1, 1),
            ("`".into(), ucs2, 1, 1),
            ("5 € {}".into(), gsm7, 9, 1),
            ("\u{1b}".into(), ucs2, 1, 1),
            (one_emoji, ucs2, 102, 2),
            (cjk, ucs2, 4000, 60),
        ];
        for (text, encoding, units, segments) in table {
            let counted = count(&text);
            let found = (counted.encoding, counted.units, counted.segments);
            assert_eq!(found, (encoding, units, segments), "{text:.40}");
            let limit = match (encoding, segments) {
                (Encoding::Gsm7, 0 | 1) => 160,
                (Encoding::Gsm7, _) => 153,
                (Encoding::Ucs2, 0 | 1) => 70,
                (Encoding::Ucs2, _) => 67,
            };
            assert_eq!(counted.unit_limit, limit, "{text:.40}");
        }
    }

    proptest! {
        #[test]
        fn segments_hold_their_text_and_none_is_needless(text in "(?s)[a-zA-Z€{é’ж😀\\PC]{0,400}") {
            let counted = count(&text);
            prop_assert!(counted.units <= counted.segments * counted.unit_limit);
            // A segment stays at most one unit short, where the next character takes two.
            let held = counted.segments.saturating_sub(1) * (counted.unit_limit - 1);
            prop_assert!(counted.segments <= 1 || held < counted.units);
            prop_assert_eq!(counted.segments == 0, text.is_empty());
            if counted.encoding == Encoding::Ucs2 {
                prop_assert_eq!(counted.units as usize, text.encode_utf16().count());
            }
        }

        #[test]
        fn any_text_is_counted_and_folded(text: String) {
            let counted = count(&text);
            prop_assert!(counted.units as usize >= text.encode_utf16().count());
            if let Some(folded) = fold(&text) {
                prop_assert!(count(&folded).segments <= counted.segments);
            }
        }

        #[test]
        fn a_longer_text_never_takes_fewer_segments(text in "(?s)[a-z€{ж😀]{0,250}", more in "(?s)[a-z€ж😀]") {
            let longer = format!("{text}{more}");
            prop_assert!(count(&longer).segments >= count(&text).segments);
        }
    }
}
