//! The engine's threads: started when it opens, ended in order when it closes.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    checkpoint::Checkpoint,
    log::Log,
    shared::Shared,
    writer::{run_index, run_log},
};

/// Groups that may be durable and wait for the index.
const GROUPS_WAITING: usize = 1;
/// How often it is looked whether a checkpoint is due.
const TICK: Duration = Duration::from_millis(200);

/// The threads of an open engine.
#[derive(Debug)]
pub(super) struct Running {
    log: JoinHandle<()>,
    index: JoinHandle<()>,
    checkpoint: JoinHandle<()>,
    stop: Sender<()>,
    /// Held until all is closed.
    lock: std::fs::File,
}

impl Running {
    /// Starts all threads.
    pub(super) fn start(
        shared: &Arc<Shared>,
        log: Log,
        checkpoint: Checkpoint,
        lock: std::fs::File,
    ) -> io::Result<Self> {
        let (sender, groups) = mpsc::sync_channel(GROUPS_WAITING);
        let (stop, stopped) = mpsc::channel();
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(name.to_owned()).spawn(run)
        };
        let of = Arc::clone(shared);
        let log = spawn("store-log", Box::new(move || run_log(&of, log, &sender)))?;
        let of = Arc::clone(shared);
        let mend = |words: &str| Err(words.to_owned());
        let index = spawn(
            "store-index",
            Box::new(move || run_index(&of, &groups, mend)),
        )?;
        let of = Arc::clone(shared);
        let run = move || run_checkpoints(&of, checkpoint, &stopped);
        let checkpoint = spawn("store-check", Box::new(run))?;
        Ok(Self {
            log,
            index,
            checkpoint,
            stop,
            lock,
        })
    }

    /// Ends all threads, the last of them after a checkpoint that says so.
    pub(super) fn close(self, shared: &Shared) {
        shared.plan.lock().closing = true;
        shared.work.notify_all();
        let mut orderly = self.log.join().is_ok();
        orderly &= self.index.join().is_ok();
        // A checkpoint thread that is gone has said why.
        let _ = self.stop.send(());
        orderly &= self.checkpoint.join().is_ok();
        if !orderly {
            tracing::error!("the store did not close in order; it will be checked when it opens");
        }
        drop(self.lock);
    }
}

/// Makes the index durable by size and time, and once more at the end.
fn run_checkpoints(shared: &Shared, mut last: Checkpoint, stop: &Receiver<()>) {
    let mut at = Instant::now();
    let mut bytes = 0;
    loop {
        let closing = stop.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout);
        let position = *shared.position.borrow();
        let grown = shared.meters.log_bytes.load(Relaxed) - bytes;
        let due = grown >= shared.options.checkpoint_bytes
            || at.elapsed() >= shared.options.checkpoint_interval;
        if closing || (due && position != last.position) {
            bytes = shared.meters.log_bytes.load(Relaxed);
            at = Instant::now();
            match checkpoint(shared, &last, closing) {
                Ok(made) => last = made,
                Err(error) => tracing::error!("cannot make a checkpoint: {error}"),
            }
        }
        if closing {
            return;
        }
    }
}

/// Makes what is applied durable, then says so.
fn checkpoint(shared: &Shared, last: &Checkpoint, clean: bool) -> Result<Checkpoint, String> {
    let (position, hash, index) = {
        let applied = shared.apply.lock();
        (applied.position, applied.hash, shared.index.load_full())
    };
    index.sync()?;
    let made = Checkpoint {
        sequence: last.sequence + 1,
        index: number_of(index.path()).unwrap_or(last.index),
        position,
        hash,
        clean,
    };
    made.save(&shared.path).map_err(|e| e.to_string())?;
    shared.meters.checkpoint.store(position, Relaxed);
    Ok(made)
}

/// The number in `index-N`.
pub(super) fn number_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix("index-")?.parse().ok()
}
