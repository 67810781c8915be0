//! Log lines of a plugin in a worker.

use super::frame;
use crate::error::printable;

/// Lines of one call that are kept.
const LINES_MAX: usize = 256;
/// Bytes of a line that are kept.
const LINE_BYTES_MAX: usize = 2048;
/// Bytes of a target that are kept.
const TARGET_BYTES_MAX: usize = 128;
const LEVEL_WARN: u32 = 2;

/// A line that a plugin wrote into the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// 1 (error) to 5 (trace), as the plugin gave it.
    pub level: u32,
    /// Where it comes from, in the plugin's words; one line, bounded.
    pub target: String,
    /// The message; one line, bounded.
    pub message: String,
}

/// The payload of a log frame before the message: the length of the target, and the target.
pub(super) fn payload(target: &str) -> Vec<u8> {
    let mut bytes = u32::try_from(target.len())
        .unwrap_or_default()
        .to_le_bytes()
        .to_vec();
    bytes.extend_from_slice(target.as_bytes());
    bytes
}

/// The lines since they were last taken, bounded.
#[derive(Debug, Default)]
pub(super) struct Logs {
    lines: Vec<LogLine>,
    dropped: u32,
}

impl Logs {
    /// Reads one frame of kind `Log`; false where it is none.
    pub(super) fn read(&mut self, level: u32, mut payload: &[u8]) -> bool {
        let len = frame::take_number(&mut payload).and_then(|len| usize::try_from(len).ok());
        let Some((target, message)) = len.and_then(|len| payload.split_at_checked(len)) else {
            return false;
        };
        if self.lines.len() >= LINES_MAX {
            self.dropped = self.dropped.saturating_add(1);
            return true;
        }
        self.lines.push(LogLine {
            level,
            target: text(target, TARGET_BYTES_MAX),
            message: text(message, LINE_BYTES_MAX),
        });
        true
    }

    pub(super) fn take(&mut self) -> Vec<LogLine> {
        let mut lines = std::mem::take(&mut self.lines);
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            lines.push(LogLine {
                level: LEVEL_WARN,
                target: "worker".into(),
                message: format!("{dropped} more lines of the plugin were dropped"),
            });
        }
        lines
    }
}

fn text(bytes: &[u8], bytes_max: usize) -> String {
    printable(&String::from_utf8_lossy(
        &bytes[..bytes.len().min(bytes_max)],
    ))
}
