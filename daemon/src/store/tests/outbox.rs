//! The queue: lanes, schedules, parts, leases, decisions by filter.

use serde_json::{Value, json};
use trunkline_plugin_api::ErrorClass;

use super::*;
use crate::model::{Message, OutboxItem};

fn item(bench: &Bench, id: MessageId) -> OutboxItem {
    let entry = bench.store.outbox_entry(bench.channel.org, id).unwrap();
    entry.expect("in the queue").0
}

async fn bulk(bench: &Bench, to: &str) -> MessageId {
    bench
        .queued_as(to, |new| new.priority = Priority::Bulk)
        .await
}

async fn in_three(bench: &Bench) -> MessageId {
    let parts = ["a", "b", "c"].map(String::from).to_vec();
    bench.queued_as("+15550101", |new| new.parts = parts).await
}

fn later(bench: &Bench, counts: bool) -> Attempt {
    Attempt::Later {
        error: failure(),
        due_ms: bench.store.now(),
        counts,
    }
}

fn quota(room: usize, bulk: usize, bulk_first: bool) -> Quota {
    Quota {
        room,
        bulk,
        bulk_first,
    }
}

#[tokio::test]
async fn an_answer_overtakes_a_mass_mailing_also_to_the_same_person() {
    let bench = bench().await;
    let mass = bulk(&bench, "+15550101").await;
    let other = bulk(&bench, "+15550102").await;
    let second = bulk(&bench, "+15550101").await;
    let answer = bench.queued("+15550101").await;
    assert_eq!(bench.lease_some(quota(1, 1, false)).await, [answer]);
    assert_eq!(bench.lease_some(quota(9, 1, false)).await, [mass]);
    assert_eq!(bench.lease_some(quota(9, 0, false)).await, []);
    assert_eq!(bench.lease_some(quota(9, 9, false)).await, [other]);
    bench.finish(mass, sent("X1")).await;
    assert_eq!(bench.lease().await, [second]);
}

#[tokio::test]
async fn what_a_provider_is_being_called_for_counts_as_sent_for_who_may_have_it() {
    let bench = bench().await;
    let org = bench.channel.org;
    let id = in_three(&bench).await;
    let parts_of = |seen: &Message| {
        let message = bench.store.as_it_goes(org, seen.clone()).unwrap();
        let parts = message.parts.iter().map(|part| part.status);
        parts.collect::<Vec<_>>()
    };
    let (waits, gone) = (Status::Queued, Status::Sent);
    // Seen by who looked before any of it, and looks closer later.
    let seen = bench.message(id);
    assert_eq!(parts_of(&seen), [waits, waits, waits]);
    bench.lease().await;
    bench.store.settle().await.unwrap();
    assert_eq!(parts_of(&seen), [gone, waits, waits]);
    assert_eq!(bench.message(id).status, waits);
    bench.finish_part(id, 0, sent("X1")).await;
    assert_eq!(parts_of(&seen), [gone, waits, waits]);
    bench.finish_part(id, 1, sent("X2")).await;
    bench.finish_part(id, 2, sent("X3")).await;
    assert_eq!(parts_of(&seen), [gone, gone, gone]);
}

#[tokio::test]
async fn the_bulk_lane_has_its_turn() {
    let bench = bench().await;
    let mass = bulk(&bench, "+15550101").await;
    let answer = bench.queued("+15550102").await;
    assert_eq!(bench.lease_some(quota(1, 1, true)).await, [mass]);
    assert_eq!(bench.lease_some(quota(1, 1, true)).await, [answer]);
}

#[tokio::test]
async fn a_scheduled_message_holds_up_nobody_and_goes_when_its_time_comes() {
    let bench = bench().await;
    let soon = bench.store.now() + 300;
    let scheduled = bench
        .queued_as("+15550101", |new| new.send_at_ms = Some(soon))
        .await;
    let next = bench.queued("+15550101").await;
    assert_eq!(bench.lease().await, [next]);
    let (org, channel) = (bench.channel.org, &bench.channel.id);
    assert_eq!(bench.store.next_due(org, channel).unwrap(), Some(soon));
    bench.finish(next, sent("X1")).await;
    let mut leased = bench.lease().await;
    while leased.is_empty() {
        tokio::task::yield_now().await;
        leased = bench.lease().await;
    }
    assert!(bench.store.now() >= soon);
    assert_eq!(leased, [scheduled]);
    let leased = bench.store.leased(org, channel).await.unwrap();
    assert_eq!(leased[0].0.accepted_at_ms, soon);
    assert_eq!(bench.store.next_due(org, channel).unwrap(), None);
}

