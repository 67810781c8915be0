//! The author's guide can't lie: every JSON shape in it is read and written again.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError, Body, Content, Event, Lookup, Manifest, Media, OutboundMessage, Probe, Receipt,
    Received, ReceivedRef, Reply, Request, Sent, Step, Template, Turn, WebhookRequest,
    wire::{OpenInput, Opened},
};

const GUIDE: &str = include_str!("../README.md");

/// The blocks of the guide: what stands behind the three back-ticks, and the text.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let fenced = GUIDE.split("\n```").skip(1).step_by(2);
    fenced
        .map(|block| block.split_once('\n').expect("a line with the language"))
        .collect()
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

#[test]
fn every_shape_is_what_the_types_say() {
    let mut seen = 0;
    for (language, json) in blocks() {
        let Some(shape) = language.strip_prefix("json ") else {
            continue;
        };
        seen += 1;
        let result = match shape {
            "AdapterError" => there_and_back::<AdapterError>(json),
            "Body" => there_and_back::<Body>(json),
            "Content" => there_and_back::<Content>(json),
            "Event" => there_and_back::<Event>(json),
            "Lookup" => there_and_back::<Lookup>(json),
            "Manifest" => there_and_back::<Manifest>(json),
            "Media" => there_and_back::<Media>(json),
            "OpenInput" => there_and_back::<OpenInput>(json),
            "Opened" => there_and_back::<Opened>(json),
            "OutboundMessage" => there_and_back::<OutboundMessage>(json),
            "Probe" => there_and_back::<Probe>(json),
            "Receipt" => there_and_back::<Receipt>(json),
            "Received" => there_and_back::<Received>(json),
            "ReceivedRef" => there_and_back::<ReceivedRef>(json),
            "Reply" => there_and_back::<Reply>(json),
            "Request" => there_and_back::<Request>(json),
            "Sent" => there_and_back::<Sent>(json),
            "Step" => there_and_back::<Step<Value>>(json),
            "Template" => there_and_back::<Template>(json),
            "Turn" => there_and_back::<Turn>(json),
            "WebhookRequest" => there_and_back::<WebhookRequest>(json),
            _ => Err("an unknown shape".into()),
        };
        assert_eq!(result, Ok(()), "{shape}: {json}");
    }
    assert!(seen > 25, "{seen} shapes found in the guide");
}

#[test]
fn the_example_is_the_one_that_is_built() {
    let example = include_str!("../examples/acme.rs");
    let (_, shown) = blocks()
        .into_iter()
        .find(|(language, _)| *language == "rust")
        .expect("an example");
    assert_eq!(shown.trim_end(), example.trim_end());
    assert!(example.lines().count() < 100, "under a hundred lines");
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
