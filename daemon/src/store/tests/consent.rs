//! Consent: recorded with what brings it, asked before every send.

use trunkline_plugin_api::{AdapterError, Consent, ConsentChange, ErrorClass};

use super::*;
use crate::model::{
    ConsentEntry, ConsentProof, ConsentSource, ConsentState, Direction, EVERY_SENDER, OutboxState,
};

const ADA: &str = "+15550101";

impl Bench {
    /// Receives a message that is a word of consent.
    async fn word(&self, id: &str, from: &str, change: ConsentChange, reply: Option<&str>) {
        let reading = Reading {
            keyword: Some(ReadKeyword {
                change,
                written: "Word".into(),
                identities: vec![Identity::new("phone", from)],
                sent_at_ms: None,
                reply: reply.map(str::to_owned),
            }),
            ..Reading::default()
        };
        self.read(id, from, reading).await;
    }

    async fn read(&self, id: &str, from: &str, reading: Reading) -> InboundResult {
        let mut inbound = self.inbound(vec![sms(id, from)]);
        inbound.events[0].reading = Some(Box::new(reading));
        self.store.commit_inbound(inbound).await.unwrap()
    }

    fn entries(&self, from: &str) -> Vec<ConsentEntry> {
        let identity = Identity::new("phone", from);
        self.store.consents_of(self.channel.org, &identity).unwrap()
    }

    fn only(&self, from: &str) -> ConsentEntry {
        let mut entries = self.entries(from);
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries.remove(0)
    }

    async fn set(&self, scope: &str, change: ConsentChange) {
        let set = SetConsent {
            identity: Identity::new("phone", ADA),
            scope: scope.into(),
            proof: ConsentProof::new(self.store.now(), change, ConsentSource::Operator),
        };
        self.store.set_consent(self.channel.org, set).await.unwrap();
    }

    async fn is_refused(&self) -> bool {
        matches!(self.accept(ADA, None).await, Accepted::OptedOut(_))
    }

    fn answers(&self) -> Vec<crate::model::Message> {
        let org = self.channel.org;
        let contact = self.store.contacts_with(org, ADA).unwrap().remove(0);
        let all = self.store.timeline(org, contact.id, None, 100).unwrap();
        let mut all = all.items;
        all.retain(|message| message.direction == Direction::Outbound);
        all
    }
}

fn signal(change: ConsentChange, source: &str) -> Event {
    Event::Consent(Consent {
        identity: Identity::new("phone", ADA),
        address: None,
        change,
        source: Some(source.into()),
    })
}

fn opted_out() -> Failure {
    Failure {
        class: ErrorClass::OptedOut,
        code: "opted_out".into(),
        message: "no".into(),
        provider_code: Some("21610".into()),
    }
}

#[tokio::test]
async fn a_word_refuses_sends_until_another_lifts_it() {
    let bench = bench().await;
    bench.word("S0", ADA, ConsentChange::OptIn, None).await;
    assert!(
        bench.entries(ADA).is_empty(),
        "a yes to nothing is no opt-in"
    );
    bench.word("S1", ADA, ConsentChange::OptOut, None).await;
    let entry = bench.only(ADA);
    assert_eq!(
        (entry.state, entry.scope.as_str()),
        (ConsentState::OptedOut, "sms")
    );
    let proof = &entry.history[0];
    assert!(proof.message.is_some() && proof.event.is_some());
    assert_eq!(proof.keyword.as_deref(), Some("Word"));
    assert!(bench.is_refused().await);
    assert!(
        matches!(bench.accept("+15550102", None).await, Accepted::New { .. }),
        "nobody else is concerned"
    );
    bench.word("S2", ADA, ConsentChange::OptIn, None).await;
    assert!(!bench.is_refused().await);
}

