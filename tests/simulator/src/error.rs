//! What can go wrong in the simulator itself, as opposed to what it answers.

use std::time::Duration;

/// A failure of the simulator or of a delivery it tried.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The server could not be started.
    #[error("the simulator could not start: {0}")]
    Start(String),
    /// A URL that can't be posted to.
    #[error("can't post to {url}: {reason}")]
    BadUrl {
        /// The address as it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No answer came: refused, reset, or closed before the answer was whole.
    #[error("no answer from {url}: {reason}")]
    NoAnswer {
        /// The address as it was given.
        url: String,
        /// What the connection said.
        reason: String,
        /// True where not even a connection was made.
        connect: bool,
    },
    /// No whole answer in time.
    #[error("no answer from {url} within {after:?}")]
    Slow {
        /// The address as it was given.
        url: String,
        /// How long the last attempt waited.
        after: Duration,
    },
    /// The simulator was stopped while it worked.
    #[error("the simulator was stopped")]
    Stopped,
    /// A condition did not come true in time.
    #[error("the condition did not come true within {0:?}")]
    TimedOut(Duration),
    /// A secret that is not in the form its proof asks for.
    #[error("the secret can't be used: {0}")]
    BadSecret(String),
    /// A recording that is not what its provider sends.
    #[error("the recording can't be read: {0}")]
    BadRecording(String),
    /// No message of that id in the ledger.
    #[error("the ledger has no message {0}")]
    UnknownMessage(String),
}
