//! What the operations promise, on a real engine in a temporary folder.

use std::{collections::HashSet, time::Instant};

use serde_json::Map;
use trunkline_plugin_api::{
    Content, Event, Identity, InboundMessage, Medium, Receipt, ReportedStatus, Sender, StatusReport,
};

use super::*;
use crate::model::{
    Author, AuthorKind, Failure, MessageId, OutboxState, Outcome, Priority, Source, Status,
    WebhookEvent,
};

mod backup;
mod consent;
mod format;
mod linking;
mod media;
mod merge;
mod outbox;
mod places;
mod privacy;
mod reactions;
mod references;
mod windows;

/// Everything that is due.
const ALL: Quota = Quota {
    room: 100,
    bulk: 100,
    bulk_first: false,
};

struct Bench {
    store: Store,
    channel: ChannelRef,
    folder: tempfile::TempDir,
}

async fn bench() -> Bench {
    bench_in(tempfile::tempdir().unwrap()).await
}

async fn bench_in(folder: tempfile::TempDir) -> Bench {
    let (store, _) = Store::open(folder.path(), EngineOptions::default()).unwrap();
    let org = store.organization("default").await.unwrap();
    let channel = ChannelRef {
        id: ChannelId::new("sms"),
        org,
        medium: Medium::Sms,
    };
    Bench {
        store,
        channel,
        folder,
    }
}

impl Bench {
    /// The same after the store was closed and opened again.
    async fn restarted(self) -> Self {
        drop(self.store);
        bench_in(self.folder).await
    }

    fn inbound(&self, events: Vec<Event>) -> Inbound {
        let record = WebhookEvent::new(
            self.store.new_event_id(),
            self.channel.id.clone(),
            self.store.now(),
            "POST",
        );
        let channel = self.channel.clone();
        let routed = |event| Routed {
            channel: channel.clone(),
            event,
            reading: None,
        };
        Inbound {
            org: self.channel.org,
            record,
            events: events.into_iter().map(routed).collect(),
            policy: ClosedPolicy::Reopen,
            began: Instant::now(),
            is_replay: false,
        }
    }

    async fn receive(&self, events: Vec<Event>) -> InboundResult {
        self.store
            .commit_inbound(self.inbound(events))
            .await
            .unwrap()
    }

    async fn accept(&self, to: &str, key: Option<&str>) -> Accepted {
        let new = self.outbound(to, key);
        self.store.accept_outbound(new).await.unwrap()
    }

    /// Accepts a message that is `changed` from an ordinary one.
    async fn queued_as(&self, to: &str, change: impl FnOnce(&mut NewOutbound)) -> MessageId {
        let mut new = self.outbound(to, None);
        change(&mut new);
        match self.store.accept_outbound(new).await.unwrap() {
            Accepted::New { id, .. } => id,
            other => panic!("{other:?}"),
        }
    }

    fn outbound(&self, to: &str, key: Option<&str>) -> NewOutbound {
        let idempotency = key.map(|key| Idempotency {
            key: key.into(),
            request: [u8::try_from(to.len()).unwrap(); 32],
        });
        NewOutbound {
            channel: self.channel.clone(),
            to: Identity::new("phone", to),
            content: Content::text("hi"),
            parts: Vec::new(),
            author: Author {
                kind: AuthorKind::System,
                name: None,
            },
            reply_to: None,
            priority: Priority::Reply,
            send_at_ms: None,
            metadata: Map::new(),
            request: None,
            idempotency,
            policy: ClosedPolicy::Reopen,
            charge: Charge::default(),
        }
    }

    async fn queued(&self, to: &str) -> MessageId {
        match self.accept(to, None).await {
            Accepted::New { id, .. } => id,
            other => panic!("{other:?}"),
        }
    }

    /// Begins a call for all that is due and gives the ids.
    async fn lease(&self) -> Vec<MessageId> {
        self.lease_some(ALL).await
    }

    async fn lease_some(&self, quota: Quota) -> Vec<MessageId> {
        let (org, channel) = (self.channel.org, &self.channel.id);
        let due = self
            .store
            .due(org, channel, quota, &HashSet::new())
            .unwrap();
        for (item, _) in &due {
            let cursor = serde_json::Value::from("call");
            let begun = self.store.begin_call(org, item, &cursor);
            begun.await.unwrap();
        }
        due.into_iter().map(|(item, _)| item.message).collect()
    }

