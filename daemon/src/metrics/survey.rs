//! What has to be looked up before it can be shown. A look never takes more than a twentieth of the
//! time, however much is queued: what was seen last is shown again until its time is over.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use super::Process;
use crate::store::{DiskUse, Store, Waiting};

/// What is seen is shown for at least this long.
const FRESH: Duration = Duration::from_millis(500);
/// For this many times as long as the look took.
const REST: u32 = 20;

/// What was seen.
#[derive(Debug)]
pub struct Survey {
    /// What waits in the outboxes.
    pub waiting: Vec<Waiting>,
    /// Bytes on the disk.
    pub disk: DiskUse,
    /// What the process uses.
    pub process: Process,
    until: Instant,
}

/// Looks, and remembers.
#[derive(Debug, Default)]
pub struct Surveyor(Mutex<Option<Arc<Survey>>>);

impl Surveyor {
    /// What there is, as seen a moment ago.
    pub async fn look(&self, store: &Store, path: PathBuf) -> Arc<Survey> {
        let mut last = self.0.lock().await;
        if let Some(survey) = last.as_ref().filter(|survey| Instant::now() < survey.until) {
            return survey.clone();
        }
        let store = store.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let waiting = store.waiting();
            let (disk, process) = (DiskUse::of(&path), Process::read());
            (waiting, disk, process, began.elapsed())
        });
        let (waiting, disk, process, took) = match looked.await {
            Ok((Ok(waiting), disk, process, took)) => (waiting, disk, process, took),
            // A store that can't be read tells so itself; what was seen before is better than nothing.
            Ok((Err(_), disk, process, took)) => {
                let before = last.as_ref().map(|survey| survey.waiting.clone());
                (before.unwrap_or_default(), disk, process, took)
            }
            Err(_) => Default::default(),
        };
        let survey = Arc::new(Survey {
            waiting,
            disk,
            process,
            until: Instant::now() + FRESH.max(took * REST),
        });
        *last = Some(survey.clone());
        survey
    }
}
