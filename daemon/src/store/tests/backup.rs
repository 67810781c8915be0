//! Backups hold everything, show every damage, and make stores that send nothing twice.

use std::{fs, path::Path};

use super::*;
use crate::model::RESTORED;

/// A file that is kept with its record, and the body of a large webhook.
async fn files(bench: &Bench) {
    let files = bench.store.media_files().clone();
    let mut draft = files.begin(1 << 20).unwrap();
    draft.write(b"a picture").unwrap();
    let written = draft.finish();
    files.keep(&written, None).unwrap();
    let new = NewMedia {
        hash: written.hash,
        size: written.size,
        content_type: "image/png".into(),
        name: None,
    };
    bench.store.put_media(bench.channel.org, new).await.unwrap();
    let mut inbound = bench.inbound(vec![]);
    inbound.record.raw_file = Some(bench.store.files().keep(b"a large body").unwrap());
    bench.store.commit_inbound(inbound).await.unwrap();
}

fn back_up(store: &Store) -> Vec<u8> {
    let mut bytes = Vec::new();
    let backup = store.begin_backup().unwrap();
    assert!(store.begin_backup().is_none(), "one at a time");
    let written = backup.write(&mut bytes).unwrap();
    assert_eq!(written.bytes, bytes.len() as u64);
    assert_eq!(written.moment.position, store.engine().position().0);
    bytes
}

async fn restored(backup: &[u8], folder: &Path, resume_sends: bool) -> Restored {
    let (backup, folder) = (backup.to_vec(), folder.to_owned());
    let work = tokio::task::spawn_blocking(move || {
        let mut restore = Restore::at(&folder).unwrap();
        restore.resume_sends = resume_sends;
        restore.run(&backup[..], EngineOptions::default(), &mut |_| ())
    });
    work.await.unwrap().unwrap()
}

async fn look(folder: &Path) -> Inspection {
    let folder = folder.to_owned();
    let work = tokio::task::spawn_blocking(move || {
        inspect(&folder, EngineOptions::default(), &mut |_| ())
    });
    work.await.unwrap().unwrap()
}

