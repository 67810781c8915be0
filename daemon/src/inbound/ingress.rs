//! One webhook from the public listener: proved, stored, answered; in that order.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tracing::{debug, error, warn};
use trunkline_plugin_api::{Received, Response, Verdict, WebhookRequest};

use super::{
    rejects::{Rejected, Rejects},
    sightings::Sightings,
    threader::{self, Verified},
};
use trunkline_host::Instance;

use crate::{
    channel::{Channel, ChannelError, Registry},
    config::Settings,
    metrics::Metrics,
    model::{ChannelId, EventId, Notice, NoticeKind, Outcome, TemplateChange, WebhookEvent},
    store::{ClosedPolicy, InboundResult, Seldom, Store, StoreError},
    telemetry::trace,
    watch::{Canaries, EchoGuard, Notifier, tell_change},
};

/// How a webhook is answered.
#[derive(Debug)]
pub enum Answer {
    /// As the adapter says.
    Adapter(Response),
    /// Not now: the provider should come back.
    Unavailable,
}

/// A webhook under its id.
struct Incoming {
    id: EventId,
    request: Arc<WebhookRequest>,
    began: Instant,
}

/// Takes webhooks. Shared by all web workers.
pub struct Ingress {
    store: Store,
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    notifier: Notifier,
    canaries: Arc<Canaries>,
    settings: Settings,
    echo: Arc<EchoGuard>,
    rejects: Rejects,
    sightings: Sightings,
    follow_ups: Notify,
    /// Bounds what is said of webhooks that could not be stored.
    unstored: Seldom,
}

impl Ingress {
    /// An ingress that stores to `store`.
    pub fn new(
        store: Store,
        registry: Arc<Registry>,
        metrics: Arc<Metrics>,
        notifier: Notifier,
        canaries: Arc<Canaries>,
        settings: Settings,
        echo: Arc<EchoGuard>,
    ) -> Self {
        Self {
            store,
            registry,
            metrics,
            notifier,
            canaries,
            settings,
            echo,
            rejects: Rejects::default(),
            sightings: Sightings::default(),
            follow_ups: Notify::new(),
            unstored: Seldom::default(),
        }
    }

    /// Waits until a webhook was kept that the provider has to be asked about.
    pub(super) async fn follow_up(&self) {
        self.follow_ups.notified().await;
    }

    /// The last webhooks that were refused.
    pub fn rejects(&self) -> &Rejects {
        &self.rejects
    }

