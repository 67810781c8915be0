//! How records are written: a version byte, then MessagePack with named fields.

use serde::{Serialize, de::DeserializeOwned};

use super::engine::StoreError;

/// The version of the record format.
const VERSION: u8 = 1;

/// Writes a record.
pub(crate) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    bytes.push(VERSION);
    rmp_serde::encode::write_named(&mut bytes, record)
        .expect("records are plain data and a vector takes any number of bytes");
    bytes
}

/// Reads a record that was stored under `key`.
pub(crate) fn decode<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => rmp_serde::from_slice(rest)
            .map_err(|error| StoreError::unreadable(key, &error.to_string())),
        Some((version, _)) => Err(StoreError::unreadable(
            key,
            &format!("record version {version} is not known to this daemon"),
        )),
        None => Err(StoreError::unreadable(key, "the record is empty")),
    }
}

/// Reads a record of fixed length.
pub(crate) fn fixed<const N: usize>(key: &[u8], bytes: &[u8]) -> Result<[u8; N], StoreError> {
    bytes
        .try_into()
        .map_err(|_| StoreError::unreadable(key, &format!("{} bytes, not {N}", bytes.len())))
}
