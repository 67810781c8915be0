//! Opens a sled folder on a thread of its own: damaged files make sled panic, or never return.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::mpsc,
    thread,
    time::Duration,
};

use super::index::{Index, Reached};

/// Opens an index and reads how far it is; none where it is empty. The error says why it is no good.
pub(super) fn open(
    path: &Path,
    cache_bytes: u64,
    timeout: Duration,
) -> Result<(Index, Option<Reached>), String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let folder = path.to_owned();
    let opening = thread::Builder::new()
        .name("store-open".into())
        .spawn(move || {
            let opened = catch_unwind(AssertUnwindSafe(|| {
                let index = Index::open(&folder, cache_bytes)?;
                let reached = index.reached()?;
                Ok((index, reached))
            }));
            // Nobody waits any more once the time is up.
            let _ = sender.send(opened.unwrap_or_else(|_| Err("sled panicked over it".to_owned())));
        });
    opening.map_err(|e| format!("no thread to open it on: {e}"))?;
    receiver
        .recv_timeout(timeout)
        .unwrap_or_else(|_| Err(format!("sled did not open it within {timeout:?}")))
}
