//! The schema is what the types say, and any line is read as it was written.

use proptest::prelude::*;
use serde_json::json;
use trunkline_plugin_api::{Content, Identity, Medium};

use super::{
    lines::{HistoryLine, Line, MessageLine, Time},
    take::{Splitter, TooLong, parse},
    to_lines,
};
use crate::model::{
    Author, AuthorKind, ChannelId, ContactId, Direction, MessageId, Place, Source, Status, ThreadId,
};

/// Where the schema lies, for people and converters.
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/export.schema.json");

#[test]
fn the_schema_is_that_of_the_types() {
    let schema = schemars::schema_for!(Line);
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(SCHEMA, &text).unwrap();
    }
    let known = std::fs::read_to_string(SCHEMA).unwrap_or_default();
    assert_eq!(
        known, text,
        "run this test with UPDATE_REFERENCE=1 and look at what changed"
    );
}

#[test]
fn every_type_of_line_is_described() {
    let text = include_str!("../../EXPORT.md");
    let schema = json!(schemars::schema_for!(Line));
    let types = schema["oneOf"].as_array().unwrap();
    assert!(types.len() >= 9);
    for one in types {
        let name = one["properties"]["type"]["const"].as_str().unwrap();
        assert!(text.contains(&format!("| `{name}` |")), "{name}");
    }
}

fn message(text: String, seq: u64, at_ms: i64, status: Status, history: usize) -> MessageLine {
    let place = Place { thread: 7, seq };
    let time = std::time::Duration::from_millis(at_ms.unsigned_abs());
    let entry = HistoryLine {
        status,
        at: Time(at_ms),
        source: Source::Callback,
        code: Some(text.clone()),
        detail: None,
        part: None,
        count: 2,
    };
    MessageLine {
        organization: "default".into(),
        id: MessageId::at(place, time),
        thread: ThreadId::numbered(7, time),
        channel: ChannelId::new("sms"),
        medium: Medium::Sms,
        direction: Direction::Outbound,
        contact: ContactId::from_bytes([7; 16]),
        peer: Identity::new("phone", text.clone()),
        author: Author {
            kind: AuthorKind::Agent,
            name: None,
        },
        content: Content::text(text),
        media_failures: Vec::new(),
        parts: Vec::new(),
        external_id: None,
        reply_to: None,
        reactions: Vec::new(),
        status,
        history: vec![entry; history],
        error: None,
        metadata: serde_json::Map::new(),
        created_at: Time(at_ms),
        provider_at: None,
    }
}

proptest! {
    #[test]
    fn a_line_is_read_as_it_was_written(
        text in any::<String>(),
        seq in 1_u64..4_000_000,
        at_ms in 0_i64..4_000_000_000_000,
        history in 0_usize..4,
        status in prop_oneof![Just(Status::Sent), Just(Status::Failed), Just(Status::Uncertain)],
    ) {
        let line = message(text, seq, at_ms, status, history);
        let written = serde_json::to_vec(&Line::Message(Box::new(line.clone()))).unwrap();
        prop_assert!(!written.contains(&b'\n'));
        let read = parse(&written).unwrap();
        prop_assert_eq!(&read, &Line::Message(Box::new(line.clone())));
        let kept = super::from_lines::message(line.clone());
        prop_assert_eq!(to_lines::message("default", kept), line);
    }

    #[test]
    fn lines_are_found_however_the_bytes_are_cut(
        lines in proptest::collection::vec("[a-z]{0,30}", 1..20),
        size in 1_usize..50,
    ) {
        let text = lines.join("\n");
        let mut splitter = Splitter::default();
        let mut found = Vec::new();
        for chunk in text.as_bytes().chunks(size) {
            splitter.push(chunk);
            while let Some(line) = splitter.next().unwrap() {
                found.push(String::from_utf8(line).unwrap());
            }
        }
        let last = splitter.finish().map_or_else(String::new, |rest| String::from_utf8(rest).unwrap());
        found.push(last);
        prop_assert_eq!(found, lines);
    }

    #[test]
    fn any_bytes_are_taken_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }
}

#[test]
fn a_line_without_end_is_refused_before_memory_is() {
    let mut splitter = Splitter::default();
    splitter.push(&vec![b'x'; super::take::LINE_BYTES_MAX + 1]);
    assert_eq!(splitter.next(), Err(TooLong));
}
