//! A disk that takes nothing for a while: the index stands still, nothing acknowledged is lost, and it goes on by itself.

use std::time::{Duration, Instant};

use super::{
    super::{Engine, EngineOptions, Pending, StoreError},
    support::{add, fill, numbers, open, options, plan},
};

/// Tries until it is taken, as a provider does; panics after a while.
fn add_at_last(engine: &Engine, number: u64) {
    let started = Instant::now();
    loop {
        let added = engine.transact(|tx| plan(tx, number)).map(Pending::wait);
        if matches!(added, Ok(Ok(_))) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{added:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_index_that_cannot_be_written_stands_still_and_goes_on_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let options = options();
    let faults = options.faults.clone();
    let (engine, _) = Engine::open(folder.path(), options).unwrap();
    fill(&engine, 0..50);
    faults.fail_index(6);
    // Durable, and acknowledged although the index does not have it yet.
    assert!(add(&engine, 50).wait().unwrap().0);
    let started = Instant::now();
    let refused = loop {
        match engine.transact(|tx| plan(tx, 51)).map(Pending::wait) {
            Err(StoreError::Failed(words)) | Ok(Err(StoreError::Failed(words))) => break words,
            other => assert!(started.elapsed() < Duration::from_secs(20), "{other:?}"),
        }
    };
    assert!(refused.contains("index can't be written"), "{refused}");
    for number in 51..80 {
        add_at_last(&engine, number);
    }
    assert!(engine.is_writing());
    assert_eq!(engine.stats().failed, None);
    assert_eq!(numbers(&engine), (0..80).collect::<Vec<_>>());
    engine.close();
    let (engine, report) = open(folder.path());
    assert!(report.clean && report.rebuilt.is_none(), "{report:?}");
    assert_eq!(numbers(&engine), (0..80).collect::<Vec<_>>());
}

#[test]
fn an_engine_that_closes_while_its_index_stands_still_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = options();
    let faults = options.faults.clone();
    let (engine, _) = Engine::open(folder.path(), options).unwrap();
    fill(&engine, 0..50);
    faults.fail_index(u32::MAX);
    assert!(add(&engine, 50).wait().unwrap().0);
    engine.close();
    let (engine, _) = open(folder.path());
    assert_eq!(numbers(&engine), (0..=50).collect::<Vec<_>>());
}

#[test]
fn below_the_reserve_nothing_new_is_admitted_and_the_rest_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let options = EngineOptions {
        reserve_bytes: u64::MAX / 4,
        ..options()
    };
    let (engine, _) = Engine::open(folder.path(), options).unwrap();
    assert!(matches!(engine.admit_new(), Err(StoreError::Full { .. })));
    assert!(engine.room().is_low);
    fill(&engine, 0..10);
    assert_eq!(numbers(&engine).len(), 10);
}
