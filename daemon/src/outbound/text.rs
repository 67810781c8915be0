//! How a text goes to the provider: folded where asked, whole where it fits, else in parts.
//!
//! What is shown is the text as it was written. The plan is made when the message is accepted, and
//! its parts are stored with the message: a later change of the policy does not change them.

use trunkline_plugin_api::Medium;

use super::segments::{Encoding, PartLimit, Segments, count, fold, split};
use crate::{
    channel::Channel,
    config::{Long, Text},
};

/// What a channel does with texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPolicy {
    /// Whether the medium counts in segments.
    pub segmented: bool,
    /// The channel's own choices.
    pub text: Text,
}

impl TextPolicy {
    /// The policy in force for a channel.
    pub fn of(channel: &Channel) -> Self {
        Self {
            segmented: channel.medium() == Medium::Sms,
            text: channel.config().text.clone(),
        }
    }
}

/// A text as it goes to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPlan {
    /// One message each, in order; a text that fits is one part, an empty one too.
    pub parts: Vec<String>,
    /// What each part comes to; empty for media without segments.
    pub segments: Vec<Segments>,
    /// The encoding of all parts, UCS-2 where one of them needs it; none without segments.
    pub encoding: Option<Encoding>,
    /// True where look-alikes were folded.
    pub folded: bool,
}

impl TextPlan {
    /// True where what goes to the provider is not the text as it was written: parts of it, or
    /// folded.
    pub fn is_rewritten(&self) -> bool {
        self.folded || self.parts.len() > 1
    }

    /// Segments of all parts together.
    pub fn segments_total(&self) -> u32 {
        self.segments.iter().map(|part| part.segments).sum()
    }

    /// Septets or code units of all parts together.
    pub fn units_total(&self) -> u32 {
        self.segments.iter().map(|part| part.units).sum()
    }
}

/// Why a text can't go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It is too long for one message, and the channel does not split.
    #[error("{}; one message takes {}", .length, words(*.limit))]
    TooLong {
        /// What it comes to.
        length: Length,
        /// What fits.
        limit: PartLimit,
    },
    /// It would take more messages than the channel allows.
    #[error("{}; that is more than {parts_max} messages of {}", .length, words(*.limit))]
    TooManyParts {
        /// What it comes to.
        length: Length,
        /// What fits one part.
        limit: PartLimit,
        /// Most parts.
        parts_max: u32,
    },
}

impl TextError {
    /// What to change in `[channel.ID.text]`, for people.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "set long = \"split\"",
            Self::TooManyParts { .. } => "raise parts_max",
        }
    }
}

/// How long a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// Characters (Unicode scalar values).
    pub chars: usize,
    /// Where the medium counts in segments.
    pub segments: Option<Segments>,
}

impl std::fmt::Display for Length {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "the text has {} characters", self.chars)?;
        match self.segments {
            Some(found) => {
                let (encoding, segments) = (found.encoding.as_str(), found.segments);
                write!(out, " ({encoding}, {segments} segments)")
            }
            None => Ok(()),
        }
    }
}

fn words(limit: PartLimit) -> String {
    match (limit.chars_max, limit.segments_max) {
        (Some(chars), Some(1)) => format!("{chars} characters and 1 segment"),
        (Some(chars), Some(segments)) => format!("{chars} characters and {segments} segments"),
        (None, Some(1)) => "1 segment".into(),
        (None, Some(segments)) => format!("{segments} segments"),
        (Some(chars), None) => format!("{chars} characters"),
        (None, None) => "any length".into(),
    }
}

/// Plans how a text goes out. `max_len` is what one message of the channel takes, in characters.
pub fn plan_text(
    text: &str,
    policy: &TextPolicy,
    max_len: Option<u32>,
) -> Result<TextPlan, TextError> {
    let limit = PartLimit {
        chars_max: max_len,
        segments_max: policy.text.segments_max.filter(|_| policy.segmented),
    };
    let folded = wanted_fold(text, policy, limit);
    let going = folded.as_deref().unwrap_or(text);
    let parts_max = match policy.text.long {
        Long::Reject => 1,
        Long::Split => policy.text.parts_max.max(1),
    };
    // One more than allowed tells that there are too many; the rest need not be made.
    let mut parts: Vec<String> = split(going, limit)
        .take(parts_max as usize + 1)
        .map(str::to_owned)
        .collect();
    if parts.len() > parts_max as usize {
        return Err(too_long(going, policy, limit));
    }
    if parts.is_empty() {
        parts.push(String::new());
    }
    let counted = parts.iter().filter(|_| policy.segmented);
    let segments: Vec<Segments> = counted.map(|part| count(part)).collect();
    Ok(TextPlan {
        encoding: together(&segments),
        parts,
        segments,
        folded: folded.is_some(),
    })
}

