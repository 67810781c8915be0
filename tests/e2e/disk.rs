//! A small disk of a test's own: an ext4 image, mounted in a mount namespace that ends with the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// Runs an ignored test of this program in a mount namespace of its own, so that however it ends no mount and no loop
/// device outlives it. False, with words on standard error, where that can't be done here.
pub(crate) fn in_namespace(test: &str) -> bool {
    if let Err(why) = run("unshare", &["--mount", "mkfs.ext4", "-V"]) {
        eprintln!("{test} is skipped, it needs root and e2fsprogs: {why}");
        return false;
    }
    let own = std::env::current_exe().expect("a running program has a path");
    let rounds = ["--exact", test, "--ignored", "--nocapture"];
    let args = [
        &["--mount", "--fork", "--kill-child", text(&own)][..],
        &rounds,
    ]
    .concat();
    let done = run("unshare", &args);
    assert!(done.is_ok(), "{}", done.unwrap_err());
    true
}

/// An ext4 image, mounted while it lives.
#[derive(Clone)]
pub(crate) struct Disk {
    pub(crate) image: PathBuf,
    pub(crate) mount: PathBuf,
    _unmount: Arc<Unmount>,
}

impl Disk {
    /// Makes and mounts an image of so many MiB; the error says why that can't be done here.
    pub(crate) fn new(folder: &Path, mib: u64) -> Result<Self, String> {
        let mount = folder.join("disk");
        let disk = Self {
            image: folder.join("disk.img"),
            mount: mount.clone(),
            _unmount: Arc::new(Unmount(mount)),
        };
        fs::create_dir(&disk.mount).map_err(|why| why.to_string())?;
        let image = fs::File::create(&disk.image).map_err(|why| why.to_string())?;
        image.set_len(mib << 20).map_err(|why| why.to_string())?;
        run("mkfs.ext4", &["-q", "-F", "-m", "0", text(&disk.image)])?;
        disk.mount_image()?;
        Ok(disk)
    }

    /// Mounts the image.
    pub(crate) fn mount_image(&self) -> Result<(), String> {
        run(
            "mount",
            &["-o", "loop", text(&self.image), text(&self.mount)],
        )
    }
}

/// Unmounts when it goes, so that the folder can be removed.
struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        // Lazily, because a daemon may still be ending.
        let _ = run("umount", &["-l", text(&self.0)]);
    }
}

/// Runs a program; the error is what it said.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(args).output();
    let output = output.map_err(|why| format!("{program} can't be run: {why}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!(
        "{program}: {}",
        String::from_utf8_lossy(&said).trim()
    ))
}

/// A path as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are text")
}
