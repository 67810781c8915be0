//! A plugin that keeps to everything, and for each check one that breaks it and nothing else.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use tempfile::TempDir;
use trunkline_host::worker::{Program, VERB};

use crate::{Options, Outcome, Report, test};

fn here(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("src/tests")
        .join(path)
}

/// The example beside this crate, which is built with the tests.
fn program() -> Program {
    let test = std::env::current_exe().expect("the test itself");
    let profile = test.ancestors().nth(2).expect("a profile's folder");
    Program {
        path: profile.join("examples/kit"),
        arguments: vec![VERB.into()],
    }
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().expect("a temp folder"))
    }

    /// Builds the sample with flags, and says how to try it.
    fn sample(&self, flags: &[&str]) -> Options {
        let output = self.0.path().join("libsample.so");
        let cc = Command::new("cc")
            .args([
                "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared",
            ])
            .arg("-I")
            .arg(here("../../../../plugin-api/include"))
            .arg("-o")
            .args([&output, &here("sample.c")])
            .args(flags)
            .output()
            .expect("a C compiler named cc");
        assert!(
            cc.status.success(),
            "{flags:?}: {}",
            String::from_utf8_lossy(&cc.stderr)
        );
        let mut options = Options::new(output, program());
        options.fixtures = Some(here("fixtures"));
        options.output_bytes_max = 64 * 1024;
        options
    }
}

fn failed(report: &Report) -> Vec<&'static str> {
    let checks = report.checks.iter();
    let failed = checks.filter(|check| check.outcome == Outcome::Failed);
    failed.map(|check| check.id).collect()
}

fn words(report: &Report, id: &str) -> String {
    let check = report.check(id).expect("there is this check");
    check.failures.join("\n")
}

#[test]
fn the_sound_one_passes() {
    let place = Place::new();
    let report = test(&place.sample(&["-DEXTRA"]));
    assert_eq!(report.count(Outcome::Passed), 21, "{report}");
    let exports = report.check("exports").expect("a check");
    assert!(exports.warnings[0].contains("an_extra_symbol"), "{report}");
    assert_eq!(failed(&report), Vec::<&str>::new(), "{report}");
    assert!(
        report.passed && report.cases == 2 && report.channels == 2,
        "{report}"
    );
    let json = serde_json::to_value(&report).expect("plain values");
    assert_eq!(json["checks"][0]["id"], "file");
    assert_eq!(json["checks"][0]["outcome"], "passed");
    assert_eq!(json["id"], "sample");
}

