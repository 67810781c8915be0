//! A plugin's lines in the log.

/// Takes a plugin's log line: its level (1 error to 5 trace, others as they come), target and message,
/// each bounded and on one line. Called from any thread.
pub(super) type Say = Box<dyn Fn(u32, &str, &str) + Send + Sync>;

/// Who speaks in a log line.
#[derive(Debug, Clone)]
pub(super) struct Speaker {
    pub(super) plugin: String,
    pub(super) channel: String,
}

impl Speaker {
    /// Writes what the plugin says into the daemon's log.
    pub(super) fn into_say(self) -> Say {
        Box::new(move |level, target, message| self.say(level, target, message))
    }

    /// Writes one line.
    pub(super) fn say(&self, level: u32, plugin_target: &str, message: &str) {
        let Self { plugin, channel } = self;
        // The level of a `tracing` event is part of its static description: one arm each.
        match level {
            0 | 1 => {
                tracing::error!(target: "trunkline::plugin", event = "plugin_said", %plugin, %channel, plugin_target, "{message}");
            }
            2 => {
                tracing::warn!(target: "trunkline::plugin", event = "plugin_said", %plugin, %channel, plugin_target, "{message}");
            }
            3 => {
                tracing::info!(target: "trunkline::plugin", event = "plugin_said", %plugin, %channel, plugin_target, "{message}");
            }
            4 => {
                tracing::debug!(target: "trunkline::plugin", %plugin, %channel, plugin_target, "{message}");
            }
            _ => {
                tracing::trace!(target: "trunkline::plugin", %plugin, %channel, plugin_target, "{message}");
            }
        }
    }
}
