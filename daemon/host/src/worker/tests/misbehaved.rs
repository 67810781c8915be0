//! Plugins that end, hang or lie: an error in words, and nothing left behind.

use std::path::Path;

use super::*;

/// A worker whose call does this first, and has a quarter of a second for it.
fn call_that(deed: &str) -> WorkerError {
    let place = Place::new();
    let flag = format!("-DIN_CALL={deed}");
    let mut worker = worker(&place, &[&flag], &limits()).expect("starts");
    open(&mut worker);
    worker.set_timeout(Duration::from_millis(250));
    let pid = worker.pid();
    let error = worker.call(7, &[b"{}"]).expect_err("no answer");
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{deed}");
    error
}

#[test]
fn the_end_of_a_process_is_told() {
    let died = |words: &str| WorkerError::Died(words.into());
    let cases = [
        ("abort()", died("was ended by signal 6 (SIGABRT)")),
        (
            "*(volatile int *)8 = 1",
            died("was ended by signal 11 (SIGSEGV)"),
        ),
        ("exit(0)", died("ended itself with exit code 0")),
        ("_exit(7)", died("ended itself with exit code 7")),
        ("close(3)", died("ended itself with exit code 0")),
        ("for (;;)", WorkerError::Hung(Duration::from_millis(250))),
        ("sleep(60)", WorkerError::Hung(Duration::from_millis(250))),
    ];
    for (deed, error) in cases {
        let found = call_that(deed);
        // Where the socket is closed, how it ends is a race that has only bad ends.
        if deed == "close(3)" {
            assert!(matches!(found, WorkerError::Died(_)), "{found:?}");
            continue;
        }
        assert_eq!(found, error, "{deed}");
    }
}

#[test]
fn what_is_no_frame_is_garbage() {
    let cases = [
        (
            "write(3, \"\\377\\377\\377\\377\\44\\0\\0\\0\\0\\0\\0\\0\", 12)",
            "it announced a frame of 4294967295 bytes, 73728 are allowed",
        ),
        (
            "write(3, \"GET / HTTP/1.1\", 14)",
            "it announced a frame of 542393671 bytes",
        ),
        (
            "write(3, \"\\0\\0\\0\\0\\11\\0\\0\\0\\0\\0\\0\\0\", 12)",
            "it sent a frame of kind 9, which there is not",
        ),
        (
            "write(3, \"\\0\\0\\0\\0\\41\\0\\0\\0\\0\\0\\0\\0\", 12)",
            "a frame Loaded that nobody asked for",
        ),
    ];
    for (deed, words) in cases {
        let deed = format!("if ({deed}) {{}}");
        match call_that(&deed) {
            WorkerError::Garbage(found) => assert!(found.starts_with(words), "{found}"),
            other => panic!("{deed}: {other:?}"),
        }
    }
}

#[test]
fn log_lines_are_no_sign_of_life_and_bounded() {
    let place = Place::new();
    let flag = "-DIN_CALL=for (;;) handle->host->log(handle->host->ctx, 3, target, target)";
    let mut worker = worker(&place, &[flag], &limits()).expect("starts");
    open(&mut worker);
    let timeout = Duration::from_millis(250);
    worker.set_timeout(timeout);
    assert_eq!(worker.call(7, &[b"{}"]), Err(WorkerError::Hung(timeout)));
    let lines = worker.take_logs();
    assert_eq!(lines.len(), 257);
    assert_eq!((lines[0].level, lines[0].message.as_str()), (3, "bad"));
    assert!(
        lines[256].message.contains("more lines"),
        "{:?}",
        lines[256]
    );
    assert_eq!(worker.take_logs(), []);
}

#[test]
fn answers_come_as_in_this_process() {
    let place = Place::new();
    let mut worker = worker(&place, &[], &limits()).expect("starts");
    let manifest = worker.describe().expect("an answer");
    assert_eq!(manifest.code, 0);
    assert!(String::from_utf8_lossy(&manifest.bytes[8..]).contains("\"bad\""));
    assert_eq!(open(&mut worker).code, 0);
    let panicked = worker.call(4, &[b"{}", b"raw"]).expect("an answer");
    assert_eq!(
        (panicked.code, &panicked.bytes[8..]),
        (4, &b"last\nwords"[..])
    );
    assert_eq!(worker.take_logs()[0].message.len(), 2048);
    let mut worker = self::worker(&place, &[], &limits()).expect("starts");
    open(&mut worker);
    let flood = worker.call(2, &[b"{}"]).expect("an answer");
    assert!(flood.overflowed);
    assert!(flood.bytes.len() <= limits().output_bytes_max);
    assert_eq!(worker.call(3, &[]).expect("an answer").code, 77);
    assert_eq!(worker.close().expect("an answer").code, 0);
    let error = worker.call(3, &[]).expect_err("closed");
    assert_eq!(
        error,
        WorkerError::Garbage("a call without an open channel".into())
    );
}

#[test]
fn what_can_not_be_loaded_says_why() {
    let place = Place::new();
    let cases = [
        ("-DSIZE=8", "its table has 8 bytes, ABI 1 has 64"),
        ("-DNO_TABLE", "gives no table"),
    ];
    for (flag, words) in cases {
        let error = worker(&place, &[flag], &limits()).expect_err("no good");
        assert_eq!(error, WorkerError::NotLoaded(words.into()));
    }
    let error = worker(
        &place,
        &["-DIN_LOAD=for (;;)"],
        &Limits {
            timeout: Duration::from_millis(250),
            ..limits()
        },
    );
    assert_eq!(
        error.expect_err("hangs"),
        WorkerError::Hung(Duration::from_millis(250))
    );
    let nothing = Program {
        path: "/nowhere/trunkline".into(),
        arguments: Vec::new(),
    };
    let file = place.build_bad("bad.so", &[]);
    let error = Worker::start(&nothing, &file, &limits()).expect_err("not there");
    assert!(matches!(error, WorkerError::NotStarted(_)), "{error:?}");
    let other = Program {
        path: "/bin/true".into(),
        arguments: Vec::new(),
    };
    let error = Worker::start(&other, &file, &limits()).expect_err("no worker");
    assert_eq!(
        error,
        WorkerError::NotStarted("it ended itself with exit code 0".into())
    );
}

#[test]
fn a_storm_gives_the_answers_or_the_difference() {
    let place = Place::new();
    let limits = Limits {
        threads: 4,
        ..limits()
    };
    let calls = vec![
        (7, vec![b"{}".to_vec()]),
        (8, vec![b"{}".to_vec(), b"x".to_vec()]),
    ];
    let mut calm = worker(&place, &[], &limits).expect("starts");
    open(&mut calm);
    let outputs = calm.storm(&calls, 4, 50).expect("the same");
    let codes: Vec<i32> = outputs.iter().map(|output| output.code).collect();
    assert_eq!(codes, [2, 3]);
    assert!(matches!(
        calm.storm(&calls, 5, 1),
        Err(WorkerError::NotStarted(_))
    ));
    let flag = "-DIN_CALL=static _Atomic int calls; if (calls++ > 90) return 5";
    let mut unlike = worker(&place, &[flag], &limits).expect("starts");
    open(&mut unlike);
    match unlike.storm(&calls, 4, 50) {
        Err(WorkerError::Garbage(words)) => {
            assert!(words.contains("answered differently"), "{words}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_host_of_another_size_is_told() {
    let place = Place::new();
    let mut worker = worker(&place, &[], &limits()).expect("starts");
    let output = worker.open_with(br#"{"x":1}"#, 4096).expect("an answer");
    assert_eq!(output.code, 0);
}
