//! Backups and restores that are killed, refused or run out of room.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use trunkline_tests::built::binary;
use trunkline_tests::daemon::Daemon;
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::backup::{look, stop, text};
use crate::outbound::creates;
use crate::stage::{SMS, Stage};

const ADA: &str = "+15005550101";

/// A `trunkline` whose output or input this test holds.
fn spawn(args: &[&str], daemon: &Daemon) -> Child {
    let mut command = Command::new(binary());
    command.args(args).arg("-c").arg(daemon.config_file());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command.spawn().expect("the binary runs")
}

/// Enough that a pipe that nobody reads is full before the end.
async fn large_files(stage: &Stage) {
    for n in 0..12_u8 {
        let path = stage.daemon.file(&format!("file-{n}"));
        let line = format!("{n} is a line of a file that is large\n");
        fs::write(&path, line.repeat(30_000)).expect("written");
        stage.daemon.cli_ok(&["media", "put", text(&path)]).await;
    }
}

#[tokio::test]
async fn a_kill_in_the_middle_costs_nothing_but_the_backup() {
    let mut stage = Stage::sms().await;
    large_files(&stage).await;
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, "here")).await, 200);
    let mut backup = spawn(&["backup", "-"], &stage.daemon);
    let mut head = [0; 4096];
    let out = backup.stdout.as_mut().expect("it is piped");
    out.read_exact(&mut head).expect("it has begun");
    // It hangs in the middle, as nobody reads on.
    let second = stage.daemon.api().get_any("/api/v1/backup").await;
    assert_eq!(second.status, 409, "{second:?}");
    assert_eq!(second.json["code"], "backup_running");
    backup.kill().expect("killed");
    backup.wait().expect("waited");
    let file = stage.daemon.file("all.tar");
    eventually("the next backup is let", SOON, || async {
        let made = stage.daemon.cli(&["backup", text(&file)]).await;
        (made.code == 0).then_some(())
    })
    .await;

    // The daemon dies in the middle of one: nothing is lost, and the client says so.
    let mut backup = spawn(&["backup", "-"], &stage.daemon);
    let out = backup.stdout.as_mut().expect("it is piped");
    out.read_exact(&mut head).expect("it has begun");
    stage.daemon.kill9().await;
    let mut rest = Vec::new();
    let _ = out.read_to_end(&mut rest);
    assert!(!backup.wait().expect("waited").success());
    stage.daemon.launch().await;
    assert_eq!(stage.daemon.api().timeline(ADA).await.len(), 1);
    stop(&mut stage.daemon).await;

    // A restore dies in the middle: the old store is untouched, and the next one goes through.
    let before = look(&stage.daemon.store()).await;
    let bytes = fs::read(&file).expect("read");
    let mut restore = spawn(&["restore", "-"], &stage.daemon);
    let input = restore.stdin.as_mut().expect("it is piped");
    input
        .write_all(&bytes[..bytes.len() / 2])
        .expect("it reads");
    let unfinished = PathBuf::from(format!("{}.restoring", text(&stage.daemon.store())));
    eventually("the restore has begun", SOON, || async {
        unfinished.exists().then_some(())
    })
    .await;
    restore.kill().expect("killed");
    restore.wait().expect("waited");
    assert_eq!(
        look(&stage.daemon.store()).await["digest"],
        before["digest"]
    );
    let done = stage
        .daemon
        .cli_ok(&["restore", text(&file), "--json"])
        .await
        .json();
    assert!(!unfinished.exists());
    let kept = done["kept"].as_str().expect("the old store is kept");
    let old = look(Path::new(kept)).await;
    assert_eq!(old["digest"], before["digest"]);
    assert_eq!(old["files"], json!(12));
    stage.daemon.launch().await;
    assert_eq!(stage.daemon.api().timeline(ADA).await.len(), 1);
}

#[tokio::test]
async fn a_full_disk_is_told_and_leaves_nothing_behind() {
    let stage = Stage::sms().await;
    large_files(&stage).await;
    let script = "mount -t tmpfs -o size=256k tmpfs \"$1\" || exit 77; \
                  \"$2\" backup \"$1/all.tar\" -c \"$3\"; code=$?; ls -A \"$1\"; exit $code";
    let folder = stage.daemon.file("small");
    fs::create_dir(&folder).expect("a folder is made");
    let binary = binary();
    let config = stage.daemon.config_file();
    let args = [
        "--mount",
        "sh",
        "-c",
        script,
        "sh",
        text(&folder),
        text(&binary),
        text(&config),
    ];
    let done = Command::new("unshare").args(args).output();
    let done = match done {
        Ok(done) if done.status.code() != Some(77) && !said(&done.stderr).contains("unshare") => {
            done
        }
        other => {
            eprintln!("the test of a full disk is skipped, it needs root: {other:?}");
            return;
        }
    };
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let words = said(&done.stderr);
    assert!(
        words.contains("all.tar.part") && words.contains("No space left"),
        "{words}"
    );
    assert_eq!(said(&done.stdout), "", "nothing is left behind");
    // The daemon is as it was.
    let file = stage.daemon.file("all.tar");
    eventually("the next backup is let", SOON, || async {
        let made = stage.daemon.cli(&["backup", text(&file)]).await;
        (made.code == 0).then_some(())
    })
    .await;
    assert!(creates(&stage).is_empty());
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
