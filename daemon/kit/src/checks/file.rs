//! What the file says of itself, before any of it runs.

use object::elf::{EM_386, EM_AARCH64, EM_ARM, EM_RISCV, EM_X86_64, ET_DYN};
use trunkline_plugin_api::{ffi::is_id, note, wire::ABI_MAJOR};

use crate::{bench::Bench, findings::Findings};

const ENTRY: &str = "tl_adapter_entry_v";
/// Libraries that every system with glibc has; those that end in a dot in any version.
const LIBRARIES: [&str; 8] = [
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "ld-linux.so.",
    "ld-linux-",
];
/// Symbols that linkers themselves put into a library.
const OF_LINKERS: [&str; 6] = ["_init", "_fini", "_edata", "_end", "__bss_start", "_start"];
const VERSION_BYTES_MAX: usize = 64;

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = EM_X86_64;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = EM_AARCH64;
#[cfg(target_arch = "riscv64")]
const MACHINE: u16 = EM_RISCV;

/// A shared library of this machine, whole.
pub(super) fn file(bench: &mut Bench, findings: &mut Findings) {
    let len = bench.bytes.len() as u64;
    let elf = match &bench.elf {
        Ok(elf) => elf,
        Err(words) => return findings.fail(words.clone()),
    };
    if elf.kind != ET_DYN {
        findings.fail("is an ELF file, but no shared library: build a cdylib (cc -shared)");
    }
    if elf.machine != MACHINE {
        findings.fail(format!(
            "is for {}, this machine is {}: build it for this machine",
            machine(elf.machine),
            machine(MACHINE)
        ));
    }
    if elf.end > len {
        findings.fail(format!(
            "is cut short: it has {len} bytes of {}: copy it again",
            elf.end
        ));
    }
}

fn machine(number: u16) -> String {
    match number {
        EM_X86_64 => "x86-64".into(),
        EM_AARCH64 => "arm64".into(),
        EM_RISCV => "riscv".into(),
        EM_386 => "x86 (32 bits)".into(),
        EM_ARM => "arm (32 bits)".into(),
        other => format!("machine {other}"),
    }
}

/// The note, and what the manifest says beside it.
pub(super) fn abi(bench: &mut Bench, findings: &mut Findings) {
    let Ok(elf) = &bench.elf else {
        return findings.skip(SEE_FILE);
    };
    let Some(section) = &elf.note else {
        return findings.fail(format!(
            "has no {} section: export_adapter! or TL_NOTE writes one; a linker's --gc-sections or strip may \
             have taken it away",
            note::SECTION
        ));
    };
    let Some(note) = note::read(section) else {
        return findings.fail(format!(
            "the {} section holds {} bytes that are no note of ours: let export_adapter! or TL_NOTE write it",
            note::SECTION,
            section.len()
        ));
    };
    if !is_id(&note.id) {
        findings.fail(format!(
            "the note's id is {:?}: an id is 1 to 32 lower-case letters, digits and _",
            note.id
        ));
    }
    if note.version.is_empty() || note.version.len() > VERSION_BYTES_MAX {
        findings.fail(format!(
            "the note's version has {} bytes: it needs 1 to {VERSION_BYTES_MAX}",
            note.version.len()
        ));
    }
    if note.abi_major != ABI_MAJOR {
        findings.fail(format!(
            "the note says ABI {}, this kit knows ABI {ABI_MAJOR}: build it against that header",
            note.abi_major
        ));
    }
    if let Ok(manifest) = &bench.manifest
        && (&manifest.id, &manifest.version) != (&note.id, &note.version)
    {
        findings.fail(format!(
            "the note says {} {}, the manifest {} {}: both must say the same",
            note.id, note.version, manifest.id, manifest.version
        ));
    }
    let (id, version, minor) = (&note.id, &note.version, note.abi_minor);
    findings.fact(format!("{id} {version}, ABI {ABI_MAJOR}.{minor}"));
}

