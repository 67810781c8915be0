//! What an engine does while nothing is wrong, and when the disk refuses.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{
    super::{Engine, EngineOptions, OpenError, Position, StoreError},
    support::{add, entry, fill, key, mark, numbers, open, options, plan},
};

#[test]
fn keeps_what_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, report) = open(folder.path());
    assert!(report.clean);
    fill(&engine, 0..100);
    assert_eq!(engine.position(), Position(100));
    engine.close();
    let (engine, report) = open(folder.path());
    assert!(report.clean);
    assert_eq!(
        (report.position, report.replayed, report.rebuilt),
        (100, 0, None)
    );
    assert_eq!(numbers(&engine), (0..100).collect::<Vec<_>>());
    assert!(!add(&engine, 5).wait().unwrap().0, "a double");
}

#[test]
fn plans_see_all_that_was_handed_over() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = open(folder.path());
    let first = add(&engine, 1);
    let again = add(&engine, 1);
    let second = add(&engine, 1 + super::support::LISTS);
    let ((fresh, at), (double, behind), (other, last)) = (
        first.wait().unwrap(),
        again.wait().unwrap(),
        second.wait().unwrap(),
    );
    assert_eq!((fresh, double, other), (true, false, true));
    assert_eq!((at, behind, last), (Position(1), Position(1), Position(2)));
    let found = engine.get(&mark(1 + super::support::LISTS)).unwrap();
    assert_eq!(
        found,
        Some(entry(1, 1)),
        "the second plan did not see the first"
    );
}

#[test]
fn a_transaction_reads_its_own_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = open(folder.path());
    let (a, b, c) = (key(1, b"a"), key(1, b"b"), key(1, b"c"));
    fill_with(&engine, &[(&a, b"1"), (&b, b"2")]);
    let pending = engine.transact(|tx| {
        tx.insert(&c, b"3");
        assert!(tx.delete(&a)?);
        assert!(!tx.delete(&a)?);
        tx.replace(&b, b"two");
        assert_eq!(tx.get(&a)?, None);
        let all = tx.scan(&key(1, b""), 10)?;
        assert_eq!(
            all,
            [(b.clone(), b"two".to_vec()), (c.clone(), b"3".to_vec())]
        );
        assert_eq!(tx.first_in(&key(1, b""))?.unwrap().0, b);
        assert_eq!(tx.last_in(&key(1, b""))?.unwrap().0, c);
        assert_eq!(tx.scan_back(&key(1, b""), 1)?.len(), 1);
        assert!(tx.delete(&c)?, "written and deleted in one");
        tx.put(&a, b"again")?;
        Ok::<_, StoreError>(())
    });
    pending.unwrap().wait().unwrap();
    assert_eq!(engine.get(&a).unwrap(), Some(b"again".to_vec()));
    assert_eq!(engine.get(&c).unwrap(), None);
    assert_eq!(engine.count(7, 1), 2);
    assert_eq!(engine.stats().surprises, 0);
}

fn fill_with(engine: &Engine, pairs: &[(&Vec<u8>, &[u8])]) {
    let pending = engine.transact(|tx| {
        for (key, value) in pairs {
            tx.insert(key, value);
        }
        Ok::<_, StoreError>(())
    });
    pending.unwrap().wait().unwrap();
}

#[test]
fn an_error_or_a_panic_in_a_plan_stores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = open(folder.path());
    let refused = engine.transact(|tx| {
        plan(tx, 1)?;
        Err::<(), _>(StoreError::Refused("by the plan".to_owned()))
    });
    assert!(refused.is_err());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        engine.transact::<(), StoreError>(|tx| {
            plan(tx, 1)?;
            panic!("in a plan")
        })
    }));
    assert!(panicked.is_err());
    fill(&engine, 2..4);
    assert_eq!(numbers(&engine), [2, 3]);
}

#[test]
fn refuses_what_it_does_not_take() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = open(folder.path());
    for (key, value) in [
        (vec![1, 2, 3, 4], 1),
        (key(1, &[0; 2000]), 1),
        (key(1, b"x"), super::super::VALUE_BYTES_MAX + 1),
    ] {
        let refused = engine.transact(|tx| {
            tx.insert(&key, vec![0; value]);
            Ok::<_, StoreError>(())
        });
        assert!(matches!(refused, Err(StoreError::Refused(_))));
    }
    assert_eq!(engine.position(), Position(0));
}

#[test]
fn is_busy_when_too_many_wait() {
    let folder = tempfile::tempdir().unwrap();
    let options = EngineOptions {
        pending_max: 3,
        ..options()
    };
    let (engine, _) = Engine::open(folder.path(), options).unwrap();
    let handed: Vec<_> = (0..1000)
        .map(|n| engine.transact(|tx| plan(tx, n)))
        .collect();
    let mut taken = 0;
    for pending in handed {
        match pending {
            Ok(pending) => {
                pending.wait().unwrap();
                taken += 1;
            }
            Err(e) => assert!(matches!(e, StoreError::Busy { .. }), "{e}"),
        }
    }
    assert!((3..1000).contains(&taken));
    assert_eq!(numbers(&engine).len(), taken);
}

