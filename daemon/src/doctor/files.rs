//! Facts of the machine: who may read and write the files, and is there room. Needs no daemon.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::Path,
};

use rustix::process::geteuid;

use super::report::{Check, State};
use crate::config::Config;

/// Less room than this is a fault: the commit log sets aside space of this order.
const FREE_BYTES_FAULT: u64 = 128 << 20;
/// Less room than this is worth a word.
const FREE_BYTES_WARNING: u64 = 1 << 30;
/// Fewer free inodes than this are worth a word.
const FREE_INODES_WARNING: u64 = 1000;

type Found = Vec<(State, String)>;

/// Who may read and write what the daemon rests on. Of the files of secrets, those of `channel`
/// where one is given. Reads the file system.
pub fn permissions(config: &Config, channel: Option<&str>) -> Check {
    let mut found = Found::new();
    for path in &config.files.configuration {
        look(path, &mut found, |mode, found| {
            only_ours_to_write(path, mode, found);
        });
    }
    let secrets = config.files.secrets.iter();
    let ours = secrets
        .filter(|file| file.channel.is_empty() || channel.is_none_or(|id| file.channel == id));
    for file in ours {
        secret(&file.path, &mut found);
    }
    let state = &config.store.path;
    look(state, &mut found, |mode, found| {
        only_ours_to_write(state, mode, found);
        if mode & 0o005 != 0 {
            let path = state.display();
            let words = format!("{path} is open to every user of this machine: chmod o= {path}");
            found.push((State::Warning, words));
        }
    });
    for path in &config.plugins.path {
        look(path, &mut found, |mode, found| {
            only_ours_to_write(path, mode, found);
        });
    }
    Check::of(
        "permissions",
        found,
        "files and folders belong to whom they should",
    )
}

fn secret(path: &Path, found: &mut Found) {
    look(path, found, |mode, found| {
        only_ours_to_write(path, mode, found);
        if mode & 0o007 != 0 {
            let path = path.display();
            let words = format!("secret file {path} is open to everyone: chmod o= {path}");
            found.push((State::Fault, words));
        }
    });
    if let Err(error) = fs::File::open(path) {
        let words = format!(
            "secret file {} can't be read, so the next reload or start fails: {error}",
            path.display()
        );
        found.push((State::Fault, words));
    }
}

/// Looks at what is there; its owner must be root or the user of this process.
fn look(path: &Path, found: &mut Found, then: impl FnOnce(u32, &mut Found)) {
    match fs::metadata(path) {
        Ok(metadata) => {
            owner(path, &metadata, found);
            then(metadata.mode() & 0o7777, found);
        }
        Err(error) => {
            let words = format!("{} can't be looked at: {error}", path.display());
            found.push((State::Fault, words));
        }
    }
}

fn owner(path: &Path, metadata: &Metadata, found: &mut Found) {
    let (owner, us) = (metadata.uid(), geteuid().as_raw());
    if owner != 0 && owner != us {
        let path = path.display();
        let words =
            format!("{path} belongs to user {owner}, neither root nor the daemon's user {us}");
        found.push((State::Warning, words));
    }
}

fn only_ours_to_write(path: &Path, mode: u32, found: &mut Found) {
    if mode & 0o022 != 0 {
        let path = path.display();
        let words = format!(
            "{path} can be changed by group or others (mode {mode:04o}): chmod go-w {path}"
        );
        found.push((State::Fault, words));
    }
}

/// Whether there is room where the store and the copies of the plugins are. Reads the file system.
pub fn disk(config: &Config) -> Check {
    let state = &config.store.path;
    let mut found = Found::new();
    let mut told = String::new();
    let copies = state.join("plugins");
    for path in [state.as_path(), copies.as_path()] {
        match rustix::fs::statvfs(path) {
            Ok(room) => {
                let bytes = room.f_bavail.saturating_mul(room.f_frsize);
                found.extend(shortage(path, bytes, room.f_favail, room.f_files));
                if told.is_empty() {
                    told = format!("{} free at {}", size(bytes), path.display());
                }
            }
            // Made when the first plugin is loaded.
            Err(rustix::io::Errno::NOENT) if path == copies => {}
            Err(error) => {
                let words = format!("the room at {} can't be seen: {error}", path.display());
                found.push((State::Fault, words));
            }
        }
    }
    found.dedup();
    Check::of("disk", found, &told)
}

/// What is wrong with this much room. File systems without a number of inodes say 0 of 0.
fn shortage(path: &Path, bytes: u64, inodes: u64, inodes_all: u64) -> Option<(State, String)> {
    let path = path.display();
    if bytes < FREE_BYTES_FAULT {
        let words = format!(
            "only {} are free at {path}: webhooks are refused when the disk is full; make room now",
            size(bytes)
        );
        return Some((State::Fault, words));
    }
    if bytes < FREE_BYTES_WARNING {
        let words = format!("only {} are free at {path}: make room", size(bytes));
        return Some((State::Warning, words));
    }
    let words = format!("only {inodes} more files can be made at {path}: make room");
    (inodes_all > 0 && inodes < FREE_INODES_WARNING).then_some((State::Warning, words))
}

fn size(bytes: u64) -> String {
    let mib = bytes >> 20;
    if mib >= 10 * 1024 {
        format!("{} GiB", mib >> 10)
    } else {
        format!("{mib} MiB")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::{Files, SecretFile};

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the mode can be set");
    }

    #[test]
    fn a_file_in_the_wrong_hands_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let (main, secret) = (folder.path().join("t.toml"), folder.path().join("secret"));
        for file in [&main, &secret] {
            fs::write(file, "x").expect("written");
            set_mode(file, 0o600);
        }
        set_mode(folder.path(), 0o700);
        let mut config = Config::default();
        config.store.path = folder.path().to_owned();
        config.plugins.path = vec![folder.path().to_owned()];
        config.files = Files {
            configuration: vec![main.clone()],
            secrets: vec![SecretFile {
                channel: "sms".into(),
                path: secret.clone(),
            }],
        };
        let check = permissions(&config, None);
        assert_eq!(check.state, State::Ok, "{check:?}");
        set_mode(&secret, 0o604);
        let check = permissions(&config, Some("sms"));
        assert_eq!(check.state, State::Fault);
        assert!(
            check.words.contains("secret is open to everyone"),
            "{check:?}"
        );
        let other = permissions(&config, Some("other"));
        assert_eq!(other.state, State::Ok, "not this channel's: {other:?}");
        set_mode(&main, 0o660);
        assert!(permissions(&config, None).words.contains("chmod go-w"));
        fs::remove_file(&secret).expect("removed");
        assert_eq!(permissions(&config, None).state, State::Fault);
    }

    #[test]
    fn shortage_has_two_steps() {
        let at = |bytes| shortage(Path::new("/x"), bytes, 1 << 20, 1 << 20).map(|(state, _)| state);
        assert_eq!(at(1 << 20), Some(State::Fault));
        assert_eq!(at(512 << 20), Some(State::Warning));
        assert_eq!(at(2 << 30), None);
        let full = shortage(Path::new("/x"), 2 << 30, 5, 1 << 20);
        assert!(full.is_some_and(|(_, words)| words.contains("5 more files")));
        assert_eq!(shortage(Path::new("/x"), 2 << 30, 0, 0), None);
    }

    #[test]
    fn the_disk_here_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::default();
        config.store.path = folder.path().to_owned();
        assert!(!disk(&config).words.is_empty());
        config.store.path = folder.path().join("missing");
        assert_eq!(disk(&config).state, State::Fault);
    }
}