#[tokio::test]
async fn a_scheduled_message_can_be_discarded_or_sent_at_once() {
    let bench = bench().await;
    let (org, tomorrow) = (bench.channel.org, bench.store.now() + 86_400_000);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let id = bench
            .queued_as("+15550101", |new| new.send_at_ms = Some(tomorrow))
            .await;
        ids.push(id);
    }
    let decide = |id, verdict| bench.store.decide(org, id, verdict);
    assert_eq!(
        decide(ids[0], Verdict::Discard).await.unwrap(),
        Decision::Done
    );
    assert_eq!(bench.message(ids[0]).status, Status::Failed);
    assert_eq!(
        decide(ids[1], Verdict::Retry).await.unwrap(),
        Decision::Done
    );
    assert_eq!(bench.lease().await, [ids[1]]);
    let next = bench.store.next_due(org, &bench.channel.id).unwrap();
    assert_eq!(next, None, "nothing is left of the schedule");
}

#[tokio::test]
async fn a_message_goes_part_by_part_and_resumes_at_the_one_that_failed() {
    let bench = bench().await;
    let id = in_three(&bench).await;
    assert_eq!(bench.lease().await, [id]);
    assert_eq!(
        bench.finish_part(id, 0, sent("X0")).await,
        Finished::NextPart
    );
    assert_eq!(
        (item(&bench, id).attempts, item(&bench, id).called),
        (1, false)
    );
    assert_eq!(
        bench.finish_part(id, 1, Attempt::Failed(failure())).await,
        Finished::Done(Status::Failed)
    );
    let org = bench.channel.org;
    bench.store.decide(org, id, Verdict::Retry).await.unwrap();
    bench.lease().await;
    let next = bench.message(id).next_part();
    assert_eq!(next, 1, "the first part is not sent again");
    assert_eq!(
        bench.finish_part(id, 1, sent("X1")).await,
        Finished::NextPart
    );
    assert_eq!(
        bench.finish_part(id, 2, sent("X2")).await,
        Finished::Done(Status::Sent)
    );
    let message = bench.message(id);
    assert_eq!(message.external_id.as_deref(), Some("X0"));
    // Each part has a state of its own, and the message is as far as the last of them.
    for (external_id, expected) in [
        ("X1", Status::Sent),
        ("X0", Status::Sent),
        ("X2", Status::Delivered),
    ] {
        bench
            .receive(vec![report(external_id, ReportedStatus::Delivered)])
            .await;
        assert_eq!(bench.message(id).status, expected, "{external_id}");
    }
}

#[tokio::test]
async fn what_is_left_goes_on_when_the_unknown_part_proves_to_have_arrived() {
    let bench = bench().await;
    let id = in_three(&bench).await;
    bench.lease().await;
    bench.finish_part(id, 0, sent("X0")).await;
    bench
        .finish_part(id, 1, Attempt::Uncertain(failure()))
        .await;
    assert_eq!(bench.listed(OutboxState::Uncertain), [id]);
    let mut callback = report("X1", ReportedStatus::Delivered);
    if let Event::Status(report) = &mut callback {
        report.reference = Some(format!("{id}.1"));
    }
    bench.receive(vec![callback]).await;
    assert_eq!(bench.message(id).status, Status::Queued);
    assert_eq!(bench.lease().await, [id]);
    assert_eq!(bench.message(id).next_part(), 2);
}

