//! Mails follow their references.

use serde_json::json;

use super::*;
use crate::model::{ThreadId, ThreadState};

const ADA: &str = "ada@example.org";

async fn mailbox() -> Bench {
    let mut bench = bench().await;
    bench.channel.medium = Medium::Email;
    bench
}

fn mail(id: &str, from: &str, reply_to: Option<&str>, references: &[&str]) -> Event {
    let mut metadata = Map::new();
    if !references.is_empty() {
        metadata.insert("references".into(), json!(references));
    }
    Event::Message(InboundMessage {
        id: id.into(),
        sender: Sender {
            identity: Identity::new("email", from),
            ..Sender::default()
        },
        content: Content::text("hello"),
        reply_to: reply_to.map(str::to_owned),
        metadata,
        ..InboundMessage::default()
    })
}

impl Bench {
    /// Receives one message and gives its thread.
    async fn thread_of(&self, event: Event, policy: ClosedPolicy) -> ThreadId {
        let mut inbound = self.inbound(vec![event]);
        inbound.policy = policy;
        let result = self.store.commit_inbound(inbound).await.unwrap();
        assert_eq!(result.messages.len(), 1, "{result:?}");
        result.messages[0].thread
    }

    async fn close(&self, thread: ThreadId) {
        let closed = self
            .store
            .update_thread(self.channel.org, thread, ThreadUpdate::Close);
        closed.await.unwrap();
    }

    fn state(&self, thread: ThreadId) -> ThreadState {
        let thread = self.store.thread(self.channel.org, thread).unwrap();
        thread.unwrap().state
    }

    /// Two threads of Ada: the first closed, the second open.
    async fn two_threads(&self) -> (ThreadId, ThreadId) {
        let first = self
            .thread_of(mail("<1>", ADA, None, &[]), ClosedPolicy::New)
            .await;
        self.close(first).await;
        let second = self
            .thread_of(mail("<2>", ADA, None, &[]), ClosedPolicy::New)
            .await;
        assert_ne!(first, second);
        (first, second)
    }
}

#[tokio::test]
async fn a_mail_goes_to_the_thread_of_the_mail_it_answers() {
    let bench = mailbox().await;
    let (first, second) = bench.two_threads().await;
    let reopen = ClosedPolicy::Reopen;
    assert_eq!(
        bench.thread_of(mail("<3>", ADA, None, &[]), reopen).await,
        second
    );
    assert_eq!(
        bench
            .thread_of(mail("<4>", ADA, Some("<1>"), &[]), reopen)
            .await,
        first
    );
    assert_eq!(bench.state(first), ThreadState::Open);
    assert_eq!(bench.state(second), ThreadState::Open);
    // Without references it is still the other one that goes on.
    assert_eq!(
        bench.thread_of(mail("<5>", ADA, None, &[]), reopen).await,
        second
    );
    // Through the mail that answered.
    assert_eq!(
        bench
            .thread_of(mail("<6>", ADA, Some("<4>"), &[]), reopen)
            .await,
        first
    );
}

#[tokio::test]
async fn references_are_looked_up_from_the_last_one_and_not_without_end() {
    let bench = mailbox().await;
    let (first, second) = bench.two_threads().await;
    let reopen = ClosedPolicy::Reopen;
    let by = |id: &str, references: &[&str]| mail(id, ADA, Some("<unknown>"), references);
    assert_eq!(
        bench.thread_of(by("<3>", &["<2>", "<1>"]), reopen).await,
        first
    );
    assert_eq!(
        bench
            .thread_of(by("<4>", &["<1>", "<2>", "<x>"]), reopen)
            .await,
        second
    );
    let unknown: Vec<String> = (0..20).map(|n| format!("<x{n}>")).collect();
    let mut far: Vec<&str> = vec!["<1>"];
    far.extend(unknown.iter().map(String::as_str));
    assert_eq!(bench.thread_of(by("<5>", &far), reopen).await, second);
    let near = &far[..18];
    assert_eq!(bench.thread_of(by("<6>", near), reopen).await, first);
}

#[tokio::test]
async fn a_closed_thread_stays_closed_where_the_policy_says_so() {
    let bench = mailbox().await;
    let (first, second) = bench.two_threads().await;
    let new = ClosedPolicy::New;
    assert_eq!(
        bench
            .thread_of(mail("<3>", ADA, Some("<1>"), &[]), new)
            .await,
        second
    );
    assert_eq!(bench.state(first), ThreadState::Closed);
    let reply = mail("<r>", ADA, Some("<1>"), &[]);
    assert_eq!(bench.thread_of(reply, ClosedPolicy::Reopen).await, first);
    assert_eq!(
        bench
            .thread_of(mail("<4>", ADA, Some("<1>"), &[]), new)
            .await,
        first
    );
}

#[tokio::test]
async fn a_reopened_thread_is_the_persons_where_theirs_is_closed() {
    let bench = mailbox().await;
    let (first, second) = bench.two_threads().await;
    bench.close(second).await;
    let reopen = ClosedPolicy::Reopen;
    assert_eq!(
        bench
            .thread_of(mail("<3>", ADA, Some("<1>"), &[]), reopen)
            .await,
        first
    );
    assert_eq!(bench.state(second), ThreadState::Closed);
    assert_eq!(
        bench.thread_of(mail("<4>", ADA, None, &[]), reopen).await,
        first
    );
}

#[tokio::test]
async fn nobody_gets_into_the_thread_of_another_person() {
    let bench = mailbox().await;
    let first = bench
        .thread_of(mail("<1>", ADA, None, &[]), ClosedPolicy::Reopen)
        .await;
    let reply = mail("<2>", "eve@example.org", Some("<1>"), &["<1>"]);
    assert_ne!(bench.thread_of(reply, ClosedPolicy::Reopen).await, first);
    let again = mail("<3>", "eve@example.org", Some("<1>"), &[]);
    assert_ne!(bench.thread_of(again, ClosedPolicy::Reopen).await, first);
}

#[tokio::test]
async fn other_media_go_on_in_the_open_thread() {
    let bench = bench().await;
    let (first, second) = bench.two_threads().await;
    let reply = mail("<3>", ADA, Some("<1>"), &["<1>"]);
    assert_eq!(bench.thread_of(reply, ClosedPolicy::Reopen).await, second);
    assert_eq!(bench.state(first), ThreadState::Closed);
}
