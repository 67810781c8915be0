//! Keeps each channel's catalogue of templates: listed from the provider on the interval, on demand,
//! and when the provider speaks of one that is not known.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tracing::{info, warn};
use trunkline_plugin_api::{Capability, Turn};

use super::{HealthBoard, Notifier};
use trunkline_host::Instance;

use crate::{
    channel::Channel,
    config::Settings,
    model::{
        Catalogue, ChannelId, HealthStatus, Millis, Notice, NoticeKind, TemplateChange, is_trouble,
    },
    outbound::{DriveError, Transport, drive, no_memory},
    store::{Store, StoreError},
};

/// First wait after a look-up that failed; it doubles up to the interval.
const RETRY_BASE: Duration = Duration::from_secs(30);
/// Longest wait until a changed interval is noticed.
const LOOK: Duration = Duration::from_secs(60);

/// Keeps catalogues. Cheap to clone.
#[derive(Clone)]
pub struct TemplateKeeper {
    store: Store,
    board: Arc<HealthBoard>,
    transport: Transport,
    notifier: Notifier,
    settings: Settings,
    /// Why the last look-up of a channel failed.
    failures: Arc<Mutex<HashMap<ChannelId, String>>>,
}

/// Why a catalogue could not be refreshed.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The adapter knows no templates.
    #[error("the adapter of channel {0} lists no templates")]
    Unsupported(ChannelId),
    /// The channel has no credentials.
    #[error("channel {0} has no credentials to list templates with")]
    NoCredentials(ChannelId),
    /// The provider, or the way to it.
    #[error("the templates could not be listed: {0}")]
    Provider(String),
    /// They could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a look-up brought.
#[derive(Debug, Clone)]
pub struct Refreshed {
    /// The catalogue now.
    pub catalogue: Arc<Catalogue>,
    /// Approvals that changed.
    pub changes: Vec<TemplateChange>,
}

impl TemplateKeeper {
    /// A keeper that stores to `store`.
    pub fn new(
        store: Store,
        board: Arc<HealthBoard>,
        transport: Transport,
        notifier: Notifier,
        settings: Settings,
    ) -> Self {
        Self {
            store,
            board,
            transport,
            notifier,
            settings,
            failures: Arc::default(),
        }
    }

    /// Why the last look-up of a channel failed, where it did.
    pub fn failure(&self, channel: &ChannelId) -> Option<String> {
        self.failures.lock().get(channel).cloned()
    }

    /// Keeps the catalogue of a channel with a reply window until `stop` is dropped or fires. Other
    /// channels seldom send templates: theirs are listed on demand.
    pub async fn watch(self, channel: Arc<Channel>, mut stop: oneshot::Receiver<()>) {
        let is_kept = channel.window().is_some() && lists(&channel).is_ok();
        if !is_kept {
            let _ = stop.await;
            return;
        }
        let mut failed = 0_u32;
        let mut asked_ms = 0;
        loop {
            let wait = self.wait(&channel, asked_ms, failed);
            tokio::select! {
                biased;
                _ = &mut stop => return,
                () = channel.templates.notified() => {}
                () = tokio::time::sleep(wait.min(LOOK)) => {
                    if wait > LOOK {
                        continue;
                    }
                }
            }
            if self.board.status(&channel.id) == HealthStatus::Disabled {
                asked_ms = self.store.now();
                continue;
            }
            asked_ms = self.store.now();
            match self.refresh(&channel).await {
                Ok(_) => failed = 0,
                Err(error) => {
                    failed = failed.saturating_add(1);
                    warn!(event = "templates_stale", channel = %channel.id, %error, "the catalogue of templates is not up to date");
                }
            }
        }
    }

    /// How long until the provider is asked again.
    fn wait(&self, channel: &Channel, asked_ms: Millis, failed: u32) -> Duration {
        let interval = self.settings.load().templates.interval;
        let every = match failed {
            0 => interval,
            _ => RETRY_BASE
                .saturating_mul(2_u32.saturating_pow((failed - 1).min(16)))
                .min(interval),
        };
        let known = self.store.catalogue(channel.org, &channel.id);
        let known_ms = known.map_or(0, |catalogue| catalogue.refreshed_at_ms);
        let since_ms = self.store.now().saturating_sub(known_ms.max(asked_ms));
        let since = Duration::from_millis(u64::try_from(since_ms).unwrap_or(0));
        every.saturating_sub(since)
    }

    /// Lists a channel's templates now.
    pub async fn refresh(&self, channel: &Arc<Channel>) -> Result<Refreshed, RefreshError> {
        let refreshed = self.list(channel).await;
        let mut failures = self.failures.lock();
        match &refreshed {
            Ok(_) => failures.remove(&channel.id),
            Err(error) => failures.insert(channel.id.clone(), error.to_string()),
        };
        drop(failures);
        refreshed
    }

    async fn list(&self, channel: &Arc<Channel>) -> Result<Refreshed, RefreshError> {
        lists(channel)?;
        let step = |instance: &Instance, turn: &Turn| instance.templates(turn);
        let start = serde_json::Value::Null;
        let (now, what) = (|| self.store.wall(), "templates");
        let listed = drive(channel, &self.transport, what, start, now, step, no_memory)
            .await
            .map_err(DriveError::into_adapter_error)
            .map_err(|error| RefreshError::Provider(error.message))?;
        let (org, id) = (channel.org, &channel.id);
        let changes = self.store.save_catalogue(org, id, listed).await?;
        self.tell(channel, &changes);
        let catalogue = self.store.catalogue(org, id).unwrap_or_default();
        info!(event = "templates_refreshed", channel = %id, templates = catalogue.entries.len(), changed = changes.len(), "the catalogue of templates was refreshed");
        Ok(Refreshed { catalogue, changes })
    }

    fn tell(&self, channel: &Channel, changes: &[TemplateChange]) {
        for change in changes {
            tell_change(&self.notifier, channel, change);
        }
    }
}

fn lists(channel: &Channel) -> Result<(), RefreshError> {
    if !channel.can(Capability::Templates) {
        return Err(RefreshError::Unsupported(channel.id.clone()));
    }
    match &channel.facts {
        Some(facts) if facts.can_send => Ok(()),
        _ => Err(RefreshError::NoCredentials(channel.id.clone())),
    }
}

/// Tells owners of a template that may no longer be sent.
pub(crate) fn tell_change(notifier: &Notifier, channel: &Channel, change: &TemplateChange) {
    if !is_trouble(&change.status) {
        return;
    }
    let language = change.language.as_ref();
    let language = language.map_or(String::new(), |language| format!(" ({language})"));
    let reason = change.reason.as_ref().filter(|reason| !reason.is_empty());
    let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
    notifier.raise(Notice {
        org: channel.org,
        channel: Some(channel.id.clone()),
        kind: NoticeKind::TemplateStatus,
        words: format!(
            "the provider says {} of template \"{}\"{language}{reason}; look at it in the provider's \
             console",
            change.status.to_lowercase(),
            change.name
        ),
    });
}
