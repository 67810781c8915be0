//! Bringing a store forward: synthetic steps over many records, interrupted anywhere.

use std::{path::Path, sync::Arc};

use parking_lot::Mutex;
use tempfile::TempDir;

use super::super::{
    engine::{FormatNote, Work, try_on_copy},
    format::{MigrationReport, migrate, settle},
    info,
    migrations::{Op, STEPS, Step},
    *,
};

/// Records in the synthetic store: several batches, in two organizations.
const RECORDS: u32 = 1_300;

fn key(org: u32, kind: u8, number: u32) -> Vec<u8> {
    [&org.to_be_bytes()[..], &[kind], &number.to_be_bytes()].concat()
}

/// A store as the first format had it: no word of its format. Its organization is a bare number.
fn old_store(folder: &Path) {
    let (engine, _) = Engine::open(folder, EngineOptions::default()).unwrap();
    for org in [1, 2] {
        for number in 0..RECORDS {
            let plan = engine.transact(|tx| {
                tx.insert(key(org, b'Q', number), number.to_be_bytes());
                Ok::<_, StoreError>(())
            });
            drop(plan.unwrap());
        }
    }
    let plan = engine.transact(|tx| {
        tx.insert(keys::organization("default"), 1_u32.to_be_bytes());
        Ok::<_, StoreError>(())
    });
    plan.unwrap().wait().unwrap();
    engine.close();
    say_first_format(folder);
}

/// Gives the segments the header that 0.1.0 gave them.
fn say_first_format(folder: &Path) {
    for entry in std::fs::read_dir(folder.join("log")).unwrap() {
        stamp(&entry.unwrap().path(), 1);
    }
}

fn stamp(segment: &Path, format: u32) {
    let mut bytes = std::fs::read(segment).unwrap();
    bytes[12..16].copy_from_slice(&format.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[12..72]);
    bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(segment, bytes).unwrap();
}

/// Doubles the numbers of even records under another key, and leaves odd ones alone.
fn rekey(key: &[u8], value: &[u8]) -> Result<Vec<Op>, StoreError> {
    let number = u32::from_be_bytes(codec::fixed(key, value)?);
    if number % 2 == 1 {
        return Ok(Vec::new());
    }
    let mut moved = key.to_vec();
    moved[4] = b'Z';
    let value = (number * 2).to_be_bytes().to_vec();
    Ok(vec![Op::Delete(key.to_vec()), Op::Put(moved, value)])
}

/// Adds one to what the first step made.
fn count_up(key: &[u8], value: &[u8]) -> Result<Vec<Op>, StoreError> {
    if value.len() != 4 {
        return Ok(Vec::new());
    }
    let number = u32::from_be_bytes(codec::fixed(key, value)?) + 1;
    let value = u64::from(number).to_be_bytes().to_vec();
    Ok(vec![Op::Put(key.to_vec(), value)])
}

fn steps() -> [Step; 2] {
    let step = |from, kinds, change| Step {
        from,
        to: from + 1,
        words: "synthetic",
        kinds,
        change,
    };
    [step(1, b"Q", rekey), step(2, b"Z", count_up)]
}

fn open(folder: &Path, options: EngineOptions) -> Engine {
    Engine::open(folder, options).unwrap().0
}

fn run(folder: &Path, options: EngineOptions) -> Result<MigrationReport, OpenError> {
    let teller = options.teller.clone();
    let engine = open(folder, options);
    let report = settle(&engine, folder, &teller, &steps());
    engine.close();
    report
}

/// All records are as both steps leave them.
fn must_be_done(folder: &Path) {
    let engine = open(folder, EngineOptions::default());
    for org in [1, 2] {
        for number in 0..RECORDS {
            let (old, new) = (key(org, b'Q', number), key(org, b'Z', number));
            let (old, new) = (engine.get(&old).unwrap(), engine.get(&new).unwrap());
            if number % 2 == 1 {
                assert_eq!(
                    (old.as_deref(), new),
                    (Some(&number.to_be_bytes()[..]), None)
                );
            } else {
                let expected = u64::from(number * 2 + 1).to_be_bytes();
                assert_eq!(
                    (old, new.as_deref()),
                    (None, Some(&expected[..])),
                    "{number}"
                );
            }
        }
    }
    engine.close();
}

