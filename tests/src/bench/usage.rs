//! What a process has used so far: time of processors and calls that read. On a machine that does
//! other things too these say more than the clock.

use std::fs;
use std::io;
use std::time::Duration;

/// What a process has used since it began, or what something in it used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Processor time of all its threads.
    pub cpu: Duration,
    /// System calls that read files.
    pub reads: u64,
}

impl Usage {
    /// What a process has used so far. Threads that have ended are not in it.
    pub fn of(pid: u32) -> io::Result<Self> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread may end between being listed and being read.
            let stat = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            let first = stat.split_whitespace().next();
            nanos += first.and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        }
        let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
        let reads = io.lines().find_map(|line| line.strip_prefix("syscr: "));
        Ok(Self {
            cpu: Duration::from_nanos(nanos),
            reads: reads.and_then(|n| n.parse().ok()).unwrap_or(0),
        })
    }

    /// What was used since an earlier look.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            reads: self.reads.saturating_sub(earlier.reads),
        }
    }

    /// The share of each of `count` things, counted as at least one.
    pub fn each(self, count: usize) -> Each {
        let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
        Each {
            cpu: self.cpu / count,
            tenths_of_reads: self.reads * 10 / u64::from(count),
        }
    }
}

/// What one of many things used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Each {
    /// Processor time.
    pub cpu: Duration,
    tenths_of_reads: u64,
}

impl std::fmt::Display for Each {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (us, tenths) = (self.cpu.as_micros(), self.tenths_of_reads);
        write!(out, "{us} us of CPU, {}.{} reads", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::Usage;

    #[test]
    fn work_of_this_process_shows() {
        let pid = std::process::id();
        let before = Usage::of(pid).unwrap();
        let mut reads = 0;
        while Usage::of(pid).unwrap().since(before).cpu.is_zero() {
            reads += 1;
        }
        let used = Usage::of(pid).unwrap().since(before);
        assert!(!used.cpu.is_zero() && used.reads >= reads);
    }
}
