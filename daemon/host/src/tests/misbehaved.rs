//! A library that loads and then answers badly: each call fails for itself, the daemon lives.

use std::{io, sync::Arc};

use parking_lot::Mutex;
use serde_json::json;
use trunkline_plugin_api::{MediaRef, OutboundMessage, ReceivedRef, Sent, Turn};

use super::{Place, webhook};
use crate::{CallError, Instance, OpenError, PluginSet};

fn open(place: &Place) -> Instance {
    place.build_bad("bad.so", &[]);
    let plugin = place.scan().get("bad").expect("loads");
    let (instance, facts) = plugin.open("here", &json!({})).expect("opens");
    assert!(facts.can_receive && facts.can_send);
    instance
}

/// The error of a call that must fail.
fn error<T: std::fmt::Debug>(result: Result<T, CallError>) -> CallError {
    result.expect_err("a bad answer")
}

#[test]
fn every_bad_answer_is_an_error() {
    every_bad_answer_of(&open(&Place::new()));
}

/// Asks the plugin for everything.
pub(super) fn every_bad_answer_of(bad: &Instance) {
    let (turn, message) = (Turn::default(), OutboundMessage::default());
    let cases = [
        (
            error(bad.receive(&webhook(""))),
            "the plugin answered garbage: part 0 is not the JSON of Received: \
             EOF while parsing an object at line 1 column 22",
        ),
        (
            error(bad.send(&message, &turn)),
            "the plugin's answer is larger than allowed",
        ),
        (
            error(bad.probe(&turn)),
            "the plugin answered garbage: it returned 77, which is no return code",
        ),
        (
            error(bad.delivery_status(&Sent::default(), &turn)),
            "the plugin panicked: last words",
        ),
        (
            error(bad.find_sent(&message, &turn)),
            "the plugin answered garbage: part 0 says 255 bytes, 2 follow",
        ),
        (
            error(bad.list_inbound(0, &turn)),
            "the plugin answered garbage: part 0 is missing",
        ),
        (error(bad.templates(&turn)), "the plugin has no such call"),
        (
            error(bad.fetch_media(&MediaRef::default(), &turn)),
            "the plugin did not understand the call: what?",
        ),
        (
            error(bad.mark_read(&ReceivedRef::default(), &turn)),
            "the plugin's answer is larger than allowed",
        ),
    ];
    for (error, words) in cases {
        assert_eq!(error.to_string(), words);
    }
}

/// What `tracing` writes, kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_log_line_is_bounded_and_stays_one_line() {
    a_log_line_of(&open(&Place::new()));
}

/// Has the plugin write a line that is too long, and looks at what came of it.
pub(super) fn a_log_line_of(bad: &Instance) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        error(bad.delivery_status(&Sent::default(), &Turn::default()));
    });
    let written = String::from_utf8(log.0.lock().clone()).expect("UTF-8");
    let line = written
        .lines()
        .find(|line| line.contains("trunkline::plugin:"))
        .expect("a line of the plugin");
    for part in [
        "plugin=bad",
        "channel=here",
        "plugin_target=\"bad\"",
        "x \u{fffd} ",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(line.len() < 3000, "{} bytes", line.len());
}

#[test]
fn a_channel_without_handle_is_not_open() {
    let place = Place::new();
    place.build_bad("bad.so", &[]);
    let plugin = place.scan().get("bad").expect("loads");
    let refused = plugin
        .open("here", &json!({"x": "no handle"}))
        .expect_err("no handle");
    let garbage = CallError::Garbage("open gave facts but no handle".into());
    let channel = "here".to_owned();
    assert_eq!(
        refused,
        OpenError::Fault {
            channel,
            error: garbage
        }
    );
}

#[test]
fn an_image_is_loaded_once_and_replaced_while_in_use() {
    let place = Place::new();
    let old = open(&place);
    let first = place.scan();
    let again = PluginSet::scan(&place.options, Some(&first));
    let sha256 = |set: &PluginSet| set.get("bad").expect("loads").sha256().to_owned();
    assert_eq!(sha256(&first), sha256(&again));

    // The path is overwritten in place: the private copy is what is mapped.
    place.build_bad("bad.so", &["-DSIZE=4096"]);
    let new = PluginSet::scan(&place.options, Some(&again));
    assert_ne!(sha256(&again), sha256(&new));
    let (fresh, _) = new
        .get("bad")
        .expect("loads")
        .open("here", &json!({}))
        .expect("opens");
    for instance in [old, fresh] {
        assert!(matches!(
            instance.templates(&Turn::default()),
            Err(CallError::Unsupported)
        ));
    }
}

#[test]
fn a_damaged_private_copy_is_made_anew() {
    let place = Place::new();
    place.build_bad("bad.so", &["-DSIZE=72"]);
    let folder = place.options.state.join("plugins");
    let sha256 = place.scan().get("bad").expect("loads").sha256().to_owned();
    let copy = folder.join(format!("{sha256}.so"));
    let whole = std::fs::read(&copy).expect("the private copy");
    // By rename, as the file is mapped.
    let cut = folder.join("cut");
    std::fs::write(&cut, &whole[..100]).expect("ours");
    std::fs::rename(&cut, &copy).expect("ours");
    assert!(place.scan().get("bad").is_some());
    assert_eq!(std::fs::read(&copy).expect("the private copy"), whole);
}
