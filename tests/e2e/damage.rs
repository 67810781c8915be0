//! Rot and torn writes between two runs: the index is disposable, the log's torn tail is cut, and
//! what was acknowledged is there exactly once.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use trunkline_tests::account::balance;
use trunkline_tests::load::{Load, Plan, Sent, redeliver};
use trunkline_tests::wait::eventually;

use crate::stage::{SMS, Stage};

/// How long a rebuild may take.
const REBUILD: Duration = Duration::from_secs(20);

/// Files and folders below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the store can be listed") {
        let path = entry.expect("the store can be listed").path();
        if path.is_dir() {
            found.extend(below(&path));
        }
        found.push(path);
    }
    found
}

/// The folders of the index.
fn indexes(store: &Path) -> Vec<PathBuf> {
    let named = |path: &PathBuf| {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        path.is_dir() && name.starts_with("index")
    };
    let found: Vec<_> = below(store).into_iter().filter(named).collect();
    assert!(!found.is_empty(), "no index folder in {:?}", below(store));
    found
}

/// The index's largest file: where its records are.
fn index_file(store: &Path) -> PathBuf {
    let folders = indexes(store).into_iter();
    let files = folders.flat_map(|folder| below(&folder));
    let size = |path: &PathBuf| fs::metadata(path).map_or(0, |meta| meta.len());
    files
        .filter(|path| path.is_file())
        .max_by_key(size)
        .expect("the index has files")
}

/// The newest segment of the log.
fn newest_segment(store: &Path) -> PathBuf {
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "log");
    below(store)
        .into_iter()
        .filter(is_segment)
        .max()
        .expect("the log has a segment")
}

/// A stage with some acknowledged messages, and its daemon ended as a crash would.
async fn crashed(prefix: &str) -> (Stage, Vec<Sent>) {
    let mut stage = Stage::sms().await;
    let ledger = load(&stage, prefix).await;
    stage.daemon.kill9().await;
    (stage, ledger)
}

async fn load(stage: &Stage, prefix: &str) -> Vec<Sent> {
    let load = Load::start(stage.daemon.public(), &stage.hook(SMS), &Plan::new(prefix));
    load.reaches(100).await;
    load.stop().await
}

/// Starts again; waits until everything is there (a rebuild may run beside), then delivers
/// everything once more: nothing may be doubled.
async fn whole_again(stage: &mut Stage, ledger: &[Sent], case: &str) {
    stage.daemon.launch().await;
    eventually(
        &format!("{case}: everything is there once"),
        REBUILD,
        || async {
            let found = balance(&stage.daemon.api(), ledger).await;
            assert!(
                found.doubled.is_empty() && found.split.is_empty(),
                "{case}: {found}"
            );
            found.is_right().then_some(())
        },
    )
    .await;
    let mut repeated = ledger[..ledger.len().min(50)].to_vec();
    for sent in &mut repeated {
        sent.outcome = trunkline_tests::load::Outcome::Refused(0);
    }
    redeliver(stage.daemon.public(), &stage.hook(SMS), &mut repeated).await;
    let after = balance(&stage.daemon.api(), ledger).await;
    assert!(after.is_right(), "{case}, after redelivery: {after}");
}

#[tokio::test]
async fn a_deleted_index_is_rebuilt_after_a_crash_and_after_a_clean_stop() {
    let (mut stage, ledger) = crashed("1800000").await;
    for folder in indexes(&stage.daemon.store()) {
        fs::remove_dir_all(folder).unwrap();
    }
    whole_again(&mut stage, &ledger, "deleted after a crash").await;
    assert!(stage.daemon.terminate().await.success());
    for folder in indexes(&stage.daemon.store()) {
        fs::remove_dir_all(folder).unwrap();
    }
    whole_again(&mut stage, &ledger, "deleted after a clean stop").await;
}

#[tokio::test]
async fn a_flipped_byte_anywhere_in_the_index_loses_nothing() {
    let (mut stage, mut ledger) = crashed("1800010").await;
    for round in 0..8 {
        let path = index_file(&stage.daemon.store());
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        let used = used_bytes(&fs::read(&path).unwrap());
        let offset = rand::random_range(0..used as u64);
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset).unwrap();
        file.write_all_at(&[byte[0] ^ (1 << rand::random_range(0..8))], offset)
            .unwrap();
        drop(file);
        let case = format!("round {round}, byte {offset} of {}", path.display());
        whole_again(&mut stage, &ledger, &case).await;
        ledger.extend(load(&stage, &format!("180002{round}")).await);
        stage.daemon.kill9().await;
    }
}

/// Bytes up to the last one that is not zero; at least one.
fn used_bytes(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(1, |last| last + 1)
}

#[tokio::test]
async fn an_index_that_is_cut_or_emptied_is_rebuilt() {
    let (mut stage, ledger) = crashed("1800030").await;
    for keep in [0, 1, 100, 4_096] {
        let path = index_file(&stage.daemon.store());
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(keep).unwrap();
        whole_again(&mut stage, &ledger, &format!("cut to {keep} bytes")).await;
        stage.daemon.kill9().await;
    }
}

