//! One channel with all that runs for it: guardian, outbox, probe, poller.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::oneshot;

use super::{Gateway, prepare, state};
use trunkline_host::{Aftermath, PluginSet};

use crate::{
    channel::{Channel, ChannelSpec, Guardian},
    config::ConfigErrors,
    model::Toggle,
    outbound::Outbox,
    store::StoreError,
    watch::watch_faults,
};

/// A channel and what runs for it.
pub(super) struct RunningChannel {
    pub(super) channel: Arc<Channel>,
    guardian: Guardian,
    outbox: Option<Outbox>,
    /// Dropping one ends what it was given to.
    stops: Vec<oneshot::Sender<()>>,
}

impl RunningChannel {
    /// Ends what runs for the channel: attempts under way are finished, then the actor's calls.
    pub(super) async fn stop(mut self) {
        self.stop_sending().await;
        self.guardian.stop().await;
    }

    /// Ends sending alone, so that a successor may begin, or a stop has less to wait for.
    pub(super) async fn stop_sending(&mut self) {
        self.stops.clear();
        if let Some(outbox) = self.outbox.take() {
            outbox.stop().await;
        }
    }
}

impl Gateway {
    /// Starts a channel's actor. It takes webhooks once it is published.
    pub(super) fn launch(&self, spec: ChannelSpec) -> RunningChannel {
        let (channel, guardian) = Guardian::start(
            spec,
            self.settings.clone(),
            &self.arbiters.guardians,
            self.store.clone(),
            self.metrics.clone(),
            self.quarantine.clone(),
        );
        self.apply_switch(&channel);
        RunningChannel {
            channel,
            guardian,
            outbox: None,
            stops: Vec::new(),
        }
    }

    /// Starts a channel's outbox and what watches it.
    pub(super) fn start_sending(&self, running: &mut RunningChannel) {
        let channel = running.channel.clone();
        running.outbox = Some(Outbox::start(
            channel.clone(),
            self.outbox_context(),
            &self.arbiters.outbound.handle(),
        ));
        let (probe_stop, probe_stopped) = oneshot::channel();
        let (poll_stop, poll_stopped) = oneshot::channel();
        let (fault_stop, fault_stopped) = oneshot::channel();
        let (silence_stop, silence_stopped) = oneshot::channel();
        let (canary_stop, canary_stopped) = oneshot::channel();
        let (template_stop, template_stopped) = oneshot::channel();
        running.stops = vec![probe_stop, poll_stop, fault_stop, silence_stop, canary_stop];
        running.stops.push(template_stop);
        let watch = &self.arbiters.watch;
        watch.spawn(self.prober.clone().watch(channel.clone(), probe_stopped));
        watch.spawn(self.poller().watch(channel.clone(), poll_stopped));
        let notifier = self.notifier.clone();
        watch.spawn(watch_faults(notifier, channel.clone(), fault_stopped));
        let templates = self.templates.clone();
        watch.spawn(templates.watch(channel.clone(), template_stopped));
        watch.spawn(self.silence().watch(channel.clone(), silence_stopped));
        watch.spawn(self.canary_keeper().watch(channel, canary_stopped));
    }

    /// Makes the running channels the ones that webhooks reach.
    pub(super) fn publish(&self, running: &BTreeMap<String, RunningChannel>) {
        let channels = running.values().map(|running| {
            let channel = running.channel.clone();
            (channel.id.clone(), channel)
        });
        self.registry.publish(channels.collect());
    }

    /// Applies the operator's switch or, where there is none, the file's.
    pub(super) fn apply_switch(&self, channel: &Channel) {
        let toggle = self.store.toggle(channel.org, &channel.id).ok().flatten();
        let enabled = Toggle::effective(toggle, channel.config().enabled);
        let now_ms = self.store.now();
        self.board
            .set_enabled(&channel.id, channel.org, enabled, now_ms);
    }

    /// Whether a channel is switched on.
    pub fn is_enabled(&self, channel: &Channel) -> bool {
        let toggle = self.store.toggle(channel.org, &channel.id).ok().flatten();
        Toggle::effective(toggle, channel.config().enabled)
    }

    /// Whether a channel would be switched on with this configuration.
    pub(super) fn would_be_enabled(&self, spec: &ChannelSpec) -> bool {
        let toggle = self.store.toggle(spec.org, &spec.id).ok().flatten();
        Toggle::effective(toggle, spec.config.enabled)
    }

