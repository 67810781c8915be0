//! Whose the files of a store are: what root makes must be the daemon's user's.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, lchown},
    path::Path,
};

/// The user that the daemon runs as where a package set it up.
const USER: &str = "trunkline";

/// A user and group by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    /// The owner of a folder or file.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::symlink_metadata(path)?;
        Ok(Self {
            uid: meta.uid(),
            gid: meta.gid(),
        })
    }

    /// The daemon's user, where this machine has one.
    pub(super) fn of_daemon() -> Option<Self> {
        Self::listed(&fs::read_to_string("/etc/passwd").ok()?)
    }

    fn listed(passwd: &str) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            if fields.next()? != USER {
                return None;
            }
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            Some(Self { uid, gid })
        })
    }

    /// Makes a folder and everything in it theirs. Links are not followed.
    pub(super) fn adopt(self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.adopt(&entry.path())?;
            } else if !kind.is_symlink() {
                self.take(&entry.path())?;
            }
        }
        self.take(folder)
    }

    fn take(self, path: &Path) -> io::Result<()> {
        if Self::of(path)? != self {
            lchown(path, Some(self.uid), Some(self.gid))?;
        }
        Ok(())
    }
}

/// After root worked on a store: everything in it belongs to the folder's owner again. Others have nothing to give.
pub fn give_back(store: &Path) -> io::Result<()> {
    if is_root() {
        // Whoever made a link to the folder is not its owner.
        let store = fs::canonicalize(store)?;
        Owner::of(&store)?.adopt(&store)?;
    }
    Ok(())
}

/// Whether this process is root, who alone may give files away.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemons_user_is_found_by_its_name_alone() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\ntrunkline2:x:7:8::/:\ntrunkline:x:997:995::/:/bin/false\n";
        let found = Owner::listed(passwd);
        assert_eq!(found, Some(Owner { uid: 997, gid: 995 }));
        assert_eq!(Owner::listed("root:x:0:0::/:\n"), None);
    }

    #[test]
    fn a_folder_that_is_theirs_stays_so() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("log")).unwrap();
        fs::write(folder.path().join("log/1"), "x").unwrap();
        let owner = Owner::of(folder.path()).unwrap();
        owner.adopt(folder.path()).unwrap();
        assert_eq!(Owner::of(&folder.path().join("log/1")).unwrap(), owner);
    }
}
