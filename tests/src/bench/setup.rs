//! The daemon that is measured, and the machine it is measured on.

use std::fs;
use std::io;
use std::time::Duration;

use super::options::Options;
use super::traffic::Source;
use crate::config::{Channel, Config};
use crate::daemon::Daemon;
use crate::twilio::Hook;

const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";
const AUTH_TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// One Twilio channel; everything else as the daemon has it by default, but for the limit on what
/// one person writes: these senders are no people. Nothing listens where its provider should be:
/// this is about inbound alone.
pub fn config() -> Config {
    let provider = "http://127.0.0.1:9";
    let config = Config::with_defaults().set("inbound.sender_per_minute", 1_000_000);
    config.channel(Channel::twilio("sms", ACCOUNT_SID, AUTH_TOKEN, provider))
}

/// A source of requests for a daemon's channel.
pub fn source(daemon: &Daemon, options: &Options) -> Source {
    let hook = Hook {
        url: daemon.url("sms"),
        account_sid: ACCOUNT_SID.to_owned(),
        auth_token: AUTH_TOKEN.to_owned(),
    };
    Source::new(hook, options.senders)
}

/// Cores, processor and kernel in one line.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("unknown processor", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cores} cores, {model}, Linux {}", kernel.trim())
}

/// Resident memory of a process now and at its highest, in MiB.
pub fn resident_mib(pid: u32) -> io::Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':')
            .trim()
            .trim_end_matches(" kB")
            .parse::<u64>()
            .ok()
    };
    Ok((
        field("VmRSS").unwrap_or_default() / 1024,
        field("VmHWM").unwrap_or_default() / 1024,
    ))
}

/// Resident memory in MiB once it no longer falls: unused pages go back to the system with time.
pub async fn settled_mib(pid: u32) -> io::Result<u64> {
    let mut lowest = resident_mib(pid)?.0;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = resident_mib(pid)?.0;
        if now >= lowest {
            return Ok(now);
        }
        lowest = now;
    }
}

/// Whether a figure is where it should be, in a word.
pub fn verdict(good: bool) -> &'static str {
    if good { "good" } else { "MISSED" }
}
