//! A small ledger over the engine: every entry has a unique mark and a place in one of a few lists, so that a loss, a
//! double and a gap all show.

use std::{path::Path, time::Duration};

use super::super::{Engine, EngineOptions, OpenReport, Pending, StoreError, Transaction};

pub(super) const ENTRY: u8 = 3;
pub(super) const MARK: u8 = 4;
pub(super) const LISTS: u64 = 5;

/// Options for small stores: little segments, frequent checkpoints.
pub(super) fn options() -> EngineOptions {
    EngineOptions {
        cache_bytes: 1 << 20,
        segment_bytes: 64 * 1024,
        checkpoint_bytes: 32 * 1024,
        checkpoint_interval: Duration::from_millis(50),
        index_timeout: Duration::from_secs(20),
        verify_budget: Duration::from_secs(20),
        ..EngineOptions::default()
    }
}

pub(super) fn open(path: &Path) -> (Engine, OpenReport) {
    Engine::open(path, options()).unwrap()
}

pub(super) fn key(kind: u8, rest: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 7, kind], rest].concat()
}

pub(super) fn mark(number: u64) -> Vec<u8> {
    // Scattered, as providers' ids are.
    let scattered = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
    key(MARK, &[&scattered[..], &number.to_be_bytes()].concat())
}

pub(super) fn entry(list: u64, place: u64) -> Vec<u8> {
    key(ENTRY, &[list.to_be_bytes(), place.to_be_bytes()].concat())
}

/// Plans one entry; false where its mark is there already.
pub(super) fn plan(tx: &mut Transaction<'_>, number: u64) -> Result<bool, StoreError> {
    let mark = mark(number);
    if tx.contains(&mark)? {
        return Ok(false);
    }
    let list = number % LISTS;
    let prefix = key(ENTRY, &list.to_be_bytes());
    let place = match tx.last_in(&prefix)? {
        Some((end, _)) => u64::from_be_bytes(end[end.len() - 8..].try_into().unwrap()) + 1,
        None => 0,
    };
    let entry = entry(list, place);
    let length = usize::try_from(number % 200).unwrap();
    tx.insert(
        &entry,
        [&number.to_be_bytes()[..], &vec![7; length]].concat(),
    );
    tx.insert(&mark, &entry);
    tx.put(key(9, b"newest"), number.to_be_bytes())?;
    tx.change(1, number.to_be_bytes());
    Ok(true)
}

pub(super) fn add(engine: &Engine, number: u64) -> Pending<bool> {
    engine.transact(|tx| plan(tx, number)).unwrap()
}

/// Adds entries one group after the other.
pub(super) fn fill(engine: &Engine, numbers: impl IntoIterator<Item = u64>) {
    let numbers: Vec<u64> = numbers.into_iter().collect();
    for chunk in numbers.chunks(10) {
        let pending: Vec<_> = chunk.iter().map(|n| add(engine, *n)).collect();
        for pending in pending {
            assert!(pending.wait().unwrap().0);
        }
    }
}

/// Proves the ledger whole: no gap, no double, marks and entries in step, counts right; gives all numbers, sorted.
pub(super) fn numbers(engine: &Engine) -> Vec<u64> {
    let mut numbers = Vec::new();
    for list in 0..LISTS {
        let prefix = key(ENTRY, &list.to_be_bytes());
        for (expected, item) in (0..).zip(engine.scan_prefix(&prefix, false)) {
            let (found, value) = item.unwrap();
            assert_eq!(found, entry(list, expected), "a gap in list {list}");
            let number = u64::from_be_bytes(value[..8].try_into().unwrap());
            assert_eq!(engine.get(&mark(number)).unwrap(), Some(found));
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    assert!(
        numbers.is_sorted_by(|a, b| a < b),
        "an entry is there twice"
    );
    assert_eq!(engine.count(7, ENTRY), numbers.len() as u64);
    assert_eq!(engine.count(7, MARK), numbers.len() as u64);
    assert_eq!(
        engine.scan_prefix(&key(MARK, b""), false).count(),
        numbers.len()
    );
    assert_eq!(engine.stats().surprises, 0);
    numbers
}

/// Copies a store as a crash would leave it, while it is being written. A copy takes time, which a crash does not: what
/// may never be ahead of the log is copied before it, and the log in its own order.
pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let items = std::fs::read_dir(from).unwrap();
    let mut names: Vec<_> = items.map(|item| item.unwrap().file_name()).collect();
    names.sort_by_key(|name| (name == "log", name.clone()));
    for name in names {
        let (item, target) = (from.join(&name), to.join(&name));
        if item.is_dir() {
            copy(&item, &target);
        } else {
            // Files may vanish while this runs: a crash would not have seen them either.
            drop(std::fs::copy(item, target));
        }
    }
}