#[tokio::test]
async fn a_webhook_come_again_does_not_opt_out_again() {
    let bench = bench().await;
    let events = || vec![sms("S1", ADA), signal(ConsentChange::OptOut, "S1")];
    bench.receive(events()).await;
    let first = bench.only(ADA);
    assert_eq!(first.history[0].source, ConsentSource::ProviderSignal);
    assert!(
        first.history[0].message.is_some(),
        "the message is the proof"
    );
    bench
        .receive(vec![sms("S2", ADA), signal(ConsentChange::OptIn, "S2")])
        .await;
    let again = bench.receive(events()).await;
    assert_eq!(again.outcome, Outcome::Duplicate);
    assert_eq!(bench.only(ADA).state, ConsentState::OptedIn);
}

#[tokio::test]
async fn what_waits_is_failed_when_it_is_leased_and_the_next_in_line_follows() {
    let bench = bench().await;
    let (first, second) = (bench.queued(ADA).await, bench.queued(ADA).await);
    bench.word("S1", ADA, ConsentChange::OptOut, None).await;
    assert!(bench.lease().await.is_empty());
    assert!(bench.lease().await.is_empty());
    // What a lease plans is applied before anything after it is durable.
    bench.store.save_clock().await.unwrap();
    for id in [first, second] {
        let message = bench.message(id);
        let error = message.error.unwrap();
        assert_eq!(
            (message.status, error.class),
            (Status::Failed, ErrorClass::OptedOut)
        );
        let entry = bench.store.outbox_entry(bench.channel.org, id).unwrap();
        let (item, _) = entry.unwrap();
        assert_eq!((item.state, item.attempts), (OutboxState::Dead, 0));
    }
    assert_eq!(
        bench
            .store
            .next_due(bench.channel.org, &bench.channel.id)
            .unwrap(),
        None
    );
    bench.word("S2", ADA, ConsentChange::OptIn, None).await;
    let org = bench.channel.org;
    bench
        .store
        .decide(org, second, Verdict::Retry)
        .await
        .unwrap();
    assert_eq!(bench.lease().await, [second]);
}

#[tokio::test]
async fn refusals_of_the_provider_are_learned() {
    let bench = bench().await;
    let id = bench.queued(ADA).await;
    assert_eq!(bench.lease().await, [id]);
    bench.finish(id, Attempt::Failed(opted_out())).await;
    let entry = bench.only(ADA);
    let proof = &entry.history[0];
    assert_eq!(proof.source, ConsentSource::ProviderError);
    assert_eq!(
        (proof.message, proof.reference.as_deref()),
        (Some(id), Some("21610"))
    );
    assert!(bench.is_refused().await);

    bench.set("sms", ConsentChange::OptIn).await;
    let id = bench.queued(ADA).await;
    assert_eq!(bench.lease().await, [id]);
    bench.finish(id, sent("X1")).await;
    let error = AdapterError::new(ErrorClass::OptedOut, "opted_out", "no");
    let failed = Event::Status(StatusReport {
        error: Some(error),
        ..match report("X1", ReportedStatus::Failed) {
            Event::Status(report) => report,
            other => panic!("{other:?}"),
        }
    });
    bench.receive(vec![failed]).await;
    assert_eq!(bench.only(ADA).history.last().unwrap().message, Some(id));
    assert!(bench.is_refused().await);
}

#[tokio::test]
async fn the_scope_is_the_address_that_a_channel_sends_from() {
    let bench = bench().await;
    let (org, id) = (bench.channel.org, bench.channel.id.clone());
    let other = ChannelId::new("sms_two");
    let senders = |first: &str| {
        vec![
            (org, id.clone(), first.to_owned()),
            (org, other.clone(), "+2".to_owned()),
        ]
    };
    bench.store.save_senders(senders("+1")).await.unwrap();
    bench.word("S1", ADA, ConsentChange::OptOut, None).await;
    assert_eq!(bench.only(ADA).scope, "+1");
    assert!(bench.is_refused().await);
    let two = ChannelRef {
        id: other.clone(),
        ..bench.channel.clone()
    };
    let elsewhere = Bench {
        channel: two,
        ..bench
    };
    assert!(!elsewhere.is_refused().await, "the other number may write");
    elsewhere.set(EVERY_SENDER, ConsentChange::OptOut).await;
    assert!(elsewhere.is_refused().await, "nobody may");
    let set_ms = elsewhere.store.now();
    while elsewhere.store.now() <= set_ms {
        std::hint::spin_loop();
    }
    elsewhere.word("S2", ADA, ConsentChange::OptIn, None).await;
    assert!(
        !elsewhere.is_refused().await,
        "the person asked for it since"
    );
    assert_eq!(elsewhere.entries(ADA).len(), 3);
}

