//! What is told of trials: what differs, and what to change. Without secrets and path tokens.

use trunkline_plugin_api::Verdict;

use super::{
    address::Address,
    causes::{Known, Variation},
    retest::Match,
};
use crate::{inbound::REQUEST_BYTES_MAX, model::mask_url};

fn found(cause: impl Into<String>, words: impl Into<String>) -> Match {
    Match {
        cause: cause.into(),
        words: words.into(),
    }
}

/// It passes as it came.
pub(super) fn passes_now() -> Match {
    found(
        "changed",
        "it would be accepted now: what was wrong has been put right since",
    )
}

/// Right but for its time.
pub(super) fn expired(reason: &str) -> Match {
    found(
        "clock",
        format!(
            "its signature may be right, but its signed time is too far from this machine's: \
             {reason}. Look at the clock (is it kept by NTP?); where it is right, somebody sends an \
             old request again"
        ),
    )
}

/// Another channel's adapter takes it.
pub(super) fn of_other(id: &str) -> Match {
    found(
        "other_channel",
        format!(
            "it is genuine for channel {id}: the secrets of the two channels are swapped, or the \
             provider calls this channel's address with what is meant for {id}"
        ),
    )
}

/// Another secret matches.
pub(super) fn secret(words: &str) -> Match {
    found("secret", words)
}

/// Another secret and another URL match.
pub(super) fn both(secret: &str, url: &Match) -> Match {
    found(
        format!("secret+{}", url.cause),
        format!("{secret}; besides, {}", url.words),
    )
}

/// Another URL matches.
pub(super) fn url(variation: &Variation, received: &str, known: &Known) -> Match {
    let signed = variation.url.to_string();
    let mut words = format!(
        "the provider signed {}, and {} was checked",
        shown(&signed),
        shown(received)
    );
    if variation.moves_origin() {
        let advice = format!(
            ": set server.public_url to \"{}\", or give the provider the address that `trunkline \
             channel show` prints",
            new_public_url(&variation.url, known)
        );
        words.push_str(&advice);
    }
    for edit in variation
        .edits
        .iter()
        .filter(|edit| !edit.advice.is_empty())
    {
        words.push_str(if words.contains(": ") { "; " } else { ": " });
        words.push_str(&edit.advice);
    }
    found(variation.cause(), words)
}

/// A URL without its token and what is in its query.
fn shown(url: &str) -> String {
    let query = if url.contains('?') { "?..." } else { "" };
    format!("{}{query}", mask_url(url))
}

/// The signed URL's origin with the path that `public_url` has.
fn new_public_url(signed: &Address, known: &Known) -> String {
    let path = Address::parse(&known.public_url).map(|url| url.path);
    format!("{}{}", signed.origin(), path.unwrap_or_default())
}

/// Nothing matched.
pub(super) fn nothing(verdict: Verdict, trials: usize, secret_keys: &[String]) -> String {
    let keys = match secret_keys {
        [] => "its secret".to_owned(),
        keys => keys.join(", "),
    };
    match verdict {
        Verdict::Unsigned => format!(
            "it carries no signature that the channel could check: the sender is not the provider, \
             a proxy takes the header away, or the provider signs in a way that no secret is \
             configured for ({keys})"
        ),
        Verdict::NoSecret => format!("the channel has no inbound secret: configure {keys}"),
        _ => format!(
            "none of {trials} trials matched: the secret is most likely another one: compare {keys} \
             with what the provider shows; or the sender is not the provider"
        ),
    }
}

/// It is not whole.
pub(super) fn cut() -> String {
    format!(
        "it is larger than the {} kB that are kept of a refused webhook, so its signature can't be \
         tried again",
        REQUEST_BYTES_MAX / 1024
    )
}

/// The trials are used up.
pub(super) fn enough(trials: usize) -> String {
    format!("not tried: {trials} trials were enough for one examination; ask again for the rest")
}
