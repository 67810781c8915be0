//! What ends a command early: words for standard error and an exit code.

use std::{io, process::ExitCode};

use super::{admin::AdminError, output};

/// Exit code for a command line that can't be understood (`EX_USAGE` of sysexits).
pub(super) const USAGE: u8 = 64;
/// Exit code for a configuration that can't be used (`EX_CONFIG` of sysexits).
pub(super) const CONFIGURATION: u8 = 78;
/// Exit code for everything else.
const FAILED: u8 = 1;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The configuration is wrong: lines that each begin with their place.
    #[error("{0}")]
    Configuration(String),
    /// The daemon could not be asked, or refused.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Anything else, in words.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
    /// Nobody reads our output any more.
    #[error("standard output is closed")]
    OutputClosed,
    /// The command has said it all itself.
    #[error("failed")]
    Told,
}

impl Failure {
    /// A failure in words.
    pub(super) fn said(words: impl Into<String>) -> Self {
        Self::Other(anyhow::Error::msg(words.into()))
    }

    /// The exit code.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Configuration(_) => CONFIGURATION,
            _ => FAILED,
        }
    }

    /// Says it on standard error and gives the exit code.
    pub(super) fn report(&self) -> ExitCode {
        match self {
            // Each line begins with FILE:LINE, for editors and people.
            Self::Configuration(lines) => output::complain(lines),
            Self::OutputClosed | Self::Told => {}
            other => output::complain(&format!("trunkline: {other}")),
        }
        ExitCode::from(self.code())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::OutputClosed
        } else {
            Self::Other(error.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_follow_the_kind_of_failure() {
        let broken = io::Error::from(io::ErrorKind::BrokenPipe);
        let table: [(Failure, u8); 4] = [
            (Failure::Configuration("a.toml:1: wrong".into()), 78),
            (Failure::said("no"), 1),
            (broken.into(), 1),
            (
                AdminError::NoAnswer("the daemon does not answer".into()).into(),
                1,
            ),
        ];
        for (failure, code) in table {
            assert_eq!(failure.code(), code, "{failure:?}");
        }
    }
}
