//! The last look at a file before it gets its name: may it be kept, and as what?

use trunkline_plugin_api::{AdapterError, ErrorClass};

use super::sniff;
use crate::{
    config::Settings,
    store::{DraftError, NewMedia, Store, Written},
};

/// Characters of a file name that are kept.
const NAME_CHARS_MAX: usize = 200;

/// Keeps files that may be kept.
#[derive(Clone)]
pub struct Keeper {
    store: Store,
    settings: Settings,
}

/// Why a file is not kept.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It has more bytes than one may have.
    #[error("it is larger than {0} bytes ([media] bytes_max)")]
    TooLarge(u64),
    /// Its type is none of those that are kept.
    #[error("files of type {0} are not kept ([media] types)")]
    Type(String),
    /// There is no room, or the disk refuses.
    #[error("{0}")]
    Store(DraftError),
}

impl Refusal {
    /// For programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "media_too_large",
            Self::Type(_) => "media_type_forbidden",
            Self::Store(DraftError::Full { .. } | DraftError::NoRoom(_)) => "media_store_full",
            Self::Store(_) => "media_store",
        }
    }

    /// What it means for an attachment that was to be fetched: room may be made, a type does not
    /// change.
    pub(super) fn into_error(self) -> AdapterError {
        let class = match self {
            Self::TooLarge(_) | Self::Type(_) => ErrorClass::Content,
            Self::Store(_) => ErrorClass::Transient,
        };
        AdapterError::new(class, self.code(), self.to_string())
    }
}

impl From<DraftError> for Refusal {
    fn from(error: DraftError) -> Self {
        match error {
            DraftError::TooLarge(max) => Self::TooLarge(max),
            other => Self::Store(other),
        }
    }
}

impl Keeper {
    /// A keeper of files in `store`.
    pub fn new(store: Store, settings: Settings) -> Self {
        Self { store, settings }
    }

    /// Bytes that one file may have.
    pub fn bytes_max(&self) -> u64 {
        self.settings.load().media.bytes_max
    }

    /// Refuses files while the disk is nearly full.
    pub fn admit(&self) -> Result<(), Refusal> {
        let admitted = self.store.engine().admit_new();
        admitted.map_err(|error| DraftError::NoRoom(error).into())
    }

    /// Keeps a file durably under its hash; no organization knows it yet. What was declared of its
    /// type only chooses among what its bytes allow.
    pub async fn keep(
        &self,
        written: Written,
        declared: Option<&str>,
        name: Option<&str>,
    ) -> Result<NewMedia, Refusal> {
        self.admit()?;
        let settings = self.settings.load();
        let content_type = sniff::content_type(&written.head, declared);
        if !settings.media.allows(&content_type) {
            return Err(Refusal::Type(content_type));
        }
        let new = NewMedia {
            hash: written.hash,
            size: written.size,
            content_type,
            name: name.and_then(clean_name),
        };
        let total_max = Some(settings.media.total_bytes_max).filter(|max| *max > 0);
        let files = self.store.media_files().clone();
        let kept = tokio::task::spawn_blocking(move || files.keep(&written, total_max)).await;
        kept.map_err(|error| DraftError::Disk(std::io::Error::other(error)))??;
        Ok(new)
    }
}

/// A file name without folders, control characters and what would trick a reader about its ending;
/// none where nothing is left.
pub fn clean_name(name: &str) -> Option<String> {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let tricks = |c: char| {
        c.is_control()
            || ('\u{200b}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    let clean: String = base
        .chars()
        .filter(|c| !tricks(*c))
        .take(NAME_CHARS_MAX)
        .collect();
    let clean = clean.trim().trim_start_matches('.').trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names_only() {
        let table = [
            ("report.pdf", Some("report.pdf")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\temp\\a.txt", Some("a.txt")),
            ("a\r\nset-cookie: x", Some("aset-cookie: x")),
            ("gpj.\u{202e}exe", Some("gpj.exe")),
            (".htaccess", Some("htaccess")),
            ("grüße.txt", Some("grüße.txt")),
            ("../", None),
            (" . ", None),
            ("", None),
        ];
        for (name, expected) in table {
            assert_eq!(clean_name(name).as_deref(), expected, "{name:?}");
        }
        assert_eq!(
            clean_name(&"a".repeat(999)).map(|name| name.len()),
            Some(200)
        );
    }
}