    async fn finish(&self, id: MessageId, attempt: Attempt) -> Status {
        self.finish_part(id, 0, attempt).await;
        self.message(id).status
    }

    async fn finish_part(&self, id: MessageId, part: usize, attempt: Attempt) -> Finished {
        let org = self.channel.org;
        let finished = self.store.finish_attempt(org, id, part, attempt).await;
        // What comes behind it is applied behind it: from here on readers see it.
        self.store.save_clock().await.unwrap();
        finished.unwrap()
    }

    /// The ids of the items in a state.
    fn listed(&self, state: OutboxState) -> Vec<MessageId> {
        let filter = OutboxFilter::of(&self.channel.id, state);
        let page = self
            .store
            .outbox(self.channel.org, &filter, None, 100)
            .unwrap();
        page.items.into_iter().map(|item| item.message).collect()
    }

    fn message(&self, id: MessageId) -> crate::model::Message {
        self.store.message(self.channel.org, id).unwrap().unwrap()
    }
}

fn sms(id: &str, from: &str) -> Event {
    Event::Message(InboundMessage {
        id: id.into(),
        sender: Sender {
            identity: Identity::new("phone", from),
            ..Sender::default()
        },
        content: Content::text("hello "),
        ..InboundMessage::default()
    })
}

fn report(external_id: &str, status: ReportedStatus) -> Event {
    Event::Status(StatusReport {
        external_id: external_id.into(),
        address: None,
        reference: None,
        status,
        code: None,
        detail: None,
        error: None,
        at_ms: None,
    })
}

fn sent(external_id: &str) -> Attempt {
    Attempt::Sent(Receipt {
        external_id: external_id.into(),
        ..Receipt::default()
    })
}

fn failure() -> Failure {
    Failure {
        class: trunkline_plugin_api::ErrorClass::Recipient,
        code: "x".into(),
        message: "no".into(),
        provider_code: None,
    }
}

#[tokio::test]
async fn first_messages_of_a_stranger_at_once_make_one_contact() {
    let bench = bench().await;
    let commits = (0..10).map(|n| bench.receive(vec![sms(&format!("SM{n}"), "+15550101")]));
    let results = futures_util::future::join_all(commits).await;
    assert!(
        results
            .iter()
            .all(|result| result.outcome == Outcome::Accepted)
    );
    let contacts = bench
        .store
        .contacts_with(bench.channel.org, "+15550101")
        .unwrap();
    assert_eq!(contacts.len(), 1);
    let timeline = bench
        .store
        .timeline(bench.channel.org, contacts[0].id, None, 100)
        .unwrap();
    assert_eq!(timeline.items.len(), 10);
    assert!(
        timeline
            .items
            .is_sorted_by(|newer, older| newer.id > older.id)
    );
    let page = bench
        .store
        .timeline(bench.channel.org, contacts[0].id, None, 4)
        .unwrap();
    let rest = bench
        .store
        .timeline(bench.channel.org, contacts[0].id, page.next, 100)
        .unwrap();
    assert_eq!([page.items, rest.items].concat(), timeline.items);
}

#[tokio::test]
async fn a_message_is_stored_once_until_its_mark_ends_with_its_event() {
    let bench = bench().await;
    let both = bench
        .receive(vec![sms("SM1", "+15550101"), sms("SM1", "+15550101")])
        .await;
    assert_eq!((both.messages.len(), both.duplicates), (1, 1));
    let again = bench.receive(vec![sms("SM1", "+15550101")]).await;
    assert_eq!(
        (again.outcome, again.messages.len()),
        (Outcome::Duplicate, 0)
    );
    let (org, id) = (bench.channel.org, &bench.channel.id);
    assert_eq!(bench.store.sweep_events(org, id, 0).await.unwrap(), 0);
    let future = bench.store.now() + 1;
    assert_eq!(bench.store.sweep_events(org, id, future).await.unwrap(), 2);
    let late = bench.receive(vec![sms("SM1", "+15550101")]).await;
    assert_eq!(late.outcome, Outcome::Accepted);
}

#[tokio::test]
async fn a_message_larger_than_a_record_keeps_its_beginning() {
    let bench = bench().await;
    let mut large = sms("SM1", "+15550101");
    if let Event::Message(message) = &mut large {
        message.content.text = Some("é".repeat(200_000));
        message.content.html = Some("x".repeat(200_000));
    }
    let result = bench.receive(vec![large]).await;
    let message = bench.message(result.messages[0].id);
    let text = message.content.text.unwrap();
    assert!(
        text.len() <= 32 * 1024 && text.len() > 32 * 1024 - 4 && text.chars().all(|c| c == 'é')
    );
    assert!(message.metadata["cut_from_bytes"].as_u64().unwrap() > 600_000 - 1);
}

