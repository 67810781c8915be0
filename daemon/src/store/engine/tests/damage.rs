//! Files deleted, truncated and changed, between runs and while the engine runs.

use std::path::{Path, PathBuf};

use super::{
    super::{Engine, OpenError, repair},
    support::{MARK, add, copy, fill, mark, numbers, open, options},
};

pub(super) fn newest_segment(store: &Path) -> PathBuf {
    let files = std::fs::read_dir(store.join("log")).unwrap();
    let mut files: Vec<_> = files.map(|f| f.unwrap().path()).collect();
    files.sort();
    files.pop().unwrap()
}

fn index_of(store: &Path) -> PathBuf {
    let mut items = std::fs::read_dir(store).unwrap().map(|f| f.unwrap().path());
    let is_index = |p: &PathBuf| {
        p.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("index-")
    };
    items.find(is_index).unwrap()
}

/// A store with 300 entries and a snapshot in their midst, closed in order or not.
fn filled(clean: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = open(folder.path());
    fill(&engine, 0..150);
    let snapshot = super::super::care::take_snapshot(&engine.0.shared).unwrap();
    assert_eq!(snapshot.position, 150);
    fill(&engine, 150..300);
    if clean {
        engine.close();
        return folder;
    }
    let copied = tempfile::tempdir().unwrap();
    copy(folder.path(), copied.path());
    copied
}

fn all() -> Vec<u64> {
    (0..300).collect()
}

#[test]
fn a_deleted_index_is_built_anew() {
    for clean in [true, false] {
        let folder = filled(clean);
        std::fs::remove_dir_all(index_of(folder.path())).unwrap();
        let (engine, report) = open(folder.path());
        assert!(report.rebuilt.is_some());
        assert_eq!(numbers(&engine), all());
        drop(engine);
        let (engine, report) = open(folder.path());
        assert_eq!(report.rebuilt, None);
        assert_eq!(numbers(&engine), all());
    }
}

#[test]
fn an_emptied_index_is_built_anew() {
    let folder = filled(true);
    let index = index_of(folder.path());
    std::fs::remove_dir_all(&index).unwrap();
    std::fs::create_dir(&index).unwrap();
    let (engine, report) = open(folder.path());
    assert!(report.rebuilt.is_some());
    assert_eq!(numbers(&engine), all());
}

#[test]
fn without_snapshots_the_log_is_enough() {
    let folder = filled(false);
    std::fs::remove_dir_all(index_of(folder.path())).unwrap();
    std::fs::remove_dir_all(folder.path().join("snapshots")).unwrap();
    let (engine, report) = open(folder.path());
    assert_eq!(report.replayed, 300);
    assert_eq!(numbers(&engine), all());
}

#[test]
fn a_snapshot_alone_is_a_backup() {
    let folder = filled(true);
    let restored = tempfile::tempdir().unwrap();
    copy(
        &folder.path().join("snapshots"),
        &restored.path().join("snapshots"),
    );
    let (engine, report) = open(restored.path());
    assert_eq!(report.position, 150);
    assert_eq!(numbers(&engine), (0..150).collect::<Vec<_>>());
    fill(&engine, 150..160);
    drop(engine);
    assert_eq!(numbers(&open(restored.path()).0).len(), 160);
}

#[test]
fn a_damaged_snapshot_gives_way_to_the_log() {
    let folder = filled(true);
    std::fs::remove_dir_all(index_of(folder.path())).unwrap();
    let snapshot = std::fs::read_dir(folder.path().join("snapshots"))
        .unwrap()
        .next();
    flip(&snapshot.unwrap().unwrap().path(), 5000);
    let (engine, report) = open(folder.path());
    assert_eq!(report.replayed, 300);
    assert_eq!(numbers(&engine), all());
}

fn flip(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    let at = at % bytes.len();
    bytes[at] ^= 0x41;
    std::fs::write(file, bytes).unwrap();
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let items = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path());
    items.filter(|p| p.is_file()).collect()
}

