//! Plugins whose channels run in processes of their own: the same answers, and none of the ends.

use std::{path::Path, time::Duration};

use serde_json::json;
use trunkline_plugin_api::Turn;

use super::{
    Place,
    misbehaved::{a_log_line_of, every_bad_answer_of},
    webhook,
};
use crate::{CallError, Instance, Isolation, OpenError, PluginSet};

const APART: Isolation = Isolation::Process {
    memory_bytes_max: 256 * 1024 * 1024,
    timeout: Duration::from_secs(20),
};

fn open(place: &Place, flags: &[&str]) -> (PluginSet, Instance) {
    place.build_bad("bad.so", flags);
    let set = place.scan();
    let plugin = set.get("bad").expect("describes itself");
    let opened = plugin.open_in("here", &json!({}), &APART);
    (set, opened.expect("opens").0)
}

#[test]
fn answers_and_log_lines_are_those_of_this_process() {
    let place = Place::apart();
    let (set, bad) = open(&place, &[]);
    every_bad_answer_of(&bad);
    a_log_line_of(&bad);
    assert_eq!(bad.isolation(), APART);
    assert!(
        !set.get("bad").expect("there").is_loaded_here(),
        "it was never here"
    );
}

#[test]
fn the_first_channel_of_this_process_loads_it() {
    let place = Place::apart();
    let (set, _bad) = open(&place, &[]);
    let plugin = set.get("bad").expect("there");
    let (here, _) = plugin.open("here", &json!({})).expect("opens");
    assert!(plugin.is_loaded_here());
    assert_eq!(here.isolation(), Isolation::None);
    assert_eq!((here.pid(), here.failure()), (None, None));
    assert_eq!(
        here.templates(&Turn::default()),
        Err(CallError::Unsupported)
    );
}

#[test]
fn a_crash_is_told_and_stays() {
    let place = Place::apart();
    let (_set, bad) = open(&place, &["-DIN_CALL=abort()"]);
    let pid = bad.pid().expect("a process");
    assert_eq!(bad.failure(), None);
    let crashed = CallError::Crashed("its process was ended by signal 6 (SIGABRT)".into());
    assert!(crashed.is_fault());
    assert_eq!(bad.templates(&Turn::default()), Err(crashed.clone()));
    assert_eq!(bad.templates(&Turn::default()), Err(crashed.clone()));
    assert_eq!(bad.failure(), Some(crashed));
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn an_end_between_two_calls_is_seen() {
    let place = Place::apart();
    let (_set, bad) = open(&place, &[]);
    let pid = i32::try_from(bad.pid().expect("a process")).expect("a pid");
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("ours");
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while bad.failure().is_none() {
        assert!(std::time::Instant::now() < deadline, "nobody saw it");
        std::thread::yield_now();
    }
    let killed = CallError::Crashed("its process was ended by signal 9 (SIGKILL)".into());
    assert_eq!(bad.failure(), Some(killed));
}

#[test]
fn a_hang_is_ended_after_the_time_that_is_set() {
    let place = Place::apart();
    let (_set, bad) = open(&place, &["-DIN_CALL=for (;;)"]);
    bad.set_timeout(Duration::from_millis(200));
    let words = "it gave no answer within 200 ms, and its process was killed";
    assert_eq!(
        bad.receive(&webhook("")).expect_err("hangs"),
        CallError::Crashed(words.into())
    );
}

#[test]
fn a_panic_opens_it_anew_in_another_process() {
    let place = Place::apart();
    let flag = "-DIN_CALL=if (op == TL_OP_TEMPLATES) return put(out, TL_PANIC, \"oh\")";
    let (_set, bad) = open(&place, &[flag]);
    let first = bad.pid().expect("a process");
    let turn = Turn::default();
    assert_eq!(bad.templates(&turn), Err(CallError::Panic("oh".into())));
    assert_eq!((bad.pid(), bad.failure()), (None, None));
    assert!(matches!(bad.probe(&turn), Err(CallError::Garbage(_))));
    assert_ne!(bad.pid().expect("a process"), first);
}

#[test]
fn a_file_that_describes_itself_badly_is_refused_in_words() {
    let cases = [
        (
            "-DIN_DESCRIBE=abort()",
            "can't be loaded and described: its process was ended by signal 6 (SIGABRT)",
        ),
        (
            "-DIN_LOAD=_exit(3)",
            "can't be loaded and described: its process ended itself with exit code 3",
        ),
        (
            "-DIN_DESCRIBE=socket(AF_INET, SOCK_STREAM, 0)",
            "can't be loaded and described: it opened a socket (socket), which a plugin must not do, \
             and its process was ended",
        ),
        (
            "-DIN_DESCRIBE=for (;;)",
            "can't be loaded and described: it gave no answer within 300 ms, and its process was killed",
        ),
        (
            "-DMANIFEST=\"[]\"",
            "its manifest can't be read: the plugin answered garbage",
        ),
        ("-DSIZE=8", "its table has 8 bytes, ABI 1 has 64"),
    ];
    for (flag, words) in cases {
        let mut place = Place::apart();
        if flag.contains("for (;;)") {
            place.options.call_timeout = Duration::from_millis(300);
        }
        place.build_bad("bad.so", &[flag]);
        let set = place.scan();
        let refused = set.refused().first().expect("refused");
        assert!(refused.reason.starts_with(words), "{}", refused.reason);
        assert!(set.get("bad").is_none());
    }
}

#[test]
fn without_a_program_for_processes_nothing_is_opened_instead() {
    let place = Place::new();
    place.build_bad("bad.so", &[]);
    let plugin = place.scan().get("bad").expect("loads");
    match plugin.open_in("here", &json!({}), &APART) {
        Err(OpenError::Fault { error, .. }) => assert_eq!(
            error.to_string(),
            "the plugin failed in its process: this program can't start a process for it"
        ),
        other => panic!("{other:?}"),
    }
}
