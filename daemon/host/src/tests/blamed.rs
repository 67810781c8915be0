//! Plugins that end their process: it dies as it would have, and the next start knows whose code it was.
//!
//! The process that dies is this test program, started again for one ignored test.

use std::{
    env,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    sync::Arc,
};

use serde_json::json;

use super::{Place, webhook};
use crate::{Aftermath, PluginOptions, PluginSet, Quarantine};

const PLUGINS: &str = "TRUNKLINE_TEST_PLUGINS";
const STATE: &str = "TRUNKLINE_TEST_STATE";
const HOW: &str = "TRUNKLINE_TEST_HOW";

/// The process that dies: loads what is in the folder, opens it, calls it, closes it.
#[test]
#[ignore = "started by the other tests, in a process of its own"]
fn victim() {
    let of = |name| env::var(name).expect("set by the test that starts this one");
    let state = PathBuf::from(of(STATE));
    let (quarantine, _) = Quarantine::begin(&state, 0);
    let options = PluginOptions {
        paths: vec![of(PLUGINS).into()],
        state,
        output_bytes_max: 64 * 1024,
        quarantine: Arc::new(quarantine),
        ..PluginOptions::default()
    };
    let how = of(HOW);
    let set = PluginSet::scan(&options, None);
    let plugin = set.get("bad").expect("it is there until it crashes");
    let (instance, _) = plugin.open("sms_a", &json!({})).expect("it opens");
    if how == "daemon" {
        std::process::abort();
    }
    if how == "outside" {
        // While the plugin is being called on another thread, as a service manager's watchdog may.
        let busy = instance.clone();
        std::thread::spawn(move || busy.receive(&webhook("pause")));
        let me = std::process::id().to_string();
        let _ = Command::new("kill").args(["-s", "ABRT", &me]).status();
        std::thread::park();
    }
    let answer = instance.receive(&webhook(how.as_str()));
    assert!(answer.is_ok(), "{answer:?}");
}

fn run_victim(place: &Place, how: &str) -> ExitStatus {
    let this = env::current_exe().expect("the test program's own path");
    Command::new(this)
        .args(["--exact", "tests::blamed::victim", "--ignored"])
        .env(PLUGINS, place.folder())
        .env(STATE, &place.options.state)
        .env(HOW, how)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the test program starts")
}

/// What the next start finds.
fn next_start(place: &Place) -> (Quarantine, Aftermath) {
    let (quarantine, found) = Quarantine::begin(&place.options.state, 7);
    assert_eq!(found.troubles, [""; 0]);
    (quarantine, found)
}

#[test]
fn whoever_ends_the_process_is_in_quarantine_after_the_next_start() {
    let cases = [
        (
            "abort",
            libc::SIGABRT,
            "by SIGABRT in receive of channel sms_a",
        ),
        (
            "segv",
            libc::SIGSEGV,
            "by SIGSEGV in receive of channel sms_a",
        ),
        (
            "overflow",
            libc::SIGABRT,
            "by SIGSEGV in receive of channel sms_a",
        ),
        (
            "illegal",
            libc::SIGILL,
            "by SIGILL in receive of channel sms_a",
        ),
    ];
    for (how, signal, words) in cases {
        let mut place = Place::new();
        place.build_bad("bad.so", &["-DCALL=crash"]);
        let status = run_victim(&place, how);
        assert_eq!(
            status.signal(),
            Some(signal),
            "{how}: it dies as it would have"
        );
        let (quarantine, found) = next_start(&place);
        let reasons: Vec<_> = found.culprits.iter().map(|entry| &entry.reason).collect();
        assert_eq!(reasons, [&format!("it ended the daemon {words}")], "{how}");
        let culprit = &found.culprits[0];
        assert_eq!(
            (culprit.plugin.as_str(), culprit.version.as_str()),
            ("bad", "1.0.0")
        );
        assert_eq!((&culprit.channel, culprit.at_ms), (&None, 7));
        assert_eq!(quarantine.of_file(&culprit.sha256).as_ref(), Some(culprit));
        // It is told once, and holds on.
        let (quarantine, found) = next_start(&place);
        assert_eq!(found, Aftermath::default(), "{how}");
        place.options.quarantine = Arc::new(quarantine);
        let set = place.scan();
        assert!(set.get("bad").is_none(), "{how}");
        let why = set.why_missing("bad");
        assert!(
            why.contains("is quarantined: it ended the daemon"),
            "{how}: {why}"
        );
    }
}

#[test]
fn a_crash_while_it_is_loaded_described_or_closed_is_blamed_too() {
    let cases = [
        ("-DCRASH_IN_CONSTRUCTOR", "by SIGABRT in load"),
        ("-DCRASH_IN_DESCRIBE", "by SIGABRT in describe"),
        ("-DCRASH_IN_CLOSE", "by SIGABRT in close of channel sms_a"),
    ];
    for (flag, words) in cases {
        let place = Place::new();
        place.build_bad("bad.so", &["-DCALL=crash", flag]);
        assert_eq!(run_victim(&place, "fine").signal(), Some(libc::SIGABRT));
        let (_, found) = next_start(&place);
        assert_eq!(
            found.culprits[0].reason,
            format!("it ended the daemon {words}")
        );
        let once = format!("{flag}: a second start must not crash in it again");
        assert_eq!(run_victim(&place, "fine").signal(), None, "{once}");
    }
}

#[test]
fn calling_exit_ends_the_daemon_too() {
    let place = Place::new();
    place.build_bad("bad.so", &["-DCALL=crash"]);
    assert_eq!(run_victim(&place, "exit").code(), Some(0));
    let (_, found) = next_start(&place);
    let words = "it ended the daemon by calling exit in receive of channel sms_a";
    assert_eq!(found.culprits[0].reason, words);
}

#[test]
fn nobody_is_blamed_for_what_no_call_did() {
    for (how, told) in [("thread", 1), ("daemon", 1), ("outside", 0)] {
        let place = Place::new();
        place.build_bad("bad.so", &["-DCALL=crash"]);
        assert_eq!(
            run_victim(&place, how).signal(),
            Some(libc::SIGABRT),
            "{how}"
        );
        let (_, found) = next_start(&place);
        assert_eq!(found.culprits, [], "{how}");
        assert_eq!(found.unexplained.len(), told, "{how}: {found:?}");
        if told > 0 {
            assert!(
                found.unexplained[0].contains("nobody is blamed"),
                "{found:?}"
            );
        }
    }
}
