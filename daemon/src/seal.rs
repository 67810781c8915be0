//! Sealing: a secret as text that only the holders of the installation's key can read.
//!
//! ```text
//! sealed:v1:1f3a09c2:77ab01de:BASE64URL(nonce 12 | ciphertext | tag 16)
//!           key      place    AES-256-GCM
//! ```
//!
//! The associated data is the key's id and the place that the value is for, so a sealed value opens
//! nowhere else. Both also stand in the text in short (hashes, which tell nothing), so that a wrong
//! key and a wrong place can be told from a damaged value.
//!
//! A place is the key's path in the configuration, `channel.sms.config.auth_token`; items of a list
//! share that of the list, so that they may change their order. No I/O here: what is kept elsewhere
//! than in files may name its places as it likes.

use std::fmt;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What every sealed value begins with.
pub const SEALED: &str = "sealed:v1:";
/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes of the hashes that stand for a key and a place.
const HINT_BYTES: usize = 4;

/// Why something could not be sealed or opened. Never shows a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There is no key at all.
    #[error("there is no key to seal with")]
    NoKey,
    /// It was sealed with a key that is not among those given.
    #[error("was sealed with key {needed}; {}", given(.have))]
    OtherKey {
        /// The id of the key that it needs.
        needed: String,
        /// The ids of the keys that there are.
        have: Vec<String>,
    },
    /// It was sealed for another place.
    #[error(
        "was sealed for another place and does not open here: seal the secret anew with \
         `trunkline secret seal {place}`"
    )]
    OtherPlace {
        /// Where it was found.
        place: String,
    },
    /// It is not what was once sealed.
    #[error("was changed or cut short since it was sealed: seal the secret anew")]
    Damaged,
    /// It is no sealed value of this version.
    #[error("is not a sealed value (sealed:v1:...): `trunkline secret seal` makes one")]
    Malformed,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandom,
}

fn given(have: &[String]) -> String {
    match have {
        [] => "no key is given: set CREDENTIAL_ENCRYPTION_KEY, [secrets] key or the systemd \
               credential trunkline.key"
            .into(),
        have => format!(
            "given is {}: add that key to [secrets] key",
            have.join(", ")
        ),
    }
}

/// A key of an installation: 32 random bytes, wiped when it is dropped.
#[derive(Clone)]
pub struct MasterKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    id: String,
}

impl MasterKey {
    /// A new random key.
    pub fn generate() -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        let filled = SystemRandom::new().fill(bytes.as_mut());
        filled.map_err(|_| SealError::NoRandom)?;
        Ok(Self::of(bytes))
    }

    /// Reads 32 bytes as 64 hexadecimal digits or as base64 of either alphabet. The error is a phrase
    /// for people that does not show the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (text, lower) = (
            text.trim().as_bytes(),
            Zeroizing::new(text.trim().to_lowercase()),
        );
        let hex = || HEXLOWER.decode(lower.as_bytes());
        let decoded = hex()
            .or_else(|_| BASE64.decode(text))
            .or_else(|_| BASE64_NOPAD.decode(text))
            .or_else(|_| BASE64URL.decode(text))
            .or_else(|_| BASE64URL_NOPAD.decode(text));
        let decoded = Zeroizing::new(decoded.unwrap_or_default());
        let bytes: [u8; KEY_BYTES] = decoded.as_slice().try_into().map_err(|_| {
            "is not a key of 32 bytes in base64 or hexadecimal digits: `trunkline secret keygen` \
             makes one"
                .to_owned()
        })?;
        Ok(Self::of(Zeroizing::new(bytes)))
    }

    fn of(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let id = hint("trunkline key", bytes.as_ref());
        Self { bytes, id }
    }

    /// What tells it from other keys, and tells nothing of it: 8 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key as text, for the file that keeps it.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64.encode(self.bytes.as_ref()))
    }

    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, self.bytes.as_ref());
        LessSafeKey::new(key.expect("32 bytes are a key of AES-256"))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MasterKey({} ***)", self.id)
    }
}

/// The keys of an installation: the first one seals, all of them open.
#[derive(Debug, Clone, Default)]
pub struct KeyRing(Vec<MasterKey>);