#[test]
fn a_flipped_byte_in_any_file_of_the_index_changes_nothing() {
    for clean in [true, false] {
        let folder = filled(clean);
        let index = index_of(folder.path());
        for file in files_in(&index) {
            let bytes = usize::try_from(std::fs::metadata(&file).unwrap().len()).unwrap();
            for at in [3, bytes / 7, bytes / 3, bytes / 2, bytes * 9 / 10] {
                if bytes == 0 {
                    continue;
                }
                let copied = tempfile::tempdir().unwrap();
                copy(folder.path(), copied.path());
                flip(&index_of(copied.path()).join(file.file_name().unwrap()), at);
                let (engine, report) = open(copied.path());
                assert_eq!(
                    numbers(&engine),
                    all(),
                    "{}:{at} {report:?}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn a_truncated_index_changes_nothing() {
    let folder = filled(false);
    for part in [0, 1, 2] {
        let copied = tempfile::tempdir().unwrap();
        copy(folder.path(), copied.path());
        let db = index_of(copied.path()).join("db");
        let file = std::fs::File::options().write(true).open(&db).unwrap();
        file.set_len(file.metadata().unwrap().len() * part / 3)
            .unwrap();
        assert_eq!(numbers(&open(copied.path()).0), all());
    }
}

#[test]
fn a_flipped_byte_in_the_log_loses_nothing_or_is_refused_in_words() {
    let mut refused = 0;
    for clean in [true, false] {
        let folder = filled(clean);
        for file in files_in(&folder.path().join("log")) {
            let bytes = std::fs::read(&file).unwrap();
            let used = bytes.iter().rposition(|b| *b != 0).map_or(1, |at| at + 1);
            for at in [0, 13, 80, used / 2, used - 1] {
                let copied = tempfile::tempdir().unwrap();
                copy(folder.path(), copied.path());
                flip(
                    &copied.path().join("log").join(file.file_name().unwrap()),
                    at,
                );
                match Engine::open(copied.path(), options()) {
                    Ok((engine, report)) => {
                        assert_eq!(
                            numbers(&engine),
                            all(),
                            "{}:{at} {report:?}",
                            file.display()
                        );
                    }
                    Err(e) => {
                        assert!(matches!(e, OpenError::LogDamaged { .. }), "{e}");
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(refused < 20, "{refused} refused");
}

#[test]
fn the_index_stands_in_for_a_damaged_log() {
    let folder = filled(true);
    // The index is whole and at the end; the log loses its last frames.
    for file in files_in(&folder.path().join("log")) {
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..bytes.len().min(100)]).unwrap();
    }
    let (engine, report) = open(folder.path());
    assert!(report.salvaged.is_some(), "{report:?}");
    assert_eq!(numbers(&engine), all());
    fill(&engine, 300..320);
    drop(engine);
    std::fs::remove_dir_all(index_of(folder.path())).unwrap();
    let (engine, report) = open(folder.path());
    assert!(report.rebuilt.is_some());
    assert_eq!(numbers(&engine).len(), 320);
}

#[test]
fn a_lost_log_without_an_index_is_refused_naming_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = open(folder.path());
    fill(&engine, 0..150);
    super::super::care::take_snapshot(&engine.0.shared).unwrap();
    // A segment that was begun behind the snapshot, whose first frame is not the last one.
    let before = newest_segment(folder.path());
    let mut next = 150;
    while newest_segment(folder.path()) == before {
        fill(&engine, next..next + 10);
        next += 10;
    }
    let needed = newest_segment(folder.path());
    fill(&engine, next..next + 10);
    let copied = tempfile::tempdir().unwrap();
    copy(folder.path(), copied.path());
    let folder = copied;
    std::fs::remove_dir_all(index_of(folder.path())).unwrap();
    flip(
        &folder.path().join("log").join(needed.file_name().unwrap()),
        90,
    );
    let refused = Engine::open(folder.path(), options()).err().unwrap();
    let words = refused.to_string();
    assert!(
        words.contains(".log") && words.contains("at byte"),
        "{words}"
    );
}

#[test]
fn a_repair_keeps_all_that_can_be_read() {
    let folder = filled(false);
    std::fs::remove_dir_all(index_of(folder.path())).unwrap();
    std::fs::remove_dir_all(folder.path().join("snapshots")).unwrap();
    let segment = files_in(&folder.path().join("log"))
        .into_iter()
        .min()
        .unwrap();
    flip(&segment, 20_000);
    let refused = Engine::open(folder.path(), options()).err().unwrap();
    let OpenError::LogDamaged { lost_from, .. } = refused else {
        panic!("{refused}");
    };
    let report = repair(folder.path(), options()).unwrap();
    assert_eq!(report.position, 300);
    let &[(from, to)] = report.lost.as_slice() else {
        panic!("{report:?}");
    };
    assert_eq!(from, lost_from);
    let (engine, opened) = open(folder.path());
    assert_eq!((opened.rebuilt, opened.position), (None, 300));
    for number in 0..300 {
        let lost = (from..=to).contains(&(number + 1));
        assert_eq!(
            engine.get(&mark(number)).unwrap().is_none(),
            lost,
            "{number}"
        );
    }
    let pending: Vec<_> = (from - 1..to).map(|number| add(&engine, number)).collect();
    for pending in pending {
        assert!(pending.wait().unwrap().0);
    }
    drop(engine);
    std::fs::remove_dir_all(index_of(folder.path())).unwrap();
    assert_eq!(open(folder.path()).0.count(7, MARK), 300);
}

#[test]
fn damage_found_while_serving_is_mended_without_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = open(folder.path());
    fill(&engine, 0..200);
    super::super::rebuild::replace(&engine.0.shared, "a test asks for it", None).unwrap();
    assert_eq!(numbers(&engine), (0..200).collect::<Vec<_>>());
    std::thread::scope(|scope| {
        scope.spawn(|| fill(&engine, 200..600));
        for _ in 0..3 {
            super::super::rebuild::replace(&engine.0.shared, "a test asks for it", None).unwrap();
        }
    });
    assert_eq!(engine.stats().rebuilds, 4);
    assert_eq!(numbers(&engine), (0..600).collect::<Vec<_>>());
    engine.close();
    let (engine, report) = open(folder.path());
    assert_eq!(report.rebuilt, None);
    assert_eq!(numbers(&engine).len(), 600);
}
