//! The words by which people opt out, opt in or ask for help, found in what they wrote.
//!
//! A message is one of these words where nothing else is in it but blanks, punctuation and signs
//! around it; upper and lower case, composed and decomposed accents and full-width letters are the
//! same. A word inside a sentence is not one.

use icu_normalizer::ComposingNormalizerBorrowed;
use trunkline_plugin_api::ConsentChange;

/// Longer texts, in bytes, are not looked at: no keyword, with what may stand around it, is.
const TEXT_BYTES_MAX: usize = 256;
/// Longest keyword, in characters.
pub const KEYWORD_CHARS_MAX: usize = 40;

/// One word and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyword {
    /// What a person wants who writes it.
    pub change: ConsentChange,
    /// The language that it belongs to, as configured.
    pub language: String,
    /// Its normal form.
    word: String,
}

/// All words that count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keywords {
    words: Vec<Keyword>,
    bytes_max: usize,
    chars_max: usize,
}

impl Keywords {
    /// The words of several languages; of two that are the same the first counts.
    pub fn new(words: impl IntoIterator<Item = (String, ConsentChange, String)>) -> Self {
        let mut keywords = Self::default();
        for (language, change, word) in words {
            let Some(word) = normal_keyword(&word) else {
                continue;
            };
            if keywords.words.iter().any(|known| known.word == word) {
                continue;
            }
            keywords.bytes_max = keywords.bytes_max.max(word.len());
            keywords.chars_max = keywords.chars_max.max(word.chars().count());
            keywords.words.push(Keyword {
                change,
                language,
                word,
            });
        }
        keywords
    }

    /// The word that a text is, with the text without what stands around it.
    pub fn find<'t>(&self, text: &'t str) -> Option<(&Keyword, &'t str)> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let written = bare(text);
        // A sign that is no letter may stand for letters: only a text in ASCII is what it looks like.
        let found = if text.is_ascii() {
            self.find_ascii(written)
        } else {
            self.find_folded(text, written)
        };
        found.map(|keyword| (keyword, written))
    }

    /// Nearly every message ends here, at no cost.
    fn find_ascii(&self, written: &str) -> Option<&Keyword> {
        if written.len() > self.bytes_max {
            return None;
        }
        self.words
            .iter()
            .find(|known| known.word.eq_ignore_ascii_case(written))
    }

    fn find_folded(&self, text: &str, written: &str) -> Option<&Keyword> {
        // A letter may be written with marks of its own, which fold into it.
        if written.chars().count() > self.chars_max * 2 {
            return None;
        }
        let word = fold(text);
        self.words.iter().find(|known| known.word == word)
    }
}

/// The normal form of a configured word; none for one that can't be: empty, or too long.
pub fn normal_keyword(word: &str) -> Option<String> {
    let word = fold(word);
    (1..=KEYWORD_CHARS_MAX)
        .contains(&word.chars().count())
        .then_some(word)
}

fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| !c.is_alphanumeric())
}