/// The folded text, where folding is asked for and helps. A text that fits one message as it is
/// does not become two by it.
fn wanted_fold(text: &str, policy: &TextPolicy, limit: PartLimit) -> Option<String> {
    if !(policy.segmented && policy.text.fold) {
        return None;
    }
    let fits = |text: &str| split(text, limit).nth(1).is_none();
    let folded = fold(text)?;
    (fits(&folded) || !fits(text)).then_some(folded)
}

fn together(segments: &[Segments]) -> Option<Encoding> {
    let encodings = || segments.iter().map(|part| part.encoding);
    encodings()
        .find(|encoding| *encoding == Encoding::Ucs2)
        .or_else(|| encodings().next())
}

fn too_long(text: &str, policy: &TextPolicy, limit: PartLimit) -> TextError {
    let length = Length {
        chars: text.chars().count(),
        segments: policy.segmented.then(|| count(text)),
    };
    match policy.text.long {
        Long::Reject => TextError::TooLong { length, limit },
        Long::Split => TextError::TooManyParts {
            length,
            limit,
            parts_max: policy.text.parts_max,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy(long: Long) -> TextPolicy {
        TextPolicy {
            segmented: true,
            text: Text {
                long,
                fold: true,
                ..Text::default()
            },
        }
    }

    #[test]
    fn what_fits_goes_whole_and_what_does_not_follows_the_policy() {
        let short = plan_text("it’s", &policy(Long::Reject), Some(1600)).unwrap();
        assert_eq!((short.encoding, short.folded), (Some(Encoding::Gsm7), true));
        assert_eq!(short.parts, ["it's"]);

        let long = "word ".repeat(400);
        let error = plan_text(&long, &policy(Long::Reject), Some(1600)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the text has 2000 characters (gsm7, 14 segments); one message takes 1600 characters"
        );
        let split = plan_text(&long, &policy(Long::Split), Some(1600)).unwrap();
        assert_eq!(split.parts.concat(), long);
        assert_eq!((split.parts.len(), split.segments_total()), (2, 14));
        let error = plan_text(&long, &policy(Long::Split), Some(100)).unwrap_err();
        assert!(
            error.to_string().contains("more than 10 messages"),
            "{error}"
        );
    }

    #[test]
    fn segments_are_counted_and_limited_for_text_messages_alone() {
        let mut limited = policy(Long::Reject);
        limited.text.segments_max = Some(1);
        assert!(plan_text(&"ж".repeat(71), &limited, None).is_err());
        limited.segmented = false;
        let plan = plan_text(&"’ж".repeat(71), &limited, None).unwrap();
        assert_eq!(
            (plan.encoding, plan.segments_total(), plan.folded),
            (None, 0, false)
        );
    }

    #[test]
    fn folding_splits_nothing_that_fits() {
        let text = format!("{}…", "a".repeat(99));
        let plan = plan_text(&text, &policy(Long::Split), Some(100)).unwrap();
        assert_eq!((plan.parts, plan.folded), (vec![text], false));
        let plan = plan_text("", &policy(Long::Reject), Some(100)).unwrap();
        assert_eq!((plan.parts.len(), plan.segments_total()), (1, 0));
    }

    #[test]
    fn one_part_in_ucs2_makes_the_whole_ucs2() {
        let text = format!("{}😀", "word ".repeat(40));
        let plan = plan_text(&text, &policy(Long::Split), Some(100)).unwrap();
        let encodings: Vec<_> = plan.segments.iter().map(|part| part.encoding).collect();
        assert!(encodings.contains(&Encoding::Gsm7), "{encodings:?}");
        assert_eq!(plan.encoding, Some(Encoding::Ucs2));
    }

    proptest! {
        #[test]
        fn plans_hold_the_text_and_count_each_part(text in "(?s)[a-z ’…€ж😀\\PC]{0,300}", max_len in 1_u32..400, fold: bool) {
            let mut policy = policy(Long::Split);
            policy.text.fold = fold;
            policy.text.parts_max = 100;
            if let Ok(plan) = plan_text(&text, &policy, Some(max_len)) {
                prop_assert!(plan.folded || plan.parts.concat() == text);
                prop_assert!(fold || !plan.folded);
                let counts: Vec<_> = plan.parts.iter().map(|part| count(part)).collect();
                prop_assert_eq!(&plan.segments, &counts);
                prop_assert!(plan.parts.iter().all(|part| part.chars().count() <= max_len as usize));
            } else {
                prop_assert!(text.chars().count() > max_len as usize);
            }
        }
    }
}
