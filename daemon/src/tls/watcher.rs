//! Looks at the files of the certificate now and then: takes what is new, warns of what ends.

use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::info;

use super::{
    Certificates, Pair, PairError,
    pair::{Stamps, stamps},
};
use crate::{
    config::{Settings, Tls},
    metrics::Metrics,
    model::{Notice, NoticeKind, OrgId},
    store::Store,
    watch::Notifier,
};

/// Least time between two warnings of the same certificate.
const REMIND_S: i64 = 86_400;

/// Keeps the certificate in force the one that is on the disk.
pub struct Watcher {
    /// What it looks after.
    pub certificates: Arc<Certificates>,
    /// `[server.tls]` as it is now.
    pub settings: Settings,
    /// The clock.
    pub store: Store,
    /// Told of what owners should do.
    pub notifier: Notifier,
    /// Where the certificate's end shows.
    pub metrics: Arc<Metrics>,
}

/// What was said already.
#[derive(Default)]
struct Said {
    /// The files that were refused.
    refused: Option<Stamps>,
    /// Which end was warned of, and when.
    ending: Option<(i64, i64)>,
}

impl Watcher {
    /// Looks until `stop` is dropped or fires.
    pub async fn run(self, mut stop: oneshot::Receiver<()>) {
        let mut said = Said::default();
        loop {
            let tls = self.settings.load().server.tls.clone();
            self.refresh(&tls, &mut said).await;
            self.remind(&tls, &mut said);
            tokio::select! {
                biased;
                _ = &mut stop => return,
                () = tokio::time::sleep(tls.refresh) => {}
            }
        }
    }

    /// Takes files that changed. What was refused is not tried again before it changes again.
    async fn refresh(&self, tls: &Tls, said: &mut Said) {
        let Some(current) = self.certificates.current() else {
            return;
        };
        let found = stamps(tls);
        if current.is_fresh(&found) || said.refused == Some(found) {
            return;
        }
        let asked = tls.clone();
        let loaded = tokio::task::spawn_blocking(move || Pair::load(&asked)).await;
        // A reload may have been faster: what it took is not taken back.
        let is_ours = |now: Option<Arc<Pair>>| now.is_some_and(|now| Arc::ptr_eq(&now, &current));
        match loaded {
            Ok(Ok(Some(pair))) if is_ours(self.certificates.current()) => {
                info!(
                    event = "certificate_taken",
                    expires_s = pair.expires_s(),
                    "new certificate taken"
                );
                self.certificates.replace(Some(Arc::new(pair)));
                said.refused = None;
            }
            Ok(Err(PairError { words, .. })) => {
                said.refused = Some(found);
                self.notice(format!(
                    "{words}; the certificate from before is still used"
                ));
            }
            Ok(Ok(_)) | Err(_) => {}
        }
    }

    /// Shows when the certificate ends, and warns once a day where that is near.
    fn remind(&self, tls: &Tls, said: &mut Said) {
        let current = self.certificates.current();
        let ends = current.as_ref().map_or(0, |pair| pair.expires_s());
        self.metrics.certificate_expires(ends);
        let Some(pair) = current else {
            return;
        };
        let now_s = self.store.now() / 1000;
        let before_s = i64::try_from(tls.warn_before.as_secs()).unwrap_or(i64::MAX);
        let was_said = said
            .ending
            .is_some_and(|(end, at)| end == ends && now_s - at < REMIND_S);
        if was_said {
            return;
        }
        if let Some(words) = pair.warning(now_s, before_s) {
            said.ending = Some((ends, now_s));
            self.notice(words);
        }
    }

    fn notice(&self, words: String) {
        self.notifier.raise(Notice {
            org: OrgId::SYSTEM,
            channel: None,
            kind: NoticeKind::Certificate,
            words,
        });
    }
}