    /// Under which names webhooks came.
    pub fn sightings(&self) -> &Sightings {
        &self.sightings
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// The canaries that may come in.
    pub(super) fn canaries(&self) -> &Canaries {
        &self.canaries
    }

    /// What a closed thread does.
    pub fn policy(&self) -> ClosedPolicy {
        self.settings.load().thread.closed.into()
    }

    /// Takes one webhook. The answer is given only when what it acknowledges is durable.
    /// `id` is the request's, and that of the webhook event that it becomes.
    pub async fn take(
        &self,
        channel: &Arc<Channel>,
        id: EventId,
        request: WebhookRequest,
    ) -> Answer {
        let trace = trace::root("webhook", id.uuid());
        trace.note("channel", || channel.id.to_string());
        let outcome = trace.clone();
        let answer = trace.run(self.take_in(channel, id, request)).await;
        if matches!(answer, Answer::Unavailable) {
            outcome.fail("unavailable");
        }
        answer
    }

    async fn take_in(
        &self,
        channel: &Arc<Channel>,
        id: EventId,
        request: WebhookRequest,
    ) -> Answer {
        let began = Instant::now();
        let request = Incoming {
            id,
            request: Arc::new(request),
            began,
        };
        let received = self.ask(channel, &request).await;
        match received {
            Ok(received) if received.verdict == Verdict::Challenge => {
                Answer::Adapter(received.response)
            }
            Ok(received) if received.verdict == Verdict::Authentic => {
                self.keep(channel, &request, received).await
            }
            Ok(received) => self.refuse(channel, &request, received),
            Err(error) => self.unavailable(channel, id, &error),
        }
    }

    /// Asks the adapter; a second time where a reload has replaced the channel meanwhile.
    async fn ask(
        &self,
        channel: &Arc<Channel>,
        incoming: &Incoming,
    ) -> Result<Received, ChannelError> {
        let call = |channel: Arc<Channel>| {
            let (id, request) = (incoming.id, incoming.request.clone());
            async move {
                let receive = move |instance: &Instance| instance.receive(&request);
                channel.call_for("receive", Some(id), receive).await
            }
        };
        let first = call(channel.clone()).await;
        match (&first, self.registry.get(channel.id.as_str())) {
            (Err(ChannelError::Down(_)), Some(now)) if !Arc::ptr_eq(&now, channel) => {
                call(now).await
            }
            _ => first,
        }
    }

    /// Stores a genuine webhook, as pending where threading it fails for a reason of our own.
    async fn keep(
        &self,
        channel: &Arc<Channel>,
        incoming: &Incoming,
        received: Received,
    ) -> Answer {
        let Incoming { id, request, began } = incoming;
        let (id, began) = (*id, *began);
        self.sightings.note(&channel.id, request, true);
        let response = received.response;
        if !received.follow_up.is_null() {
            return self.announced(channel, incoming, response).await;
        }
        let verified = |events, unparsed| Verified {
            id,
            channel,
            request,
            events,
            unparsed,
            began,
        };
        let heard = self.echo.listen(channel.org, &received.events);
        let routes = self.registry.routes();
        let first = verified(received.events, received.unparsed);
        let commit = threader::commit(&self.store, &routes, &self.canaries, self.policy(), first);
        // A panic while planning leaves the store as it was: it is a failure of ours like any other.
        let span = trace::child("commit");
        let stored = AssertUnwindSafe(commit).catch_unwind().await;
        drop(span);
        let stored =
            stored.unwrap_or_else(|_| Err(StoreError::Refused("threading it panicked".into())));
        let stored = match stored {
            Err(error) if is_ours(&error) => {
                error!(event = "webhook_kept_pending", channel = %channel.id, request = %id, %error, "a genuine webhook could not be threaded; it is kept and will be replayed");
                threader::keep_pending(&self.store, verified(Vec::new(), None), &error.to_string())
                    .await
            }
            other => other,
        };
        match stored {
            Ok(result) => {
                self.count(channel, id, &result, began);
                // A batch with something old in it is not told apart: it is left out as a whole.
                if result.duplicates == 0 {
                    self.echo.heard(&heard);
                }
                Answer::Adapter(response)
            }
            Err(error) => self.not_stored(channel, id, &error),
        }
    }

    /// Keeps a webhook that only announces what came in; the provider is asked for it right behind this answer.
    async fn announced(
        &self,
        channel: &Arc<Channel>,
        incoming: &Incoming,
        response: Response,
    ) -> Answer {
        let Incoming { id, request, began } = incoming;
        let (id, began) = (*id, *began);
        let verified = Verified {
            id,
            channel,
            request,
            events: Vec::new(),
            unparsed: None,
            began,
        };
        match threader::keep_pending(
            &self.store,
            verified,
            "announced; the provider is asked for it",
        )
        .await
        {
            Ok(result) => {
                self.count(channel, id, &result, began);
                self.follow_ups.notify_one();
                Answer::Adapter(response)
            }
            Err(error) => self.not_stored(channel, id, &error),
        }
    }

    fn count(&self, channel: &Channel, id: EventId, result: &InboundResult, began: Instant) {
        debug!(channel = %channel.id, request = %id, outcome = result.outcome.as_str(), messages = ?result.messages, "a webhook was stored");
        self.metrics.webhook(&channel.id, result.outcome);
        self.metrics.duplicates(&channel.id, result.duplicates);
        let seconds = began.elapsed().as_secs_f64();
        self.metrics
            .received(&channel.id, result.messages.len(), seconds);
        self.wake(&result.answered);
        if result.limited > 0 {
            self.tell_limited(channel, result.limited);
        }
        self.tell_templates(channel, &result.templates);
    }

    /// Tells owners of templates that may no longer be sent, and has unknown ones looked up.
    fn tell_templates(&self, channel: &Channel, changes: &[TemplateChange]) {
        for change in changes {
            tell_change(&self.notifier, channel, change);
            if !change.is_known {
                channel.templates.notify_one();
            }
        }
    }

    /// Tells the outboxes of channels that answers were queued on.
    fn wake(&self, answered: &[ChannelId]) {
        for id in answered {
            if let Some(channel) = self.registry.get(id.as_str()) {
                channel.queue.notify_one();
            }
        }
    }

    /// Counts marked messages, and tells owners now and then.
    fn tell_limited(&self, channel: &Channel, marked: u32) {
        self.metrics.limited(&channel.id, marked);
        let Some(count) = channel.limiter.tell(marked, self.store.now()) else {
            return;
        };
        self.notifier.raise(Notice {
            org: channel.org,
            channel: Some(channel.id.clone()),
            kind: NoticeKind::LimitReached,
            words: format!(
                "{count} messages came in over the limits of [inbound]: they are stored and marked, and the \
                 agent does not answer them"
            ),
        });
    }

    /// Counts messages that no webhook brought. How long they took says nothing.
    pub(super) fn count_fetched(&self, channel: &Channel, result: &InboundResult) {
        self.wake(&result.answered);
        self.metrics.webhook(&channel.id, result.outcome);
        self.metrics.fetched(&channel.id, result.messages.len());
    }

    /// A webhook that is not genuine is listed without its body and answered as the adapter says.
    fn refuse(&self, channel: &Channel, incoming: &Incoming, received: Received) -> Answer {
        let Incoming { id, request, .. } = incoming;
        let reason = threader::clip(received.reason.as_deref().unwrap_or("not genuine"));
        // At most one line a second stands in the log, by the notice below.
        debug!(channel = %channel.id, request = %id, verdict = ?received.verdict, %reason, "a webhook was refused");
        self.metrics.webhook(&channel.id, Outcome::Rejected);
        self.metrics.rejected(&channel.id, received.verdict.into());
        self.notifier.raise(Notice {
            org: channel.org,
            channel: Some(channel.id.clone()),
            kind: NoticeKind::SignatureMismatch,
            words: format!(
                "a webhook was refused: its signature does not prove that the provider sent it: {reason}"
            ),
        });
        self.sightings.note(&channel.id, request, false);
        let rejected = Rejected::new(channel.org, received.verdict, &reason, request);
        self.rejects.keep(&channel.id, rejected);
        let record = WebhookEvent {
            outcome: Outcome::Rejected,
            signature_valid: false,
            reason: Some(reason),
            ..WebhookEvent::new(*id, channel.id.clone(), self.store.now(), &request.method)
        };
        if let Err(error) = self.store.list_rejected(channel.org, &record) {
            warn!(event = "rejected_webhook_not_listed", channel = %channel.id, request = %id, %error, "a refused webhook could not be listed");
        }
        Answer::Adapter(received.response)
    }

    fn not_stored(&self, channel: &Channel, id: EventId, error: &StoreError) -> Answer {
        if let Some(kept_back) = self.unstored.due() {
            warn!(event = "webhook_not_stored", channel = %channel.id, request = %id, %error, kept_back, "a webhook could not be stored; the provider is asked to come back");
        }
        self.metrics.unavailable(&channel.id);
        Answer::Unavailable
    }

    fn unavailable(&self, channel: &Channel, id: EventId, error: &ChannelError) -> Answer {
        warn!(event = "webhook_not_read", channel = %channel.id, request = %id, %error, "a webhook could not be looked at; the provider is asked to come back");
        self.metrics.unavailable(&channel.id);
        Answer::Unavailable
    }
}

/// True for failures of our own logic or data, which another try of the provider would only meet
/// again; a full queue or a disk that refuses may pass.
fn is_ours(error: &StoreError) -> bool {
    !matches!(
        error,
        StoreError::Busy { .. }
            | StoreError::Full { .. }
            | StoreError::Failed(_)
            | StoreError::Closed
    )
}