/// Compatible forms made one, lower case, bare.
fn fold(text: &str) -> String {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let lower: String = nfkc
        .normalize_iter(text.chars())
        .flat_map(char::to_lowercase)
        .collect();
    bare(&lower).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keywords() -> Keywords {
        let word = |language: &str, change, word: &str| (language.into(), change, word.into());
        Keywords::new([
            word("en", ConsentChange::OptOut, "STOP"),
            word("en", ConsentChange::OptOut, "opt-out"),
            word("en", ConsentChange::OptIn, "Start"),
            word("en", ConsentChange::Help, "HELP"),
            word("fr", ConsentChange::OptOut, "ARRÊT"),
            word("fr", ConsentChange::OptOut, "stop"),
            word("de", ConsentChange::OptOut, "STOPP"),
            word("ru", ConsentChange::OptOut, "СТОП"),
        ])
    }

    fn change(text: &str) -> Option<ConsentChange> {
        keywords().find(text).map(|(keyword, _)| keyword.change)
    }

    #[test]
    fn a_word_alone_is_found_however_it_is_written() {
        for text in [
            "STOP",
            "stop",
            "Stop.",
            "  stop!! ",
            "«STOP»",
            "stop \u{1f64f}",
            "\u{ff33}\u{ff34}\u{ff2f}\u{ff30}",
            "\tSTOP\r\n",
            "\u{a0}stop\u{200b}",
            "#stop",
            "/stop",
            "Opt-Out",
            "arrêt",
            "ARRE\u{302}T",
            "стоп",
            "Stopp!",
        ] {
            assert_eq!(change(text), Some(ConsentChange::OptOut), "{text:?}");
        }
        assert_eq!(change("start"), Some(ConsentChange::OptIn));
        assert_eq!(change("Help?"), Some(ConsentChange::Help));
    }

    #[test]
    fn a_word_in_a_sentence_is_not() {
        for text in [
            "",
            " ",
            "...",
            "please stop",
            "stop it",
            "non-stop",
            "stops",
            "don't stop",
            "s t o p",
            "stop1",
            "restart",
            "helpful",
            "arrêter",
            "opt out",
            "\u{1f6d1}",
        ] {
            assert_eq!(change(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_first_language_that_has_a_word_gives_its_meaning_and_the_writing_is_kept() {
        let keywords = keywords();
        let (keyword, written) = keywords.find(" Stop! ").unwrap();
        assert_eq!((keyword.language.as_str(), written), ("en", "Stop"));
    }

    #[test]
    fn a_sign_that_stands_for_letters_is_found() {
        let keywords = Keywords::new([("ja".into(), ConsentChange::Help, "\u{1f200}".into())]);
        for text in ["\u{1f200}", "\u{307b}\u{304b}", " \u{1f200}! "] {
            assert!(keywords.find(text).is_some(), "{text:?}");
        }
        assert!(keywords.find("").is_none());
        assert!(keywords.find("\u{1f64f}").is_none());
    }

    #[test]
    fn words_that_can_not_be_are_told() {
        assert_eq!(normal_keyword(" Stop! ").as_deref(), Some("stop"));
        assert_eq!(normal_keyword("!?"), None);
        assert_eq!(normal_keyword(&"x".repeat(41)), None);
    }

    proptest! {
        #[test]
        fn what_stands_around_a_word_does_not_matter(
            before in "[ \t\r\n.,!?\"'()*#-]{0,20}",
            after in "[ \t\r\n.,!?\"'()*#-]{0,20}",
            upper in any::<[bool; 4]>(),
        ) {
            let word: String = "stop".chars().zip(upper)
                .map(|(c, upper)| if upper { c.to_ascii_uppercase() } else { c })
                .collect();
            let text = format!("{before}{word}{after}");
            let keywords = keywords();
            let (keyword, written) = keywords.find(&text).unwrap();
            prop_assert_eq!(keyword.change, ConsentChange::OptOut);
            prop_assert_eq!(written, word);
        }

        #[test]
        fn letters_beside_a_word_make_it_another(
            before in "[a-zäöü0-9]{0,3}",
            after in "[a-zäöü0-9]{0,3}",
        ) {
            prop_assume!(!before.is_empty() || !after.is_empty());
            let text = format!("{before}stop{after}");
            prop_assume!(text != "stopp");
            prop_assert_eq!(change(&text), None);
        }

        #[test]
        fn any_text_is_taken_and_long_ones_are_none(text in "\\PC{0,300}") {
            let found = change(&text);
            if bare(&text).chars().count() > KEYWORD_CHARS_MAX * 2 || text.len() > TEXT_BYTES_MAX {
                prop_assert_eq!(found, None);
            }
        }

        #[test]
        fn a_normal_form_is_its_own(word in "\\PC{1,30}") {
            if let Some(normal) = normal_keyword(&word) {
                prop_assert_eq!(normal_keyword(&normal), Some(normal.clone()));
                let keywords = Keywords::new([("x".into(), ConsentChange::Help, word.clone())]);
                prop_assert!(keywords.find(&word).is_some(), "{:?}", word);
            }
        }
    }
}
