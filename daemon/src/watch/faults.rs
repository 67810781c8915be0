//! Tells owners when a channel's plugin misbehaves, and when a channel was given up.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Notifier;
use crate::{
    channel::{Channel, Running},
    model::{Notice, NoticeKind},
};

/// Follows a channel's actor until `stop` is dropped or fires.
pub async fn watch_faults(
    notifier: Notifier,
    channel: Arc<Channel>,
    mut stop: oneshot::Receiver<()>,
) {
    let mut running = channel.watch();
    loop {
        let reason = match &*running.borrow_and_update() {
            Running::Restarting(reason) | Running::Down(reason) => Some(reason.clone()),
            Running::Starting | Running::Live(_) => None,
        };
        if let Some(reason) = reason {
            notifier.raise(Notice {
                org: channel.org,
                channel: Some(channel.id.clone()),
                kind: NoticeKind::PluginFault,
                words: format!("{} does not run: {reason}", channel.id),
            });
        }
        tokio::select! {
            // First: a channel that is stopped in order goes down too.
            biased;
            _ = &mut stop => return,
            changed = running.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}
