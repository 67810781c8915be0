//! Lets the module's tests make the disk fail. Outside of tests there is nothing to set.

use std::io;

/// Failures to come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    #[cfg(test)]
    armed: std::sync::Arc<Armed>,
}

#[cfg(test)]
#[derive(Debug, Default)]
struct Armed {
    sync: std::sync::atomic::AtomicU32,
    create: std::sync::atomic::AtomicU32,
    index: std::sync::atomic::AtomicU32,
}

#[cfg(not(test))]
impl Faults {
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "the tests' twin needs both"
    )]
    pub(super) fn before_sync(&self) -> io::Result<()> {
        Ok(())
    }

    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "the tests' twin needs both"
    )]
    pub(super) fn before_create(&self) -> io::Result<()> {
        Ok(())
    }

    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "the tests' twin needs both"
    )]
    pub(super) fn before_index(&self) -> Result<(), String> {
        Ok(())
    }
}

#[cfg(test)]
impl Faults {
    /// The next `times` calls of fdatasync fail.
    pub(super) fn fail_sync(&self, times: u32) {
        self.armed
            .sync
            .store(times, std::sync::atomic::Ordering::SeqCst);
    }

    /// The next `times` new segments fail.
    pub(super) fn fail_create(&self, times: u32) {
        self.armed
            .create
            .store(times, std::sync::atomic::Ordering::SeqCst);
    }

    /// The next `times` writes to the index fail, and the attempts to build it anew with them.
    pub(super) fn fail_index(&self, times: u32) {
        self.armed
            .index
            .store(times, std::sync::atomic::Ordering::SeqCst);
    }

    pub(super) fn before_index(&self) -> Result<(), String> {
        spend(&self.armed.index).map_err(|e| e.to_string())
    }

    pub(super) fn before_sync(&self) -> io::Result<()> {
        spend(&self.armed.sync)
    }

    pub(super) fn before_create(&self) -> io::Result<()> {
        spend(&self.armed.create)
    }
}

#[cfg(test)]
fn spend(left: &std::sync::atomic::AtomicU32) -> io::Result<()> {
    use std::sync::atomic::Ordering::SeqCst;
    match left.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1)) {
        Ok(_) => Err(io::Error::from_raw_os_error(5)),
        Err(_) => Ok(()),
    }
}
