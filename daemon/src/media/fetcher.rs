//! Fetches the attachments of received messages, after the messages were acknowledged.
//!
//! What is to be fetched was written by the commit that stored the message, and is removed by the one
//! that stores the outcome: a daemon that dies in between fetches again, which changes nothing, since
//! files are named by their hash.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use serde_json::Value;
use tokio::sync::oneshot;
use tracing::{debug, info, warn};
use trunkline_plugin_api::{
    AdapterError, Capability, ErrorClass, HttpRequest, Media, MediaRef, Reply, ReplyTo, Request,
};

use super::{Keeper, Refusal, inside};
use crate::{
    channel::{Channel, Registry},
    config::Settings,
    metrics::Metrics,
    model::{ChannelId, Failure, MediaJob, MessageId, Millis, Notice, NoticeKind},
    outbound::{Backoff, DriveError, Intake, Next, Transport, drive, no_memory},
    store::{Fetched, NewMedia, Store, StoreError, Written},
    watch::Notifier,
};

/// Longest sleep while nothing is due.
const IDLE: Duration = Duration::from_secs(5);
/// Redirects that are followed where the adapter leaves fetching to us.
const REDIRECTS_MAX: u8 = 3;

/// Fetches attachments of all channels.
pub struct MediaFetcher {
    /// Where messages and files are kept.
    pub store: Store,
    /// Whose attachments.
    pub registry: Arc<Registry>,
    /// Talks to providers.
    pub transport: Transport,
    /// How many at once, how large, how often.
    pub settings: Settings,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Has the last look.
    pub keeper: Keeper,
    /// Tells owners.
    pub notifier: Notifier,
}

/// What is being fetched, by channel.
type Busy = HashMap<ChannelId, HashSet<MessageId>>;
/// Ends with the job that it was.
type Work<'a> = FuturesUnordered<BoxFuture<'a, (ChannelId, MessageId)>>;

/// An attachment's bytes, and what was said of them.
struct Got {
    written: Written,
    content_type: Option<String>,
    name: Option<String>,
}

