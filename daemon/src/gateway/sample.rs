//! What is true of the gateway at the moment, for metrics and the overview.

use super::Gateway;
use crate::metrics::Sample;

impl Gateway {
    /// How much is held against the file of each plugin.
    fn quarantined(&self) -> Vec<(String, u64)> {
        let plugins = self.plugins.load();
        let held = |sha256: &str| self.quarantine.against(sha256).len() as u64;
        let loaded = plugins.plugins();
        let loaded = loaded.map(|plugin| (plugin.id().to_owned(), held(plugin.sha256())));
        let refused = plugins.refused().iter().filter_map(|refused| {
            let held = held(refused.sha256.as_deref()?);
            (held > 0).then_some((refused.id.clone()?, held))
        });
        loaded.chain(refused).collect()
    }

    /// What is true at the moment. What has to be looked up was seen a moment ago.
    pub async fn sample(&self) -> Sample {
        let path = self.settings.load().store.path.clone();
        let survey = self.metrics.surveyor.look(&self.store, path).await;
        let routes = self.registry.routes();
        let health = routes
            .channels()
            .map(|channel| (channel.id.clone(), self.board.status(&channel.id)));
        let organizations = self.store.organizations();
        let open = organizations
            .iter()
            .map(|(_, org)| self.store.open_notifications(*org));
        Sample {
            health: health.collect(),
            quarantined: self.quarantined(),
            open_notifications: open.sum(),
            store: self.store.engine().stats(),
            survey: Some(survey),
            now_ms: self.store.now(),
        }
    }
}
