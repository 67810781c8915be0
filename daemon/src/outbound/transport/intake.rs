//! Answers that go into files: written as they come, bounded, and held without a name until someone
//! has looked at what they are.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use trunkline_plugin_api::{FileReply, TransportError, TransportKind};

use super::after_send;
use crate::store::{DraftError, DraftWriter, MediaFiles, Written};

/// Takes the answers of one run of an adapter.
pub struct Intake {
    files: Arc<MediaFiles>,
    bytes_max: u64,
    taken: Mutex<Vec<Written>>,
    too_large: AtomicBool,
}

impl Intake {
    /// An intake of files of at most `bytes_max` bytes.
    pub fn new(files: Arc<MediaFiles>, bytes_max: u64) -> Self {
        Self {
            files,
            bytes_max,
            taken: Mutex::default(),
            too_large: AtomicBool::new(false),
        }
    }

    /// The file with this hash, if it came in here. Others are none of the run's business.
    pub fn claim(&self, sha256: &str) -> Option<Written> {
        let mut taken = self.taken.lock();
        let at = taken
            .iter()
            .position(|file| file.hash.to_string() == sha256)?;
        Some(taken.swap_remove(at))
    }

    /// True where an answer was larger than allowed.
    pub fn was_too_large(&self) -> bool {
        self.too_large.load(Ordering::Relaxed)
    }

    /// Begins a file; refused at once where the announced length is too much.
    pub(super) async fn begin(
        &self,
        announced: Option<u64>,
    ) -> Result<DraftWriter, TransportError> {
        if announced.is_some_and(|len| len > self.bytes_max) {
            return Err(self.failed(&DraftError::TooLarge(self.bytes_max)));
        }
        let begun = self.files.writer(self.bytes_max).await;
        begun.map_err(|error| self.failed(&error))
    }

    /// Takes a file that is complete.
    pub(super) async fn take(&self, file: DraftWriter) -> Result<FileReply, TransportError> {
        let file = file.finish().await.map_err(|error| self.failed(&error))?;
        let reply = FileReply {
            sha256: file.hash.to_string(),
            size: file.size,
        };
        self.taken.lock().push(file);
        Ok(reply)
    }

    /// What a failure to write means for the call.
    pub(super) fn failed(&self, error: &DraftError) -> TransportError {
        match error {
            DraftError::TooLarge(_) => {
                self.too_large.store(true, Ordering::Relaxed);
                TransportError {
                    kind: TransportKind::TooLarge,
                    detail: format!("the file is larger than {} bytes", self.bytes_max),
                }
            }
            other => after_send(other.to_string()),
        }
    }
}
