//! Reading events in one pass: what serde derives for a tag and for a flattened member keeps every value
//! aside first, which takes longer than all the rest of a call.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Value};

use super::{Consent, Event, InboundMessage, Note, Reaction, StatusReport, TemplateUpdate};
use crate::Identity;

/// The member that says what an event is.
const TAG: &str = "type";

/// A name in an event's object.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    Type,
    Other(String),
}

/// What an event is.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Message,
    Status,
    Reaction,
    Template,
    Consent,
    Note,
}

impl Kind {
    /// Reads the object's other members.
    fn read<'de, D: Deserializer<'de>>(self, members: D) -> Result<Event, D::Error> {
        match self {
            Self::Message => InboundMessage::deserialize(members).map(Event::Message),
            Self::Status => StatusReport::deserialize(members).map(Event::Status),
            Self::Reaction => Reaction::deserialize(members).map(Event::Reaction),
            Self::Template => TemplateUpdate::deserialize(members).map(Event::Template),
            Self::Consent => Consent::deserialize(members).map(Event::Consent),
            Self::Note => Note::deserialize(members).map(Event::Note),
        }
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an event, an object with a type")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
        match map.next_key()? {
            // The first member as we write it: the others are read where they go.
            Some(Member::Type) => {
                let kind: Kind = map.next_value()?;
                kind.read(MapAccessDeserializer::new(map))
            }
            Some(Member::Other(name)) => read_later(name, map),
            None => Err(Error::missing_field(TAG)),
        }
    }
}

/// Reads an event whose tag is somewhere behind the member `name`.
fn read_later<'de, A: MapAccess<'de>>(name: String, mut map: A) -> Result<Event, A::Error> {
    let mut members = Map::new();
    members.insert(name, map.next_value()?);
    let mut kind = None;
    while let Some(member) = map.next_key()? {
        match member {
            Member::Type if kind.is_some() => return Err(Error::duplicate_field(TAG)),
            Member::Type => kind = Some(map.next_value::<Kind>()?),
            Member::Other(name) => {
                if members.contains_key(&name) {
                    return Err(Error::custom(format_args!("duplicate field `{name}`")));
                }
                members.insert(name, map.next_value()?);
            }
        }
    }
    let kind = kind.ok_or_else(|| Error::missing_field(TAG))?;
    kind.read(Value::Object(members)).map_err(Error::custom)
}

/// Reads a list of events. Nearly always there is one, and an event is large: a list that grows from there
/// takes less memory than one that has room for four at once.
pub(crate) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Event>, D::Error> {
    deserializer.deserialize_seq(ListVisitor)
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = Vec<Event>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<Event>, A::Error> {
        let mut events = Vec::new();
        while let Some(event) = items.next_element()? {
            if events.is_empty() {
                events.reserve_exact(1);
            }
            events.push(event);
        }
        Ok(events)
    }
}

/// A sender as it is written.
#[derive(Deserialize)]
pub(super) struct Sender {
    space: String,
    identifier: String,
    #[serde(default)]
    also: Vec<Identity>,
    #[serde(default)]
    name: Option<String>,
}

impl From<Sender> for super::Sender {
    fn from(sender: Sender) -> Self {
        let Sender {
            space,
            identifier,
            also,
            name,
        } = sender;
        Self {
            identity: Identity { space, identifier },
            also,
            name,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{ConsentChange, ReportedStatus};

    fn one_of_each() -> Vec<Event> {
        let ada = Identity::new("phone", "+15550100");
        let sender = super::super::Sender {
            also: vec![Identity::new("email", "ada@example.org")],
            name: Some("Ada".into()),
            identity: ada.clone(),
        };
        let mut message = InboundMessage::text("m1", ada.clone(), "Hello \"you\"\n");
        message
            .metadata
            .insert("type".into(), json!({"type": [1, -2, 0.5, null]}));
        message.sender = sender.clone();
        let report = json!({"external_id": "x", "status": "delivered"});
        let update = json!({"id": "t", "name": "welcome", "status": "APPROVED"});
        vec![
            Event::Message(message),
            Event::Status(serde_json::from_value(report).expect("a report")),
            Event::Reaction(Reaction {
                id: "r".into(),
                target: "m1".into(),
                address: None,
                sender,
                emoji: "+".into(),
                sent_at_ms: Some(-1),
            }),
            Event::Template(serde_json::from_value(update).expect("an update")),
            Event::Consent(Consent {
                identity: ada,
                address: None,
                change: ConsentChange::OptOut,
                source: None,
            }),
            Event::Note(Note {
                kind: "quality".into(),
                data: json!({"type": "inner"}),
            }),
        ]
    }

    #[test]
    fn each_event_is_read_wherever_its_type_stands() {
        for event in one_of_each() {
            let Value::Object(object) = serde_json::to_value(&event).expect("JSON") else {
                panic!("an event is an object");
            };
            assert_eq!(object.keys().next().map(String::as_str), Some(TAG));
            for at in 0..object.len() {
                let mut members: Vec<_> = object.clone().into_iter().collect();
                let tag = members.remove(0);
                members.insert(at, tag);
                let moved = Value::Object(members.into_iter().collect()).to_string();
                let read: Event = serde_json::from_str(&moved).expect("an event");
                assert_eq!(read, event, "{moved}");
            }
        }
    }

    #[test]
    fn a_sender_is_one_object() {
        let json = json!({"space": "phone", "identifier": "1", "name": "Ada", "later": {"a": 1}});
        let sender: super::super::Sender = serde_json::from_value(json).expect("a sender");
        let written = serde_json::to_string(&sender).expect("JSON");
        assert_eq!(
            written,
            r#"{"space":"phone","identifier":"1","name":"Ada"}"#
        );
    }

    #[test]
    fn what_is_no_event_is_refused_in_words() {
        let cases = [
            ("{}", "missing field `type`"),
            (r#"{"id": "x"}"#, "missing field `type`"),
            (r#"{"type": "other"}"#, "unknown variant `other`"),
            (
                r#"{"id": "x", "type": "status"}"#,
                "missing field `external_id`",
            ),
            (
                r#"{"type": "status", "external_id": "x"}"#,
                "missing field `status`",
            ),
            (
                r#"{"id": 1, "type": "note", "type": "note"}"#,
                "duplicate field `type`",
            ),
            (
                r#"{"kind": "a", "kind": "b", "type": "note"}"#,
                "duplicate field `kind`",
            ),
            (
                r#"{"type": "note", "kind": "a", "kind": "b"}"#,
                "duplicate field `kind`",
            ),
            ("[]", "invalid type: sequence, expected an event"),
        ];
        for (json, words) in cases {
            let error = serde_json::from_str::<Event>(json).expect_err("no event");
            assert!(error.to_string().starts_with(words), "{json}: {error}");
        }
        let status = r#"{"type":"status","external_id":"x","status":"read","later":true}"#;
        let Ok(Event::Status(report)) = serde_json::from_str(status) else {
            panic!("a status with a member of a later version");
        };
        assert_eq!(report.status, ReportedStatus::Read);
    }
}
