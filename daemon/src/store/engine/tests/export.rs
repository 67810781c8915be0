//! Exports are of one moment, whatever is committed, snapshotted or written slowly meanwhile.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use super::{
    super::{Engine, Moment, Position, Receiver},
    support::{add, fill, numbers, open},
};

/// Blocks in its first writes until commits were made meanwhile.
struct Slow<'a> {
    engine: &'a Engine,
    bytes: Vec<u8>,
    waits: u32,
}

impl Write for Slow<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waits > 0 {
            self.waits -= 1;
            let position = self.engine.position().0;
            while self.engine.position().0 < position + 50 {
                thread::yield_now();
            }
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.unwrap().block_on(self.engine.snapshot()).unwrap();
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Puts a copy together, as a restore does.
fn receive(copy: &Path, moment: &Moment, snapshot: &[u8], log: &[u8]) {
    let files = [
        (Receiver::snapshot(copy, moment.position), snapshot),
        (Receiver::log(copy), log),
    ];
    for (path, bytes) in files {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if !bytes.is_empty() {
            fs::write(path, bytes).unwrap();
        }
    }
}

#[test]
fn a_copy_holds_exactly_what_was_committed_up_to_its_moment() {
    let (source, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (engine, _) = open(source.path());
    fill(&engine, 0..400);
    engine.retain("follower", Position(390));
    let stop = Arc::new(AtomicBool::new(false));
    let writing = thread::spawn({
        let (engine, stop) = (engine.clone(), stop.clone());
        move || {
            let mut number = 400;
            while !stop.load(SeqCst) {
                assert!(add(&engine, number).wait().unwrap().0);
                number += 1;
            }
        }
    });
    let exported = {
        let mut export = engine.export().unwrap();
        assert!(engine.export().is_none(), "one at a time");
        let mut out = Slow {
            engine: &engine,
            bytes: Vec::new(),
            waits: 6,
        };
        let moment = export.snapshot(&mut out).unwrap();
        let mut log = Vec::new();
        export.log(&moment, &mut log).unwrap();
        (moment, out.bytes, log, export.began_at())
    };
    let (moment, snapshot, log, began) = exported;
    stop.store(true, SeqCst);
    writing.join().unwrap();
    assert!(moment.position >= began + 300, "{moment:?}");
    assert_eq!(moment.log_from, 390);

    receive(copy.path(), &moment, &snapshot, &log);
    let (restored, report) = open(copy.path());
    assert_eq!(report.position, moment.position);
    let expected: Vec<u64> = (0..moment.position).collect();
    assert_eq!(numbers(&restored), expected, "one commit is one number");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut follower = restored.follow(Position(moment.log_from));
    for position in moment.log_from + 1..=moment.position {
        let batch = runtime.block_on(follower.next()).unwrap();
        assert_eq!(batch.position, Position(position));
        assert_eq!(batch.changes[0].data, (position - 1).to_be_bytes());
    }
    fill(&restored, moment.position..moment.position + 20);
    assert!(engine.export().is_some(), "the last one has ended");
}

#[test]
fn an_export_that_fails_leaves_nothing_behind() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = open(folder.path());
    fill(&engine, 0..50);
    let error = engine.export().unwrap().snapshot(Full).unwrap_err();
    assert!(
        error.to_string().contains("full") || error.to_string().contains("space"),
        "{error}"
    );
    let mut whole = Vec::new();
    let moment = engine.export().unwrap().snapshot(&mut whole).unwrap();
    assert_eq!(moment.position, 50);
}
