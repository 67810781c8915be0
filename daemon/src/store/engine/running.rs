//! The engine's threads: started when it opens, ended in order when it closes.

use std::{
    io,
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    care::{self, Order},
    checkpoint,
    log::Log,
    rebuild,
    shared::Shared,
    writer::{run_index, run_log},
};

/// Groups that may be durable and wait for the index: it takes them together.
const GROUPS_WAITING: usize = 8;
/// How often it is looked whether a checkpoint is due.
const TICK: Duration = Duration::from_millis(200);

/// The threads of an open engine.
#[derive(Debug)]
pub(super) struct Running {
    log: JoinHandle<()>,
    index: JoinHandle<()>,
    checkpoint: JoinHandle<()>,
    care: JoinHandle<()>,
    stop: Sender<()>,
    /// Held until all is closed.
    lock: std::fs::File,
}

impl Running {
    /// Starts all threads.
    pub(super) fn start(
        shared: &Arc<Shared>,
        log: Log,
        orders: Receiver<Order>,
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
        let again = Arc::clone(shared);
        let mend = move |why: &str, until| rebuild::replace(&again, why, Some(until));
        let index = spawn(
            "store-index",
            Box::new(move || run_index(&of, &groups, mend)),
        )?;
        let of = Arc::clone(shared);
        let run = move || run_checkpoints(&of, &stopped);
        let checkpoint = spawn("store-check", Box::new(run))?;
        let of = Arc::clone(shared);
        let care = spawn("store-care", Box::new(move || care::run(&of, &orders)))?;
        Ok(Self {
            log,
            index,
            checkpoint,
            care,
            stop,
            lock,
        })
    }

    /// Ends all threads, the last of them after a checkpoint that says so.
    pub(super) fn close(self, shared: &Shared) {
        shared.plan.lock().closing = true;
        shared.work.notify_all();
        shared.stopping.store(true, Relaxed);
        shared.order(Order::Stop);
        let mut orderly = self.log.join().is_ok();
        orderly &= self.index.join().is_ok();
        orderly &= self.care.join().is_ok();
        // A checkpoint thread that is gone has said why.
        let _ = self.stop.send(());
        orderly &= self.checkpoint.join().is_ok();
        if !orderly {
            tracing::error!(
                event = "store_not_closed",
                "the store did not close in order; it will be checked when it opens"
            );
        }
        drop(self.lock);
    }
}

/// Looks at the disk, and makes the index durable by size and time, and once more at the end.
fn run_checkpoints(shared: &Shared, stop: &Receiver<()>) {
    let mut at = Instant::now();
    let mut bytes = 0;
    loop {
        let closing = stop.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout);
        shared.room.look();
        let written = shared.meters.log_bytes.load(Relaxed);
        let moved = *shared.position.borrow() != shared.meters.checkpoint.load(Relaxed);
        let due = written - bytes >= shared.options.checkpoint_bytes
            || at.elapsed() >= shared.options.checkpoint_interval;
        if closing || (due && moved) {
            (at, bytes) = (Instant::now(), written);
            if let Err(error) = checkpoint::make(shared, closing)
                && let Some(kept_back) = shared.meters.checkpoints_said.due()
            {
                tracing::error!(
                    event = "store_checkpoint_failed",
                    kept_back,
                    "cannot make a checkpoint: {error}"
                );
            }
        }
        if closing {
            return;
        }
    }
}
