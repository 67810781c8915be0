//! Links by which a provider fetches one file for a short time, without a token of ours.
//!
//! `/media/{token}/{name}`: the token holds organization, hash and end, and a code over them that only
//! this installation can make. The name is for people and endings; nothing depends on it.

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;

use crate::{
    config::Settings,
    model::{MediaHash, Millis, OrgId},
};

/// Bytes of organization, hash and end.
const CLAIMS_BYTES: usize = 4 + 32 + 8;
/// Characters of a name in a link.
const NAME_CHARS_MAX: usize = 80;

/// Makes and reads links.
pub struct MediaLinks {
    key: hmac::Key,
    settings: Settings,
}

impl MediaLinks {
    /// Links under the installation's key.
    pub fn new(key: &[u8; 32], settings: Settings) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            settings,
        }
    }

    /// The link to a file, for `[media] link_lifetime` from now.
    pub fn url(&self, org: OrgId, hash: &MediaHash, name: Option<&str>, now_ms: Millis) -> String {
        let settings = self.settings.load();
        let lifetime = Millis::try_from(settings.media.link_lifetime.as_millis());
        let ends_ms = now_ms.saturating_add(lifetime.unwrap_or(Millis::MAX));
        let token = self.token(org, hash, ends_ms);
        let name = plain(name.unwrap_or("file"));
        settings
            .server
            .public_url
            .join(&format!("/media/{token}/{name}"))
    }

    fn token(&self, org: OrgId, hash: &MediaHash, ends_ms: Millis) -> String {
        let mut bytes = org.0.to_be_bytes().to_vec();
        bytes.extend_from_slice(hash.as_bytes());
        bytes.extend_from_slice(&ends_ms.to_be_bytes());
        let code = hmac::sign(&self.key, &bytes);
        bytes.extend_from_slice(code.as_ref());
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// What a token leads to at a time; none where it is wrong or over.
    pub fn open(&self, token: &str, now_ms: Millis) -> Option<(OrgId, MediaHash)> {
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
        let (claims, code) = bytes.split_at_checked(CLAIMS_BYTES)?;
        hmac::verify(&self.key, claims, code).ok()?;
        let (org, rest) = claims.split_first_chunk::<4>()?;
        let (hash, ends_ms) = rest.split_first_chunk::<32>()?;
        let ends_ms = Millis::from_be_bytes(ends_ms.try_into().ok()?);
        let org = OrgId(u32::from_be_bytes(*org));
        (now_ms < ends_ms).then_some((org, MediaHash::new(*hash)))
    }
}

/// A name that needs no escaping in a path.
fn plain(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(plain).collect();
    // The end holds the ending.
    name[name.len().saturating_sub(NAME_CHARS_MAX)..].to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arc_swap::ArcSwap;

    use super::*;
    use crate::config::Config;

    fn links(key: u8) -> MediaLinks {
        let settings = Arc::new(ArcSwap::from_pointee(Config::default()));
        MediaLinks::new(&[key; 32], settings)
    }

    #[test]
    fn a_link_works_until_its_end_and_under_its_key_alone() {
        let links_1 = links(1);
        let hash = MediaHash::new([7; 32]);
        let url = links_1.url(OrgId(3), &hash, Some("Grüße an/alle.pdf"), 1_000);
        let (start, name) = url.rsplit_once('/').unwrap();
        assert_eq!(name, "Gr__e_an_alle.pdf");
        let token = start.rsplit_once("/media/").unwrap().1;
        let hour = 3_600_000;
        assert_eq!(links_1.open(token, 1_000), Some((OrgId(3), hash)));
        assert_eq!(links_1.open(token, 999 + hour), Some((OrgId(3), hash)));
        assert_eq!(links_1.open(token, 1_000 + hour), None);
        assert_eq!(links(2).open(token, 1_000), None);
    }

    #[test]
    fn a_changed_token_leads_nowhere() {
        let links = links(1);
        let token = links.token(OrgId(3), &MediaHash::new([7; 32]), 10_000);
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(links.open(&changed, 0), None, "{at}");
            assert_eq!(links.open(&token[..at], 0), None, "{at}");
        }
        assert_eq!(links.open(&format!("{token}A"), 0), None);
        assert_eq!(links.open("", 0), None);
    }
}
