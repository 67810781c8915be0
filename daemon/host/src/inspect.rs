//! Reads what a shared library says of itself, without running any of it.

use object::{
    Object, ObjectSection, ObjectSegment, ObjectSymbol,
    read::{File, ReadRef},
};
use trunkline_plugin_api::{
    ffi::is_id,
    note::{self, Note},
    wire::ABI_MAJOR,
};

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
