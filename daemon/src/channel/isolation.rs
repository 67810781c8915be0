//! Where a channel's plugin is opened.

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
