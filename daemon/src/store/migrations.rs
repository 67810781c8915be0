//! The steps from each format of the store to the next.
//!
//! A step looks at the records of some kinds one after the other, and says of each what is to be written in its place.
//! It sees a record that it has changed before only where it put it behind its own place, and must leave that alone.
//!
//! | format | since | what changed |
//! |---|---|---|
//! | 1 | 0.1.0 | |
//! | 2 | 0.2.0 | the store says its format (`D`); organizations (`l`) are records with named fields, no longer bare numbers |

use super::{access::OrganizationRecord, codec, engine::StoreError};

/// What a step does to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    /// Writes a record.
    Put(Vec<u8>, Vec<u8>),
    /// Removes one.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for steps that give records another key")
    )]
    Delete(Vec<u8>),
}

/// From one format to the next.
pub(super) struct Step {
    /// The format that records have.
    pub(super) from: u32,
    /// The format that they get.
    pub(super) to: u32,
    /// What changes, for people.
    pub(super) words: &'static str,
    /// The kinds of records that are looked at, in the order of their letters.
    pub(super) kinds: &'static [u8],
    /// What becomes of one record, by its key and value.
    pub(super) change: Change,
}

/// What a step does with one record.
pub(super) type Change = fn(&[u8], &[u8]) -> Result<Vec<Op>, StoreError>;

/// All steps, in order.
pub(super) const STEPS: [Step; 1] = [Step {
    from: 1,
    to: 2,
    words: "organizations become records with named fields",
    kinds: b"l",
    change: organization,
}];

fn organization(key: &[u8], value: &[u8]) -> Result<Vec<Op>, StoreError> {
    if value.len() != 4 {
        return Ok(Vec::new());
    }
    let number = u32::from_be_bytes(codec::fixed(key, value)?);
    let record = OrganizationRecord { number };
    Ok(vec![Op::Put(key.to_vec(), codec::encode(&record))])
}
