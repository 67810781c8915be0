//! The daemon as a child process: started, killed, stopped, and found by its log's `ready` line.

use std::{
    fs::{self, File, OpenOptions},
    io,
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::super::failure::Failure;

/// Longest start.
const START: Duration = Duration::from_secs(20);
/// Longest orderly stop; longer than the drain in the demo's configuration.
const STOP: Duration = Duration::from_secs(15);
/// How often the child is looked at.
const STEP: Duration = Duration::from_millis(10);

/// Where a daemon listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Addresses {
    /// Webhooks.
    pub(super) public: SocketAddr,
    /// API and console.
    pub(super) admin: SocketAddr,
}

/// A running daemon; killed when it is dropped.
#[derive(Debug)]
pub(super) struct Daemon {
    child: Child,
    log: PathBuf,
    /// Where this run's part of the log begins.
    log_start: u64,
}

impl Daemon {
    /// Starts `trunkline run` on the configuration in `folder`; the log goes to `daemon.log` there.
    pub(super) fn spawn(folder: &Path) -> io::Result<Self> {
        let log = folder.join("daemon.log");
        let file = OpenOptions::new().create(true).append(true).open(&log)?;
        let log_start = file.metadata()?.len();
        let child = command(folder, file)?.spawn()?;
        Ok(Self {
            child,
            log,
            log_start,
        })
    }

    /// Waits until it is ready.
    pub(super) async fn ready(&mut self) -> Result<Addresses, Failure> {
        let started = Instant::now();
        loop {
            if let Some(addresses) = ready_line(&self.log_text()?) {
                return Ok(addresses);
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(Failure::said(format!(
                    "the daemon ended before it was ready: {status}"
                )));
            }
            if started.elapsed() > START {
                let seconds = START.as_secs();
                return Err(Failure::said(format!(
                    "the daemon was not ready within {seconds} s"
                )));
            }
            tokio::time::sleep(STEP).await;
        }
    }

    /// Ends it as a crash would.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end, and waits; kills it where it takes too long.
    pub(super) async fn stop(&mut self) -> io::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() {
            if asked.elapsed() > STOP {
                return self.kill();
            }
            tokio::time::sleep(STEP).await;
        }
        Ok(())
    }

    /// An error where the daemon is not running any more.
    pub(super) fn alive(&mut self) -> Result<(), Failure> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(Failure::said(format!(
                "the daemon ended by itself: {status}"
            ))),
        }
    }

    fn log_text(&self) -> io::Result<String> {
        let bytes = fs::read(&self.log)?;
        let start = usize::try_from(self.log_start).unwrap_or(bytes.len());
        Ok(String::from_utf8_lossy(&bytes[start.min(bytes.len())..]).into_owned())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Already ended is as good as killed.
        let _ = self.kill();
    }
}

fn command(folder: &Path, log: File) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("run")
        .arg("-c")
        .arg(folder.join("trunkline.toml"))
        .stdin(Stdio::null())
        .stderr(log.try_clone()?)
        .stdout(log)
        // Ctrl-C in the terminal is for the demo, which then stops the daemon in order.
        .process_group(0);
    // What is set for a real daemon must not reach this one.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("TRUNKLINE__") || text == "RUST_LOG" || text == "NOTIFY_SOCKET" {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// The addresses in the `ready` line of a JSON log, once it is there and whole.
fn ready_line(log: &str) -> Option<Addresses> {
    log.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let fields = line.get("fields").unwrap_or(&line);
        let text = |name: &str| fields.get(name).or_else(|| line.get(name))?.as_str();
        if text("message")? != "ready" {
            return None;
        }
        Some(Addresses {
            public: text("public")?.parse().ok()?,
            admin: text("admin")?.parse().ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_is_found_in_either_form() {
        let expected = Addresses {
            public: SocketAddr::from(([127, 0, 0, 1], 4100)),
            admin: SocketAddr::from(([127, 0, 0, 1], 4101)),
        };
        let nested =
            r#"{"fields":{"message":"ready","public":"127.0.0.1:4100","admin":"127.0.0.1:4101"}}"#;
        let flat = r#"{"message":"ready","public":"127.0.0.1:4100","admin":"127.0.0.1:4101"}"#;
        for line in [nested, flat] {
            let log = format!("not json\n{{\"message\":\"starting\"}}\n{line}\n");
            assert_eq!(ready_line(&log), Some(expected));
            assert_eq!(ready_line(&log[..log.len() - 5]), None, "half a line");
        }
    }
}
