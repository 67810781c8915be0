//! Waiting for conditions instead of sleeping.

use std::future::Future;
use std::time::{Duration, Instant};

/// Longest wait for something that is expected to come.
pub const SOON: Duration = Duration::from_secs(10);

/// Asks `probe` again and again until it gives a value, and panics with `what` after `limit`.
pub async fn eventually<T, F, P>(what: &str, limit: Duration, mut probe: P) -> T
where
    P: FnMut() -> F,
    F: Future<Output = Option<T>>,
{
    let started = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(
            started.elapsed() < limit,
            "after {limit:?} still not: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs blocking work without holding up the test's other tasks.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}
