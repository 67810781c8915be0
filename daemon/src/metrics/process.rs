//! What the process uses, from `/proc` (proc(5)); 0 where that can't be read.

use std::{fs, sync::OnceLock};

/// Parts of a second in which `/proc` counts, on every Linux (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// What the process uses now.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Process {
    /// Time on a processor so far, in seconds.
    pub cpu_seconds: f64,
    /// Memory that is really there.
    pub resident_bytes: u64,
    /// Memory that was asked for.
    pub virtual_bytes: u64,
    /// Open file descriptors.
    pub fds: u64,
    /// How many there may be.
    pub fds_max: u64,
    /// When it was started, in seconds of the Unix time.
    pub started_seconds: f64,
}

impl Process {
    /// Reads it.
    pub fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The second field may hold blanks and brackets; those behind it are counted from the third.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or("")
            .split_whitespace()
            .collect();
        let field = |number: usize| -> f64 {
            let text = fields.get(number - 3);
            text.and_then(|text| text.parse().ok()).unwrap_or(0.0)
        };
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kib = |name| number_after(&status, name).saturating_mul(1024);
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Self {
            cpu_seconds: (field(14) + field(15)) / TICKS_PER_SECOND,
            resident_bytes: kib("VmRSS:"),
            virtual_bytes: kib("VmSize:"),
            fds: fs::read_dir("/proc/self/fd").map_or(0, |all| all.count() as u64),
            fds_max: number_after(&limits, "Max open files"),
            started_seconds: *STARTED.get_or_init(|| booted() + field(22) / TICKS_PER_SECOND),
        }
    }
}

/// Kept, since the clock of the machine may be set meanwhile.
static STARTED: OnceLock<f64> = OnceLock::new();

/// The first number of the line that begins with a name.
fn number_after(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn booted() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "));
    line.and_then(|line| line.trim().parse().ok())
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_uses_something() {
        let found = Process::read();
        assert!(found.resident_bytes > 1 << 20 && found.virtual_bytes >= found.resident_bytes);
        assert!(found.fds >= 1 && found.fds <= found.fds_max);
        assert!(found.started_seconds > 1.6e9, "{found:?}");
    }
}