#[tokio::test]
async fn an_item_is_leased_by_its_call_and_only_in_its_turn() {
    let bench = bench().await;
    let id = bench.queued("+15550101").await;
    let behind = bench.queued("+15550101").await;
    let (org, channel) = (bench.channel.org, &bench.channel.id);
    let due = bench.store.due(org, channel, ALL, &HashSet::new());
    let taken = due.unwrap();
    assert_eq!((taken.len(), taken[0].0.attempts), (1, 1));
    assert_eq!(item(&bench, id).attempts, 0, "looking changes nothing");
    let call = async |item| bench.store.begin_call(org, &item, &Value::Null).await;
    let out_of_turn = item(&bench, behind);
    assert!(call(out_of_turn).await.is_err(), "a call out of turn");
    let cursor = json!("step");
    let begun = bench.store.begin_call(org, &taken[0].0, &cursor);
    begun.await.unwrap();
    let leased = bench.store.leased(org, channel).await.unwrap();
    let (item_then, _) = &leased[0];
    assert_eq!(
        (item_then.called, &item_then.cursor, item_then.attempts),
        (true, &cursor, 1)
    );
    bench.finish(id, later(&bench, false)).await;
    assert_eq!(
        (item(&bench, id).attempts, item(&bench, id).called),
        (0, false)
    );
    // What a person has given up meanwhile is not called any more.
    let again = item(&bench, id);
    bench.store.decide(org, id, Verdict::Discard).await.unwrap();
    assert!(call(again).await.is_err(), "a call for what was discarded");
}

#[tokio::test]
async fn an_attempt_that_ends_before_any_call_counts_too() {
    let bench = bench().await;
    let id = bench.queued("+15550101").await;
    bench.finish(id, later(&bench, true)).await;
    assert_eq!(item(&bench, id).attempts, 1);
    bench.finish(id, Attempt::Failed(failure())).await;
    assert_eq!(bench.listed(OutboxState::Dead), [id]);
    assert!(bench.lease().await.is_empty());
}

#[tokio::test]
async fn an_old_message_that_comes_back_goes_before_what_waits() {
    let bench = bench().await;
    let first = bench.queued("+15550101").await;
    let second = bench.queued("+15550101").await;
    bench.lease().await;
    bench.finish(first, Attempt::Uncertain(failure())).await;
    bench
        .store
        .send_again(bench.channel.org, first)
        .await
        .unwrap();
    assert_eq!(item(&bench, first).attempts, 1, "its budget goes on");
    assert_eq!(bench.lease().await, [first]);
    // While it is away the other may not be due twice.
    bench.finish(first, later(&bench, true)).await;
    assert_eq!(bench.lease().await, [first]);
    bench.finish(first, sent("X1")).await;
    assert_eq!(bench.lease().await, [second]);
}

#[tokio::test]
async fn decisions_by_filter_concern_what_the_filter_means() {
    let bench = bench().await;
    let mut ids = Vec::new();
    for number in 0..600 {
        ids.push(bench.queued(&format!("+1555{number:07}")).await);
    }
    let throttled = Failure {
        class: ErrorClass::Throttled,
        provider_code: Some("20429".into()),
        ..failure()
    };
    assert_eq!(bench.lease_some(quota(1000, 0, false)).await.len(), 600);
    for (number, id) in ids.iter().enumerate() {
        let error = if number % 2 == 0 {
            failure()
        } else {
            throttled.clone()
        };
        bench.finish(*id, Attempt::Failed(error)).await;
    }
    let org = bench.channel.org;
    let dead = OutboxFilter::of(&bench.channel.id, OutboxState::Dead);
    let by_code = OutboxFilter {
        code: Some("20429".into()),
        ..dead.clone()
    };
    let retried = bench.store.decide_all(org, &by_code, Verdict::Retry).await;
    assert_eq!(retried.unwrap(), 300);
    let elsewhere = OutboxFilter::of(&ChannelId::new("other"), OutboxState::Dead);
    let none = bench
        .store
        .decide_all(org, &elsewhere, Verdict::Discard)
        .await;
    assert_eq!(none.unwrap(), 0);
    let discarded = bench.store.decide_all(org, &dead, Verdict::Discard).await;
    assert_eq!(discarded.unwrap(), 300);
    assert_eq!(bench.lease_some(quota(1000, 0, false)).await.len(), 300);
    assert!(bench.listed(OutboxState::Dead).is_empty());
}

