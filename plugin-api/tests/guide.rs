//! The author's guide can't lie: every block in it is read, compiled and run, and one of an unknown kind
//! is a fault. What needs the program itself (`sh` and `toml` of the README) is run by the end-to-end tests.

use std::{fs, path::Path, process::Command};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Deserializer, Value, json};
use trunkline_plugin_api::{
    AdapterError, Body, Content, ErrorClass, Event, Identity, Lookup, Manifest, Media, MediaRef,
    OutboundMessage, Probe, Receipt, Received, ReceivedRef, Reply, Request, Sent, Step, Template,
    TransportKind, Turn, WebhookRequest,
    testkit::{self, Kit, Run, case::Case},
    wire::{OpenInput, Opened},
};

#[path = "../template/rust/src/lib.rs"]
#[allow(unreachable_pub, reason = "it is the root of a crate")]
mod acme;
#[path = "guide/config.rs"]
mod config;
#[path = "guide/steps.rs"]
mod steps;
#[path = "guide/table.rs"]
mod table;

const DOCUMENTS: [(&str, &str); 4] = [
    ("README.md", include_str!("../README.md")),
    ("STEPS.md", include_str!("../STEPS.md")),
    ("C.md", include_str!("../C.md")),
    ("JSON.md", include_str!("../JSON.md")),
];

/// What is compiled and run here, under the names by which the guide shows it.
const SHOWN: [(&str, &str); 4] = [
    (
        "template/rust/src/lib.rs",
        include_str!("../template/rust/src/lib.rs"),
    ),
    ("tests/guide/config.rs", include_str!("guide/config.rs")),
    ("tests/guide/steps.rs", include_str!("guide/steps.rs")),
    ("tests/guide/table.rs", include_str!("guide/table.rs")),
];

/// A block of a document.
struct Block {
    document: &'static str,
    kind: &'static str,
    /// What stands behind the kind.
    of: &'static str,
    text: &'static str,
}

fn blocks() -> Vec<Block> {
    let mut all = Vec::new();
    for (document, text) in DOCUMENTS {
        let fences = text.lines().filter(|line| line.starts_with("```")).count();
        assert!(
            fences.is_multiple_of(2),
            "{document} has a block without an end"
        );
        for block in text.split("\n```").skip(1).step_by(2) {
            let (head, text) = block.split_once('\n').expect("a line with the kind");
            let (kind, of) = head.split_once(' ').unwrap_or((head, ""));
            all.push(Block {
                document,
                kind,
                of,
                text,
            });
        }
    }
    all
}

/// The blocks of a kind.
fn of_kind(kind: &str) -> Vec<Block> {
    let mut found = blocks();
    found.retain(|block| block.kind == kind);
    assert!(!found.is_empty(), "no block is {kind}");
    found
}

/// A member that the type does not know, or knows by another name, is lost on the way.
fn there_and_back<T: DeserializeOwned + Serialize>(json: &str) -> Result<(), String> {
    let written: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let read: T = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let again = serde_json::to_value(read).map_err(|error| error.to_string())?;
    if again == written {
        return Ok(());
    }
    Err(format!("it came back as {again}"))
}

/// JSON values, one after the other.
fn values(json: &str) -> Result<(), String> {
    let mut values = Deserializer::from_str(json).into_iter::<Value>();
    values.try_for_each(|value| value.map(drop).map_err(|error| error.to_string()))
}

#[test]
fn every_block_is_of_a_kind_that_is_tried() {
    for Block {
        document,
        kind,
        of,
        text,
    } in blocks()
    {
        let is_tried = match (document, kind) {
            // A picture: nothing that could be typed or compiled.
            (_, "text") => text.contains("──"),
            (_, "json") => true,
            (_, "rust") => SHOWN.iter().any(|(file, _)| *file == of),
            ("C.md", "c" | "sh") | ("README.md", "sh" | "toml") => of.is_empty(),
            _ => false,
        };
        assert!(
            is_tried,
            "{document} has a block of kind `{kind} {of}`:\n{text}"
        );
    }
}

