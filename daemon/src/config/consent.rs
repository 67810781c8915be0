//! `[consent]`: the words by which people opt out and in, and what they are answered.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trunkline_plugin_api::{ConsentChange, Medium};

use crate::model::Keywords;

/// Opt-out words and what answers them. A channel says by itself whether they count on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Consent {
    /// Languages whose words count: "en", "de", "fr", "es", "nl" have words of their own, others
    /// need theirs in [consent.words.LANGUAGE]. STOP counts in every language.
    pub languages: Vec<String>,
    /// Words of a language in place of ours, in [consent.words.LANGUAGE]: lists stop, start and help.
    /// A list that is left out stays as it is.
    pub words: BTreeMap<String, Words>,
    /// What the gateway answers, once, on channels that set `replies`, in
    /// [consent.replies.LANGUAGE]: texts stop, start and help. One that is left out is not sent.
    pub replies: BTreeMap<String, Replies>,
}

impl Default for Consent {
    fn default() -> Self {
        Self {
            languages: vec!["en".into()],
            words: BTreeMap::new(),
            replies: BTreeMap::new(),
        }
    }
}

/// The words of one language.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Words {
    /// Words that opt out.
    pub stop: Option<Vec<String>>,
    /// Words that opt in again, where a person has opted out; else they mean nothing.
    pub start: Option<Vec<String>>,
    /// Words that ask for help.
    pub help: Option<Vec<String>>,
}

/// What one language's words are answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Replies {
    /// After an opt-out.
    #[schemars(length(min = 1, max = 480))]
    pub stop: Option<String>,
    /// After an opt-in.
    #[schemars(length(min = 1, max = 480))]
    pub start: Option<String>,
    /// To a call for help.
    #[schemars(length(min = 1, max = 480))]
    pub help: Option<String>,
}

/// What a channel sets about consent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelConsent {
    /// Whether the words count; where it is left out, on SMS and WhatsApp only.
    pub keywords: Option<bool>,
    /// True where the gateway answers with the texts of [consent.replies]. Leave it off where the
    /// provider answers by itself, as Twilio does.
    pub replies: bool,
}

impl ChannelConsent {
    /// Whether the words count on a channel of this medium.
    pub fn reads_keywords(&self, medium: Medium) -> bool {
        let usual = matches!(medium, Medium::Sms | Medium::Whatsapp);
        self.keywords.unwrap_or(usual)
    }
}

impl Consent {
    /// All words that count, ready to be looked for.
    pub fn keywords(&self) -> Keywords {
        let language = self.languages.first().map_or("en", String::as_str);
        let always = (language.to_owned(), ConsentChange::OptOut, "stop".into());
        let words = self.languages.iter().flat_map(|language| {
            let lists = self.lists(language).into_iter();
            lists.flat_map(move |(change, words)| {
                let words = words.into_iter();
                words.map(move |word| (language.clone(), change, word))
            })
        });
        Keywords::new(std::iter::once(always).chain(words))
    }

    /// The text that answers a word of a language, else that of the first language that has one.
    pub fn reply(&self, language: &str, change: ConsentChange) -> Option<&str> {
        let own = std::iter::once(language);
        let others = self.languages.iter().map(String::as_str);
        own.chain(others).find_map(|language| {
            let replies = self.replies.get(language)?;
            match change {
                ConsentChange::OptOut => replies.stop.as_deref(),
                ConsentChange::OptIn => replies.start.as_deref(),
                ConsentChange::Help => replies.help.as_deref(),
            }
        })
    }

    /// The words of one language, as configured or else ours.
    pub(super) fn lists(&self, language: &str) -> [(ConsentChange, Vec<String>); 3] {
        let ours = shipped(language);
        let own = self.words.get(language);
        let list = |own: Option<&Vec<String>>, ours: &[&str]| match own {
            Some(own) => own.clone(),
            None => ours.iter().map(|word| (*word).to_owned()).collect(),
        };
        let [stop, start, help] = ours.unwrap_or_default();
        [
            (
                ConsentChange::OptOut,
                list(own.and_then(|words| words.stop.as_ref()), stop),
            ),
            (
                ConsentChange::OptIn,
                list(own.and_then(|words| words.start.as_ref()), start),
            ),
            (
                ConsentChange::Help,
                list(own.and_then(|words| words.help.as_ref()), help),
            ),
        ]
    }

    /// Whether a language has any words.
    pub(super) fn knows(&self, language: &str) -> bool {
        self.words.contains_key(language) || shipped(language).is_some()
    }
}

