//! Reload: everything is checked first; then only what changed is touched, and a channel that would be
//! broken by it stays as it is.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Gateway, Prepared, audit,
    channels::RunningChannel,
    comeback::{self, Before, Comeback, Verdict},
    prepare, state, systemd,
};
use crate::{
    channel::ChannelSpec,
    config::{Config, ConfigErrors, Finding, RefusedPlugin, ReloadPlan},
    model::{Notice, NoticeKind},
    store::StoreError,
    telemetry,
};

/// Why a reload changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The new configuration is wrong; the old one keeps running.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a reload did.
#[derive(Debug, Clone)]
pub struct ReloadReport {
    /// What changed.
    pub plan: ReloadPlan,
    /// What works but should be looked at.
    pub warnings: Vec<Finding>,
    /// The channels of `plan.restart` that run on their previous configuration.
    pub returned: BTreeMap<String, Comeback>,
}

impl ReloadReport {
    fn log(&self) {
        let plan = &self.plan;
        tracing::info!(
            event = "configuration_reloaded",
            started = plan.start.len(),
            stopped = plan.stop.len(),
            restarted = plan.restart.len() - self.returned.len(),
            returned = self.returned.len(),
            updated = plan.update.len(),
            kept = plan.keep.len(),
            needs_restart = ?plan.needs_restart,
            "configuration reloaded"
        );
    }
}

/// The running channels by id.
type Channels = BTreeMap<String, RunningChannel>;

impl Gateway {
    /// Reloads configuration and plugins. One at a time; returns when the new state is in force.
    pub async fn reload(&self) -> Result<ReloadReport, ReloadError> {
        let outcome = self.reload_all().await;
        self.metrics.reload(outcome.is_ok());
        outcome
    }

    async fn reload_all(&self) -> Result<ReloadReport, ReloadError> {
        let mut running = self.running.lock().await;
        let _reloading = systemd::Reloading::begin();
        let prepared = self.prepare().await?;
        let plan = self.plan(&prepared);
        let organizations = state::organizations(&self.store, &prepared.config).await?;
        let fresh = plan.start.iter().chain(plan.restart.keys());
        let specs = prepare::open_channels(&prepared, fresh, &organizations).await?;
        let bare = prepare::without_token(&prepared.config, &specs);
        let (tried, taken): (Vec<_>, Vec<_>) = specs
            .into_iter()
            .partition(|spec| self.is_tried(spec, &prepared.config, &running));
        state::save_senders(&self.store, &taken).await?;
        // From here on nothing can fail.
        let Prepared {
            mut config,
            plugins,
            quarantine: _,
            aftermath: _,
            trust: _,
            tls,
            mut warnings,
        } = prepared;
        warnings.extend(bare);
        update(&running, &plan, &config);
        // What is in force for a channel on trial is what it runs with.
        for spec in &tried {
            if let Some(old) = running.get(spec.id.as_str()) {
                config
                    .channels
                    .insert(spec.id.to_string(), old.channel.config());
            }
        }
        if let Some(logs) = telemetry::logs() {
            logs.follow(&config.log);
        }
        self.settings.store(Arc::new(config));
        self.certificates.replace(tls);
        self.plugins.store(Arc::new(plugins));
        let stopped: Vec<_> = plan
            .stop
            .iter()
            .filter_map(|id| running.remove(id))
            .collect();
        self.publish(&running);
        for spec in taken {
            self.replace(&mut running, spec).await;
        }
        for channel in stopped {
            let id = channel.channel.id.clone();
            channel.stop().await;
            self.board.forget(&id);
        }
        let returned = self.try_all(&mut running, tried, &plan).await;
        for channel in running.values() {
            self.apply_switch(&channel.channel);
        }
        let report = ReloadReport {
            plan,
            warnings,
            returned,
        };
        report.log();
        let complete = |entry| audit::with_plan(entry, &report.plan);
        audit::tell(&self.store, "configuration.reloaded", complete).await;
        Ok(report)
    }

    /// Whether a channel is checked with its new configuration before it is used.
    fn is_tried(&self, spec: &ChannelSpec, new: &Config, running: &Channels) -> bool {
        let Some(old) = running.get(spec.id.as_str()) else {
            return false;
        };
        // A file that can't be loaded is never better than the one at work.
        let runs = old.channel.down_reason().is_none();
        if spec.plugin.is_none() && runs && comeback::fits(&old.channel.config(), new) {
            return true;
        }
        let last = self.board.samples(&spec.id).pop();
        let before = Before {
            enabled: self.is_enabled(&old.channel) && self.would_be_enabled(spec),
            was_good: last.is_some_and(|sample| sample.reason.is_none()),
            fits: comeback::fits(&old.channel.config(), new),
        };
        comeback::is_tried(new.reload.on_failed_probe, before)
    }

    /// Checks the candidates side by side, and puts those that may be used in the place of the old
    /// ones.
    async fn try_all(
        &self,
        running: &mut Channels,
        specs: Vec<ChannelSpec>,
        plan: &ReloadPlan,
    ) -> BTreeMap<String, Comeback> {
        let candidates = specs.into_iter().map(|spec| self.try_out(spec));
        let mut returned = BTreeMap::new();
        for (candidate, verdict) in futures_util::future::join_all(candidates).await {
            let id = candidate.channel.id.to_string();
            match verdict {
                Verdict::Take => self.take(running, candidate).await,
                Verdict::GoBack(reason) => {
                    candidate.stop().await;
                    let comeback = Comeback {
                        since_ms: self.store.now(),
                        reason,
                        keys: plan.restart.get(&id).cloned().unwrap_or_default(),
                        plugin: running.get(&id).and_then(|old| old.channel.plugin.clone()),
                    };
                    if let Some(old) = running.get(&id) {
                        self.tell(old, &comeback);
                    }
                    returned.insert(id, comeback);
                }
            }
        }
        self.comebacks.replace(returned.clone());
        returned
    }