impl MediaFetcher {
    /// Fetches until `stop` is dropped or fires. What is under way then is fetched again by the next
    /// daemon.
    pub async fn run(self, mut stop: oneshot::Receiver<()>) {
        let mut busy = Busy::new();
        let mut work = Work::new();
        loop {
            let wait = self.begin(&mut busy, &work);
            tokio::select! {
                _ = &mut stop => return,
                Some((channel, message)) = work.next(), if !work.is_empty() => {
                    if let Some(busy) = busy.get_mut(&channel) {
                        busy.remove(&message);
                    }
                }
                () = self.store.media_queued() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Begins what is due and has room; gives the time until more is due.
    fn begin<'a>(&'a self, busy: &mut Busy, work: &Work<'a>) -> Duration {
        if self.keeper.admit().is_err() {
            // What is left of the disk is kept for messages; attachments wait, at no cost to them.
            return IDLE;
        }
        let room = self.settings.load().media.concurrency as usize;
        let now = self.store.now();
        let mut next: Option<Millis> = None;
        for channel in self.registry.routes().channels() {
            let busy = busy.entry(channel.id.clone()).or_default();
            if busy.len() >= room {
                continue;
            }
            // Those under way are among the first.
            let jobs = self
                .store
                .media_jobs(channel.org, &channel.id, room + busy.len());
            let jobs = jobs.unwrap_or_else(|error| {
                warn!(event = "media_jobs_not_read", channel = %channel.id, %error, "the attachments to fetch could not be read");
                Vec::new()
            });
            for job in jobs {
                if job.due_ms > now {
                    next = Some(next.map_or(job.due_ms, |next| next.min(job.due_ms)));
                    break;
                }
                if busy.len() < room && busy.insert(job.message) {
                    work.push(Box::pin(self.perform(channel.clone(), job)));
                }
            }
        }
        let wait = next.map_or(Millis::MAX, |next| next - now);
        Duration::from_millis(u64::try_from(wait).unwrap_or(0)).min(IDLE)
    }

    async fn perform(&self, channel: Arc<Channel>, job: MediaJob) -> (ChannelId, MessageId) {
        let done = (channel.id.clone(), job.message);
        if let Err(error) = self.try_perform(&channel, job).await {
            warn!(event = "media_outcome_not_stored", channel = %done.0, message = %done.1, %error, "what came of fetching attachments could not be stored; they are fetched again");
            tokio::time::sleep(IDLE).await;
        }
        done
    }

    async fn try_perform(&self, channel: &Channel, mut job: MediaJob) -> Result<(), StoreError> {
        let began = job.clone();
        job.attempts += 1;
        let message = self.store.message(channel.org, job.message)?;
        let missing: Vec<(u32, Media)> = message
            .iter()
            .flat_map(|message| {
                let missing = message.missing_media();
                missing
                    .map(|(index, media)| (index, media.clone()))
                    .collect::<Vec<_>>()
            })
            .collect();
        let mut outcomes = Vec::new();
        let mut again: Option<Millis> = None;
        for (index, media) in missing {
            match self.fetch(channel, &job, &media).await {
                Ok(new) => {
                    info!(event = "media_stored", channel = %channel.id, message = %job.message, bytes = new.size, content_type = %new.content_type, "attachment stored");
                    self.metrics.media(&channel.id, "stored", new.size);
                    outcomes.push((index, Fetched::Stored(new)));
                }
                Err(error) => match self.judged(channel, &error, &job) {
                    Next::At(due_ms) => {
                        debug!(channel = %channel.id, message = %job.message, class = error.class.as_str(), code = %error.code, "an attachment is fetched again later");
                        self.metrics.media(&channel.id, "retried", 0);
                        again = Some(again.map_or(due_ms, |again| again.max(due_ms)));
                    }
                    Next::GiveUp => {
                        warn!(event = "media_failed", channel = %channel.id, message = %job.message, class = error.class.as_str(), code = %error.code, attempts = job.attempts, "an attachment could not be fetched");
                        self.metrics.media(&channel.id, "failed", 0);
                        outcomes.push((index, Fetched::Failed(Failure::from(error))));
                    }
                },
            }
        }
        let again = again.map(|due_ms| MediaJob { due_ms, ..job });
        let store = &self.store;
        store
            .finish_media(channel.org, &channel.id, &began, outcomes, again)
            .await
    }

    /// The same as [`Self::after`]; owners are told where there is no room.
    fn judged(&self, channel: &Channel, error: &AdapterError, job: &MediaJob) -> Next {
        if error.code == "media_store_full" {
            self.notifier.raise(Notice {
                org: channel.org,
                channel: Some(channel.id.clone()),
                kind: NoticeKind::StoreFull,
                words: format!("an attachment could not be kept and is fetched again: {error}"),
            });
        }
        self.after(error, job)
    }

    /// When to try again. What is read may be read twice, so an unknown outcome is a passing one; a
    /// channel whose credentials are refused is waited for as long as messages are.
    fn after(&self, error: &AdapterError, job: &MediaJob) -> Next {
        let backoff = Backoff::from(&self.settings.load().outbound);
        let now = self.store.now();
        let mut error = error.clone();
        let mut attempts = job.attempts;
        match error.class {
            ErrorClass::Ambiguous => error.class = ErrorClass::Transient,
            ErrorClass::Credentials => {
                error.class = ErrorClass::Transient;
                attempts = attempts.min(backoff.attempts_max.saturating_sub(1));
            }
            _ => {}
        }
        backoff.after(&error, attempts, job.since_ms, now, rand::random())
    }

    async fn fetch(
        &self,
        channel: &Channel,
        job: &MediaJob,
        media: &Media,
    ) -> Result<NewMedia, AdapterError> {
        let got = match media.source.range {
            Some(range) => {
                let (store, org, job) = (self.store.clone(), channel.org, job.clone());
                let bytes_max = self.keeper.bytes_max();
                let read = move || inside::extract(&store, org, &job, range, bytes_max);
                let written = tokio::task::spawn_blocking(read).await;
                Got {
                    written: written.map_err(|error| lost(&error.to_string()))??,
                    content_type: None,
                    name: None,
                }
            }
            None => self.ask(channel, &media.source).await?,
        };
        // What the message says of it was said by whoever signed the webhook; the rest is hearsay.
        let declared = media
            .content_type
            .as_deref()
            .or(got.content_type.as_deref());
        let name = media.name.as_deref().or(got.name.as_deref());
        let kept = self.keeper.keep(got.written, declared, name).await;
        kept.map_err(Refusal::into_error)
    }

    /// Has the provider asked for the bytes.
    async fn ask(&self, channel: &Channel, source: &MediaRef) -> Result<Got, AdapterError> {
        let files = self.store.media_files().clone();
        let intake = Arc::new(Intake::new(files, self.keeper.bytes_max()));
        let transport = self.transport.with_intake(intake.clone());
        let fetched = if channel.can(Capability::FetchMedia) {
            self.ask_adapter(channel, &transport, source).await
        } else {
            plainly(channel, &transport, source).await
        };
        if intake.was_too_large() {
            return Err(Refusal::TooLarge(self.keeper.bytes_max()).into_error());
        }
        let fetched = fetched?;
        let sha256 = fetched.source.sha256.unwrap_or_default();
        let written = intake.claim(&sha256).ok_or_else(|| {
            let words = "the adapter names a file that was not fetched for this attachment";
            AdapterError::new(ErrorClass::Bug, "media_unknown", words)
        })?;
        Ok(Got {
            written,
            content_type: fetched.content_type,
            name: fetched.name,
        })
    }

    async fn ask_adapter(
        &self,
        channel: &Channel,
        transport: &Transport,
        source: &MediaRef,
    ) -> Result<Media, AdapterError> {
        let source = source.clone();
        let fetched = drive(
            channel,
            transport,
            "fetch_media",
            Value::Null,
            || self.store.wall(),
            move |instance, turn| instance.fetch_media(&source, turn),
            no_memory,
        );
        fetched.await.map_err(DriveError::into_adapter_error)
    }
}

/// For adapters that leave it to us: whoever has the URL may read it.
async fn plainly(
    channel: &Channel,
    transport: &Transport,
    source: &MediaRef,
) -> Result<Media, AdapterError> {
    let url = source.url.as_deref().ok_or_else(|| {
        let words = "this adapter can't fetch attachments";
        AdapterError::new(ErrorClass::Unsupported, "media_unsupported", words)
    })?;
    let request = HttpRequest {
        reply_to: ReplyTo::File,
        redirects_max: REDIRECTS_MAX,
        ..HttpRequest::new("GET", url)
    };
    let reply = transport.perform(channel, Request::Http(request)).await;
    let reply = match &reply {
        Reply::Http(reply) => reply,
        other => return Err(other.http().err().unwrap_or_else(|| lost("no answer"))),
    };
    match (&reply.file, reply.status) {
        (Some(file), _) => Ok(Media {
            source: MediaRef {
                sha256: Some(file.sha256.clone()),
                ..MediaRef::default()
            },
            content_type: reply.header("content-type").map(String::from),
            name: None,
            size: Some(file.size),
        }),
        (None, 408 | 425 | 429 | 500..) => Err(lost(&format!("the answer was {}", reply.status))),
        (None, status) => {
            let words = format!("the answer was {status}");
            Err(AdapterError::new(
                ErrorClass::Content,
                "media_unavailable",
                words,
            ))
        }
    }
}

fn lost(words: &str) -> AdapterError {
    AdapterError::new(ErrorClass::Transient, "media_lost", words)
}
