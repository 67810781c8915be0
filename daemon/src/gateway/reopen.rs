//! Channels that are down because they could not be opened, for a reason that may pass: they are opened again.
//!
//! A guardian can't do it: opening tells the channel's facts, and so makes it another. What the machine lacks is
//! waited for without end; what the plugin did is held against its file when it goes on.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::sync::oneshot;

use super::{Gateway, channels::RunningChannel};
use crate::channel::{Channel, HANGS_MAX, Unopened};

/// How often it is looked whether a channel is to be opened again, at first.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// And at the longest, while it can't be.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Channels whose plugin's file failed to open them: its hash, and how often.
type Failures = BTreeMap<String, (String, u32)>;

impl Gateway {
    /// Starts to look for such channels, whenever they were opened.
    pub(super) async fn start_reopening(self: &Arc<Self>) {
        let (stop, stopped) = oneshot::channel();
        self.stops.lock().await.push(stop);
        let gateway = Arc::downgrade(self);
        self.arbiters.watch.spawn_fn(move || {
            actix::spawn(follow(gateway, stopped));
        });
    }

    /// Opens them again. True where there were any.
    async fn reopen(&self, failures: &mut Failures) -> bool {
        // Whoever has the channels now opens some of them anyway.
        let Ok(mut running) = self.running.try_lock() else {
            return false;
        };
        let waiting: BTreeMap<String, Arc<Channel>> = running
            .values()
            .filter(|running| running.channel.unopened.is_some())
            .map(|running| (running.channel.id.to_string(), running.channel.clone()))
            .collect();
        failures.retain(|id, _| waiting.contains_key(id));
        for (id, channel) in &waiting {
            self.reopen_one(&mut running, id, channel, failures).await;
        }
        drop(running);
        for id in waiting.keys() {
            self.look(id);
        }
        !waiting.is_empty()
    }

    async fn reopen_one(
        &self,
        running: &mut BTreeMap<String, RunningChannel>,
        id: &String,
        channel: &Channel,
        failures: &mut Failures,
    ) {
        let failed = count(failures, id, channel);
        let failed_max = match channel.unopened {
            Some(Unopened::Hang) => HANGS_MAX,
            _ => self.settings.load().plugins.failures_max,
        };
        if failed >= failed_max {
            let reason = channel.down_reason().unwrap_or_default();
            let reason = format!("{reason} ({failed} times in a row)");
            tracing::error!(event = "channel_given_up", channel = %id, %reason, "channel given up");
            self.hold(channel, reason).await;
        }
        if let Err(error) = self.restart_one(running, id).await {
            // Most likely it was opened, and has refused its section: nothing to hold against it.
            failures.remove(id);
            tracing::warn!(event = "channel_not_reopened", channel = %id, %error, "a channel could not be opened again");
        }
    }

    /// Puts the channel's plugin into quarantine for it.
    async fn hold(&self, channel: &Channel, reason: String) {
        let Some(entry) = channel.entry(reason, self.store.now()) else {
            return;
        };
        let quarantine = self.quarantine.clone();
        let added = tokio::task::spawn_blocking(move || quarantine.add(entry)).await;
        if let Err(error) = added.unwrap_or_else(|error| Err(io::Error::other(error))) {
            tracing::error!(event = "quarantine_not_saved", channel = %channel.id, %error, "a restart of the daemon would start this channel again");
        }
    }
}

/// How often the plugin of a channel has failed to open it by now; 0 where it is not the plugin's fault.
fn count(failures: &mut Failures, id: &str, channel: &Channel) -> u32 {
    let (Some(Unopened::Fault | Unopened::Hang), Some(plugin)) =
        (channel.unopened, &channel.plugin)
    else {
        return 0;
    };
    let (file, failed) = failures.entry(id.to_owned()).or_default();
    if file != plugin.sha256() {
        (*file, *failed) = (plugin.sha256().to_owned(), 0);
    }
    *failed += 1;
    *failed
}

async fn follow(gateway: Weak<Gateway>, mut stop: oneshot::Receiver<()>) {
    let mut failures = Failures::new();
    let mut wait = WAIT_MIN;
    loop {
        tokio::select! {
            _ = &mut stop => return,
            () = tokio::time::sleep(wait) => {}
        }
        let Some(gateway) = gateway.upgrade() else {
            return;
        };
        wait = if gateway.reopen(&mut failures).await {
            (wait * 2).min(WAIT_MAX)
        } else {
            WAIT_MIN
        };
    }
}
