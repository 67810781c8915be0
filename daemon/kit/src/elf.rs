//! What a shared library's file says, read without running any of it.

use object::{
    Endianness, elf,
    read::elf::{
        Dyn as _, FileHeader as _, ProgramHeader as _, SectionHeader as _, SectionTable, Sym as _,
    },
};
use trunkline_plugin_api::note;

/// The one symbol that the daemon looks for.
const ENTRY: &str = "tl_adapter_entry_v1";

type Header = elf::FileHeader64<Endianness>;
type Sections<'data> = SectionTable<'data, Header>;

/// The facts that the checks of the file look at.
#[derive(Debug, Default)]
pub(crate) struct Elf {
    /// `ET_DYN` for a shared library.
    pub(crate) kind: u16,
    /// For which machine it is.
    pub(crate) machine: u16,
    /// Where its last segment ends, in bytes.
    pub(crate) end: u64,
    /// The bytes of the note section.
    pub(crate) note: Option<Vec<u8>>,
    /// Names of the symbols that others can use, sorted.
    pub(crate) exports: Vec<String>,
    /// Names of the libraries that it needs.
    pub(crate) libraries: Vec<String>,
    /// Versions of symbols that it needs: `GLIBC_2.34`.
    pub(crate) versions: Vec<String>,
    /// Whether its stack may be run; none where it does not say.
    pub(crate) executable_stack: Option<bool>,
    /// Its code is changed while it is loaded.
    pub(crate) text_relocations: bool,
    /// A segment is writable and may be run.
    pub(crate) writable_code: bool,
}

impl Elf {
    /// Whether the daemon would find its table.
    pub(crate) fn has_entry(&self) -> bool {
        self.exports.iter().any(|name| name == ENTRY)
    }
}

/// Reads the bytes of a file; the error says why they are no shared library.
pub(crate) fn read(bytes: &[u8]) -> Result<Elf, String> {
    parse(bytes)
        .map_err(|error| format!("is not a shared library for 64 bits, or is cut short ({error})"))
}

fn parse(bytes: &[u8]) -> object::read::Result<Elf> {
    let header = Header::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let mut elf = Elf {
        kind: header.e_type(endian),
        machine: header.e_machine(endian),
        ..Elf::default()
    };
    read_segments(&mut elf, header, endian, bytes)?;
    if let Some((_, section)) = sections.section_by_name(endian, note::SECTION.as_bytes()) {
        elf.note = Some(section.data(endian, bytes)?.to_vec());
    }
    read_symbols(&mut elf, &sections, endian, bytes)?;
    read_dynamic(&mut elf, &sections, endian, bytes)?;
    read_versions(&mut elf, &sections, endian, bytes)?;
    Ok(elf)
}

fn read_segments(
    elf: &mut Elf,
    header: &Header,
    endian: Endianness,
    bytes: &[u8],
) -> object::read::Result<()> {
    for segment in header.program_headers(endian, bytes)? {
        let (offset, size) = segment.file_range(endian);
        elf.end = elf.end.max(offset.saturating_add(size));
        let flags = segment.p_flags(endian);
        let runs = flags & elf::PF_X != 0;
        match segment.p_type(endian) {
            elf::PT_GNU_STACK => elf.executable_stack = Some(runs),
            elf::PT_LOAD if runs && flags & elf::PF_W != 0 => elf.writable_code = true,
            _ => {}
        }
    }
    Ok(())
}

fn read_symbols(
    elf: &mut Elf,
    sections: &Sections<'_>,
    endian: Endianness,
    bytes: &[u8],
) -> object::read::Result<()> {
    let symbols = sections.symbols(endian, bytes, elf::SHT_DYNSYM)?;
    for symbol in symbols.iter() {
        let is_export = !symbol.is_undefined(endian) && symbol.st_bind() != elf::STB_LOCAL;
        if is_export {
            let name = symbol.name(endian, symbols.strings())?;
            elf.exports.push(text(name));
        }
    }
    elf.exports.sort();
    Ok(())
}

fn read_dynamic(
    elf: &mut Elf,
    sections: &Sections<'_>,
    endian: Endianness,
    bytes: &[u8],
) -> object::read::Result<()> {
    let Some((entries, strings)) = sections.dynamic(endian, bytes)? else {
        return Ok(());
    };
    let strings = sections.strings(endian, bytes, strings)?;
    for entry in entries {
        match entry.tag32(endian) {
            Some(elf::DT_NEEDED) => elf.libraries.push(text(entry.string(endian, strings)?)),
            Some(elf::DT_TEXTREL) => elf.text_relocations = true,
            Some(elf::DT_FLAGS) => {
                let flags = entry.val32(endian).unwrap_or_default();
                elf.text_relocations |= flags & elf::DF_TEXTREL != 0;
            }
            _ => {}
        }
    }
    Ok(())
}

fn read_versions(
    elf: &mut Elf,
    sections: &Sections<'_>,
    endian: Endianness,
    bytes: &[u8],
) -> object::read::Result<()> {
    let Some((mut needs, strings)) = sections.gnu_verneed(endian, bytes)? else {
        return Ok(());
    };
    let strings = sections.strings(endian, bytes, strings)?;
    while let Some((_, mut versions)) = needs.next()? {
        while let Some(version) = versions.next()? {
            elf.versions.push(text(version.name(endian, strings)?));
        }
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
