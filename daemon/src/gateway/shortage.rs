//! Channels that are down because the machine could start no process for their plugin: they are opened again
//! until it can.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::sync::oneshot;

use super::Gateway;

/// How often it is looked whether a channel is to be opened again, at first.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// And at the longest, while the machine can't.
const WAIT_MAX: Duration = Duration::from_secs(30);

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
    async fn reopen_short(&self) -> bool {
        // Whoever has the channels now opens some of them anyway.
        let Ok(mut running) = self.running.try_lock() else {
            return false;
        };
        let short: Vec<String> = running
            .values()
            .filter(|running| running.channel.is_short)
            .map(|running| running.channel.id.to_string())
            .collect();
        for id in &short {
            if let Err(error) = self.restart_one(&mut running, id).await {
                tracing::warn!(event = "channel_not_reopened", channel = %id, %error, "a channel could not be opened again");
            }
        }
        drop(running);
        for id in &short {
            self.look(id);
        }
        !short.is_empty()
    }
}

async fn follow(gateway: Weak<Gateway>, mut stop: oneshot::Receiver<()>) {
    let mut wait = WAIT_MIN;
    loop {
        tokio::select! {
            _ = &mut stop => return,
            () = tokio::time::sleep(wait) => {}
        }
        let Some(gateway) = gateway.upgrade() else {
            return;
        };
        wait = if gateway.reopen_short().await {
            (wait * 2).min(WAIT_MAX)
        } else {
            WAIT_MIN
        };
    }
}