    /// Switches a channel on or off. Switching on also starts one that was given up, and takes it out of
    /// quarantine.
    pub async fn switch(&self, channel: &Arc<Channel>, enabled: bool) -> Result<(), SwitchError> {
        let toggle = Toggle {
            enabled,
            file_value: channel.config().enabled,
        };
        self.store
            .save_toggle(channel.org, &channel.id, toggle)
            .await?;
        let now_ms = self.store.now();
        self.board
            .set_enabled(&channel.id, channel.org, enabled, now_ms);
        tracing::info!(event = "channel_switched", channel = %channel.id, enabled, "channel switched by an operator");
        if enabled {
            self.forgive(&channel.id).await?;
        }
        if enabled && channel.down_reason().is_some() {
            let mut running = self.running.lock().await;
            self.restart_one(&mut running, &channel.id.to_string())
                .await?;
        }
        if enabled {
            self.look(channel.id.as_str());
        }
        channel.queue.notify_one();
        Ok(())
    }

    /// Has a channel's health checked now.
    pub(super) fn look(&self, id: &str) {
        if let Some(channel) = self.registry.get(id) {
            let prober = self.prober.clone();
            self.arbiters.watch.spawn(async move {
                prober.look(&channel).await;
            });
        }
    }

    /// Starts a channel anew from the configuration in force.
    pub(super) async fn restart_one(
        &self,
        running: &mut BTreeMap<String, RunningChannel>,
        id: &String,
    ) -> Result<(), SwitchError> {
        let prepared = super::Prepared {
            config: (**self.settings.load()).clone(),
            plugins: self.plugins_of(id),
            quarantine: self.quarantine.clone(),
            aftermath: Aftermath::default(),
            trust: crate::outbound::Trust::default(),
            tls: None,
            warnings: Vec::new(),
        };
        let organizations = state::organizations(&self.store, &prepared.config).await?;
        let specs = prepare::open_channels(&prepared, [id], &organizations).await?;
        state::save_senders(&self.store, &specs).await?;
        for spec in specs {
            self.replace(running, spec).await;
        }
        Ok(())
    }

    /// The plugins in force for a channel: one that went back keeps the one that it ran on.
    fn plugins_of(&self, id: &str) -> PluginSet {
        let plugins = (**self.plugins.load()).clone();
        let previous = self.comebacks.get(id);
        match previous.and_then(|comeback| comeback.plugin) {
            Some(plugin) => plugins.with(plugin),
            None => plugins,
        }
    }

    /// Puts a new actor in the place of a channel's old one without a gap for webhooks: the new
    /// one is published before the old one ends. Sending passes on only when the old outbox is
    /// done, since both lease from one queue.
    pub(super) async fn replace(
        &self,
        running: &mut BTreeMap<String, RunningChannel>,
        mut spec: ChannelSpec,
    ) {
        if let Some(old) = running.get(spec.id.as_str()) {
            old.guardian.replace();
        }
        let entry = spec.plugin.as_ref().and_then(|plugin| {
            self.quarantine
                .of_channel(plugin.sha256(), spec.id.as_str())
        });
        // The old one was given up while this one was opened.
        if let Some(entry) = entry {
            let given_up = std::mem::replace(&mut spec.instance, Err(entry.words()));
            // Closing it is plugin code.
            std::thread::spawn(move || drop(given_up));
        }
        let started = self.launch(spec);
        self.swap(running, started).await;
    }

    /// Puts a started actor in the place of its channel's old one, as [`Gateway::replace`] does.
    pub(super) async fn swap(
        &self,
        running: &mut BTreeMap<String, RunningChannel>,
        started: RunningChannel,
    ) {
        let id = started.channel.id.to_string();
        if let Some(old) = running.get(&id) {
            old.guardian.replace();
            started.channel.heard(old.channel.heard_at_ms());
        }
        let old = running.insert(id.clone(), started);
        self.publish(running);
        if let Some(old) = old {
            old.stop().await;
        }
        if let Some(started) = running.get_mut(&id) {
            self.start_sending(started);
        }
    }
}

/// Why a switch did not work.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is held against a plugin could not be changed.
    #[error("the quarantine of plugins could not be written: {0}")]
    Quarantine(std::io::Error),
    /// The adapter refuses the channel's section.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
}
