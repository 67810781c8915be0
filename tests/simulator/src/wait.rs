//! Waiting for a condition, for tests that must not sleep for a fixed time.

use crate::SimulatorError;
use std::time::{Duration, Instant};

/// How often the condition is looked at.
const STEP: Duration = Duration::from_millis(5);

/// Returns as soon as `condition` holds, or fails after `timeout`.
pub(crate) async fn until(
    mut condition: impl FnMut() -> bool,
    timeout: Duration,
) -> Result<(), SimulatorError> {
    let deadline = Instant::now() + timeout;
    while !condition() {
        if Instant::now() >= deadline {
            return Err(SimulatorError::TimedOut(timeout));
        }
        tokio::time::sleep(STEP).await;
    }
    Ok(())
}