    /// Starts a candidate, which takes no webhooks and sends nothing, and checks it.
    async fn try_out(&self, spec: ChannelSpec) -> (RunningChannel, Verdict) {
        let broken = spec.instance.as_ref().err().cloned();
        let candidate = self.launch(spec);
        let verdict = if let Some(reason) = broken {
            Verdict::GoBack(reason)
        } else {
            tokio::select! {
                checked = self.prober.try_out(&candidate.channel) => comeback::judge(checked),
                () = self.left() => Verdict::Take,
            }
        };
        (candidate, verdict)
    }

    /// Ends the waits of a reload: the daemon is about to stop.
    pub(super) fn leave(&self) {
        self.leaving.send_replace(true);
    }

    async fn left(&self) {
        let mut leaving = self.leaving.subscribe();
        // The sender is this gateway's own.
        let _ = leaving.wait_for(|leaving| *leaving).await;
    }

    /// Finishes a reload that is under way without waiting for providers.
    pub(super) async fn hurry<R>(&self, reload: impl Future<Output = R>) -> R {
        self.leave();
        reload.await
    }

    /// Uses a candidate from now on.
    async fn take(&self, running: &mut Channels, candidate: RunningChannel) {
        let channel = candidate.channel.clone();
        let sender = (
            channel.org,
            channel.id.clone(),
            channel.consent_scope().to_owned(),
        );
        if let Err(error) = self.store.save_senders(vec![sender]).await {
            tracing::error!(event = "sender_not_saved", channel = %channel.id, %error, "the sender's address could not be saved");
        }
        self.settings.rcu(|now| {
            let mut config = (**now).clone();
            config
                .channels
                .insert(channel.id.to_string(), channel.config());
            config
        });
        self.swap(running, candidate).await;
    }

    /// Tells that a channel went back.
    fn tell(&self, old: &RunningChannel, comeback: &Comeback) {
        let channel = &old.channel;
        let words = comeback::words(channel.id.as_str(), comeback);
        tracing::warn!(
            event = "configuration_returned",
            channel = %channel.id,
            keys = ?comeback.keys,
            reason = %comeback.reason,
            "{words}"
        );
        self.metrics.returned(&channel.id);
        self.notifier.raise(Notice {
            org: channel.org,
            channel: Some(channel.id.clone()),
            kind: NoticeKind::ConfigurationReturned,
            words,
        });
    }

    /// What a reload would do, or why it would be refused. Changes nothing.
    pub async fn plan_reload(&self) -> Result<ReloadReport, ReloadError> {
        let mut prepared = self.prepare().await?;
        let plan = self.plan(&prepared);
        let organizations = BTreeMap::new();
        let fresh = plan.start.iter().chain(plan.restart.keys());
        let specs = prepare::open_channels(&prepared, fresh, &organizations).await?;
        let bare = prepare::without_token(&prepared.config, &specs);
        prepared.warnings.extend(bare);
        Ok(ReloadReport {
            plan,
            warnings: prepared.warnings,
            returned: BTreeMap::new(),
        })
    }

    async fn prepare(&self) -> Result<Prepared, ReloadError> {
        let (file, previous) = (self.file.clone(), self.plugins.load_full());
        let quarantine = self.quarantine.clone();
        let prepared = tokio::task::spawn_blocking(move || {
            prepare::prepare(&file, &prepare::Purpose::Reload(&previous, &quarantine))
        })
        .await
        .map_err(|error| {
            StoreError::Failed(format!("the configuration could not be read: {error}"))
        })?;
        Ok(prepared?)
    }

    fn plan(&self, prepared: &Prepared) -> ReloadPlan {
        let mut plan = ReloadPlan::between(
            &self.settings.load(),
            &prepared.config,
            &prepare::found(&self.plugins.load()),
            &prepare::found(&prepared.plugins),
        );
        plan.refused = refused(prepared);
        // A channel that went back may run on another plugin than the one found last.
        for id in self.comebacks.ids() {
            let Some(channel) = self.registry.get(&id) else {
                continue;
            };
            let adapter = channel.config().adapter.clone();
            let hash = |plugin: &trunkline_host::Plugin| plugin.sha256().to_owned();
            let now = prepared.plugins.get(&adapter);
            let runs_on = channel.plugin.as_deref().map(hash);
            if runs_on != now.as_deref().map(hash) {
                plan.force_restart(&id, format!("plugin {adapter} changed"));
            }
        }
        plan
    }
}

/// Tells running channels what changed for them without a restart.
fn update(running: &Channels, plan: &ReloadPlan, config: &Config) {
    for id in plan.update.keys() {
        if let (Some(running), Some(config)) = (running.get(id), config.channels.get(id)) {
            running.channel.update_config(config.clone());
        }
    }
}

/// The plugin files that are not loaded.
pub(super) fn refused(prepared: &Prepared) -> Vec<RefusedPlugin> {
    let refused = prepared.plugins.refused().iter();
    let file = |refused: &trunkline_host::Refused| RefusedPlugin {
        path: refused.path.display().to_string(),
        id: refused.id.clone(),
        reason: refused.reason.clone(),
    };
    refused.map(file).collect()
}