impl KeyRing {
    /// A ring of keys in their order; one that is given twice counts once.
    pub fn new(keys: impl IntoIterator<Item = MasterKey>) -> Self {
        let mut ring = Self::default();
        for key in keys {
            if !ring.0.iter().any(|known| known.id == key.id) {
                ring.0.push(key);
            }
        }
        ring
    }

    /// The ids of the keys, the one that seals first.
    pub fn ids(&self) -> Vec<String> {
        self.0.iter().map(|key| key.id.clone()).collect()
    }

    /// True where a value is sealed with the key that seals now.
    pub fn is_current(&self, sealed: &str) -> bool {
        let first = self.0.first();
        first.is_some_and(|first| key_of(sealed) == Some(first.id()))
    }

    /// Seals a secret for one place.
    pub fn seal(&self, place: &str, secret: &str) -> Result<String, SealError> {
        let key = self.0.first().ok_or(SealError::NoKey)?;
        let mut nonce = [0; NONCE_LEN];
        let filled = SystemRandom::new().fill(&mut nonce);
        filled.map_err(|_| SealError::NoRandom)?;
        let mut data = secret.as_bytes().to_vec();
        key.cipher()
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                bound(&key.id, place),
                &mut data,
            )
            .map_err(|_| SealError::Damaged)?;
        let data = BASE64URL_NOPAD.encode(&[&nonce, data.as_slice()].concat());
        Ok(format!("{SEALED}{}:{}:{data}", key.id, place_hint(place)))
    }

    /// Opens what was sealed for this place.
    pub fn open(&self, place: &str, sealed: &str) -> Result<Zeroizing<String>, SealError> {
        let [needed, hint, data] = parts(sealed).ok_or(SealError::Malformed)?;
        let key = self.0.iter().find(|key| key.id == needed);
        let key = key.ok_or_else(|| SealError::OtherKey {
            needed: needed.to_owned(),
            have: self.ids(),
        })?;
        if hint != place_hint(place) {
            let place = place.to_owned();
            return Err(SealError::OtherPlace { place });
        }
        let data = BASE64URL_NOPAD.decode(data.as_bytes());
        let mut data = Zeroizing::new(data.map_err(|_| SealError::Damaged)?);
        let (nonce, data) = data
            .split_first_chunk_mut::<NONCE_LEN>()
            .ok_or(SealError::Damaged)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = key
            .cipher()
            .open_in_place(nonce, bound(&key.id, place), data)
            .map_err(|_| SealError::Damaged)?;
        let text = std::str::from_utf8(opened).map_err(|_| SealError::Damaged)?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

/// True where a text says that it is sealed.
pub fn is_sealed(text: &str) -> bool {
    text.starts_with(SEALED)
}

/// The id of the key that a value was sealed with; none where it is no sealed value.
pub fn key_of(sealed: &str) -> Option<&str> {
    parts(sealed).map(|[key, ..]| key)
}

/// One more step of a place.
pub fn step(place: &str, key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let dot = if place.is_empty() { "" } else { "." };
    if !key.is_empty() && key.chars().all(bare) {
        format!("{place}{dot}{key}")
    } else {
        format!("{place}{dot}{key:?}")
    }
}

fn parts(sealed: &str) -> Option<[&str; 3]> {
    let mut parts = sealed.strip_prefix(SEALED)?.splitn(3, ':');
    let (key, place, data) = (parts.next()?, parts.next()?, parts.next()?);
    let hint = |text: &str| {
        text.len() == 2 * HINT_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    (hint(key) && hint(place)).then_some([key, place, data])
}

/// What a value is bound to.
fn bound(key: &str, place: &str) -> Aad<Vec<u8>> {
    Aad::from(format!("{SEALED}{key}\0{place}").into_bytes())
}

fn place_hint(place: &str) -> String {
    hint("trunkline place", place.as_bytes())
}

fn hint(of: &str, bytes: &[u8]) -> String {
    let hash = Sha256::new()
        .chain_update(of)
        .chain_update([0])
        .chain_update(bytes);
    HEXLOWER.encode(&hash.finalize()[..HINT_BYTES])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: &str = "channel.sms.config.auth_token";

    fn ring() -> KeyRing {
        KeyRing::new([MasterKey::generate().expect("random")])
    }

    #[test]
    fn keys_are_read_in_every_common_form() {
        let key = MasterKey::generate().expect("random");
        let text = key.expose();
        let url = text.replace('+', "-").replace('/', "_");
        let hex = HEXLOWER.encode(key.bytes.as_ref());
        for form in [
            text.as_str(),
            text.trim_end_matches('='),
            &url,
            url.trim_end_matches('='),
            &hex,
            &hex.to_uppercase(),
            &format!(" {hex}\n"),
        ] {
            assert_eq!(MasterKey::parse(form).expect("a key").id(), key.id());
        }
        for wrong in ["", "hush", &hex[1..], &format!("{hex}00")] {
            let words = MasterKey::parse(wrong).expect_err("no key");
            assert!(wrong.is_empty() || !words.contains(wrong), "{words}");
        }
        let shown = format!("{:?}", KeyRing::new([key]));
        assert!(shown.contains("***") && !shown.contains(text.as_str()) && !shown.contains(&hex));
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let (old, new) = (ring(), ring());
        let both = KeyRing::new(new.0.iter().chain(&old.0).chain(&new.0).cloned());
        assert_eq!(both.ids().len(), 2);
        let sealed = old.seal(PLACE, "hush").expect("sealed");
        assert!(!both.is_current(&sealed));
        assert_eq!(both.open(PLACE, &sealed).expect("opens").as_str(), "hush");
        let sealed = both.seal(PLACE, "hush").expect("sealed");
        assert!(both.is_current(&sealed) && new.is_current(&sealed));
        assert_eq!(key_of(&sealed), Some(new.ids()[0].as_str()));
        let refused = old
            .open(PLACE, &sealed)
            .expect_err("another key")
            .to_string();
        assert!(
            refused.contains(&new.ids()[0]) && refused.contains(&old.ids()[0]),
            "{refused}"
        );
        let refused = KeyRing::default().open(PLACE, &sealed).expect_err("no key");
        assert!(refused.to_string().contains("CREDENTIAL_ENCRYPTION_KEY"));
        assert_eq!(KeyRing::default().seal(PLACE, "x"), Err(SealError::NoKey));
    }

    #[test]
    fn a_value_opens_at_its_place_alone() {
        let ring = ring();
        let sealed = ring.seal(PLACE, "hush").expect("sealed");
        let refused = ring
            .open("channel.b.config.k", &sealed)
            .expect_err("elsewhere");
        assert!(matches!(refused, SealError::OtherPlace { .. }));
        // Whoever also forges the hint meets the associated data.
        let forged = sealed.replace(&place_hint(PLACE), &place_hint("channel.b.config.k"));
        let refused = ring.open("channel.b.config.k", &forged);
        assert_eq!(refused.expect_err("forged"), SealError::Damaged);
    }

    #[test]
    fn what_is_no_sealed_value_is_said_to_be_none() {
        for text in [
            "sealed:v1:",
            "sealed:v1:hush",
            "sealed:v1:12345678:1234567:x",
            "x",
        ] {
            let refused = ring().open(PLACE, text).expect_err("refused");
            assert_eq!(refused, SealError::Malformed);
        }
    }

    #[test]
    fn places_are_written_in_one_way() {
        assert_eq!(step(&step("", "channel"), "a b"), "channel.\"a b\"");
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_and_what_was_changed_does_not(
            secret in ".{0,200}",
            at in any::<prop::sample::Index>(),
            byte in b'A'..=b'Z',
        ) {
            let ring = ring();
            let sealed = ring.seal(PLACE, &secret).expect("sealed");
            let opened = ring.open(PLACE, &sealed).expect("opens");
            prop_assert_eq!(opened.as_str(), secret.as_str());
            let mut changed = sealed.clone().into_bytes();
            let at = at.index(changed.len());
            changed[at] = byte;
            let changed = String::from_utf8(changed).expect("ASCII");
            if changed != sealed {
                prop_assert!(ring.open(PLACE, &changed).is_err());
            }
            prop_assert!(ring.open(PLACE, &sealed[..sealed.len() - 4]).is_err());
        }
    }
}