#[tokio::test]
async fn a_torn_tail_of_the_log_is_cut() {
    let (mut stage, mut ledger) = crashed("1800040").await;
    // What is written behind the last frame, and whether the file ends there.
    let tails: [(&str, Tail, bool); 7] = [
        ("no space behind the last frame", |_| Vec::new(), true),
        (
            "garbage",
            |_| (0..4_000).map(|_| rand::random()).collect(),
            false,
        ),
        (
            "garbage up to the file's end",
            |_| (0..999).map(|_| rand::random()).collect(),
            true,
        ),
        (
            "half a frame",
            |frames| frames.last()[..frames.last().len() / 2].to_vec(),
            false,
        ),
        (
            "half a frame at the file's end",
            |frames| frames.last()[..frames.last().len() / 2].to_vec(),
            true,
        ),
        (
            "a frame that was there before",
            |frames| frames.last().to_vec(),
            false,
        ),
        (
            "a frame's first bytes",
            |frames| frames.last()[..12].to_vec(),
            true,
        ),
    ];
    for (round, (case, tail, cut)) in tails.into_iter().enumerate() {
        let path = newest_segment(&stage.daemon.store());
        let frames = Frames::read(&path);
        let tail = tail(&frames);
        let mut file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        file.write_all_at(&tail, frames.end as u64).unwrap();
        if cut {
            file.set_len((frames.end + tail.len()) as u64).unwrap();
        }
        file.flush().unwrap();
        whole_again(&mut stage, &ledger, case).await;
        ledger.extend(load(&stage, &format!("180005{round}")).await);
        stage.daemon.kill9().await;
    }
    whole_again(&mut stage, &ledger, "after all of them").await;
}

#[tokio::test]
async fn a_damaged_log_is_healed_from_a_sound_index() {
    let mut stage = Stage::sms().await;
    let ledger = load(&stage, "1800060").await;
    assert!(stage.daemon.terminate().await.success());
    flip_in_the_middle(&newest_segment(&stage.daemon.store()));
    whole_again(&mut stage, &ledger, "a flipped byte in the log").await;
}

#[tokio::test]
async fn a_log_that_nothing_can_heal_is_named_and_never_passed_over() {
    let (mut stage, _) = crashed("1800070").await;
    let path = newest_segment(&stage.daemon.store());
    let offset = flip_in_the_middle(&path);
    for folder in indexes(&stage.daemon.store()) {
        fs::remove_dir_all(folder).unwrap();
    }
    stage.daemon.spawn();
    let status = stage.daemon.wait_exit(REBUILD).await;
    assert_ne!(status.code(), Some(0));
    let log = stage.daemon.log();
    let name = path.file_name().unwrap().to_str().unwrap();
    for word in [name, &offset.to_string(), "trunkline store repair"] {
        assert!(log.contains(word), "the log does not say {word}:\n{log}");
    }
    // Named in the error, so it has to do what it says: it tells what is lost, and a start works.
    let repaired = stage.daemon.cli_ok(&["store", "repair"]).await;
    assert!(repaired.stdout.contains("lost"), "{repaired:?}");
    stage.daemon.launch().await;
    stage.daemon.wait_ready().await;
}

/// Flips a bit in a frame in the middle of the log; gives where that frame begins.
fn flip_in_the_middle(path: &Path) -> usize {
    let frames = Frames::read(path);
    let start = frames.starts[frames.starts.len() / 2];
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    let at = start + Frames::HEAD_BYTES + 6;
    file.write_all_at(&[frames.bytes[at] ^ 0x10], at as u64)
        .unwrap();
    start
}

/// Makes the bytes of a torn tail.
type Tail = fn(&Frames) -> Vec<u8>;

/// The frames of a segment, found by their documented head: magic, checksum, body length, all
/// numbers little-endian, 64 bytes before the body, padded to eight bytes.
struct Frames {
    bytes: Vec<u8>,
    starts: Vec<usize>,
    end: usize,
}

impl Frames {
    const MAGIC: [u8; 4] = 0x5446_4C31_u32.to_le_bytes();
    const HEAD_BYTES: usize = 64;

    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).expect("the segment can be read");
        let first = bytes
            .chunks(8)
            .position(|chunk| chunk.starts_with(&Self::MAGIC));
        let mut at = first.expect("the segment has a frame") * 8;
        let mut starts = Vec::new();
        while bytes[at..].starts_with(&Self::MAGIC) {
            starts.push(at);
            let len = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap());
            at += (Self::HEAD_BYTES + usize::try_from(len).unwrap()).next_multiple_of(8);
        }
        Self {
            bytes,
            starts,
            end: at,
        }
    }

    fn last(&self) -> &[u8] {
        &self.bytes[*self.starts.last().expect("there is a frame")..self.end]
    }
}
