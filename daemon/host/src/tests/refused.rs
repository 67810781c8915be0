//! Files that must not be loaded: each is refused in words, and nothing else suffers.

use std::{
    ffi::CString,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{Place, set_mode};
use crate::{PluginSet, Refused};

/// The only refusal of a set without plugins.
fn only_refusal(set: &PluginSet) -> &Refused {
    assert_eq!(set.plugins().count(), 0);
    let [refused] = set.refused() else {
        panic!("one refusal expected: {:?}", set.refused());
    };
    refused
}

#[test]
fn wrong_insides() {
    let cases: [(&str, &[&str], Option<&str>, &str); 10] = [
        (
            "magic",
            &["-DMAGIC=1"],
            Some("bad"),
            "begins with 0x0000000000000001, not with the magic",
        ),
        (
            "size",
            &["-DSIZE=56"],
            Some("bad"),
            "its table has 56 bytes, ABI 1 has 64",
        ),
        (
            "function",
            &["-DCALL=NULL"],
            Some("bad"),
            "its table has no function call",
        ),
        ("table", &["-DNO_TABLE"], Some("bad"), "gives no table"),
        (
            "symbol",
            &["-Dtl_adapter_entry_v1=something_else"],
            Some("bad"),
            "exports no tl_adapter_entry_v1: this is no Trunkline plugin",
        ),
        (
            "abi",
            &["-Dtl_adapter_entry_v1=tl_adapter_entry_v2"],
            Some("bad"),
            "built for ABI 2, this daemon speaks 1",
        ),
        (
            "note",
            &["-DNO_NOTE"],
            None,
            "has no sound .note.trunkline section",
        ),
        (
            "id",
            &["-DID=\"Bad Name\""],
            None,
            "has no sound .note.trunkline section",
        ),
        (
            "other",
            &["-DMANIFEST_ID=\"good\""],
            Some("bad"),
            "its note says bad 1.0.0, its manifest good 1.0.0",
        ),
        (
            "manifest",
            &["-DMANIFEST=\"[]\""],
            Some("bad"),
            "its manifest can't be read: the plugin answered garbage",
        ),
    ];
    for (name, flags, id, words) in cases {
        let place = Place::new();
        let path = place.build_bad(&format!("{name}.so"), flags);
        let set = place.scan();
        let refused = only_refusal(&set);
        assert_eq!(refused.path, path, "{name}");
        assert_eq!(refused.id.as_deref(), id, "{name}");
        assert!(refused.reason.contains(words), "{name}: {}", refused.reason);
    }
}

#[test]
fn a_later_table_with_more_fields_is_taken() {
    let place = Place::new();
    place.build_bad("bad.so", &["-DSIZE=4096"]);
    let set = place.scan();
    assert_eq!(set.refused(), []);
    assert!(set.get("bad").is_some());
}

#[test]
fn cut_short_anywhere() {
    let place = Place::new();
    let path = place.build_bad("bad.so", &[]);
    let whole = fs::read(&path).expect("just built");
    for len in (0..whole.len()).step_by(whole.len() / 16) {
        fs::write(&path, &whole[..len]).expect("our own file");
        let set = place.scan();
        let reason = &only_refusal(&set).reason;
        assert!(reason.contains("cut short"), "{len} bytes: {reason}");
    }
}

#[test]
fn writable_by_others() {
    let place = Place::new();
    let path = place.build_bad("bad.so", &[]);
    for mode in [0o666, 0o664, 0o646] {
        set_mode(&path, mode);
        let set = place.scan();
        let refused = only_refusal(&set);
        let words = format!(
            "the file is writable by group or others (mode {mode:04o}): chmod go-w {}",
            path.display()
        );
        assert_eq!(refused.reason, words);
        assert_eq!(refused.id.as_deref(), Some("bad"));
        assert!(
            set.why_missing("bad").contains(&words),
            "{}",
            set.why_missing("bad")
        );
    }
    set_mode(&path, 0o644);
    set_mode(place.folder(), 0o1777);
    let reason = only_refusal(&place.scan()).reason.clone();
    assert!(
        reason.starts_with("its folder is writable by group or others (mode 1777): chmod go-w"),
        "{reason}"
    );
    set_mode(place.folder(), 0o755);
    assert!(place.scan().get("bad").is_some());
}

#[test]
fn owned_by_somebody_else() {
    let place = Place::new();
    let path = place.build_bad("bad.so", &[]);
    if std::os::unix::fs::chown(&path, Some(4321), None).is_err() {
        eprintln!("skipped: only root can give a file away");
        return;
    }
    let reason = only_refusal(&place.scan()).reason.clone();
    assert!(
        reason.starts_with("the file belongs to user 4321, not to root"),
        "{reason}"
    );
}

#[test]
fn not_a_regular_file() {
    let place = Place::new();
    let real = place.root.path().join("real.so");
    fs::rename(place.build_bad("bad.so", &[]), &real).expect("same file system");
    let bad = place.folder().join("bad.so");

    symlink(&real, &bad).expect("a new link");
    assert_eq!(
        only_refusal(&place.scan()).reason,
        "is a symbolic link: put the file itself there"
    );
    fs::remove_file(&bad).expect("just made");

    fs::create_dir(&bad).expect("a new folder");
    assert_eq!(only_refusal(&place.scan()).reason, "is not a regular file");
    fs::remove_dir(&bad).expect("just made");

    let name = CString::new(bad.as_os_str().as_bytes()).expect("no NUL");
    mknodat(CWD, &name, FileType::Fifo, Mode::from(0o644), 0).expect("a new pipe");
    assert_eq!(only_refusal(&place.scan()).reason, "is not a regular file");
}

#[test]
fn pinned_to_another_hash() {
    let mut place = Place::new();
    place.build_bad("bad.so", &[]);
    let right = place.scan().get("bad").expect("loads").sha256().to_owned();

    place.options.pins.insert("bad".into(), "00".repeat(32));
    let reason = only_refusal(&place.scan()).reason.clone();
    assert_eq!(
        reason,
        format!(
            "is pinned to SHA-256 {}, but the file has {right}",
            "00".repeat(32)
        )
    );
    place
        .options
        .pins
        .insert("bad".into(), right.to_uppercase());
    assert!(place.scan().get("bad").is_some());
}

#[test]
fn the_first_of_one_id_is_taken() {
    let place = Place::new();
    let first = place.build_bad("a.so", &[]);
    let second = place.build_bad("b.so", &["-DSIZE=4096"]);
    let set = place.scan();
    assert_eq!(set.get("bad").expect("the first").path(), first);
    let [refused] = set.refused() else {
        panic!("one refusal expected: {:?}", set.refused());
    };
    assert_eq!(refused.path, second);
    let words = format!(
        "has the id bad, as {} has, which comes first",
        first.display()
    );
    assert_eq!(refused.reason, words);
}

#[test]
fn text_and_other_files() {
    let place = Place::new();
    fs::write(
        place.folder().join("libtrunkline_plugin_acme.so"),
        "#!/bin/sh\n",
    )
    .expect("ours");
    fs::write(place.folder().join("readme.txt"), "not looked at").expect("ours");
    let set = place.scan();
    let reason = &only_refusal(&set).reason;
    assert!(reason.starts_with("is not a shared library"), "{reason}");
    assert!(set.why_missing("acme").contains("is not a shared library"));
}

#[test]
fn a_missing_folder_stops_nothing() {
    let mut place = Place::new();
    place.build_bad("bad.so", &[]);
    place.options.paths.insert(0, "/nonexistent/plugins".into());
    let set = place.scan();
    assert!(set.get("bad").is_some());
    assert_eq!(set.refused()[0].path, Path::new("/nonexistent/plugins"));
    assert_eq!(set.refused()[0].reason, "is not there");
    let why = set.why_missing("acme");
    assert!(
        why.starts_with("there is no plugin of adapter acme in /nonexistent/plugins, /"),
        "{why}"
    );
}
