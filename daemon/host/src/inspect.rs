//! Reads what a shared library says of itself, without running any of it.

use std::path::Path;

use object::{
    Object, ObjectSection, ObjectSegment, ObjectSymbol,
    elf::{DT_NEEDED, FileHeader64},
    endian::Endianness,
    read::{
        File, ReadRef,
        elf::{Dyn as _, FileHeader as _},
    },
};
use trunkline_plugin_api::{
    ffi::is_id,
    note::{self, Note},
    wire::ABI_MAJOR,
};

use super::file::read_alone;

const ENTRY: &str = "tl_adapter_entry_v";
const VERSION_BYTES_MAX: usize = 64;

/// A file's note, and whether this daemon can load the file.
#[derive(Debug)]
pub(super) struct Inspected {
    /// The note, where there is a sound one; known even where the file is refused.
    pub(super) note: Option<Note>,
    /// Why the file can't be loaded.
    pub(super) verdict: Result<(), String>,
}

/// What is known of a plugin's file without running any of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// SHA-256 in lower-case hex.
    pub sha256: String,
    /// Its size.
    pub bytes: usize,
    /// Its note, where there is a sound one.
    pub note: Option<Note>,
    /// The shared libraries that it names, in their order.
    pub needs: Vec<String>,
    /// Why this daemon would not load it, in words that follow the path.
    pub verdict: Result<(), String>,
}

impl FileFacts {
    /// Reads a file. An error is for what can't be read at all, in words that follow the path.
    pub fn read(path: &Path) -> Result<Self, String> {
        let image = read_alone(path)?;
        let Inspected { note, verdict } = inspect(&image.bytes);
        Ok(Self {
            needs: needed(&image.bytes).unwrap_or_default(),
            bytes: image.bytes.len(),
            sha256: image.sha256,
            note,
            verdict: image.trusted.and(verdict),
        })
    }
}

/// The names of the libraries that the loader would bring along; none for what is no 64-bit library.
fn needed(bytes: &[u8]) -> Option<Vec<String>> {
    let header = FileHeader64::<Endianness>::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, bytes).ok()?;
    let (dynamic, strings) = sections.dynamic(endian, bytes).ok()??;
    let strings = sections.strings(endian, bytes, strings).ok()?;
    let names = dynamic
        .iter()
        .filter(|entry| entry.tag32(endian) == Some(DT_NEEDED))
        .filter_map(|entry| entry.string(endian, strings).ok());
    Some(
        names
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect(),
    )
}

/// Inspects the bytes of a file.
pub(super) fn inspect(bytes: &[u8]) -> Inspected {
    match File::parse(bytes) {
        Ok(file) => {
            let note = read_note(&file);
            let verdict = loadable(&file, bytes.len(), note.as_ref());
            Inspected { note, verdict }
        }
        Err(error) => Inspected {
            note: None,
            verdict: Err(format!(
                "is not a shared library, or is cut short ({error})"
            )),
        },
    }
}

/// The note of a file that can be loaded, by its bytes; else why it can't, in words that follow its name.
pub fn note_of(bytes: &[u8]) -> Result<Note, String> {
    let Inspected { note, verdict } = inspect(bytes);
    verdict.and_then(|()| note.ok_or_else(|| "has no note".to_owned()))
}

fn read_note<'data, R: ReadRef<'data>>(file: &File<'data, R>) -> Option<Note> {
    let section = file.section_by_name(note::SECTION)?;
    let note = note::read(section.data().ok()?)?;
    (is_id(&note.id) && note.version.len() <= VERSION_BYTES_MAX).then_some(note)
}

fn loadable<'data, R: ReadRef<'data>>(
    file: &File<'data, R>,
    len: usize,
    note: Option<&Note>,
) -> Result<(), String> {
    // A segment that reaches beyond the file's end would be a bus error when it is touched.
    let end = file
        .segments()
        .map(|segment| {
            let (offset, size) = segment.file_range();
            offset.saturating_add(size)
        })
        .max()
        .unwrap_or(0);
    if end > len as u64 {
        return Err(format!("is cut short: it has {len} bytes of {end}"));
    }
    let versions: Vec<u32> = file
        .dynamic_symbols()
        .filter(ObjectSymbol::is_definition)
        .filter_map(|symbol| symbol.name().ok()?.strip_prefix(ENTRY)?.parse().ok())
        .collect();
    if versions.is_empty() {
        return Err(format!(
            "exports no {ENTRY}{ABI_MAJOR}: this is no Trunkline plugin"
        ));
    }
    if !versions.contains(&ABI_MAJOR) {
        let built = versions.iter().map(u32::to_string).collect::<Vec<_>>();
        return Err(format!(
            "built for ABI {}, this daemon speaks {ABI_MAJOR}",
            built.join(" and ")
        ));
    }
    if note.is_none() {
        return Err(format!(
            "has no sound {} section: export_adapter! or TL_NOTE writes one",
            note::SECTION
        ));
    }
    Ok(())
}