#[tokio::test]
async fn the_one_answer_goes_out_all_the_same() {
    let bench = bench().await;
    let stop = ConsentChange::OptOut;
    bench.word("S1", ADA, stop, Some("Bye")).await;
    bench.word("S2", ADA, stop, Some("Bye")).await;
    let answers = bench.answers();
    assert_eq!(answers.len(), 1, "said once, answered once");
    assert_eq!(answers[0].author.kind, AuthorKind::System);
    assert_eq!(bench.lease().await, [answers[0].id]);
    let command = Reading {
        command: Some(ReadCommand {
            name: "/human".into(),
            thread: Some(ThreadUpdate::TakeOver),
            reply: Some("Soon".into()),
        }),
        ..Reading::default()
    };
    let result = bench.read("S3", ADA, command.clone()).await;
    assert!(
        result.answered.is_empty(),
        "a command is not answered to them"
    );
    assert_eq!(
        bench.message(result.messages[0].id).metadata["command"],
        "/human"
    );
    let thread = bench
        .store
        .thread(bench.channel.org, result.messages[0].thread);
    assert!(thread.unwrap().unwrap().needs_human);
    bench.word("S4", ADA, ConsentChange::OptIn, None).await;
    let result = bench.read("S5", ADA, command).await;
    assert_eq!(result.answered, std::slice::from_ref(&bench.channel.id));
}

#[tokio::test]
async fn what_is_over_a_limit_is_marked_and_no_follower_makes_a_turn_of_it() {
    let bench = bench().await;
    let mut changes = bench.store.changes("test", Position(0));
    let limited = Reading {
        limited: true,
        ..Reading::default()
    };
    let result = bench.read("S1", ADA, limited).await;
    assert_eq!(result.limited, 1);
    let id = result.messages[0].id;
    assert_eq!(bench.message(id).metadata["limited"], true);
    loop {
        let batch = changes.next().await.unwrap();
        assert!(
            !batch
                .changes
                .iter()
                .any(|change| matches!(change, Change::Received { .. }))
        );
        let marked =
            |change: &Change| matches!(change, Change::Limited { message, .. } if *message == id);
        if batch.changes.iter().any(marked) {
            break;
        }
    }
}

#[tokio::test]
async fn the_ledger_is_listed_in_pages_by_state_and_identifier() {
    let bench = bench().await;
    for n in 0..7 {
        let change = if n % 2 == 0 {
            ConsentChange::OptOut
        } else {
            ConsentChange::Help
        };
        bench
            .word(&format!("S{n}"), &format!("+1555010{n}"), change, None)
            .await;
    }
    let org = bench.channel.org;
    let walk = |filter: ConsentFilter| {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = bench.store.consents(org, &filter, after, 2).unwrap();
            assert!(page.items.len() <= 2);
            seen.extend(
                page.items
                    .into_iter()
                    .map(|entry| entry.identity.identifier),
            );
            let text = match page.next {
                Some(next) => next.to_string(),
                None => return seen,
            };
            after = Some(text.parse().unwrap());
        }
    };
    assert_eq!(walk(ConsentFilter::default()).len(), 7);
    let out = ConsentFilter {
        state: Some(ConsentState::OptedOut),
        ..ConsentFilter::default()
    };
    assert_eq!(
        walk(out),
        ["+15550100", "+15550102", "+15550104", "+15550106"]
    );
    let one = ConsentFilter {
        identifier: Some("+15550103".into()),
        ..ConsentFilter::default()
    };
    assert_eq!(walk(one), ["+15550103"]);
}