#[tokio::test]
async fn what_waits_for_a_channel_that_holds_is_listed_as_held() {
    let bench = bench().await;
    let id = bench.queued("+15550101").await;
    let channel = &bench.channel.id;
    let held = |holding: Vec<ChannelId>| {
        let filter = OutboxFilter {
            holding,
            ..OutboxFilter::of(channel, OutboxState::Held)
        };
        let page = bench.store.outbox(bench.channel.org, &filter, None, 10);
        page.unwrap().items.len()
    };
    assert_eq!(held(vec![]), 0);
    assert_eq!(held(vec![channel.clone()]), 1);
    bench.lease().await;
    let begun = bench
        .store
        .begin_call(bench.channel.org, &item(&bench, id), &json!(1))
        .await;
    begun.unwrap();
    assert_eq!(held(vec![channel.clone()]), 0, "its call is under way");
    bench.finish(id, later(&bench, true)).await;
    assert_eq!(held(vec![channel.clone()]), 1);
}

#[tokio::test]
async fn idempotency_keys_end_with_time_a_few_at_once() {
    let bench = bench().await;
    for number in 0..5 {
        bench.accept("+15550101", Some(&format!("k{number}"))).await;
    }
    let org = bench.channel.org;
    let sweep = |before, after, limit| bench.store.sweep_idempotency(org, before, after, limit);
    let (ended, _) = sweep(0, None, 10).await.unwrap();
    assert_eq!(ended, 0);
    let future = bench.store.now() + 1;
    let (ended, next) = sweep(future, None, 3).await.unwrap();
    assert_eq!((ended, next.is_some()), (3, true));
    let (ended, next) = sweep(future, next, 3).await.unwrap();
    assert_eq!((ended, next), (2, None));
    assert!(matches!(
        bench.accept("+15550101", Some("k0")).await,
        Accepted::New { .. }
    ));
}

#[tokio::test]
async fn a_message_learnt_as_sent_by_a_callback_is_asked_about_until_its_end() {
    let bench = bench().await;
    let (org, channel) = (bench.channel.org, &bench.channel.id);
    let awaiting = async || {
        let page = bench.store.awaiting_reports(org, channel, 0, None, 10);
        let items = page.await.unwrap().items.into_iter();
        items.map(|message| message.id).collect::<Vec<_>>()
    };
    let callback = |id: MessageId, status| {
        let mut callback = report(&format!("X{id}"), status);
        if let Event::Status(report) = &mut callback {
            report.reference = Some(id.to_string());
        }
        vec![callback]
    };
    // The word comes while its call is under way, and after its outcome was lost.
    let (early, late) = (
        bench.queued("+15550101").await,
        bench.queued("+15550102").await,
    );
    bench.lease().await;
    bench.receive(callback(early, ReportedStatus::Sent)).await;
    for id in [early, late] {
        bench.finish(id, Attempt::Uncertain(failure())).await;
    }
    bench.receive(callback(late, ReportedStatus::Sent)).await;
    assert_eq!(awaiting().await, [early, late]);
    bench
        .receive(callback(early, ReportedStatus::Delivered))
        .await;
    assert_eq!(awaiting().await, [late]);
}

#[tokio::test]
async fn what_is_under_way_is_passed_over_and_takes_no_room() {
    let bench = bench().await;
    let busy = bench.queued("+15550101").await;
    let free = bench.queued("+15550102").await;
    let (org, channel) = (bench.channel.org, &bench.channel.id);
    let under_way = HashSet::from([busy]);
    let due = bench
        .store
        .due(org, channel, quota(1, 0, false), &under_way);
    assert_eq!(due.unwrap()[0].0.message, free);
}

#[tokio::test]
async fn a_failure_is_no_dead_letter_whether_its_word_comes_before_the_receipt_or_after() {
    let bench = bench().await;
    let (early, late) = (
        bench.queued("+15550101").await,
        bench.queued("+15550102").await,
    );
    bench.lease().await;
    let mut callback = report("X1", ReportedStatus::Failed);
    if let Event::Status(report) = &mut callback {
        report.reference = Some(early.to_string());
    }
    bench.receive(vec![callback]).await;
    assert_eq!(bench.finish(early, sent("X1")).await, Status::Failed);
    bench.finish(late, sent("X2")).await;
    bench
        .receive(vec![report("X2", ReportedStatus::Failed)])
        .await;
    assert_eq!(bench.message(late).status, Status::Failed);
    assert!(bench.listed(OutboxState::Dead).is_empty());
}