/// Check, flags of the flaw, words of the failure.
const FLAWS: [(&str, &[&str], &str); 17] = [
    (
        "abi",
        &["-DNOTE_VERSION=\"2.0.0\""],
        "the note says sample 2.0.0, the manifest sample 1.0.0",
    ),
    (
        "exports",
        &["-Dtl_adapter_entry_v1=tl_adapter_entry_v2"],
        "exports tl_adapter_entry_v2, not",
    ),
    (
        "libraries",
        &["-Wl,--no-as-needed", "-lresolv"],
        "needs libresolv.so.2",
    ),
    ("load", &["-DMAGIC=1"], "not with the magic"),
    (
        "manifest",
        &[r#"-DCAPABILITIES="\"receive\",\"fly\"""#],
        "a capability that this version does not know",
    ),
    ("schema", &["-DCLOSED="], "a key that there is not"),
    (
        "fixtures",
        &["-DTEXT=\"bye\""],
        "/events/0/content/text: wanted \"hello\", came \"bye\"",
    ),
    (
        "determinism",
        &["-DON_RECEIVE=blanks = getpid() % 200"],
        "in another process other bytes",
    ),
    (
        "concurrency",
        &[
            "-DON_RECEIVE=static pthread_t first; if (!first) first = pthread_self(); \
           blanks = !pthread_equal(first, pthread_self())",
        ],
        "answered differently",
    ),
    (
        "restart",
        &["-DRESTARTED=\"\""],
        "asks for the same request again",
    ),
    (
        "tampering",
        &["-DGENUINE(right, body)=(right || has(input, \"x-signature\"))"],
        "was taken as genuine",
    ),
    (
        "mutation",
        &["-DON_RECEIVE=if (has(input, \"x-huge\")) abort()"],
        "SIGABRT",
    ),
    (
        "misuse",
        &["-DUNKNOWN=TL_BAD_INPUT"],
        "returned 3, it must return 2",
    ),
    (
        "struct_size",
        &["-DKNOWS_HOST(size)=((size) == sizeof(tl_host))"],
        "a later host has more fields",
    ),
    (
        "limits",
        &["-DON_RECEIVE=while (body.len > 100000 && out->write(out->ctx, body.ptr, 4096) == 0)"],
        "more than 65536 bytes",
    ),
    (
        "purity",
        &["-DON_RECEIVE=if (open(\"/etc/hostname\", O_RDONLY) > 0) abort()"],
        "opened a file (openat), in receive",
    ),
    (
        "canary",
        &[
            "-DON_RECEIVE=tl_bytes line = {(const uint8_t *)handle->secret, strlen(handle->secret)}; \
           handle->host->log(handle->host->ctx, 3, line, line)",
        ],
        "shows in a log line of",
    ),
];

#[test]
fn every_flaw_is_found_by_its_check_alone() {
    for (id, flags, expected) in FLAWS {
        let place = Place::new();
        let report = test(&place.sample(flags));
        assert_eq!(failed(&report), [id], "{flags:?}: {report}");
        assert!(words(&report, id).contains(expected), "{id}: {report}");
    }
}

#[test]
fn what_the_file_says_is_found() {
    let place = Place::new();
    let mut options = place.sample(&[]);
    options.glibc_max = (2, 1);
    let report = test(&options);
    assert_eq!(failed(&report), ["glibc"], "{report}");
    let whole = fs::read(&options.file).expect("just built");
    fs::write(&options.file, &whole[..whole.len() / 2]).expect("our own file");
    let report = test(&options);
    assert_eq!(failed(&report), ["file"], "{report}");
    fs::remove_file(&options.file).expect("our own file");
    assert!(words(&test(&options), "file").contains("can't be read"));
}

#[test]
fn an_executable_stack_is_found() {
    let place = Place::new();
    let report = test(&place.sample(&["-Wl,-z,execstack", "-Wl,--no-warn-execstack"]));
    assert!(
        words(&report, "hardening").contains("a stack that may be run"),
        "{report}"
    );
}

#[test]
fn what_hangs_is_ended_and_named() {
    let place = Place::new();
    let mut options = place.sample(&["-DON_RECEIVE=while (has(input, \"x-huge\"))"]);
    options.timeout = Duration::from_millis(700);
    let report = test(&options);
    assert_eq!(failed(&report), ["mutation"], "{report}");
    assert!(
        words(&report, "mutation").contains("gave no answer within 700 ms"),
        "{report}"
    );
}

#[test]
fn a_call_that_takes_long_is_found_and_named() {
    let place = Place::new();
    let slow = "-DON_RECEIVE=static int slow; time_t end = time(NULL) + 3; \
                if (body.len > 100000 && !slow++) while (time(NULL) < end)";
    let report = test(&place.sample(&[slow]));
    assert_eq!(failed(&report), ["limits"], "{report}");
    let told = words(&report, "limits");
    assert!(
        told.starts_with("receive of ") && told.contains("a call may take 2 s"),
        "{report}"
    );
}

#[test]
fn a_channel_that_does_not_open_and_cases_that_are_none() {
    let place = Place::new();
    let mut options = place.sample(&[]);
    let folder = place.0.path().join("other");
    fs::create_dir(&folder).expect("a new folder");
    fs::write(
        folder.join("config.json"),
        r#"{"secret": "made up, too", "broken": true}"#,
    )
    .expect("ours");
    options.fixtures = Some(folder.clone());
    let report = test(&options);
    assert_eq!(failed(&report), ["open"], "{report}");
    assert!(
        words(&report, "open").contains("There is no secret"),
        "{report}"
    );
    fs::write(folder.join("case.json"), r#"{"about": "", "recieve": {}}"#).expect("ours");
    let report = test(&options);
    assert!(
        words(&report, "open").contains("unknown field `recieve`"),
        "{report}"
    );
}

#[test]
fn what_was_never_run_proves_nothing() {
    let place = Place::new();
    let mut options = place.sample(&["-DMAGIC=1"]);
    let purity = |report: &Report| report.check("purity").expect("a check").clone();
    let report = test(&options);
    assert_eq!(purity(&report).outcome, Outcome::Skipped, "{report}");
    let why = purity(&report).reason.unwrap_or_default();
    assert!(why.contains("nothing was run"), "{report}");
    options.program.path = "/nonexistent/trunkline".into();
    let report = test(&options);
    assert_eq!(failed(&report), ["load"], "{report}");
    let told = words(&report, "load");
    assert!(told.contains("this machine can't start"), "{report}");
    assert_eq!(purity(&report).outcome, Outcome::Skipped, "{report}");
}

#[test]
fn without_fixtures_the_rest_is_tried() {
    let place = Place::new();
    let mut options = place.sample(&[]);
    options.fixtures = None;
    let report = test(&options);
    assert_eq!(failed(&report), Vec::<&str>::new(), "{report}");
    assert!(
        report.notes[0].contains("no fixtures were found"),
        "{report}"
    );
    let skipped = report.check("tampering").expect("a check");
    assert_eq!(skipped.outcome, Outcome::Skipped);
}
