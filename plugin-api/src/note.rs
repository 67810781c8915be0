//! The note in a plugin's file that says what it is, so that it can be read without running it.
//!
//! It is an ELF note in the section `.note.trunkline`. Numbers are 32 bits in the machine's order:
//!
//! ```text
//! name size (10) | description size | type (1) | "Trunkline\0" + 2 bytes padding
//! ABI major | ABI minor | id, NUL | version, NUL | padding to 4 bytes
//! ```

use crate::wire::{ABI_MAJOR, ABI_MINOR};

/// The section's name.
pub const SECTION: &str = ".note.trunkline";

const NAME: &[u8; 12] = b"Trunkline\0\0\0";
const NAME_SIZE: usize = 10;
const TYPE: u32 = 1;
/// Three numbers, the padded name, two numbers.
const FIXED: usize = 12 + NAME.len() + 8;

/// The bytes of a note, aligned as ELF wants them.
#[repr(C, align(4))]
#[derive(Debug)]
pub struct NoteBytes<const SIZE: usize>(pub [u8; SIZE]);

/// How many bytes the note of this id and version takes.
pub const fn size(id: &str, version: &str) -> usize {
    (FIXED + id.len() + 1 + version.len() + 1).next_multiple_of(4)
}

/// The note of this id and version.
///
/// # Panics
/// At compile time, where `SIZE` is not what [`size`] says.
pub const fn bytes<const SIZE: usize>(id: &str, version: &str) -> NoteBytes<SIZE> {
    assert!(SIZE == size(id, version), "SIZE must come from note::size");
    let description = 8 + id.len() + 1 + version.len() + 1;
    let mut note = [0; SIZE];
    put(&mut note, 0, &number(NAME_SIZE));
    put(&mut note, 4, &number(description));
    put(&mut note, 8, &TYPE.to_ne_bytes());
    put(&mut note, 12, NAME);
    put(&mut note, 24, &ABI_MAJOR.to_ne_bytes());
    put(&mut note, 28, &ABI_MINOR.to_ne_bytes());
    put(&mut note, FIXED, id.as_bytes());
    put(&mut note, FIXED + id.len() + 1, version.as_bytes());
    NoteBytes(note)
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "TryFrom is not const; an id of 4 GiB does not compile"
)]
const fn number(value: usize) -> [u8; 4] {
    (value as u32).to_ne_bytes()
}

const fn put(note: &mut [u8], at: usize, bytes: &[u8]) {
    let mut index = 0;
    while index < bytes.len() {
        note[at + index] = bytes[index];
        index += 1;
    }
}

/// What a note says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The adapter's id.
    pub id: String,
    /// The plugin's version.
    pub version: String,
    /// The interface it was built for.
    pub abi_major: u32,
    /// The minor version of it.
    pub abi_minor: u32,
}

/// Reads the bytes of the section; none where they are not such a note. A note of a later major
/// version is read too: its numbers and texts stay where they are.
pub fn read(section: &[u8]) -> Option<Note> {
    let number = |at: usize| {
        let bytes = section.get(at..)?.first_chunk::<4>()?;
        Some(u32::from_ne_bytes(*bytes))
    };
    let named = number(0)? as usize == NAME_SIZE
        && number(8)? == TYPE
        && section.get(12..24)? == NAME.as_slice();
    if !named {
        return None;
    }
    let end = 24usize.checked_add(number(4)? as usize)?;
    let mut texts = section.get(FIXED..end)?.split(|byte| *byte == 0);
    let mut text = || String::from_utf8(texts.next()?.to_vec()).ok();
    Some(Note {
        id: text()?,
        version: text()?,
        abi_major: number(24)?,
        abi_minor: number(28)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: usize = size("twilio", "1.2.3");
    static NOTE: NoteBytes<SIZE> = bytes("twilio", "1.2.3");

    #[test]
    fn a_note_is_read_as_written() {
        let note = Note {
            id: "twilio".into(),
            version: "1.2.3".into(),
            abi_major: 1,
            abi_minor: 0,
        };
        assert_eq!(read(&NOTE.0), Some(note));
        assert_eq!(NOTE.0.len() % 4, 0);
    }

    #[test]
    fn a_cut_note_is_none() {
        for len in 0..FIXED + 12 {
            assert_eq!(read(&NOTE.0[..len]), None, "{len} bytes");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_not(section in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&section);
        }

        #[test]
        fn any_change_is_read_or_not(at in 0..SIZE, to in any::<u8>()) {
            let mut section = NOTE.0;
            section[at] = to;
            let _ = read(&section);
        }
    }
}