#[tokio::test]
async fn a_report_waits_for_its_message_and_never_sets_it_back() {
    let bench = bench().await;
    let id = bench.queued("+15550101").await;
    assert_eq!(bench.lease().await, [id]);
    bench
        .receive(vec![report("X1", ReportedStatus::Delivered)])
        .await;
    assert_eq!(bench.finish(id, sent("X1")).await, Status::Delivered);
    bench
        .receive(vec![report("X1", ReportedStatus::Sent)])
        .await;
    let message = bench.message(id);
    assert_eq!(message.status, Status::Delivered);
    let sources: Vec<Source> = message.history.iter().map(|entry| entry.source).collect();
    assert_eq!(
        sources,
        [
            Source::Accept,
            Source::Receipt,
            Source::Callback,
            Source::Callback
        ]
    );
    let repeated = bench
        .receive(vec![report("X1", ReportedStatus::Sent)])
        .await;
    assert_eq!(repeated.outcome, Outcome::Duplicate);
    // One that nobody ever sent waits, and is ended with time.
    bench
        .receive(vec![report("X2", ReportedStatus::Sent)])
        .await;
    let (org, channel) = (bench.channel.org, &bench.channel.id);
    let future = bench.store.now() + 1;
    assert_eq!(
        bench
            .store
            .sweep_waiting(org, channel, future)
            .await
            .unwrap(),
        1
    );
}

#[tokio::test]
async fn a_contact_is_sent_to_in_order_and_a_failure_holds_up_nobody() {
    let bench = bench().await;
    let first = bench.queued("+15550101").await;
    let second = bench.queued("+15550101").await;
    let third = bench.queued("+15550101").await;
    let other = bench.queued("+15550102").await;
    assert_eq!(bench.lease().await, [first, other]);
    assert!(bench.lease().await.is_empty());
    bench.finish(first, Attempt::Failed(failure())).await;
    assert_eq!(bench.lease().await, [second]);
    let later = Attempt::Later {
        error: failure(),
        due_ms: bench.store.now() + 3_600_000,
        counts: true,
    };
    bench.finish(second, later).await;
    assert!(
        bench.lease().await.is_empty(),
        "the third must not overtake the second"
    );
    bench.finish(second, Attempt::Uncertain(failure())).await;
    assert_eq!(bench.lease().await, [third]);
    assert_eq!(bench.listed(OutboxState::Dead), [first]);
    assert_eq!(bench.listed(OutboxState::Uncertain), [second]);
    // By a person's word both go again, behind what is in line.
    let org = bench.channel.org;
    assert_eq!(
        bench
            .store
            .decide(org, first, Verdict::Retry)
            .await
            .unwrap(),
        Decision::Done
    );
    assert!(bench.lease().await.is_empty());
    bench.finish(third, sent("X3")).await;
    assert_eq!(bench.lease().await, [first]);
    assert_eq!(
        bench
            .store
            .decide(org, second, Verdict::Discard)
            .await
            .unwrap(),
        Decision::Done
    );
    assert_eq!(bench.message(second).status, Status::Uncertain);
}

#[tokio::test]
async fn an_idempotency_key_stands_for_one_request() {
    let bench = bench().await;
    let Accepted::New { id, .. } = bench.accept("+15550101", Some("k")).await else {
        panic!("not new");
    };
    assert_eq!(
        bench.accept("+15550101", Some("k")).await,
        Accepted::Repeated { id }
    );
    assert_eq!(
        bench.accept("+155501012", Some("k")).await,
        Accepted::KeyConflict
    );
    assert_eq!(bench.lease().await, [id]);
}

#[tokio::test]
async fn what_was_derived_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        Store::open(folder.path(), EngineOptions::default())
            .unwrap()
            .0
    };
    let store = open();
    let first = store.organization("default").await.unwrap();
    let second = store.organization("acme").await.unwrap();
    assert_ne!(first, second);
    store.save_clock().await.unwrap();
    let before = store.new_id();
    store.engine().clone().close();
    drop(store);
    let store = open();
    assert_eq!(store.organization("acme").await.unwrap(), second);
    assert_eq!(store.slug(first), "default");
    assert!(store.new_id() > before);
}
