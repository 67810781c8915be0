//! The service manager's end of `sd_notify(3)`.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::wait::SOON;

/// A socket that a daemon tells how it does.
#[derive(Debug)]
pub struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    said: Vec<(Instant, String)>,
}

impl Manager {
    /// Listens at `notify.sock` in a folder.
    pub fn listen(folder: &Path) -> Self {
        let path = folder.join("notify.sock");
        let socket = UnixDatagram::bind(&path).expect("a socket can be bound");
        socket
            .set_nonblocking(true)
            .expect("a socket can be made not to block");
        Self {
            socket,
            path,
            said: Vec::new(),
        }
    }

    /// What `NOTIFY_SOCKET` is set to.
    pub fn address(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// All lines so far, with the time at which they were read.
    pub fn lines(&mut self) -> &[(Instant, String)] {
        let mut buffer = [0; 4096];
        while let Ok(len) = self.socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            let lines = text.lines().map(|line| (Instant::now(), line.to_owned()));
            self.said.extend(lines);
        }
        &self.said
    }

    /// How many lines begin like this so far.
    pub fn count(&mut self, prefix: &str) -> usize {
        let lines = self.lines().iter();
        lines.filter(|(_, line)| line.starts_with(prefix)).count()
    }

    /// Waits until so many lines begin like this.
    pub async fn wait(&mut self, prefix: &str, count: usize) {
        let started = Instant::now();
        while self.count(prefix) < count {
            assert!(
                started.elapsed() < SOON,
                "not {count} times {prefix}: {:?}",
                self.said
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
