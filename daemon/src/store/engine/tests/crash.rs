//! Copies of a store taken while it was being written, as a crash would have left it.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    thread,
    time::Duration,
};

use super::super::frame::MARK_MAGIC;
use super::support::{add, copy, fill, numbers, open};

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = open(folder.path());
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let acknowledged = parking_lot::Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(SeqCst) {
                    let number = next.fetch_add(1, SeqCst);
                    assert!(add(&engine, number).wait().unwrap().0);
                    acknowledged.lock().push(number);
                }
            });
        }
        let stopping = Stop(&stop);
        for round in 0..8 {
            thread::sleep(Duration::from_millis(20 + round * 13));
            let before = acknowledged.lock().clone();
            let copied = tempfile::tempdir().unwrap();
            copy(folder.path(), copied.path());
            check(copied.path(), &before);
        }
        drop(stopping);
    });
}

/// Ends the writers also where a check fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

fn check(path: &std::path::Path, acknowledged: &[u64]) {
    let (engine, report) = open(path);
    assert!(!report.clean);
    let found = numbers(&engine);
    for number in acknowledged {
        assert!(
            found.binary_search(number).is_ok(),
            "{number} was lost: {report:?}"
        );
    }
    for number in acknowledged.iter().take(20) {
        assert!(
            !add(&engine, *number).wait().unwrap().0,
            "{number} was stored twice"
        );
    }
}

#[test]
fn a_torn_tail_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = open(folder.path());
    fill(&engine, 0..50);
    let copied = tempfile::tempdir().unwrap();
    copy(folder.path(), copied.path());
    engine.close();
    let segment = super::damage::newest_segment(copied.path());
    let mut bytes = std::fs::read(&segment).unwrap();
    let mark = MARK_MAGIC.to_le_bytes();
    let end = bytes.windows(4).rposition(|w| w == mark).unwrap();
    // The beginning of a frame that never got further.
    let torn: Vec<u8> = bytes[super::super::segment::SEGMENT_HEADER_BYTES..][..100].to_vec();
    bytes[end..end + torn.len()].copy_from_slice(&torn);
    std::fs::write(&segment, bytes).unwrap();
    let (engine, report) = open(copied.path());
    assert!(report.cut_bytes > 0);
    assert_eq!(numbers(&engine), (0..50).collect::<Vec<_>>());
    fill(&engine, 50..60);
    drop(engine);
    let (engine, report) = open(copied.path());
    assert_eq!((report.cut_bytes, report.clean), (0, true));
    assert_eq!(numbers(&engine).len(), 60);
}
