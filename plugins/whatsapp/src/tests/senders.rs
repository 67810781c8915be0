//! Who wrote: numbers, business-scoped ids, both, and changes of either.

use serde_json::json;
use trunkline_plugin_api::{ConsentChange, Event, Identity, Sender};

use super::*;

fn sender_of(contact: &Value, members: &Value) -> Sender {
    let mut message = json!({"id": WAMID, "timestamp": AT, "type": "text", "text": {"body": "Hi"}});
    for (name, value) in members.as_object().expect("an object") {
        message[name.as_str()] = value.clone();
    }
    let mut value = value();
    if !contact.is_null() {
        value["contacts"] = json!([contact]);
    }
    value["messages"] = json!([message]);
    match only(&change("messages", &value)) {
        Event::Message(message) => message.sender,
        other => panic!("{other:?}"),
    }
}

/// Contact and message; the sender's identity, further ones, name.
type Row = (
    Value,
    Value,
    &'static str,
    &'static [&'static str],
    Option<&'static str>,
);

#[test]
fn the_number_goes_first_and_the_id_beside_it() {
    let table: [Row; 7] = [
        (
            json!({"profile": {"name": "Ada"}, "wa_id": "15005550101"}),
            json!({"from": "15005550101"}),
            ADA,
            &[],
            Some("Ada"),
        ),
        (
            json!({"profile": {"name": "Ada"}, "wa_id": "15005550101", "user_id": ADA_ID}),
            json!({"from": "15005550101", "from_user_id": ADA_ID}),
            ADA,
            &[ADA_ID],
            Some("Ada"),
        ),
        (
            json!({"profile": {"username": "ada_l"}, "user_id": ADA_ID}),
            json!({"from_user_id": ADA_ID}),
            ADA_ID,
            &[],
            Some("ada_l"),
        ),
        // The id in the place of the number.
        (
            json!({"wa_id": ADA_ID}),
            json!({"from": ADA_ID}),
            ADA_ID,
            &[],
            None,
        ),
        // Nothing but the contact names the person.
        (
            json!({"wa_id": "15005550101", "user_id": ADA_ID, "parent_user_id": "US.ENT.9"}),
            json!({}),
            ADA,
            &[ADA_ID, "US.ENT.9"],
            None,
        ),
        (
            Value::Null,
            json!({"from": "+15005550101", "from_user_id": ADA_ID, "from_parent_user_id": "US.ENT.9"}),
            ADA,
            &[ADA_ID, "US.ENT.9"],
            None,
        ),
        // A contact of somebody else says nothing.
        (
            json!({"profile": {"name": "Bob"}, "wa_id": "1777"}),
            json!({"from": "15005550101"}),
            ADA,
            &[],
            None,
        ),
    ];
    for (contact, members, id, also, name) in table {
        let sender = sender_of(&contact, &members);
        let also: Vec<Identity> = also.iter().map(|id| person(id)).collect();
        let want = Sender {
            identity: person(id),
            also,
            name: name.map(String::from),
        };
        assert_eq!(sender, want, "{contact} {members}");
    }
}

#[test]
fn usernames_are_kept() {
    let mut value = value();
    value["contacts"] =
        json!([{"profile": {"name": "Ada", "username": "ada_l"}, "user_id": ADA_ID}]);
    value["messages"] =
        json!([{"id": WAMID, "from_user_id": ADA_ID, "type": "text", "text": {"body": "Hi"}}]);
    let Event::Message(message) = only(&change("messages", &value)) else {
        panic!("a message");
    };
    assert_eq!(message.metadata["username"], "ada_l");
    assert_eq!(message.sent_at_ms, None);
}

/// A message of nobody is kept, but nobody's.
#[test]
fn nobody_is_nobody() {
    for members in [
        json!({"from": null}),
        json!({"from": "", "id": WAMID}),
        json!({"id": ""}),
    ] {
        let mut message = json!({"type": "text", "text": {"body": "Hi"}});
        for (name, value) in members.as_object().expect("an object") {
            message[name.as_str()] = value.clone();
        }
        let mut value = value();
        value["messages"] = json!([message]);
        let event = only(&change("messages", &value));
        assert!(
            matches!(&event, Event::Note(note) if note.kind == "message"),
            "{event:?}"
        );
    }
}

/// A changed number, or id, is the same person's.
#[test]
fn changes_of_numbers_link_the_new_one() {
    for (system, also) in [
        (
            json!({"type": "user_changed_number", "body": "User changed", "wa_id": "15005550199"}),
            "+15005550199",
        ),
        (
            json!({"type": "customer_changed_number", "body": "User changed", "new_wa_id": "15005550199"}),
            "+15005550199",
        ),
        (
            json!({"type": "user_changed_user_id", "body": "User changed", "user_id": "US.2"}),
            "US.2",
        ),
    ] {
        let Event::Message(message) = only(&message(&json!({"type": "system", "system": system})))
        else {
            panic!("a message");
        };
        assert_eq!(message.sender.identity, person(ADA));
        assert_eq!(message.sender.also, [person(also)], "{system}");
        assert_eq!(message.content.text.as_deref(), Some("User changed"));
        assert_eq!(message.metadata["system"], system);
    }
}

#[test]
fn marketing_choices_as_system_messages() {
    let system = json!({"type": "user_preference_changed", "body": "Stopped", "marketing": "stop", "wa_id": "1"});
    let received = kit().receive(&message(&json!({"type": "system", "system": system})));
    let [Event::Message(message), Event::Consent(consent)] = received.events.as_slice() else {
        panic!("{received:?}");
    };
    assert_eq!(
        message.sender.also,
        [],
        "a preference names no new identity"
    );
    assert_eq!(
        (consent.change, consent.source.as_deref()),
        (ConsentChange::OptOut, Some(WAMID))
    );
    assert_eq!(consent.identity, person(ADA));
}

/// Times come in seconds; some payloads have milliseconds, or numbers.
#[test]
fn times_are_read_in_every_form() {
    for (timestamp, want) in [
        (json!(AT), Some(AT_MS)),
        (json!(1_767_268_800), Some(AT_MS)),
        (json!("1767268800000"), Some(AT_MS)),
        (json!("soon"), None),
        (json!("-1"), None),
        (json!(null), None),
    ] {
        let request =
            message(&json!({"type": "text", "text": {"body": "Hi"}, "timestamp": timestamp}));
        let Event::Message(message) = only(&request) else {
            panic!("a message");
        };
        assert_eq!(message.sent_at_ms, want, "{timestamp}");
    }
}
