//! Plugin files that are not trusted any more: what is told of them, and how they come back.

use std::{collections::BTreeMap, io, sync::Arc};

use tokio::task::JoinError;
use trunkline_host::{Aftermath, Entry, PluginSet, Quarantine};

use super::{Gateway, SwitchError, channels::RunningChannel, prepare};
use crate::{
    config::{Config, Isolation},
    model::{ChannelId, Notice, NoticeKind, OrgId},
};

/// What a release did.
#[derive(Debug)]
pub struct Released {
    /// What was held against the plugin's files, and is no more.
    pub lifted: Vec<Entry>,
    /// The plugin's channels, each with the reason where it is down: also why it could not be started anew.
    pub channels: Vec<(ChannelId, Option<String>)>,
}

/// Says what a start found of the last run, once there is a log.
pub(super) fn log(found: &Aftermath) {
    for reason in &found.troubles {
        tracing::warn!(event = "quarantine_trouble", %reason, "the quarantine of plugins is not as it should be");
    }
    for reason in &found.unexplained {
        tracing::error!(event = "crash_unexplained", %reason, "the last run was ended by a fault");
    }
    for culprit in &found.culprits {
        tracing::error!(
            event = "plugin_quarantined",
            plugin = %culprit.plugin,
            version = %culprit.version,
            sha256 = %culprit.sha256,
            reason = %culprit.reason,
            "a plugin ended the daemon; it is in quarantine"
        );
    }
}

/// What owners are told of the last run: those who have channels on a culprit that stay down.
pub(super) fn notices(
    found: &Aftermath,
    config: &Config,
    organizations: &BTreeMap<String, OrgId>,
) -> Vec<Notice> {
    let mut notices = Vec::new();
    for culprit in &found.culprits {
        let uses = config.channels.values();
        // One in a process of its own goes on: the file is not trusted in this process alone.
        let uses = uses.filter(|channel| {
            channel.adapter == culprit.plugin && channel.isolation == Isolation::None
        });
        let orgs = uses.filter_map(|channel| organizations.get(&channel.organization));
        let mut orgs: Vec<OrgId> = orgs.copied().collect();
        orgs.sort();
        orgs.dedup();
        let (id, version, reason) = (&culprit.plugin, &culprit.version, &culprit.reason);
        notices.extend(orgs.into_iter().map(|org| Notice {
            org,
            channel: None,
            kind: NoticeKind::PluginFault,
            words: format!(
                "Plugin {id} {version} is in quarantine: {reason}. Its channels stay down until another version \
                 is in its place, or `trunkline plugin release {id}` is run."
            ),
        }));
    }
    notices
}

impl Gateway {
    /// The files that are not trusted.
    pub fn quarantine(&self) -> &Arc<Quarantine> {
        &self.quarantine
    }

    /// Lifts what keeps one channel down.
    pub(super) async fn forgive(&self, channel: &ChannelId) -> Result<(), SwitchError> {
        let id = channel.to_string();
        let lifted = self
            .change(move |quarantine| quarantine.forgive(&id))
            .await?;
        for entry in lifted {
            tracing::info!(event = "plugin_released", plugin = %entry.plugin, channel = %channel, "a channel was taken out of quarantine");
        }
        Ok(())
    }

    /// Lifts all that is held against a plugin, and starts its channels that are down.
    pub async fn release(&self, plugin: &str) -> Result<Released, SwitchError> {
        let mut running = self.running.lock().await;
        let id = plugin.to_owned();
        let lifted = self
            .change(move |quarantine| quarantine.release(&id))
            .await?;
        let mut failed = BTreeMap::new();
        if !lifted.is_empty() {
            tracing::info!(
                event = "plugin_released",
                plugin,
                entries = lifted.len(),
                "a plugin was taken out of quarantine"
            );
            failed = self.start_anew(&mut running, plugin, &lifted).await;
        }
        let channels = of_plugin(&running, plugin).map(|running| {
            let channel = &running.channel;
            let why = failed.remove(channel.id.as_str());
            (channel.id.clone(), why.or_else(|| channel.down_reason()))
        });
        let channels = channels.collect();
        Ok(Released { lifted, channels })
    }

    /// Starts the channels of a released plugin that are down: each for itself, since nothing is held against
    /// any of them any more. Gives those that could not be started, and why.
    async fn start_anew(
        &self,
        running: &mut BTreeMap<String, RunningChannel>,
        plugin: &str,
        lifted: &[Entry],
    ) -> BTreeMap<String, String> {
        let down: Vec<String> = of_plugin(running, plugin)
            .filter(|channel| channel.channel.down_reason().is_some())
            .map(|channel| channel.channel.id.to_string())
            .collect();
        let mut failed = BTreeMap::new();
        if let Err(error) = self.look_again(plugin, lifted).await {
            let why = format!("the plugin's file could not be looked at again: {error}");
            failed.extend(down.into_iter().map(|id| (id, why.clone())));
            return failed;
        }
        for id in down {
            match self.restart_one(running, &id).await {
                Ok(()) => self.look(&id),
                Err(error) => {
                    let why = error.to_string().replace('\n', "; ");
                    failed.insert(id, why);
                }
            }
        }
        failed
    }

    /// A file that was not loaded because it was in quarantine is loaded now. Whatever else has changed in the
    /// folders is left to a reload.
    async fn look_again(&self, plugin: &str, lifted: &[Entry]) -> Result<(), JoinError> {
        let previous = self.plugins.load_full();
        if previous.get(plugin).is_some() {
            return Ok(());
        }
        let config = self.settings.load_full();
        let options = prepare::plugin_options(&config, &config.store.path, &self.quarantine);
        let scan = {
            let previous = previous.clone();
            move || PluginSet::scan(&options, Some(&previous))
        };
        let found = tokio::task::spawn_blocking(scan).await;
        let found = found?;
        let file = found.get(plugin);
        let file = file.filter(|file| lifted.iter().any(|entry| entry.sha256 == file.sha256()));
        if let Some(file) = file {
            self.plugins.store(Arc::new((*previous).clone().with(file)));
        }
        Ok(())
    }

    /// Changes the list, away from this thread: it waits for the disk.
    async fn change(
        &self,
        change: impl FnOnce(&Quarantine) -> io::Result<Vec<Entry>> + Send + 'static,
    ) -> Result<Vec<Entry>, SwitchError> {
        let quarantine = self.quarantine.clone();
        let changed = tokio::task::spawn_blocking(move || change(&quarantine)).await;
        changed
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(SwitchError::Quarantine)
    }
}

fn of_plugin<'running>(
    running: &'running BTreeMap<String, RunningChannel>,
    plugin: &'running str,
) -> impl Iterator<Item = &'running RunningChannel> {
    let uses = move |running: &&RunningChannel| running.channel.config().adapter == plugin;
    running.values().filter(uses)
}
