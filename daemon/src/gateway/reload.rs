//! Reload: everything is checked first; then only what changed is touched.

use std::sync::Arc;

use super::{Gateway, Prepared, prepare, state};
use crate::{
    config::{ConfigErrors, Finding, ReloadPlan},
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
}

impl Gateway {
    /// Reloads configuration and plugins. One at a time; returns when the new state is in force.
    pub async fn reload(&self) -> Result<ReloadReport, ReloadError> {
        let outcome = self.reload_all().await;
        self.metrics.reload(outcome.is_ok());
        outcome
    }

    async fn reload_all(&self) -> Result<ReloadReport, ReloadError> {
        let mut running = self.running.lock().await;
        let prepared = self.prepare().await?;
        let plan = self.plan(&prepared);
        let organizations = state::organizations(&self.store, &prepared.config).await?;
        let fresh = plan.start.iter().chain(plan.restart.keys());
        let specs = prepare::open_channels(&prepared, fresh, &organizations).await?;
        state::save_senders(&self.store, &specs).await?;
        // From here on nothing can fail.
        let Prepared {
            config,
            plugins,
            trust: _,
            warnings,
        } = prepared;
        for id in &plan.update {
            if let (Some(running), Some(config)) = (running.get(id.0), config.channels.get(id.0)) {
                running.channel.update_config(config.clone());
            }
        }
        if let Some(logs) = telemetry::logs() {
            logs.follow(&config.log);
        }
        self.settings.store(Arc::new(config));
        self.plugins.store(Arc::new(plugins));
        let stopped: Vec<_> = plan
            .stop
            .iter()
            .filter_map(|id| running.remove(id))
            .collect();
        self.publish(&running);
        for spec in specs {
            self.replace(&mut running, spec).await;
        }
        for channel in running.values() {
            self.apply_switch(&channel.channel);
        }
        for channel in stopped {
            let id = channel.channel.id.clone();
            channel.stop().await;
            self.board.forget(&id);
        }
        tracing::info!(
        event = "configuration_reloaded",
                   started = plan.start.len(),
                   stopped = plan.stop.len(),
                   restarted = plan.restart.len(),
                   updated = plan.update.len(),
                   kept = plan.keep.len(),
                   needs_restart = ?plan.needs_restart,
                   "configuration reloaded"
               );
        Ok(ReloadReport { plan, warnings })
    }

    /// What a reload would do, or why it would be refused. Changes nothing.
    pub async fn plan_reload(&self) -> Result<ReloadReport, ReloadError> {
        let prepared = self.prepare().await?;
        let plan = self.plan(&prepared);
        let organizations = std::collections::BTreeMap::new();
        let fresh = plan.start.iter().chain(plan.restart.keys());
        prepare::open_channels(&prepared, fresh, &organizations).await?;
        Ok(ReloadReport {
            plan,
            warnings: prepared.warnings,
        })
    }

    async fn prepare(&self) -> Result<Prepared, ReloadError> {
        let (file, previous) = (self.file.clone(), self.plugins.load_full());
        let prepared =
            tokio::task::spawn_blocking(move || prepare::prepare(&file, Some(&previous), None))
                .await
                .map_err(|error| {
                    StoreError::Failed(format!("the configuration could not be read: {error}"))
                })?;
        Ok(prepared?)
    }

    fn plan(&self, prepared: &Prepared) -> ReloadPlan {
        ReloadPlan::between(
            &self.settings.load(),
            &prepared.config,
            &prepare::hashes(&self.plugins.load()),
            &prepare::hashes(&prepared.plugins),
        )
    }
}
