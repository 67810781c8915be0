//! The reply window of a channel.

use super::Channel;
use crate::model::{Millis, WindowRule};

impl Channel {
    /// How its reply window is judged; none where its provider has none. The configuration may make
    /// it shorter than the provider's, never longer.
    pub fn window(&self) -> Option<WindowRule> {
        let provider_ms = self.facts.as_ref()?.reply_window_ms?;
        let own = self.config().reply_window;
        let own_ms = own.and_then(|own| Millis::try_from(own.as_millis()).ok());
        Some(WindowRule {
            scope: self.consent_scope().to_owned(),
            length_ms: own_ms.map_or(provider_ms, |own| own.min(provider_ms)),
        })
    }
}
