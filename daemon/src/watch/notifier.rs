//! Where everything that owners should know is handed in, and how it gets into the store.
//!
//! ```text
//! raise ─> groups in memory (never waits) ─> writer: one transaction, one log line a group, at most once a second
//! ```

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};
use tracing::{error, warn};

use super::groups::Groups;
use crate::{
    metrics::Metrics,
    model::{Actor, AuditEntry, ChannelId, Notice, NoticeGroup, NoticeKind},
    store::Store,
};

/// Least time between two writes.
const PAUSE: Duration = Duration::from_secs(1);
/// Least time between two entries of the audit about forged webhooks of one channel.
const FORGERY_PAUSE: Duration = Duration::from_secs(600);

/// Takes notices. Cheap to clone.
#[derive(Clone)]
pub struct Notifier {
    store: Store,
    metrics: Arc<Metrics>,
    desk: Arc<Desk>,
}

#[derive(Default)]
struct Desk {
    groups: Mutex<Groups>,
    /// When forged webhooks of a channel were last entered into the audit.
    entered: Mutex<HashMap<Option<ChannelId>, Instant>>,
    /// Told when the first group waits.
    wake: Notify,
}

impl Notifier {
    /// A notifier that counts in `metrics`. What it takes is kept in `store` once its
    /// [`writer`](Self::writer) runs.
    pub fn new(store: Store, metrics: Arc<Metrics>) -> Self {
        Self {
            store,
            metrics,
            desk: Arc::default(),
        }
    }

    /// Hands in some.
    pub fn raise_all(&self, notices: impl IntoIterator<Item = Notice>) {
        for notice in notices {
            self.raise(notice);
        }
    }

    /// Hands in a notice. Never waits. It is kept within about a second, grouped with all others
    /// of its kind on its channel.
    pub fn raise(&self, notice: Notice) {
        self.metrics.notice(notice.kind);
        let at_ms = self.store.now();
        if self.desk.groups.lock().add(notice, at_ms) {
            self.desk.wake.notify_one();
        }
    }

    /// Writes what was handed in until `stop` is dropped or fires, then what is still there.
    pub async fn writer(self, mut stop: oneshot::Receiver<()>) {
        let mut next = Instant::now();
        loop {
            tokio::select! {
                biased;
                _ = &mut stop => break,
                () = self.due(next) => {}
            }
            self.write().await;
            next = Instant::now() + PAUSE;
        }
        self.write().await;
    }

    /// Waits until there is something to write and its time has come.
    async fn due(&self, next: Instant) {
        self.desk.wake.notified().await;
        tokio::time::sleep_until(next).await;
    }

    async fn write(&self) {
        let (groups, dropped) = self.desk.groups.lock().take();
        if dropped > 0 {
            error!(
                event = "notices_dropped",
                dropped, "too many kinds of notices at once: some were only counted"
            );
        }
        if groups.is_empty() {
            return;
        }
        for group in &groups {
            let channel = group
                .channel
                .as_ref()
                .map_or("", |channel| channel.as_str());
            warn!(
                event = "notice",
                channel,
                kind = group.kind.as_str(),
                count = group.count,
                "{}",
                group.words
            );
        }
        self.enter_forgeries(&groups).await;
        if let Err(error) = self.store.add_notices(groups.clone()).await {
            warn!(event = "notices_not_kept", %error, "notifications could not be kept yet");
            self.desk.groups.lock().put_back(groups);
            self.desk.wake.notify_one();
        }
    }

    /// Enters forged webhooks into the audit: now and then, so that a flood of them does not fill it.
    async fn enter_forgeries(&self, groups: &[NoticeGroup]) {
        for group in groups {
            if group.kind != NoticeKind::SignatureMismatch || !self.may_enter(group) {
                continue;
            }
            let at_ms = self.store.now();
            let mut entry = AuditEntry::new(at_ms, Actor::daemon(), "webhook.signature_mismatch")
                .with("count", group.count);
            if let Some(channel) = &group.channel {
                entry = entry.on("channel", channel);
            }
            if let Err(error) = self.store.audit(group.org, &entry).await {
                warn!(event = "audit_not_written", %error, "forged webhooks could not be entered into the audit");
            }
        }
    }

    fn may_enter(&self, group: &NoticeGroup) -> bool {
        let now = Instant::now();
        let mut entered = self.desk.entered.lock();
        let last = entered.get(&group.channel);
        let due = last.is_none_or(|last| now.duration_since(*last) >= FORGERY_PAUSE);
        if due {
            entered.insert(group.channel.clone(), now);
        }
        due
    }
}
