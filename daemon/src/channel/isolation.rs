//! Where a channel's plugin is opened.

use std::time::Duration;

use trunkline_host::Isolation;

use crate::config::{self, Channel, Plugins};

/// What a channel's section asks for, with the limits of `[plugins]`.
pub fn isolation(channel: &Channel, plugins: &Plugins) -> Isolation {
    match channel.isolation {
        config::Isolation::None => Isolation::None,
        config::Isolation::Process => Isolation::Process {
            memory_bytes_max: plugins.process_memory_max,
            timeout: plugins.call_watchdog,
        },
    }
}

/// How long opening a channel is waited for. A process of its own ends itself after the watchdog's time, for the
/// start and for the call.
pub fn opening_patience(isolation: &Isolation, watchdog: Duration) -> Duration {
    match isolation {
        Isolation::None => watchdog,
        Isolation::Process { .. } => watchdog * 3,
    }
}