/// The one symbol that the daemon looks for, and no other.
pub(super) fn exports(bench: &mut Bench, findings: &mut Findings) {
    let Ok(elf) = &bench.elf else {
        return findings.skip(SEE_FILE);
    };
    let entry = format!("{ENTRY}{ABI_MAJOR}");
    let versions: Vec<_> = elf
        .exports
        .iter()
        .filter(|name| name.starts_with(ENTRY))
        .collect();
    if !elf.exports.contains(&entry) {
        findings.fail(match versions.first() {
            Some(other) => format!(
                "exports {other}, not {entry}: this kit and its daemon speak ABI {ABI_MAJOR}"
            ),
            None => format!(
                "exports no {entry}: is export_adapter! in this crate, is the function hidden?"
            ),
        });
    }
    let is_other =
        |name: &&String| !name.starts_with(ENTRY) && !OF_LINKERS.contains(&name.as_str());
    let others: Vec<_> = elf
        .exports
        .iter()
        .filter(is_other)
        .map(String::as_str)
        .collect();
    if !others.is_empty() {
        findings.warn(format!(
            "exports {} more symbols, which can clash with those of others: {}: build with -fvisibility=hidden",
            others.len(),
            some(&others)
        ));
    }
}

/// Only libraries that are everywhere.
pub(super) fn libraries(bench: &mut Bench, findings: &mut Findings) {
    let Ok(elf) = &bench.elf else {
        return findings.skip(SEE_FILE);
    };
    let is_known = |name: &str| {
        let any_version = |known: &&str| known.ends_with(['.', '-']) && name.starts_with(*known);
        LIBRARIES.contains(&name) || LIBRARIES.iter().any(any_version)
    };
    for name in elf.libraries.iter().filter(|name| !is_known(name)) {
        findings.fail(format!(
            "needs {name}, which the operator's system may not have: link it statically, or do without"
        ));
    }
    let names: Vec<_> = elf.libraries.iter().map(String::as_str).collect();
    findings.fact(match names.as_slice() {
        [] => "needs none".into(),
        names => format!("needs {}", some(names)),
    });
}

/// The oldest glibc that the file runs with.
pub(super) fn glibc(bench: &mut Bench, findings: &mut Findings) {
    let Ok(elf) = &bench.elf else {
        return findings.skip(SEE_FILE);
    };
    let (major, minor) = bench.options.glibc_max;
    if elf
        .versions
        .iter()
        .any(|version| version == "GLIBC_PRIVATE")
    {
        findings
            .fail("uses glibc's private symbols, which change with every version: use public ones");
    }
    let needed = elf
        .versions
        .iter()
        .filter_map(|version| glibc_version(version))
        .max();
    let Some(needed) = needed else {
        return findings.fact("needs no version of glibc");
    };
    findings.fact(format!("needs glibc {}.{}", needed.0, needed.1));
    if needed > (major, minor) {
        findings.fail(format!(
            "needs glibc {}.{}, the oldest supported system has {major}.{minor}: build it on such a system \
             (Debian 12), or against its libraries",
            needed.0, needed.1
        ));
    }
}

/// `GLIBC_2.34` as numbers.
fn glibc_version(name: &str) -> Option<(u32, u32)> {
    if name == "GLIBC_ABI_DT_RELR" {
        return Some((2, 36));
    }
    let mut numbers = name
        .strip_prefix("GLIBC_")?
        .split('.')
        .map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// No memory that is both written and run.
pub(super) fn hardening(bench: &mut Bench, findings: &mut Findings) {
    let Ok(elf) = &bench.elf else {
        return findings.skip(SEE_FILE);
    };
    match elf.executable_stack {
        Some(false) => {}
        Some(true) => findings.fail(
            "asks for a stack that may be run: assembler without .note.GNU-stack, or -z execstack; link with \
             -z noexecstack",
        ),
        None => findings.fail("does not say that its stack is not run: link with -z noexecstack"),
    }
    if elf.text_relocations {
        findings
            .fail("its code is changed while it is loaded (text relocations): compile with -fPIC");
    }
    if elf.writable_code {
        findings.fail("a segment is both writable and run: link without -N or -z rwx-segments");
    }
}

const SEE_FILE: &str = "the file can't be read: see file";

/// The first few of many names.
fn some(names: &[&str]) -> String {
    const SHOWN_MAX: usize = 8;
    let shown = names[..names.len().min(SHOWN_MAX)].join(", ");
    match names.len().saturating_sub(SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(glibc_version("GLIBC_2.2.5"), Some((2, 2)));
        assert_eq!(glibc_version("GLIBC_2.34"), Some((2, 34)));
        assert_eq!(glibc_version("GLIBC_ABI_DT_RELR"), Some((2, 36)));
        assert_eq!(glibc_version("GLIBC_PRIVATE"), None);
        assert_eq!(glibc_version("GCC_3.0"), None);
        assert!(glibc_version("GLIBC_2.4") < glibc_version("GLIBC_2.34"));
    }
}
