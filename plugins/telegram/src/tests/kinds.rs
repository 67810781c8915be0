//! The kinds of messages.

use serde_json::{Value, json};
use trunkline_plugin_api::{Content, Event, Location, Media, MediaRef};

use super::{kit, message, only_message, update};

/// Members of a message, its content, and what is left of the metadata beside `from`.
fn read(members: &Value) -> (Content, Value) {
    let read = only_message(&kit().receive(&update("message", &message(members))));
    let mut metadata = read.metadata;
    metadata.remove("from");
    (read.content, metadata.into())
}

fn media(id: &str, kind: Option<&str>, name: Option<&str>, size: Option<u64>) -> Media {
    Media {
        source: MediaRef {
            provider_id: Some(id.into()),
            ..MediaRef::default()
        },
        content_type: kind.map(String::from),
        name: name.map(String::from),
        size,
    }
}

fn with(text: Option<&str>, media: Media) -> Content {
    Content {
        text: text.map(String::from),
        media: vec![media],
        ..Content::default()
    }
}

#[test]
fn files() {
    let sizes = json!([
        {"file_id": "small", "width": 90, "height": 60, "file_size": 1000},
        {"file_id": "large", "width": 1280, "height": 853, "file_size": 90000},
        {"file_id": "medium", "width": 320, "height": 213, "file_size": 9000},
    ]);
    let document = json!({"file_id": "d", "file_name": "a.pdf", "mime_type": "application/pdf", "file_size": 7});
    let rows = [
        (
            json!({"photo": sizes, "caption": "look"}),
            with(
                Some("look"),
                media("large", Some("image/jpeg"), None, Some(90_000)),
            ),
            json!({}),
        ),
        (
            json!({"document": document}),
            with(
                None,
                media("d", Some("application/pdf"), Some("a.pdf"), Some(7)),
            ),
            json!({"document": {}}),
        ),
        (
            json!({"document": {"file_id": "d"}, "animation": {"file_id": "a", "duration": 3}}),
            with(None, media("a", Some("video/mp4"), None, None)),
            json!({"animation": {"duration": 3}}),
        ),
        (
            json!({"voice": {"file_id": "v", "duration": 2}}),
            with(None, media("v", Some("audio/ogg"), None, None)),
            json!({"voice": {"duration": 2}}),
        ),
        (
            json!({"audio": {"file_id": "s", "mime_type": "audio/mpeg", "title": "T"}, "caption": "c"}),
            with(Some("c"), media("s", Some("audio/mpeg"), None, None)),
            json!({"audio": {"title": "T"}}),
        ),
        (
            json!({"video": {"file_id": "m", "mime_type": "video/quicktime"}}),
            with(None, media("m", Some("video/quicktime"), None, None)),
            json!({"video": {}}),
        ),
        (
            json!({"video_note": {"file_id": "n", "length": 240}}),
            with(None, media("n", Some("video/mp4"), None, None)),
            json!({"video_note": {}}),
        ),
        (
            json!({"sticker": {"file_id": "k", "emoji": "👍"}}),
            with(None, media("k", Some("image/webp"), None, None)),
            json!({"sticker": {"emoji": "👍"}}),
        ),
        (
            json!({"sticker": {"file_id": "k", "is_animated": true}}),
            with(
                None,
                media("k", Some("application/x-tgsticker"), None, None),
            ),
            json!({"sticker": {}}),
        ),
        (
            json!({"sticker": {"file_id": "k", "is_video": true}}),
            with(None, media("k", Some("video/webm"), None, None)),
            json!({"sticker": {}}),
        ),
    ];
    for (members, content, metadata) in rows {
        assert_eq!(read(&members), (content, metadata), "{members}");
    }
}

#[test]
fn places_and_contacts() {
    let point = json!({"latitude": 52.5, "longitude": 13.4});
    let place = |label: Option<&str>, address: Option<&str>| Content {
        location: Some(Location {
            latitude: 52.5,
            longitude: 13.4,
            label: label.map(String::from),
            address: address.map(String::from),
        }),
        ..Content::default()
    };
    let (content, metadata) = read(&json!({"location": point}));
    assert_eq!((content, metadata), (place(None, None), json!({})));
    let venue = json!({"location": point, "title": "Office", "address": "1 Main Street"});
    let (content, metadata) = read(&json!({"location": point, "venue": venue}));
    let want = place(Some("Office"), Some("1 Main Street"));
    assert_eq!((content, metadata), (want, json!({})));
    let live = json!({"latitude": 52.5, "longitude": 13.4, "live_period": 900});
    let (_, metadata) = read(&json!({"location": live}));
    assert_eq!(metadata, json!({"location": {"live_period": 900}}));
    let card = json!({"phone_number": "+15550100", "first_name": "Grace"});
    let (content, _) = read(&json!({"contact": card}));
    assert_eq!(content.contacts, [card]);
}

#[test]
fn what_nobody_wrote_is_no_message() {
    for name in [
        "gift",
        "unique_gift",
        "checklist_tasks_added",
        "checklist_tasks_done",
        "paid_message_price_changed",
        "direct_message_price_changed",
        "suggested_post_approved",
        "suggested_post_approval_failed",
        "suggested_post_declined",
        "suggested_post_paid",
        "suggested_post_refunded",
        "forum_topic_created",
    ] {
        let received = kit().receive(&update("message", &message(&json!({name: {}}))));
        let [Event::Note(_)] = received.events.as_slice() else {
            panic!("{name}: {:?}", received.events);
        };
    }
    let (content, _) =
        read(&json!({"text": "a post", "suggested_post_info": {"state": "pending"}}));
    assert_eq!(content, Content::text("a post"));
}

/// Everything that has no place is kept by Telegram's names.
#[test]
fn what_is_not_known_is_kept_with_a_note() {
    let rows = [
        json!({"dice": {"emoji": "🎲", "value": 4}}),
        json!({"poll": {"id": "1", "question": "?"}}),
        json!({"location": {"latitude": 91.0, "longitude": 0.0}}),
        json!({"photo": []}),
        json!({"document": {"file_name": "no id"}}),
        json!({"text": 5}),
    ];
    for members in rows {
        let (content, metadata) = read(&members);
        assert!(content.is_empty(), "{members}");
        let note = metadata["note"].as_str().expect("a note");
        assert!(note.contains("not known"), "{note}");
        for (name, value) in members.as_object().expect("an object") {
            assert_eq!(&metadata[name], value, "{members}");
        }
    }
    let (_, metadata) = read(&json!({"text": "a", "entities": [{"type": "url"}], "via_bot": null}));
    assert_eq!(metadata, json!({"entities": [{"type": "url"}]}));
}