#[test]
fn every_shape_is_what_the_types_say() {
    let shown = of_kind("json");
    for block in &shown {
        let result = match block.of {
            "AdapterError" => there_and_back::<AdapterError>(block.text),
            "Body" => there_and_back::<Body>(block.text),
            // Refuses by itself what it does not know.
            "Case" => serde_json::from_str::<Case>(block.text)
                .map(drop)
                .map_err(|error| error.to_string()),
            "Content" => there_and_back::<Content>(block.text),
            "Event" => there_and_back::<Event>(block.text),
            "Lookup" => there_and_back::<Lookup>(block.text),
            "Manifest" => there_and_back::<Manifest>(block.text),
            "Media" => there_and_back::<Media>(block.text),
            "OpenInput" => there_and_back::<OpenInput>(block.text),
            "Opened" => there_and_back::<Opened>(block.text),
            "OutboundMessage" => there_and_back::<OutboundMessage>(block.text),
            "Probe" => there_and_back::<Probe>(block.text),
            "Receipt" => there_and_back::<Receipt>(block.text),
            "Received" => there_and_back::<Received>(block.text),
            "ReceivedRef" => there_and_back::<ReceivedRef>(block.text),
            "Reply" => there_and_back::<Reply>(block.text),
            "Request" => there_and_back::<Request>(block.text),
            "Sent" => there_and_back::<Sent>(block.text),
            "Step" => there_and_back::<Step<Value>>(block.text),
            "Template" => there_and_back::<Template>(block.text),
            "Turn" => there_and_back::<Turn>(block.text),
            "WebhookRequest" => there_and_back::<WebhookRequest>(block.text),
            "" => values(block.text),
            _ => Err("an unknown shape".into()),
        };
        assert_eq!(
            result,
            Ok(()),
            "{} {}: {}",
            block.document,
            block.of,
            block.text
        );
    }
    assert!(
        shown.len() > 28,
        "{} shapes found in the guide",
        shown.len()
    );
}

#[test]
fn what_is_shown_in_rust_is_what_is_compiled() {
    for (file, source) in SHOWN {
        let blocks = of_kind("rust");
        let block = blocks.iter().find(|block| block.of == file);
        let block = block.unwrap_or_else(|| panic!("{file} is not shown"));
        assert_eq!(block.text.trim_end(), source.trim_end(), "{file}");
    }
    assert!(SHOWN[0].1.lines().count() < 100, "the template is short");
}

#[test]
fn the_plugin_in_c_is_built_by_its_command_and_called() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let [source, command] = [of_kind("c"), of_kind("sh")].map(|mut blocks| {
        blocks.retain(|block| block.document == "C.md");
        assert_eq!(blocks.len(), 1);
        blocks.remove(0).text
    });
    fs::write(folder.path().join("smallest.c"), source).expect("written");
    std::os::unix::fs::symlink(here.join("include"), folder.path().join("include"))
        .expect("linked");
    must_run(
        Command::new("sh")
            .args(["-euc", command])
            .current_dir(folder.path()),
    );
    assert!(folder.path().join("smallest.so").exists());
    let driver = folder.path().join("driver");
    let mut build = Command::new("cc");
    build
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(here.join("include"));
    build
        .arg("-o")
        .arg(&driver)
        .arg(here.join("tests/guide/driver.c"));
    must_run(build.arg(folder.path().join("smallest.c")));
    must_run(&mut Command::new(driver));
}

/// Nothing may be said either: a warning of the compiler is a fault of the guide.
fn must_run(command: &mut Command) {
    let output = command.output().expect("it can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{command:?}: {said}"
    );
}

fn courier() -> Kit<steps::Courier> {
    Kit::open(json!({"api_key": "made-up-api-key", "api_base": "https://courier.example"}))
}

fn with_file() -> OutboundMessage {
    let mut message = testkit::message("courier", "ada", "See this");
    message.content.media.push(Media {
        source: MediaRef {
            sha256: Some("0".repeat(64)),
            ..MediaRef::default()
        },
        ..Media::default()
    });
    message
}

fn paths(run: &Run<Receipt>) -> Vec<&str> {
    let requests = run.requests.iter().filter_map(|request| match request {
        Request::Http(http) => http.url.strip_prefix("https://courier.example"),
        _ => None,
    });
    requests.collect()
}