#[test]
fn steps_run_in_order_over_all_records_once() {
    let folder = TempDir::new().unwrap();
    old_store(folder.path());
    let report = run(folder.path(), EngineOptions::default()).unwrap();
    let seen: Vec<_> = report
        .steps
        .iter()
        .map(|s| (s.from, s.to, s.records, s.changed))
        .collect();
    let all = u64::from(RECORDS) * 2;
    assert_eq!(seen, [(1, 2, all, all / 2), (2, 3, all / 2, all / 2)]);
    must_be_done(folder.path());
    let kept = report.kept.unwrap();
    let head = std::fs::read(&kept).unwrap();
    assert_eq!(head[8..12], 1_u32.to_le_bytes(), "it says the old format");
    let again = run(folder.path(), EngineOptions::default()).unwrap();
    assert_eq!((again.steps.len(), again.kept), (0, None));
}

#[test]
fn a_migration_that_dies_anywhere_goes_on_at_the_next_start() {
    for dies_at in 0..12 {
        let folder = TempDir::new().unwrap();
        old_store(folder.path());
        let told = Arc::new(Mutex::new(0));
        let teller = {
            let (told, copy, from) = (
                told.clone(),
                folder.path().join("copy"),
                folder.path().to_owned(),
            );
            // The folder as a crash would leave it: copied between two commits, without any goodbye.
            Teller::to(move |_| {
                let mut told = told.lock();
                if *told == dies_at {
                    copy_store(&from, &copy);
                }
                *told += 1;
            })
        };
        let eager = EngineOptions {
            teller,
            ..EngineOptions::default()
        };
        run(folder.path(), eager).unwrap();
        let copy = folder.path().join("copy");
        if !copy.exists() {
            assert!(dies_at > 4, "only {} moments", told.lock());
            return;
        }
        let report = run(&copy, EngineOptions::default()).unwrap();
        assert_eq!(report.to, 3);
        must_be_done(&copy);
    }
}

fn copy_store(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        let skipped =
            name == "copy" || name == "lock" || name.to_string_lossy().starts_with("index");
        if skipped {
            continue;
        }
        if path.is_dir() {
            copy_store(&path, &to.join(&name));
        } else {
            std::fs::copy(&path, to.join(&name)).unwrap();
        }
    }
}

#[test]
fn the_kept_snapshot_is_all_of_the_old_store() {
    let folder = TempDir::new().unwrap();
    old_store(folder.path());
    let kept = run(folder.path(), EngineOptions::default())
        .unwrap()
        .kept
        .unwrap();
    let back = TempDir::new().unwrap();
    std::fs::create_dir(back.path().join("snapshots")).unwrap();
    let name = "00000000000000002601.snap";
    std::fs::copy(kept, back.path().join("snapshots").join(name)).unwrap();
    let engine = open(back.path(), EngineOptions::default());
    assert_eq!(
        engine.count(1, b'Q') + engine.count(2, b'Q'),
        u64::from(RECORDS) * 2
    );
    assert_eq!((engine.count(1, b'Z'), engine.format()), (0, 1));
    engine.close();
}

#[test]
fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    old_store(folder.path());
    let before = fingerprint(folder.path());
    let scratch = TempDir::new().unwrap();
    let report = try_on_copy(folder.path(), scratch.path(), |copy| {
        run(copy, EngineOptions::default())
    });
    assert_eq!(report.unwrap().steps.len(), 2);
    assert_eq!(fingerprint(folder.path()), before);
}

/// Names, sizes and times of all files.
fn fingerprint(folder: &Path) -> Vec<(String, u64, std::time::SystemTime)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(fingerprint(&path));
        } else {
            let about = path.metadata().unwrap();
            found.push((
                path.display().to_string(),
                about.len(),
                about.modified().unwrap(),
            ));
        }
    }
    found.sort();
    found
}

