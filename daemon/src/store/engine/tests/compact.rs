//! Compaction under load, and what is left of the files.

use super::{
    super::{Engine, OpenReport},
    support::{add, fill, key, open, plan},
};

fn files(folder: &std::path::Path, extension: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(extension)).collect();
    names.sort();
    names
}

fn holds(folder: &std::path::Path, wanted: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, wanted);
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(wanted.len()).any(|window| window == wanted)
    })
}

#[tokio::test]
async fn what_was_deleted_is_in_no_file_while_commits_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _): (Engine, OpenReport) = open(folder.path());
    let secret = b"a secret that shall be gone";
    let put = engine.transact(|tx| tx.put(key(9, b"secret"), secret));
    put.unwrap().await.unwrap();
    let filling = engine.clone();
    let filled = tokio::task::spawn_blocking(move || fill(&filling, 1..=500));
    engine.snapshot().await.unwrap();
    let delete = engine.transact(|tx| tx.delete(key(9, b"secret")));
    delete.unwrap().await.unwrap();
    assert!(holds(folder.path(), secret), "it is there still");
    let done = engine.compact().await.unwrap();
    filled.await.unwrap();
    assert!(done.segments >= 1 && done.snapshots >= 1, "{done:?}");
    assert!(!holds(folder.path(), secret));
    assert_eq!(files(&folder.path().join("snapshots"), ".snap").len(), 1);
    assert!(!add(&engine, 7).await.unwrap().0, "it was added before");
    // A second one finds little to do, and both are survived by an orderly and by a hard end.
    engine.compact().await.unwrap();
    let more = engine.transact(|tx| plan(tx, 501)).unwrap();
    assert!(more.await.unwrap().0);
    let copy = tempfile::tempdir().unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(format!("{}/.", folder.path().display()))
        .arg(copy.path())
        .status();
    assert!(copied.unwrap().success());
    tokio::task::spawn_blocking(move || engine.close())
        .await
        .unwrap();
    for folder in [folder, copy] {
        let (again, report) = open(folder.path());
        assert_eq!(report.salvaged, None);
        for number in 1..=501 {
            assert!(!add(&again, number).await.unwrap().0, "{number} is lost");
        }
        tokio::task::spawn_blocking(move || again.close())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_compaction_is_refused_while_an_export_is_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = open(folder.path());
    assert!(add(&engine, 1).await.unwrap().0);
    let export = engine.export().unwrap();
    let error = engine.compact().await.unwrap_err().to_string();
    assert!(error.contains("a backup is under way"), "{error}");
    drop(export);
    engine.compact().await.unwrap();
    assert!(engine.export().is_some(), "the compaction has ended");
    tokio::task::spawn_blocking(move || engine.close())
        .await
        .unwrap();
}

#[tokio::test]
async fn the_index_is_built_anew_from_a_compacted_store() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = open(folder.path());
    let filling = engine.clone();
    tokio::task::spawn_blocking(move || fill(&filling, 1..=100))
        .await
        .unwrap();
    engine.compact().await.unwrap();
    assert!(add(&engine, 101).await.unwrap().0);
    tokio::task::spawn_blocking(move || engine.close())
        .await
        .unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("index-")
        {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
    let (again, report) = open(folder.path());
    assert!(report.rebuilt.is_some());
    for number in 1..=101 {
        assert!(!add(&again, number).await.unwrap().0, "{number} is lost");
    }
}
