//! What is true of the gateway at the moment, for metrics and the overview.

use super::Gateway;
use crate::metrics::Sample;

impl Gateway {
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
            open_notifications: open.sum(),
            store: self.store.engine().stats(),
            survey: Some(survey),
            now_ms: self.store.now(),
        }
    }
}
