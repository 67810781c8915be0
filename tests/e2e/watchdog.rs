//! The watchdog is fed by progress alone: a disk that hangs starves it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use trunkline_simulator::Simulator;
use trunkline_tests::config::Config;
use trunkline_tests::daemon::Daemon;
use trunkline_tests::systemd::Manager;
use trunkline_tests::twilio::{Hook, Sms};
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, twilio};

/// A file system of its own that can be made to hang. Whatever becomes of the test it is thawed and
/// unmounted.
struct Disk(String);

impl Disk {
    fn new(folder: &Path) -> Result<Self, String> {
        let (image, mount) = (folder.join("disk.img"), folder.join("disk"));
        std::fs::create_dir(&mount).map_err(|why| why.to_string())?;
        let file = std::fs::File::create(&image).map_err(|why| why.to_string())?;
        file.set_len(256 << 20).map_err(|why| why.to_string())?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        run("mkfs.ext4", &["-q", "-F", &text(&image)])?;
        run("mount", &["-o", "loop", &text(&image), &text(&mount)])?;
        let disk = Self(text(&mount));
        // Where this can't be done, nothing more is tried.
        disk.freeze().and_then(|()| disk.thaw())?;
        Ok(disk)
    }

    fn freeze(&self) -> Result<(), String> {
        run("fsfreeze", &["-f", &self.0])
    }

    fn thaw(&self) -> Result<(), String> {
        run("fsfreeze", &["-u", &self.0])
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It may be thawed already, and a daemon may still be ending.
        let _ = self.thaw();
        let _ = run("umount", &["-l", &self.0]);
    }
}

fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(args).output();
    let output = output.map_err(|why| format!("{program} can't be run: {why}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{program}: {}", said.trim()))
    }
}

#[tokio::test]
async fn a_disk_that_hangs_ends_the_beats_until_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let disk = match Disk::new(folder.path()) {
        Ok(disk) => disk,
        Err(why) => return eprintln!("skipped: a file system can't be frozen here: {why}"),
    };
    let simulator = Simulator::start().expect("the simulator starts");
    let mut daemon = Daemon::prepare(
        Config::new()
            .set("store.path", format!("{}/store", disk.0))
            .channel(twilio(SMS, &simulator)),
    );
    let mut manager = Manager::listen(folder.path());
    daemon.set_env("NOTIFY_SOCKET", manager.address());
    daemon.set_env("WATCHDOG_USEC", "2000000");
    daemon.launch().await;
    manager.wait("WATCHDOG=1", 3).await;

    disk.freeze().expect("it could be frozen before");
    let config = daemon.config().find(SMS);
    let hook = Hook {
        url: daemon.url(SMS),
        account_sid: config.get("account_sid").to_owned(),
        auth_token: config.get("auth_token").to_owned(),
    };
    let request = hook.request(&Sms::new("+15005550101", "stuck"));
    let public = daemon.public();
    let stuck = tokio::spawn(async move { request.send(public).await });
    manager.wait("STATUS=no progress: store writer", 1).await;
    // From here on there is no beat for twice the time that the manager waits.
    let (beats, since) = (manager.count("WATCHDOG=1"), Instant::now());
    while since.elapsed() < Duration::from_secs(4) {
        assert_eq!(
            manager.count("WATCHDOG=1"),
            beats,
            "a beat without progress"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    disk.thaw().expect("it is frozen");
    let reply = tokio::time::timeout(SOON, stuck).await.unwrap().unwrap();
    assert_eq!(reply.expect("an answer").status, 200);
    eventually("the beats go on", SOON, || {
        let more = manager.count("WATCHDOG=1") > beats;
        async move { more.then_some(()) }
    })
    .await;
    assert_eq!(daemon.terminate().await.code(), Some(0));
}
