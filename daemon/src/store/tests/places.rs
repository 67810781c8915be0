//! Where messages stand: in the line of their contact, and in timelines.

use std::collections::BTreeSet;

use super::*;

const TO: &str = "+15550101";

/// A number below `below`, another one each time; the same in each run.
fn dice(seed: &mut u64, below: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    usize::try_from(*seed >> 33).unwrap() % below
}

fn any(of: &BTreeSet<MessageId>, seed: &mut u64) -> Option<MessageId> {
    let at = dice(seed, of.len().max(1));
    of.iter().nth(at).copied()
}

fn count(bench: &Bench, kind: u8) -> u64 {
    bench.store.engine().count(bench.channel.org.0, kind)
}

#[tokio::test]
async fn a_long_line_goes_in_order_and_leaves_nothing() {
    let bench = bench().await;
    let mut waiting = Vec::new();
    for _ in 0..75 {
        waiting.push(bench.queued(TO).await);
    }
    assert!(count(&bench, b'g') > 1, "the middle is kept in chunks");
    for (at, id) in waiting.iter().enumerate() {
        assert_eq!(bench.lease().await, [*id]);
        assert_eq!(bench.lease().await, [], "one at a time");
        bench.finish(*id, sent(&format!("X{at}"))).await;
    }
    for kind in [b'q', b'g', b'j', b'd', b'b', b'o'] {
        assert_eq!(count(&bench, kind), 0, "of kind {}", char::from(kind));
    }
    assert_eq!(bench.store.engine().stats().surprises, 0);
}

#[tokio::test]
async fn whatever_comes_and_goes_the_oldest_that_waits_is_next() {
    let bench = bench().await;
    let org = bench.channel.org;
    let mut seed = 11;
    let (mut waiting, mut dead) = (BTreeSet::new(), BTreeSet::new());
    for step in 0..1500 {
        // More comes than goes at first, then less.
        let die = dice(&mut seed, if step < 900 { 12 } else { 7 });
        match die {
            0 | 1 => {
                let Some(first) = waiting.pop_first() else {
                    continue;
                };
                assert_eq!(bench.lease().await, [first], "step {step}");
                if die == 0 {
                    bench.finish(first, sent(&format!("X{step}"))).await;
                } else {
                    bench.finish(first, Attempt::Failed(failure())).await;
                    dead.insert(first);
                }
            }
            2 => {
                if let Some(id) = any(&waiting, &mut seed) {
                    bench.store.decide(org, id, Verdict::Discard).await.unwrap();
                    waiting.remove(&id);
                }
            }
            3 => {
                if let Some(id) = any(&waiting, &mut seed) {
                    bench.store.decide(org, id, Verdict::Retry).await.unwrap();
                }
            }
            4 => {
                if let Some(id) = any(&dead, &mut seed) {
                    bench.store.decide(org, id, Verdict::Retry).await.unwrap();
                    dead.remove(&id);
                    waiting.insert(id);
                }
            }
            5 => {
                if let Some(first) = waiting.first() {
                    assert_eq!(bench.lease().await, [*first], "step {step}");
                    let again = Attempt::Later {
                        error: failure(),
                        due_ms: bench.store.now(),
                        counts: true,
                    };
                    bench.finish(*first, again).await;
                }
            }
            _ => {
                waiting.insert(bench.queued(TO).await);
            }
        }
    }
    while let Some(first) = waiting.pop_first() {
        assert_eq!(bench.lease().await, [first]);
        bench.finish(first, sent(&format!("Y{first}"))).await;
    }
    for kind in [b'q', b'g', b'j', b'd', b'b'] {
        assert_eq!(count(&bench, kind), 0, "of kind {}", char::from(kind));
    }
    assert_eq!(bench.store.engine().stats().surprises, 0);
}

#[tokio::test]
async fn a_lease_and_its_message_survive_a_restart() {
    let bench = bench().await;
    let first = bench.queued(TO).await;
    let second = bench.queued(TO).await;
    assert_eq!(bench.lease().await, [first]);
    let bench = bench.restarted().await;
    let (org, channel) = (bench.channel.org, &bench.channel.id);
    let leased = bench.store.leased(org, channel).await.unwrap();
    let [(item, message)] = leased.as_slice() else {
        panic!("{leased:?}");
    };
    assert_eq!((item.message, message.id), (first, first));
    assert_eq!((item.attempts, item.called), (1, true));
    assert_eq!(item.cursor, "call");
    assert_eq!(bench.message(second).status, Status::Queued);
    assert_eq!(bench.finish(first, sent("X1")).await, Status::Sent);
    assert_eq!(bench.lease().await, [second]);
}

#[tokio::test]
async fn a_timeline_is_read_page_by_page_over_long_threads() {
    let bench = bench().await;
    let org = bench.channel.org;
    let mut all = Vec::new();
    for n in 0..210 {
        if n == 90 {
            // From here on in another thread.
            let thread = bench.message(all[0]).thread;
            let close = ThreadUpdate::Close;
            bench.store.update_thread(org, thread, close).await.unwrap();
        }
        let id = if n % 3 == 0 {
            let mut inbound = bench.inbound(vec![sms(&format!("SM{n}"), TO)]);
            inbound.policy = ClosedPolicy::New;
            let result = bench.store.commit_inbound(inbound).await.unwrap();
            result.messages[0].id
        } else {
            bench
                .queued_as(TO, |new| new.policy = ClosedPolicy::New)
                .await
        };
        all.push(id);
    }
    all.reverse();
    let contact = bench.message(all[0]).contact;
    let mut read = Vec::new();
    let mut before = None;
    loop {
        let page = bench.store.timeline(org, contact, before, 7).unwrap();
        read.extend(page.items.iter().map(|message| message.id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(read, all);
    let threads: BTreeSet<_> = all.iter().map(|id| bench.message(*id).thread).collect();
    assert_eq!(threads.len(), 2);
    for thread in threads {
        let own = |id: &&MessageId| bench.message(**id).thread == thread;
        let own: Vec<_> = all.iter().filter(own).copied().collect();
        for before in &all {
            let page = bench
                .store
                .thread_messages(org, thread, Some(*before), 1)
                .unwrap();
            let expected = own.iter().find(|id| *id < before);
            assert_eq!(page.items.first().map(|message| &message.id), expected);
        }
    }
}

#[tokio::test]
async fn a_store_with_messages_by_place_is_not_opened() {
    let bench = bench().await;
    let mut key = keys::kind(bench.channel.org, keys::MESSAGE_BY_PLACE);
    key.extend([0; 8]);
    let written = bench.store.engine().transact(|tx| {
        tx.insert(&key, "a message");
        Ok::<_, StoreError>(())
    });
    written.unwrap().await.unwrap();
    drop(bench.store);
    let refused = Store::open(bench.folder.path(), EngineOptions::default());
    assert!(matches!(refused, Err(OpenError::Older { .. })));
}
