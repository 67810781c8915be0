//! Which channel a recipient's address belongs to.

use std::sync::Arc;

use trunkline_plugin_api::Front;

use crate::channel::{Channel, Routes};

/// Where a mail to an address goes.
pub(super) enum Route {
    /// To this channel.
    Channel(Arc<Channel>),
    /// Its channel can't take it now, or one whose addresses are not known now may be its channel.
    NotNow(&'static str),
    /// Nowhere.
    Unknown,
}

/// The channel that takes mails and has this address: as it is written, or without what follows a
/// plus sign. Letters are compared without their case.
pub(super) fn route(routes: &Routes, address: &str) -> Route {
    let wanted = address.to_lowercase();
    let found = find(routes, &wanted).or_else(|| find(routes, &without_suffix(&wanted)?));
    match found {
        Some(channel) if channel.down_reason().is_some() => {
            Route::NotNow("4.3.0 the channel of this address is down, come back later")
        }
        Some(channel) => Route::Channel(channel.clone()),
        // Its plugin is missing: it may be the one, and a refusal would bounce the mail.
        None if routes.channels().any(|channel| channel.facts.is_none()) => {
            Route::NotNow("4.3.0 not all channels are there now, come back later")
        }
        None => Route::Unknown,
    }
}

fn find<'a>(routes: &'a Routes, address: &str) -> Option<&'a Arc<Channel>> {
    routes.channels().find(|channel| {
        let facts = channel.facts.as_ref();
        facts.is_some_and(|facts| {
            let mut addresses = facts.addresses.iter();
            facts.fronts.contains(&Front::Mail)
                && addresses.any(|own| own.to_lowercase() == address)
        })
    })
}

/// `help@example.com` for `help+token@example.com`.
fn without_suffix(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let (base, _) = local.split_once('+')?;
    (!base.is_empty()).then(|| format!("{base}@{domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_is_what_follows_the_first_plus_sign() {
        let plain = |address| without_suffix(address);
        assert_eq!(
            plain("help+a+b@example.com").as_deref(),
            Some("help@example.com")
        );
        assert_eq!(plain("help@example.com"), None);
        assert_eq!(plain("+a@example.com"), None);
        assert_eq!(plain("help@ex+ample.com"), None);
        assert_eq!(plain("nobody"), None);
    }
}
