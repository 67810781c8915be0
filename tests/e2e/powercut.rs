//! Power cut: the store lives on a loop-mounted file system whose image is copied while the daemon
//! writes; the copy, journal replayed, is what a disk holds after the current went.
//!
//! The daemon is stopped (SIGSTOP) while the image is copied: a power cut is one instant, a copy is
//! not. Nothing is synced or unmounted before it, so what sits in the file system's cache is gone.
//!
//! The rounds run in a mount namespace of their own: however they end, no mount and no loop device
//! outlives them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use trunkline_simulator::Simulator;
use trunkline_tests::account::balance;
use trunkline_tests::config::Config;
use trunkline_tests::daemon::Daemon;
use trunkline_tests::load::{Load, Plan, Sent, redeliver};
use trunkline_tests::twilio::Hook;
use trunkline_tests::wait::blocking;

use crate::disk::{Disk, in_namespace, run, text};
use crate::stage::{SMS, twilio};

const ROUNDS: u32 = 10;
const IMAGE_MIB: u64 = 1_024;

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_a_power_cut() {
    in_namespace("powercut::rounds");
}

#[tokio::test]
#[ignore = "run by the test above, in a mount namespace"]
async fn rounds() {
    let folder = tempfile::Builder::new()
        .prefix("trunkline-powercut-")
        .tempdir()
        .unwrap();
    let disk = match Disk::new(folder.path(), IMAGE_MIB) {
        Ok(disk) => Cut::of(disk),
        Err(why) => {
            eprintln!("the power cut test is skipped: {why}");
            return;
        }
    };
    let simulator = Simulator::start().expect("the simulator starts");
    let config = Config::new()
        .set(
            "store.path",
            disk.disk.mount.join("store").to_string_lossy().into_owned(),
        )
        .channel(twilio(SMS, &simulator));
    let account = config.find(SMS).clone();
    let mut daemon = Daemon::start(config).await;
    let hook = Hook {
        url: daemon.url(SMS),
        account_sid: account.get("account_sid").to_owned(),
        auth_token: account.get("auth_token").to_owned(),
    };
    let mut everything: Vec<Sent> = Vec::new();
    for round in 0..ROUNDS {
        let load = Load::start(
            daemon.public(),
            &hook,
            &Plan::new(format!("1600{round:03}")),
        );
        let count = rand::random_range(10..250);
        load.reaches(count).await;
        let moment = Duration::from_millis(rand::random_range(0..50));
        tokio::time::sleep(moment).await;
        daemon.signal("STOP");
        let cut = disk.clone();
        blocking(move || cut.copy()).await;
        daemon.kill9().await;
        let mut ledger = load.stop().await;
        let swap = disk.clone();
        blocking(move || swap.replace_by_copy()).await;
        daemon.launch().await;
        let after = balance(&daemon.api(), &ledger).await;
        assert!(
            after.is_right(),
            "round {round}, cut {moment:?} behind {count}: {after}"
        );
        redeliver(daemon.public(), &hook, &mut ledger).await;
        everything.extend(ledger);
    }
    balance(&daemon.api(), &everything).await.must_be_right();
    daemon.kill9().await;
}

/// A disk whose contents can be put back to what they were at an instant.
#[derive(Clone)]
struct Cut {
    disk: Disk,
    copy: PathBuf,
}

impl Cut {
    fn of(disk: Disk) -> Self {
        let copy = disk.image.with_file_name("copy.img");
        Self { disk, copy }
    }

    /// Takes the disk as it is at this instant.
    fn copy(&self) {
        run(
            "cp",
            &["--sparse=always", text(&self.disk.image), text(&self.copy)],
        )
        .expect("the image can be copied");
    }

    /// Puts the copy in the place of the disk.
    fn replace_by_copy(&self) {
        run("umount", &[text(&self.disk.mount)]).expect("nobody uses the disk any more");
        fs::rename(&self.copy, &self.disk.image).expect("the copy can take the image's place");
        let mounted = self.disk.mount_image();
        mounted.expect("the copied disk can be mounted");
    }
}
