//! Visitors' tokens: 256 random bits and our signature over them, for one channel.
//!
//! ```text
//! token   = base64url(secret) "." base64url(HMAC(key, "token"   channel secret))
//! visitor =           hex(first 128 bits of HMAC(key, "visitor" channel secret))
//! ```
//!
//! Nothing is stored for a visitor who never says anything, and a visitor's identifier, which
//! operators see, does not lead back to the token.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::hmac;

use crate::model::ChannelId;

/// Bytes of a token's secret.
const SECRET_BYTES: usize = 32;
/// Bytes of a visitor's identifier.
const VISITOR_BYTES: usize = 16;
/// Longest text that is looked at.
const TOKEN_CHARS_MAX: usize = 128;

/// A visitor whose token was proved, by their identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Visitor(String);

impl Visitor {
    /// The identifier, in the channel's identity space.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Signs and verifies tokens.
pub(super) struct TokenKey(hmac::Key);

impl TokenKey {
    /// A key of these bytes.
    pub(super) fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// A token for a new visitor.
    pub(super) fn issue(&self, channel: &ChannelId) -> (String, Visitor) {
        let secret = rand::random::<[u8; SECRET_BYTES]>();
        let tag = hmac::sign(&self.0, &signed(channel, &secret, b"token"));
        let token = format!(
            "{}.{}",
            BASE64URL_NOPAD.encode(&secret),
            BASE64URL_NOPAD.encode(tag.as_ref())
        );
        (token, self.name(channel, &secret))
    }

    /// The visitor whose token it is, where it is one of ours for this channel. The comparison takes
    /// the same time wherever they differ.
    pub(super) fn verify(&self, channel: &ChannelId, token: &str) -> Option<Visitor> {
        if token.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let (secret, tag) = token.split_once('.')?;
        let secret = BASE64URL_NOPAD.decode(secret.as_bytes()).ok()?;
        let tag = BASE64URL_NOPAD.decode(tag.as_bytes()).ok()?;
        if secret.len() != SECRET_BYTES {
            return None;
        }
        hmac::verify(&self.0, &signed(channel, &secret, b"token"), &tag).ok()?;
        Some(self.name(channel, &secret))
    }

    /// A proof that this visitor uploaded a file; it comes back with the message that names the file,
    /// so that nobody can attach (and get a link to) what is not theirs by its digest.
    pub(super) fn vouch(&self, channel: &ChannelId, visitor: &Visitor, sha256: &str) -> String {
        let tag = hmac::sign(&self.0, &upload(channel, visitor, sha256));
        BASE64URL_NOPAD.encode(tag.as_ref())
    }

    /// Whether a proof is one of ours for this visitor and file.
    pub(super) fn vouched(
        &self,
        channel: &ChannelId,
        visitor: &Visitor,
        sha256: &str,
        proof: &str,
    ) -> bool {
        let tag = BASE64URL_NOPAD.decode(proof.as_bytes());
        let signed = upload(channel, visitor, sha256);
        tag.is_ok_and(|tag| hmac::verify(&self.0, &signed, &tag).is_ok())
    }

    fn name(&self, channel: &ChannelId, secret: &[u8]) -> Visitor {
        let tag = hmac::sign(&self.0, &signed(channel, secret, b"visitor"));
        Visitor(HEXLOWER.encode(&tag.as_ref()[..VISITOR_BYTES]))
    }
}

fn upload(channel: &ChannelId, visitor: &Visitor, sha256: &str) -> Vec<u8> {
    let what = format!("{}\0{sha256}", visitor.as_str());
    signed(channel, what.as_bytes(), b"upload")
}

/// The secret has a fixed length and a channel's id no zero byte, so no two inputs are the same text.
fn signed(channel: &ChannelId, secret: &[u8], purpose: &[u8]) -> Vec<u8> {
    [
        b"trunkline chat\0",
        purpose,
        b"\0",
        channel.as_str().as_bytes(),
        b"\0",
        secret,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> ChannelId {
        ChannelId::new("web")
    }

    #[test]
    fn a_token_names_its_visitor_on_its_channel_alone() {
        let key = TokenKey::new(&[7; 32]);
        let (token, visitor) = key.issue(&web());
        assert_eq!(key.verify(&web(), &token), Some(visitor.clone()));
        assert_eq!(key.verify(&ChannelId::new("shop"), &token), None);
        assert_eq!(TokenKey::new(&[8; 32]).verify(&web(), &token), None);
        assert!(!token.contains(visitor.as_str()));
        assert_ne!(key.issue(&web()).1, visitor);
    }

    #[test]
    fn a_file_is_its_uploaders() {
        let key = TokenKey::new(&[7; 32]);
        let (ada, bob) = (key.issue(&web()).1, key.issue(&web()).1);
        let proof = key.vouch(&web(), &ada, "abc");
        assert!(key.vouched(&web(), &ada, "abc", &proof));
        assert!(!key.vouched(&web(), &bob, "abc", &proof));
        assert!(!key.vouched(&web(), &ada, "abd", &proof));
        assert!(!key.vouched(&ChannelId::new("shop"), &ada, "abc", &proof));
        for junk in ["", "a", &proof[1..]] {
            assert!(!key.vouched(&web(), &ada, "abc", junk), "{junk:?}");
        }
    }

    #[test]
    fn a_changed_token_is_nobodys() {
        let key = TokenKey::new(&[7; 32]);
        let (token, _) = key.issue(&web());
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(key.verify(&web(), &changed), None, "{at}");
            assert_eq!(key.verify(&web(), &token[..at]), None, "cut at {at}");
        }
        for junk in ["", ".", "..", "a.b", "ä.ö", &"A".repeat(10_000)] {
            assert_eq!(key.verify(&web(), junk), None, "{junk:?}");
        }
    }
}