#[test]
fn a_second_opener_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = open(folder.path());
    let refused = Engine::open(folder.path(), options()).unwrap_err();
    assert!(matches!(refused, OpenError::Locked { .. }));
    assert!(refused.to_string().contains("in use by another process"));
    engine.close();
    open(folder.path());
}

#[test]
fn a_failed_sync_fails_the_group_and_all_behind_it_and_the_next_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let options = options();
    let faults = options.faults.clone();
    let (engine, _) = Engine::open(folder.path(), options).unwrap();
    fill(&engine, 0..20);
    faults.fail_sync(1);
    let handed: Vec<_> = (100..150).map(|n| add(&engine, n)).collect();
    let failed: Vec<u64> = (100..)
        .zip(handed)
        .filter_map(|(n, p)| p.wait().err().map(|_| n))
        .collect();
    assert!(!failed.is_empty());
    assert_eq!(engine.stats().failures, 1);
    // As a provider would: again, what was not acknowledged.
    for number in &failed {
        assert!(
            add(&engine, *number).wait().unwrap().0,
            "a failed commit left a mark"
        );
    }
    faults.fail_sync(1);
    faults.fail_create(1);
    assert!(add(&engine, 200).wait().is_err());
    assert!(
        add(&engine, 200).wait().is_err(),
        "no segment could be begun"
    );
    assert!(add(&engine, 200).wait().unwrap().0);
    let expected: Vec<u64> = (0..20).chain(100..150).chain([200]).collect();
    assert_eq!(numbers(&engine), expected);
    // The abandoned tails, which hold sound frames, do not come back.
    let copied = tempfile::tempdir().unwrap();
    super::support::copy(folder.path(), copied.path());
    for path in [copied.path(), folder.path()] {
        if path == folder.path() {
            engine.clone().close();
        }
        let (engine, report) = open(path);
        assert_eq!(report.salvaged, None);
        assert_eq!(numbers(&engine), expected);
    }
}

#[tokio::test]
async fn followers_resume_anywhere_without_gap_or_double() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = open(folder.path());
    let writer = {
        let engine = engine.clone();
        std::thread::spawn(move || fill(&engine, 0..500))
    };
    let mut live = engine.follow(Position(0));
    let mut seen = Vec::new();
    while seen.len() < 500 {
        let batch = live.next().await.unwrap();
        assert_eq!(batch.position, Position(seen.len() as u64 + 1));
        assert!(
            engine.position() >= batch.position,
            "given before it was applied"
        );
        seen.extend(batch.changes.into_iter().map(|c| (c.kind, c.data)));
    }
    writer.join().unwrap();
    let expected: Vec<_> = (0..500_u64)
        .map(|n| (1, n.to_be_bytes().to_vec()))
        .collect();
    assert_eq!(seen, expected);
    for from in [1, 2, 17, 255, 256, 499] {
        let mut late = engine.follow(Position(from));
        for expected in from + 1..=500 {
            assert_eq!(late.next().await.unwrap().position, Position(expected));
        }
    }
    engine.close();
    assert_eq!(live.next().await, Err(StoreError::Closed));
    let (engine, _) = open(folder.path());
    let mut again = engine.follow(Position(300));
    assert_eq!(again.next().await.unwrap().position, Position(301));
}

#[test]
fn snapshots_drop_the_old_log_but_what_a_consumer_needs() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = open(folder.path());
    for round in 0..4_u64 {
        fill(&engine, round * 500..round * 500 + 500);
        if round == 2 {
            engine.retain("slow", Position(700));
        }
        let info = block_on(engine.snapshot()).unwrap();
        assert_eq!(info.position, (round + 1) * 500);
    }
    assert_eq!(
        block_on(engine.follow(Position(700)).next())
            .unwrap()
            .position,
        Position(701)
    );
    engine.retain("slow", Position(2000));
    fill(&engine, 2000..2100);
    block_on(engine.snapshot()).unwrap();
    let gone = block_on(engine.follow(Position(700)).next()).unwrap_err();
    let StoreError::Gone { from: 700, kept } = gone else {
        panic!("{gone}");
    };
    assert_eq!(
        block_on(engine.follow(Position(kept)).next())
            .unwrap()
            .position,
        Position(kept + 1)
    );
    let snapshots = std::fs::read_dir(folder.path().join("snapshots")).unwrap();
    assert_eq!(snapshots.count(), 2);
    engine.close();
    let (engine, _) = open(folder.path());
    assert_eq!(numbers(&engine).len(), 2100);
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}
