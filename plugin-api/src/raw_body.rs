//! The body of a webhook: owned, or the host's own bytes for the length of one call.

use std::{fmt, ops::Deref};

use crate::ffi::Lent;

/// The bytes of a webhook's body, read as the slice that it dereferences to.
///
/// Inside a loaded plugin these are the daemon's own bytes, so that a large body is in memory
/// once. A clone is always a copy that belongs to whoever made it.
pub struct RawBody(Bytes);

enum Bytes {
    Owned(Vec<u8>),
    Lent(Lent),
}

impl RawBody {
    /// A body that the host lends to one call.
    pub(crate) fn lent(bytes: Lent) -> Self {
        Self(Bytes::Lent(bytes))
    }

    /// The bytes as a vector; copied only where they are lent.
    pub fn into_vec(self) -> Vec<u8> {
        match self.0 {
            Bytes::Owned(bytes) => bytes,
            Bytes::Lent(lent) => lent.as_slice().to_vec(),
        }
    }

    /// The bytes to be changed; copied before where they are lent.
    pub fn to_mut(&mut self) -> &mut Vec<u8> {
        if let Bytes::Lent(lent) = &self.0 {
            self.0 = Bytes::Owned(lent.as_slice().to_vec());
        }
        match &mut self.0 {
            Bytes::Owned(bytes) => bytes,
            Bytes::Lent(_) => unreachable!("a lent body was replaced by its copy above"),
        }
    }
}

impl Deref for RawBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Owned(bytes) => bytes,
            Bytes::Lent(lent) => lent.as_slice(),
        }
    }
}

impl AsRef<[u8]> for RawBody {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Default for RawBody {
    fn default() -> Self {
        Self(Bytes::Owned(Vec::new()))
    }
}

impl Clone for RawBody {
    fn clone(&self) -> Self {
        self.to_vec().into()
    }
}

impl PartialEq for RawBody {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for RawBody {}

/// How long it is, and nothing of what a person wrote.
impl fmt::Debug for RawBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RawBody({} bytes)", self.len())
    }
}

impl From<Vec<u8>> for RawBody {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Bytes::Owned(bytes))
    }
}

impl From<&[u8]> for RawBody {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl<const N: usize> From<&[u8; N]> for RawBody {
    fn from(bytes: &[u8; N]) -> Self {
        bytes.to_vec().into()
    }
}

impl From<String> for RawBody {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&str> for RawBody {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owned_body_is_its_bytes() {
        let body = RawBody::from("hello");
        assert_eq!(&*body, b"hello");
        assert_eq!(body, RawBody::from(b"hello".to_vec()));
        assert_ne!(body, RawBody::default());
        assert_eq!(format!("{body:?}"), "RawBody(5 bytes)");
        let before = body.as_ptr();
        let bytes = body.into_vec();
        assert_eq!(bytes.as_ptr(), before, "moved, not copied");
    }

    #[test]
    fn a_copy_is_changed_alone() {
        let body = RawBody::from("hello");
        let mut copy = body.clone();
        copy.to_mut().push(b'!');
        assert_eq!((&*body, &*copy), (&b"hello"[..], &b"hello!"[..]));
    }
}
