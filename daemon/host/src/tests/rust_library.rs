//! Real Rust libraries, built apart from this process: panics that unwind inside them, and the
//! guide's example.

use std::{fs, path::PathBuf, sync::OnceLock};

use serde_json::json;
use trunkline_plugin_api::{Event, ReceivedRef, Turn, sign, wire::Op};

use super::{Place, examples_of, set_mode, webhook};
use crate::{CallError, OpenError};

/// The folder of the interface crate's example libraries, built once.
fn examples() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| examples_of("trunkline-plugin-api"))
}

fn place_with(example: &str) -> Place {
    let place = Place::new();
    let file = format!("lib{example}.so");
    let to = place.folder().join(&file);
    fs::copy(examples().join(&file), &to).expect("a built example");
    set_mode(&to, 0o644);
    place
}

#[test]
fn a_panic_ends_one_call() {
    let place = place_with("panics");
    let plugin = place.scan().get("panics").expect("loads");
    let (instance, _) = plugin.open("here", &json!({})).expect("opens");
    let cases = [
        ("str", "plain words"),
        ("string", "POST words"),
        ("other", "a panic without words"),
    ];
    for (body, words) in cases {
        let error = instance.receive(&webhook(body)).expect_err("a panic");
        assert_eq!(error, CallError::Panic(words.into()));
        let received = instance.receive(&webhook("fine")).expect("opened anew");
        assert_eq!(received.response.status, 200);
    }
}

#[test]
fn a_panic_in_any_call_ends_that_call() {
    let place = place_with("panics");
    let plugin = place.scan().get("panics").expect("loads");
    for op in Op::ALL {
        let config = json!({"in_calls": [op.as_str()]});
        let (instance, _) = plugin.open("here", &config).expect("opens");
        let turn = Turn::default();
        let (message, sent, media) = Default::default();
        let error = match op {
            Op::Receive => instance.receive(&webhook("fine")).err(),
            Op::Send => instance.send(&message, &turn).err(),
            Op::Probe => instance.probe(&turn).err(),
            Op::DeliveryStatus => instance.delivery_status(&sent, &turn).err(),
            Op::FindSent => instance.find_sent(&message, &turn).err(),
            Op::ListInbound => instance.list_inbound(0, &turn).err(),
            Op::Templates => instance.templates(&turn).err(),
            Op::FetchMedia => instance.fetch_media(&media, &turn).err(),
            Op::MarkRead => instance.mark_read(&ReceivedRef::default(), &turn).err(),
            Op::Complete => instance.complete(&json!({}), &turn).err(),
        };
        let words = format!("told to panic in {}", op.as_str());
        assert_eq!(error, Some(CallError::Panic(words)));
        if op != Op::Probe {
            instance.probe(&turn).expect("opened anew");
        }
    }
}

#[test]
fn a_panic_while_opening_or_closing_ends_nothing() {
    let place = place_with("panics");
    let plugin = place.scan().get("panics").expect("loads");
    let error = plugin
        .open("here", &json!({"on_open": true}))
        .expect_err("a panic");
    let channel = "here".to_owned();
    let panic = CallError::Panic("opened".into());
    assert_eq!(
        error,
        OpenError::Fault {
            channel,
            error: panic
        }
    );
    let (instance, _) = plugin
        .open("here", &json!({"on_close": true}))
        .expect("opens");
    drop(instance);
}

#[test]
fn the_guides_example_works() {
    let place = place_with("acme");
    let plugin = place.scan().get("acme").expect("loads");
    assert_eq!(plugin.manifest().name, "Acme");
    assert_eq!(plugin.version(), env!("CARGO_PKG_VERSION"));
    let required = &plugin.manifest().config_schema["required"];
    assert_eq!(required, &json!(["token", "api_base"]));

    let config = json!({"token": "t0ken", "api_base": "https://api.example.org"});
    let (instance, facts) = plugin.open("acme_sms", &config).expect("opens");
    assert!(facts.can_receive);
    let mut request = webhook(r#"{"id":"1","from":"+15550100","text":"hello"}"#);
    let mac = sign::hmac_sha256(b"t0ken", &request.body);
    request
        .headers
        .push(("x-acme-signature".into(), sign::hex(&mac)));
    let received = instance.receive(&request).expect("sound");
    assert!(
        matches!(received.events.as_slice(), [Event::Message(message)] if message.id == "1"),
        "{received:?}"
    );
}

#[test]
fn a_configuration_is_refused_without_quoting_it() {
    let place = place_with("acme");
    let plugin = place.scan().get("acme").expect("loads");
    let config = json!({"token": 12_345_678, "api_base": "https://api.example.org"});
    let words = plugin
        .open("acme_sms", &config)
        .expect_err("not a text")
        .to_string();
    assert!(
        words.contains("acme_sms") && words.contains("expected a string"),
        "{words}"
    );
    assert!(!words.contains("12345678"), "{words}");
}