/// Stop, start and help words of one language.
type Lists = [&'static [&'static str]; 3];

/// The words that come with the gateway. English: those that carriers in the United States ask for
/// and Twilio takes by default (its page on Advanced Opt-Out; the FCC's list in 47 CFR 64.1200).
/// The other languages are our own choice of plain words.
fn shipped(language: &str) -> Option<Lists> {
    Some(match language {
        "en" => [
            &[
                "STOP",
                "STOPALL",
                "STOP ALL",
                "UNSUBSCRIBE",
                "CANCEL",
                "END",
                "QUIT",
                "REVOKE",
                "OPTOUT",
                "OPT OUT",
                "OPT-OUT",
            ],
            &["START", "UNSTOP", "YES"],
            &["HELP", "INFO"],
        ],
        "de" => [
            &["STOP", "STOPP", "ABMELDEN", "ABBESTELLEN", "ENDE"],
            &["START", "ANMELDEN", "JA"],
            &["HILFE", "INFO"],
        ],
        "fr" => [
            &[
                "STOP",
                "ARRET",
                "ARRÊT",
                "ARRETER",
                "ARRÊTER",
                "DESABONNER",
                "DÉSABONNER",
            ],
            &["START", "REPRENDRE", "OUI"],
            &["AIDE", "INFO"],
        ],
        "es" => [
            &["STOP", "ALTO", "BAJA", "PARAR", "DETENER"],
            &["START", "ALTA", "INICIAR", "SI", "SÍ"],
            &["AYUDA", "INFO"],
        ],
        "nl" => [
            &["STOP", "STOPPEN", "AFMELDEN", "EINDE"],
            &["START", "AANMELDEN", "JA"],
            &["HELP", "INFO"],
        ],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(consent: &Consent, text: &str) -> Option<ConsentChange> {
        let keywords = consent.keywords();
        keywords.find(text).map(|(keyword, _)| keyword.change)
    }

    #[test]
    fn english_counts_by_default_and_others_when_asked_for() {
        let english = Consent::default();
        assert_eq!(change(&english, "Unsubscribe"), Some(ConsentChange::OptOut));
        assert_eq!(change(&english, "Stopp"), None);
        let both = Consent {
            languages: vec!["de".into(), "en".into()],
            ..Consent::default()
        };
        assert_eq!(change(&both, "Stopp"), Some(ConsentChange::OptOut));
        assert_eq!(change(&both, "hilfe"), Some(ConsentChange::Help));
        assert_eq!(change(&both, "ja"), Some(ConsentChange::OptIn));
    }

    #[test]
    fn own_words_take_the_place_of_ours_and_stop_stays() {
        let words = Words {
            stop: Some(vec!["Schluss".into()]),
            ..Words::default()
        };
        let consent = Consent {
            languages: vec!["de".into()],
            words: BTreeMap::from([("de".into(), words)]),
            ..Consent::default()
        };
        for (text, expected) in [
            ("schluss", Some(ConsentChange::OptOut)),
            ("stop", Some(ConsentChange::OptOut)),
            ("stopp", None),
            ("start", Some(ConsentChange::OptIn)),
        ] {
            assert_eq!(change(&consent, text), expected, "{text}");
        }
    }

    #[test]
    fn a_reply_is_in_the_language_of_the_word_where_there_is_one() {
        let replies = |stop: &str| Replies {
            stop: Some(stop.into()),
            ..Replies::default()
        };
        let consent = Consent {
            languages: vec!["en".into(), "de".into(), "nl".into()],
            replies: BTreeMap::from([
                ("en".into(), replies("Bye")),
                ("de".into(), replies("Ende")),
            ]),
            ..Consent::default()
        };
        let reply = |language| consent.reply(language, ConsentChange::OptOut);
        assert_eq!(reply("de"), Some("Ende"));
        assert_eq!(reply("nl"), Some("Bye"));
        assert_eq!(consent.reply("de", ConsentChange::Help), None);
    }

    #[test]
    fn the_medium_decides_where_the_channel_says_nothing() {
        let unset = ChannelConsent::default();
        assert!(unset.reads_keywords(Medium::Sms) && unset.reads_keywords(Medium::Whatsapp));
        assert!(!unset.reads_keywords(Medium::Webhook));
        let on = ChannelConsent {
            keywords: Some(true),
            ..unset
        };
        assert!(on.reads_keywords(Medium::Chat));
    }
}
