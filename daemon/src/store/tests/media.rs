//! Attachments: queued with their message, settled with their outcome, ended when nothing names them.

use trunkline_plugin_api::{Media, MediaRef};

use super::*;
use crate::model::{MediaHash, MediaJob};

const PEER: &str = "+15005550101";

fn attachment(url: &str) -> Media {
    Media {
        source: MediaRef {
            url: Some(url.into()),
            ..MediaRef::default()
        },
        ..Media::default()
    }
}

fn new_media(byte: u8) -> NewMedia {
    NewMedia {
        hash: MediaHash::new([byte; 32]),
        size: 5,
        content_type: "image/png".into(),
        name: Some("a.png".into()),
    }
}

impl Bench {
    /// A message with attachments, and what is to be fetched for it.
    async fn with_media(&self, id: &str, urls: &[&str]) -> (MessageId, Vec<MediaJob>) {
        let content = Content {
            media: urls.iter().map(|url| attachment(url)).collect(),
            ..Content::default()
        };
        let event = Event::Message(InboundMessage {
            id: id.into(),
            sender: Sender {
                identity: Identity::new("phone", PEER),
                ..Sender::default()
            },
            content,
            ..InboundMessage::default()
        });
        let result = self
            .store
            .commit_inbound(self.inbound(vec![event]))
            .await
            .unwrap();
        let jobs = self.jobs();
        (result.messages[0].id, jobs)
    }

    fn jobs(&self) -> Vec<MediaJob> {
        self.store
            .media_jobs(self.channel.org, &self.channel.id, 100)
            .unwrap()
    }

    async fn settle(&self, job: &MediaJob, outcomes: Vec<(u32, Fetched)>, again: Option<MediaJob>) {
        let (org, channel) = (self.channel.org, &self.channel.id);
        let done = self
            .store
            .finish_media(org, channel, job, outcomes, again)
            .await;
        done.unwrap();
    }
}

fn failure() -> Failure {
    Failure {
        class: trunkline_plugin_api::ErrorClass::Content,
        code: "gone".into(),
        message: "gone".into(),
        provider_code: None,
    }
}

#[tokio::test]
async fn attachments_are_queued_by_the_commit_that_stores_the_message() {
    let bench = bench().await;
    assert!(
        bench.with_media("m0", &[]).await.1.is_empty(),
        "nothing to fetch"
    );
    let (id, jobs) = bench.with_media("m1", &["http://a/1", "http://a/2"]).await;
    let [job] = jobs.as_slice() else {
        panic!("one job: {jobs:?}")
    };
    assert_eq!(
        (job.message, &job.receiver, job.attempts),
        (id, &bench.channel.id, 0)
    );
    tokio::time::timeout(
        std::time::Duration::from_secs(5),
        bench.store.media_queued(),
    )
    .await
    .expect("whoever fetches is woken");
    let event = bench
        .store
        .webhook_event(bench.channel.org, &job.receiver, job.event);
    assert!(event.unwrap().is_some(), "the webhook is found again");
}

#[tokio::test]
async fn outcomes_and_the_next_try_are_one_commit() {
    let bench = bench().await;
    let (id, jobs) = bench
        .with_media("m1", &["http://a/1", "http://a/2", "http://a/3"])
        .await;
    let later = MediaJob {
        attempts: 1,
        due_ms: jobs[0].due_ms + 60_000,
        ..jobs[0].clone()
    };
    let outcomes = vec![
        (0, Fetched::Stored(new_media(1))),
        (2, Fetched::Failed(failure())),
        (9, Fetched::Failed(failure())),
    ];
    bench.settle(&jobs[0], outcomes, Some(later.clone())).await;
    assert_eq!(
        bench.jobs(),
        vec![later.clone()],
        "only the one that is missing"
    );
    let message = bench.message(id);
    let media = &message.content.media;
    assert_eq!(
        media[0].source.sha256.as_deref(),
        Some("01".repeat(32).as_str())
    );
    assert_eq!(media[0].content_type.as_deref(), Some("image/png"));
    assert_eq!(message.media_failure(2), Some(&failure()));
    let missing: Vec<u32> = message.missing_media().map(|(index, _)| index).collect();
    assert_eq!(missing, [1]);
    // Once more, as after a crash: nothing is counted twice.
    bench
        .settle(&later, vec![(0, Fetched::Stored(new_media(1)))], None)
        .await;
    let record = bench
        .store
        .media(bench.channel.org, &new_media(1).hash)
        .unwrap();
    assert_eq!(record.unwrap().references, 1);
    assert!(bench.jobs().is_empty());
}

#[tokio::test]
async fn what_no_message_names_ends_after_a_while() {
    let bench = bench().await;
    let org = bench.channel.org;
    let other = bench.store.organization("other").await.unwrap();
    bench.store.put_media(org, new_media(1)).await.unwrap();
    let hash = new_media(1).hash;
    assert!(
        bench.store.media(other, &hash).unwrap().is_none(),
        "not theirs"
    );
    let (_, jobs) = bench.with_media("m1", &["http://a/1"]).await;
    bench
        .settle(&jobs[0], vec![(0, Fetched::Stored(new_media(2)))], None)
        .await;
    let future = bench.store.now() + 1_000_000;
    assert_eq!(
        bench.store.sweep_media(org, 1, 0).await.unwrap(),
        0,
        "too young"
    );
    assert_eq!(
        bench.store.sweep_media(org, 3, future).await.unwrap(),
        0,
        "another shard"
    );
    assert_eq!(
        bench.store.sweep_media(org, 2, future).await.unwrap(),
        0,
        "named"
    );
    assert!(bench.store.is_media_known(&hash));
    assert_eq!(bench.store.sweep_media(org, 1, future).await.unwrap(), 1);
    assert!(!bench.store.is_media_known(&hash));
}

#[tokio::test]
async fn the_key_of_links_is_made_once() {
    let bench = bench().await;
    let key = bench.store.media_link_key().await.unwrap();
    assert_eq!(bench.store.media_link_key().await.unwrap(), key);
    assert_ne!(key, [0; 32]);
}