#[tokio::test]
async fn every_changed_byte_and_every_cut_is_found_with_its_place() {
    let bench = bench().await;
    files(&bench).await;
    bench.queued("+15550101").await;
    let store = bench.store.clone();
    let sound = tokio::task::spawn_blocking(move || back_up(&store))
        .await
        .unwrap();
    let contents = verify(&sound[..], &mut |_| ()).unwrap();
    assert_eq!((contents.files, contents.missing), (2, 0));
    assert_eq!(contents.bytes, sound.len() as u64);
    for at in 0..sound.len() {
        let mut flipped = sound.clone();
        flipped[at] ^= 1 << (at % 8);
        let error = verify(&flipped[..], &mut |_| ()).unwrap_err();
        let words = error.to_string();
        assert!(
            matches!(error, ArchiveError::Damaged(_)),
            "byte {at}: {words}"
        );
    }
    for length in (0..sound.len()).step_by(61).chain([sound.len() - 1]) {
        let error = verify(&sound[..length], &mut |_| ()).unwrap_err();
        assert!(
            matches!(error, ArchiveError::Damaged(_)),
            "{length}: {error}"
        );
    }
    let longer = [&sound[..], b"x"].concat();
    let error = verify(&longer[..], &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("behind index"), "{error}");

    let place = |needle: &[u8]| {
        let found = sound.windows(needle.len()).position(|some| some == needle);
        found.expect("it is in the backup")
    };
    for (needle, name) in [
        (&b"a picture"[..], "media/"),
        (b"a large body", "bodies/"),
        (b"TLSNAPSH", "store/000001"),
        (b"began_position", "manifest.json"),
    ] {
        let mut flipped = sound.clone();
        flipped[place(needle)] ^= 1;
        let error = verify(&flipped[..], &mut |_| ()).unwrap_err().to_string();
        let words = [name, "does not match its checksum"];
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    let cut = place(b"a large body") + 3;
    let error = verify(&sound[..cut], &mut |_| ()).unwrap_err().to_string();
    assert!(error.contains("it is cut off within bodies/"), "{error}");
}

#[tokio::test]
async fn a_restored_store_has_the_same_records_and_the_old_one_is_kept() {
    let bench = bench().await;
    files(&bench).await;
    bench.queued("+15550101").await;
    let store = bench.store.clone();
    let backup = tokio::task::spawn_blocking(move || back_up(&store))
        .await
        .unwrap();
    let source = bench.folder;
    drop(bench.store);
    let expected = look(source.path()).await;

    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("store");
    let first = restored(&backup, &folder, true).await;
    assert_eq!(first.kept, None);
    let found = look(&folder).await;
    assert_eq!(found.digest, expected.digest);
    assert_eq!(found.files_missing, Vec::<String>::new());
    let others = |all: &Inspection| {
        let mut kinds = all.kinds.clone();
        kinds.retain(|kind| kind.kind != 'X');
        kinds
    };
    assert_eq!(others(&found), others(&expected));
    assert_eq!(
        found.position,
        expected.position + 1,
        "the restore's own note"
    );

    let again = restored(&backup, &folder, true).await;
    let kept = again.kept.expect("the first one is kept");
    assert!(kept.to_string_lossy().contains("store.before-restore-"));
    assert_eq!(look(&kept).await, found);
    assert_eq!(look(&folder).await.digest, expected.digest);
    let names: Vec<_> = fs::read_dir(place.path()).unwrap().collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[tokio::test]
async fn nothing_is_changed_where_the_backup_is_damaged_or_the_store_in_use() {
    let bench = bench().await;
    files(&bench).await;
    let store = bench.store.clone();
    let backup = tokio::task::spawn_blocking(move || back_up(&store))
        .await
        .unwrap();
    let in_use = Restore::at(bench.folder.path()).unwrap_err();
    assert!(
        in_use.to_string().contains("stop the daemon first"),
        "{in_use}"
    );

    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("store");
    restored(&backup, &folder, false).await;
    let before = look(&folder).await;
    let cut = backup[..backup.len() - 2000].to_vec();
    let target = folder.clone();
    let refused = tokio::task::spawn_blocking(move || {
        let restore = Restore::at(&target).unwrap();
        restore.run(&cut[..], EngineOptions::default(), &mut |_| ())
    });
    let error = refused.await.unwrap().unwrap_err();
    assert!(matches!(error, RestoreError::Archive(_)), "{error}");
    assert_eq!(look(&folder).await, before);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);

    fs::write(place.path().join("letter.txt"), "dear").unwrap();
    let other = Restore::at(place.path()).unwrap_err();
    assert!(matches!(other, RestoreError::NoStore(_)), "{other}");
}

#[tokio::test]
async fn a_store_is_restored_without_the_files_that_the_backup_lacks_and_they_are_named() {
    let bench = bench().await;
    files(&bench).await;
    let media = bench.folder.path().join("media");
    fs::remove_dir_all(&media).unwrap();
    let store = bench.store.clone();
    let backup = tokio::task::spawn_blocking(move || back_up(&store))
        .await
        .unwrap();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("store");
    let done = restored(&backup, &folder, false).await;
    let found = look(&folder).await;
    assert_eq!(found.files_missing.len(), 1);
    assert!(found.files_missing[0].starts_with("media/"), "{found:?}");
    assert_eq!(done.contents.missing, 1);
    assert_eq!(done.contents.missing_names, found.files_missing);
}

#[tokio::test]
async fn nothing_is_put_where_something_appeared_meanwhile() {
    let bench = bench().await;
    let store = bench.store.clone();
    let backup = tokio::task::spawn_blocking(move || back_up(&store))
        .await
        .unwrap();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("store");
    fs::create_dir(&folder).unwrap();
    let restore = Restore::at(&folder).unwrap();
    fs::write(folder.join("letter.txt"), "dear").unwrap();
    let refused = tokio::task::spawn_blocking(move || {
        restore.run(&backup[..], EngineOptions::default(), &mut |_| ())
    });
    let error = refused.await.unwrap().unwrap_err();
    assert!(matches!(error, RestoreError::Taken(_)), "{error}");
    assert!(folder.join("letter.txt").exists());
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn files_stay_while_a_backup_is_made_and_damaged_ones_are_named() {
    let bench = bench().await;
    files(&bench).await;
    let body = bench.store.files().keep(b"of no event").unwrap();
    let future = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    let backup = bench.store.begin_backup().unwrap();
    assert_eq!(bench.store.files().sweep(future).unwrap(), 0);
    let path = bench
        .folder
        .path()
        .join("bodies")
        .join(&body[..2])
        .join(&body);
    fs::write(&path, b"rotten").unwrap();
    let written = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        backup.write(&mut bytes).map(|written| (written, bytes))
    });
    let (written, bytes) = written.await.unwrap().unwrap();
    assert_eq!((written.files, written.missing), (2, 1));
    let contents = verify(&bytes[..], &mut |_| ()).unwrap();
    assert_eq!((contents.files, contents.missing), (2, 1));
    assert_eq!(bench.store.files().sweep(future).unwrap(), 2);
}