#[test]
fn the_steps_are_those_of_the_guide() {
    let token_given = || testkit::json_reply(200, &json!({"token": "for-one-call"}));
    let file = testkit::json_reply(200, &json!({"file": "f1"}));
    let accepted = || testkit::json_reply(200, &json!({"id": "m1"}));
    let all = [token_given(), file, token_given(), accepted()];
    let run = courier().send(&with_file(), all);
    assert_eq!(paths(&run), ["/token", "/files", "/token", "/messages"]);
    assert_eq!(run.outcome, Ok(Receipt::new("m1")));
    let cursors = json!(run.cursors).to_string();
    assert!(
        !cursors.contains("for-one-call"),
        "no token is saved: {cursors}"
    );
    let Request::Http(last) = &run.requests[3] else {
        panic!("HTTP")
    };
    let Body::Bytes { bytes } = &last.body else {
        panic!("bytes")
    };
    assert!(String::from_utf8_lossy(bytes).contains(r#""file":"f1""#));

    let text = testkit::message("courier", "ada", "Hello");
    let run = courier().send(&text, [token_given(), accepted()]);
    assert_eq!(paths(&run), ["/token", "/messages"]);
    // Restarts, as the table has them.
    for cursor in [&run.cursors[0], &json!({"asked": "token_to_upload"})] {
        let again = courier().send_from(&text, cursor.clone(), [token_given(), accepted()]);
        assert_eq!(paths(&again), ["/token", "/messages"], "{cursor}");
    }
    let unknown = courier().send_from(&text, run.cursors[1].clone(), []);
    assert_eq!(unknown.outcome, Err(AdapterError::unknown_outcome()));
    let upload = courier().send_from(
        &with_file(),
        json!({"asked": "upload"}),
        [testkit::reply(503, "")],
    );
    assert_eq!(paths(&upload), ["/token"], "from the beginning");
    // A file that the answer does not name: no text goes without its attachment.
    let unnamed = testkit::json_reply(200, &json!({"status": "stored"}));
    let run = courier().send(&with_file(), [token_given(), unnamed]);
    assert_eq!(paths(&run), ["/token", "/files"]);
    let error = run.outcome.expect_err("no file");
    assert_eq!(
        (error.class, error.code.as_str()),
        (ErrorClass::Bug, "no_file")
    );
    // A token whose answer was lost: surely no message.
    let silence = || testkit::transport(TransportKind::TimeoutAfterSend);
    let error = courier()
        .send(&text, [silence()])
        .outcome
        .expect_err("no answer");
    assert_eq!(error.class, ErrorClass::Transient);
    let error = courier()
        .send(&text, [token_given(), silence()])
        .outcome
        .expect_err("no answer");
    assert_eq!(error.class, ErrorClass::Ambiguous);
    assert_eq!(text.to, Identity::new("courier", "ada"));
}

#[test]
fn the_templates_cases_hold() {
    use trunkline_plugin_api::testkit::case::{CaseCall, read_channels};
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("template/fixtures");
    let channels = read_channels(&folder).unwrap_or_else(|error| panic!("{error}"));
    let [channel] = channels.as_slice() else {
        panic!("one channel")
    };
    let kit = Kit::<acme::Acme>::open(channel.config.clone());
    assert!(channel.cases.len() >= 7);
    for named in &channel.cases {
        match &named.case.call {
            CaseCall::Receive(case) => assert_eq!(
                kit.receive(&case.request),
                case.want,
                "{}",
                named.case.about
            ),
            CaseCall::Steps(case) => {
                let replies = case.turns.iter().map(|turn| turn.reply.clone());
                let requests: Vec<_> = case.turns.iter().map(|turn| turn.request.clone()).collect();
                let (asked, outcome) = if case.op.as_str() == "probe" {
                    let run = kit.probe(replies);
                    (run.requests, run.outcome.map(|probe| json!(probe)))
                } else {
                    let message =
                        serde_json::from_value(case.input["message"].clone()).expect("a message");
                    let run = kit.send_from(&message, case.cursor.clone(), replies);
                    (run.requests, run.outcome.map(|receipt| json!(receipt)))
                };
                assert_eq!(
                    (asked, outcome),
                    (requests, case.want.clone()),
                    "{}",
                    named.case.about
                );
            }
        }
    }
}

#[test]
fn the_header_has_the_numbers_of_the_crate() {
    use trunkline_plugin_api::wire::{ABI_MAJOR, ABI_MINOR, MAGIC, Op};

    let header = include_str!("../include/trunkline_plugin.h");
    let mut wanted = vec![
        format!("#define TL_MAGIC UINT64_C({MAGIC:#018X})").replace("0X", "0x"),
        format!("#define TL_ABI_MAJOR {ABI_MAJOR}u"),
        format!("#define TL_ABI_MINOR {ABI_MINOR}u"),
    ];
    wanted.extend(Op::ALL.map(|op| {
        let name = op.as_str().to_uppercase();
        format!("    TL_OP_{name} = {}", op.number())
    }));
    for line in wanted {
        assert!(header.contains(&line), "{line}");
    }
}
