//! Everything that people said and who they are, as JSON lines: out ([`Export`]) and in ([`Importer`]).
//!
//! ```text
//! header, then for each organization: organization, contacts, threads, media (and their bytes), messages, consents; end
//! ```
//!
//! [`lines`] is the format, one type a line; `daemon/EXPORT.md` describes it for people who write converters, and
//! `daemon/export.schema.json` is made from the types. Both ways hold one line at a time.

mod check;
mod export;
mod from_lines;
mod import;
pub mod lines;
mod locate;
mod report;
mod take;
#[cfg(test)]
mod tests;
mod to_lines;

pub use export::{Export, ExportError};
pub use import::{ImportError, ImportOptions, Importer};
pub use report::{Conflict, ImportReport, Tally};