#[tokio::test]
async fn what_waited_is_uncertain_after_a_restore_and_goes_only_when_told() {
    let bench = bench().await;
    let org = bench.channel.org;
    let id = bench.channel.id.clone();
    let waits = bench.queued("+15550101").await;
    let behind = bench.queued("+15550101").await;
    let later = bench.store.now() + 86_400_000;
    let scheduled = bench
        .queued_as("+15550102", |new| new.send_at_ms = Some(later))
        .await;
    let store = bench.store.clone();
    let backup = tokio::task::spawn_blocking(move || back_up(&store))
        .await
        .unwrap();

    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("store");
    let done = restored(&backup, &folder, false).await;
    assert_eq!((done.held.uncertain, done.held.scheduled), (2, 1));
    let (store, _) = Store::open(&folder, EngineOptions::default()).unwrap();
    let due = store.due(org, &id, ALL, &HashSet::new()).unwrap();
    assert!(due.is_empty(), "{due:?}");
    for message in [waits, behind] {
        let (item, kept) = store.outbox_entry(org, message).unwrap().unwrap();
        assert!(item.is_restored(), "{item:?}");
        assert_eq!(item.error.unwrap().code, RESTORED);
        assert_eq!(kept.status, Status::Uncertain);
    }
    let (item, _) = store.outbox_entry(org, scheduled).unwrap().unwrap();
    assert!(
        item.scheduled && item.state == OutboxState::Queued,
        "{item:?}"
    );
    let retried = store.decide(org, waits, Verdict::Retry).await.unwrap();
    assert_eq!(retried, Decision::Done);
    let due = store.due(org, &id, ALL, &HashSet::new()).unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].0.message, waits);
    drop(store);

    restored(&backup, &folder, true).await;
    let (store, _) = Store::open(&folder, EngineOptions::default()).unwrap();
    let due = store.due(org, &id, ALL, &HashSet::new()).unwrap();
    assert_eq!(due.len(), 1, "the queue goes on as it was");
    assert_eq!(due[0].0.message, waits);
}

#[tokio::test]
async fn the_first_start_knows_the_moment_and_later_ones_do_not() {
    let bench = bench().await;
    let store = bench.store.clone();
    let backup = tokio::task::spawn_blocking(move || back_up(&store))
        .await
        .unwrap();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("store");
    let done = restored(&backup, &folder, false).await;
    let open = || Store::open(&folder, EngineOptions::default()).unwrap().0;
    let store = open();
    assert_eq!(store.restored_from_ms(), Some(done.contents.moment.at_ms));
    store.save_gaps(&[]).await.unwrap();
    drop(store);
    let store = open();
    assert_eq!(store.restored_from_ms(), None);
    assert_eq!(
        store.restoration().map(|known| known.moment_ms),
        Some(done.contents.moment.at_ms)
    );
}
