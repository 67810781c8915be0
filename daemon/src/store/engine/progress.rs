//! How far long work at a start is: in the log, and to whoever listens (the service manager's status).

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Between two words about the same work.
const INTERVAL: Duration = Duration::from_secs(2);

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Records of a snapshot go into a new index.
    ReadingSnapshot,
    /// Commits of the log go into the index.
    ReplayingLog,
    /// A snapshot of the old format is taken, so that one can go back.
    KeepingOldFormat,
    /// Records are brought from one format to the next.
    Migrating {
        /// The format that they have.
        from: u32,
        /// The format that they get.
        to: u32,
    },
}

impl fmt::Display for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadingSnapshot => formatter.write_str("building the index from the snapshot"),
            Self::ReplayingLog => formatter.write_str("applying the log to the index"),
            Self::KeepingOldFormat => formatter.write_str("keeping a snapshot of the old format"),
            Self::Migrating { from, to } => {
                write!(formatter, "migrating the store from format {from} to {to}")
            }
        }
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub work: Work,
    /// Records done; of the log, the commit reached.
    pub done: u64,
    /// Of how many, where that is known.
    pub total: Option<u64>,
}

impl fmt::Display for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.work, self.done)?;
        match self.total {
            Some(total) => write!(formatter, " of {total}"),
            None => Ok(()),
        }
    }
}

type Listener = Arc<dyn Fn(&Progress) + Send + Sync>;

/// Tells how far long work is: every two seconds, and when one piece of work follows another. Clones tell the
/// same listener.
#[derive(Clone, Default)]
pub struct Teller {
    listener: Option<Listener>,
    last: Arc<Mutex<Option<(Progress, Instant)>>>,
}

impl fmt::Debug for Teller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Teller")
    }
}

impl Teller {
    /// One that tells a listener too, beside the log.
    pub fn to(listener: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        Self {
            listener: Some(Arc::new(listener)),
            ..Self::default()
        }
    }

    /// It is so far.
    pub fn tell(&self, work: Work, done: u64, total: Option<u64>) {
        let progress = Progress { work, done, total };
        let ends = total == Some(done);
        let mut last = self.last.lock();
        let is_due = last.is_none_or(|(last, at)| {
            last.work != work || at.elapsed() >= INTERVAL || (ends && last != progress)
        });
        if !is_due {
            return;
        }
        *last = Some((progress, Instant::now()));
        drop(last);
        tracing::info!(event = "store_progress", done, total, "{work}");
        if let Some(listener) = &self.listener {
            listener(&progress);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_when_work_begins_and_ends_and_not_for_each_record() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let teller = Teller::to(move |progress| heard.lock().push(progress.to_string()));
        for done in 0..=1000 {
            teller.tell(Work::ReadingSnapshot, done, Some(1000));
        }
        teller.tell(Work::Migrating { from: 1, to: 2 }, 5, None);
        let told = told.lock();
        assert_eq!(
            told.first().map(String::as_str),
            Some("building the index from the snapshot: 0 of 1000")
        );
        assert!(told.contains(&"building the index from the snapshot: 1000 of 1000".to_owned()));
        assert_eq!(
            told.last().map(String::as_str),
            Some("migrating the store from format 1 to 2: 5")
        );
        assert!(told.len() < 10, "{told:?}");
    }
}
