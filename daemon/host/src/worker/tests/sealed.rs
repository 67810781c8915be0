//! What a worker is and what it can't do.

use std::{fs, os::unix::net::UnixListener};

use super::*;
use crate::worker::arguments;

/// The error of a worker with a plugin whose call does this first.
fn call_that(deed: &str) -> WorkerError {
    let place = Place::new();
    let flag = format!("-DIN_CALL={deed}");
    let mut worker = worker(&place, &[&flag], &limits()).expect("starts");
    open(&mut worker);
    let error = worker.call(7, &[b"{}"]).expect_err("not allowed");
    assert_eq!(
        worker.call(7, &[b"{}"]),
        Err(error.clone()),
        "it stays failed"
    );
    error
}

fn forbidden(what: &str) -> WorkerError {
    WorkerError::Forbidden { what: what.into() }
}

#[test]
fn what_a_computation_does_not_need_is_named() {
    let cases = [
        (
            "socket(AF_INET, SOCK_STREAM, 0)",
            "opened a socket (socket)",
        ),
        ("open(\"/etc/passwd\", O_RDONLY)", "opened a file (openat)"),
        ("fopen(\"/tmp/x\", \"w\")", "opened a file (openat)"),
        ("access(\"/etc/passwd\", 0)", "looked at files (access)"),
        (
            "struct stat s; fstatat(AT_FDCWD, \"/etc/passwd\", &s, AT_EMPTY_PATH)",
            "looked at files (newfstatat)",
        ),
        ("if (fork() == 0) _exit(0)", "started a process (clone)"),
        (
            "execl(\"/bin/true\", \"true\", (char *)0)",
            "started a program (execve)",
        ),
        ("kill(getppid(), SIGKILL)", "sent a signal (kill)"),
        (
            "tgkill(getppid(), getppid(), SIGKILL)",
            "sent a signal (tgkill)",
        ),
        (
            "signal(SIGSYS, SIG_IGN)",
            "changed its signals (rt_sigaction)",
        ),
    ];
    for (deed, what) in cases {
        assert_eq!(call_that(deed), forbidden(what), "{deed}");
    }
}

#[test]
fn loading_reads_libraries_and_nothing_else() {
    let place = Place::new();
    let cases = [
        (
            "socket(AF_INET, SOCK_STREAM, 0)",
            "opened a socket (socket)",
        ),
        (
            "open(\"/tmp/x\", O_WRONLY | O_CREAT, 0600)",
            "opened a file (openat)",
        ),
    ];
    for (deed, what) in cases {
        let flag = format!("-DIN_LOAD={deed}");
        let error = worker(&place, &[&flag], &limits()).expect_err("not allowed");
        assert_eq!(error, forbidden(what), "{deed}");
    }
    let flag = "-DIN_LOAD=if (open(\"/etc/hostname\", O_RDONLY) < 0) abort()";
    match worker(&place, &[flag], &limits()) {
        Ok(worker) => assert!(!worker.is_landlocked(), "landlock let a file be opened"),
        Err(error) => assert_eq!(
            error,
            WorkerError::Died("was ended by signal 6 (SIGABRT)".into())
        ),
    }
}

#[test]
fn a_thread_of_the_plugin_gets_no_further() {
    let place = Place::new();
    let deed = "-DIN_CALL=pthread_t t; if (pthread_create(&t, 0, (void *(*)(void *))(void *)puts, \"\")) \
                return put(out, TL_BAD_INPUT, \"no thread\")";
    let mut worker = worker(&place, &[deed], &limits()).expect("starts");
    open(&mut worker);
    assert_eq!(worker.call(7, &[b"{}"]).expect("an answer").code, 3);
}

#[test]
fn memory_is_bounded() {
    let place = Place::new();
    let deed = "-DIN_CALL=if (!malloc(1 << 30)) return put(out, TL_BAD_INPUT, \"no memory\")";
    let mut worker = worker(&place, &[deed], &limits()).expect("starts");
    open(&mut worker);
    assert_eq!(worker.call(7, &[b"{}"]).expect("an answer").code, 3);
}

#[test]
fn printing_does_no_harm() {
    let place = Place::new();
    let deed = "-DIN_CALL=printf(\"%09d\", 7); fflush(stdout); fputs(\"x\", stderr)";
    let mut worker = worker(&place, &[deed], &limits()).expect("starts");
    open(&mut worker);
    assert_eq!(worker.call(7, &[b"{}"]).expect("an answer").code, 2);
}

#[test]
fn what_a_descriptor_is_may_be_asked() {
    let place = Place::new();
    let deed = "-DIN_CALL=struct stat s; struct statx x; if (fstat(0, &s) || isatty(1) \
                || statx(0, \"\", AT_EMPTY_PATH, STATX_SIZE, &x)) return put(out, TL_BAD_INPUT, \"no answer\")";
    let mut worker = worker(&place, &[deed], &limits()).expect("starts");
    open(&mut worker);
    assert_eq!(worker.call(7, &[b"{}"]).expect("an answer").code, 2);
}

#[test]
fn it_holds_nothing_of_its_parent() {
    let place = Place::new();
    let folder = tempfile::tempdir().expect("a temp folder");
    let _listener = UnixListener::bind(folder.path().join("s")).expect("a socket");
    let worker = worker(&place, &[], &limits()).expect("starts");
    let process = format!("/proc/{}", worker.pid());
    let mut open: Vec<_> = fs::read_dir(format!("{process}/fd"))
        .expect("ours")
        .map(|entry| entry.expect("ours").file_name())
        .collect();
    open.sort();
    assert_eq!(open, ["0", "1", "2", "3"]);
    assert_eq!(fs::read(format!("{process}/environ")).expect("ours"), b"");
    let pid = worker.pid();
    drop(worker);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn only_its_own_verb_makes_a_worker() {
    let of = |words: &[&str]| arguments(words.iter().map(Into::into));
    assert_eq!(
        of(&["trunkline", "plugin-host", "x"]),
        Some(vec!["x".into()])
    );
    assert_eq!(of(&["trunkline", "run", "plugin-host"]), None);
    assert_eq!(of(&["plugin-host"]), None);
    let bare = Command::new(program().path).arg("plugin-host").output();
    let bare = bare.expect("it runs");
    assert_eq!(bare.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&bare.stderr).contains("it is no command"));
}