#[test]
fn the_first_format_becomes_the_second() {
    let folder = TempDir::new().unwrap();
    old_store(folder.path());
    let report = migrate(folder.path(), EngineOptions::default()).unwrap();
    assert_eq!((report.from, report.to, report.steps.len()), (1, 2, 1));
    assert_eq!(report.steps[0].changed, 1);
    assert_eq!(STEPS.last().map(|step| step.to), Some(FORMAT));
    let (store, _) = Store::open(folder.path(), EngineOptions::default()).unwrap();
    assert_eq!(store.organizations(), [("default".to_owned(), OrgId(1))]);
    let open = store.info();
    assert_eq!((open.format, open.migrating), (FORMAT, false));
    assert_eq!(open.records["organizations"], 1);
    store.engine().clone().close();
    let closed = info(folder.path()).unwrap();
    assert_eq!(
        (closed.records, closed.position),
        (open.records, open.position)
    );
    assert_eq!(
        closed.written_by.as_deref(),
        Some(env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_new_store_needs_no_migration_and_says_its_format() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let report = migrate(&path, EngineOptions::default()).unwrap();
    assert_eq!(
        (report.from, report.steps.len(), report.kept),
        (FORMAT, 0, None)
    );
    assert_eq!(FormatNote::load(&path).format, Some(FORMAT));
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_newer_format_is_refused_in_words_and_nothing_is_touched() {
    let folder = TempDir::new().unwrap();
    old_store(folder.path());
    let newest = std::fs::read_dir(folder.path().join("log")).unwrap();
    stamp(
        &newest.flatten().map(|entry| entry.path()).max().unwrap(),
        7,
    );
    std::fs::write(
        folder.path().join("format"),
        r#"{"format":7,"written_by":"0.9.3"}"#,
    )
    .unwrap();
    std::fs::write(folder.path().join("log/left.new"), "x").unwrap();
    let before = fingerprint(folder.path());
    let said = [
        Store::open(folder.path(), EngineOptions::default()).err(),
        repair(folder.path(), EngineOptions::default()).err(),
        info(folder.path()).err(),
    ];
    for said in said {
        let said = said.expect("refused").to_string();
        for words in ["has format 7", "formats up to 2", "Trunkline 0.9.3"] {
            assert!(said.contains(words), "{said}");
        }
    }
    assert_eq!(fingerprint(folder.path()), before);
}

#[test]
fn how_far_it_is_is_told_with_both_ends() {
    let folder = TempDir::new().unwrap();
    old_store(folder.path());
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let options = EngineOptions {
        teller: Teller::to(move |progress| heard.lock().push(*progress)),
        ..EngineOptions::default()
    };
    run(folder.path(), options).unwrap();
    let told = told.lock();
    let of = |from| {
        told.iter()
            .filter(move |one| one.work == Work::Migrating { from, to: from + 1 })
    };
    let all = u64::from(RECORDS) * 2;
    assert_eq!(
        of(1).next().map(|one| (one.done, one.total)),
        Some((0, Some(all)))
    );
    assert_eq!(
        of(1).next_back().map(|one| (one.done, one.total)),
        Some((all, Some(all)))
    );
    assert_eq!(of(2).next_back().map(|one| one.done), Some(all / 2));
}

#[test]
fn a_deleted_index_is_built_anew_with_progress_of_how_many() {
    let folder = TempDir::new().unwrap();
    old_store(folder.path());
    let kept = run(folder.path(), EngineOptions::default())
        .unwrap()
        .kept
        .unwrap();
    assert!(kept.exists());
    for entry in std::fs::read_dir(folder.path()).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("index-") {
            std::fs::remove_dir_all(entry.path()).unwrap();
        }
    }
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let options = EngineOptions {
        teller: Teller::to(move |progress| heard.lock().push(*progress)),
        ..EngineOptions::default()
    };
    run(folder.path(), options).unwrap();
    let told = told.lock();
    let all = u64::from(RECORDS) * 2 + 1;
    let from_snapshot: Vec<_> = told
        .iter()
        .filter(|one| one.work == Work::ReadingSnapshot)
        .collect();
    assert_eq!(
        from_snapshot.last().map(|one| (one.done, one.total)),
        Some((all, Some(all)))
    );
    let from_log: Vec<_> = told
        .iter()
        .filter(|one| one.work == Work::ReplayingLog)
        .collect();
    let last = from_log.last().expect("the log was applied");
    assert_eq!(Some(last.done), last.total);
    must_be_done(folder.path());
}
