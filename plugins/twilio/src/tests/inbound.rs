//! The table of inbound messages: parameters in, events out.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Consent, ConsentChange, Content, Event, Identity, InboundMessage, Media, MediaRef,
    testkit::{self, Fixtures, Inbound},
};

use super::{ADA, HOOK, Pairs, SID, US, authentic, config, from_ada, kit, message, signed};
use crate::Twilio;

pub(super) type Row<'a> = (&'static str, Pairs<'a>, InboundMessage);

pub(super) fn check(rows: Vec<Row<'_>>) {
    let inbound = rows.into_iter().map(|(name, params, want)| Inbound {
        name,
        request: signed(HOOK, &message(params)),
        want: authentic(vec![Event::Message(want)]),
    });
    let fixtures = Fixtures {
        inbound: inbound.collect(),
        ..Fixtures::default()
    };
    testkit::check::<Twilio>(config(), &fixtures);
}

pub(super) fn says(content: Content, metadata: &Value) -> InboundMessage {
    InboundMessage {
        content,
        metadata: metadata.as_object().expect("an object").clone(),
        ..from_ada()
    }
}

fn attachment(url: &str, content_type: Option<&str>) -> Media {
    Media {
        source: MediaRef {
            url: Some(url.into()),
            ..MediaRef::default()
        },
        content_type: content_type.map(String::from),
        ..Media::default()
    }
}

#[test]
fn sms_and_mms() {
    let picture = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1";
    check(vec![
        (
            "SMS with geography and a Messaging Service",
            &[
                ("Body", "Hello there"),
                ("NumMedia", "0"),
                ("NumSegments", "1"),
                ("FromCity", "SPRINGFIELD"),
                ("FromZip", ""),
                ("MessagingServiceSid", "MG1"),
            ],
            says(
                Content::text("Hello there"),
                &json!({"NumSegments": "1", "FromCity": "SPRINGFIELD", "MessagingServiceSid": "MG1"}),
            ),
        ),
        (
            "parameters that nobody knows yet",
            &[("Body", "Hi"), ("Zukunft", "ü"), ("a b", "1=2")],
            says(Content::text("Hi"), &json!({"Zukunft": "ü", "a b": "1=2"})),
        ),
        (
            "MMS without text",
            &[
                ("Body", ""),
                ("NumMedia", "2"),
                ("MediaUrl0", picture),
                ("MediaContentType0", "image/png"),
                ("MediaUrl1", "https://api.twilio.com/x"),
            ],
            says(
                Content {
                    media: vec![
                        attachment(picture, Some("image/png")),
                        attachment("https://api.twilio.com/x", None),
                    ],
                    ..Content::default()
                },
                &json!({}),
            ),
        ),
        (
            "MMS with text",
            &[("Body", "Look"), ("NumMedia", "1"), ("MediaUrl0", picture)],
            says(
                Content {
                    media: vec![attachment(picture, None)],
                    ..Content::text("Look")
                },
                &json!({}),
            ),
        ),
        ("no text at all", &[], says(Content::default(), &json!({}))),
        (
            "empty text",
            &[("Body", "")],
            says(Content::text(""), &json!({})),
        ),
    ]);
}

/// At most ten attachments, whatever the count says.
#[test]
fn media_counts_are_not_believed() {
    let urls: Vec<String> = (0..30)
        .map(|index| format!("https://m.example/{index}"))
        .collect();
    let names: Vec<String> = (0..30).map(|index| format!("MediaUrl{index}")).collect();
    let all = names
        .iter()
        .zip(&urls)
        .map(|(name, url)| (name.as_str(), url.as_str()));
    let all: Vec<_> = all.collect();
    for (count, want) in [
        ("2", 2),
        ("0", 0),
        ("99999999999999999999", 10),
        ("18446744073709551615", 10),
        ("-1", 10),
        ("", 10),
        ("many", 10),
    ] {
        let params = message(&[&[("NumMedia", count)], all.as_slice()].concat());
        let received = kit().receive(&signed(HOOK, &params));
        let [Event::Message(inbound)] = received.events.as_slice() else {
            panic!("{received:?}");
        };
        assert_eq!(inbound.content.media.len(), want, "{count:?}");
    }
}

/// Short codes and sender names stay as they are.
#[test]
fn senders_without_a_number_stay_verbatim() {
    for from in ["12345", "ACME", "+"] {
        let received = kit().receive(&signed(HOOK, &message(&[("From", from)])));
        let [Event::Message(inbound)] = received.events.as_slice() else {
            panic!("{received:?}");
        };
        assert_eq!(inbound.sender.identity, Identity::new("phone", from));
    }
}

#[test]
fn consent_follows_its_message() {
    let rows = [
        ("STOP", Some(ConsentChange::OptOut)),
        ("START", Some(ConsentChange::OptIn)),
        ("HELP", Some(ConsentChange::Help)),
        ("stop", None),
        ("", None),
        ("LATER", None),
    ];
    for (word, change) in rows {
        let params = message(&[("Body", word), ("OptOutType", word)]);
        let metadata = match word {
            "" => json!({}),
            _ => json!({"OptOutType": word}),
        };
        let mut events = vec![Event::Message(says(Content::text(word), &metadata))];
        events.extend(change.map(|change| {
            Event::Consent(Consent {
                identity: Identity::new("phone", ADA),
                address: Some(US.into()),
                change,
                source: Some(SID.into()),
            })
        }));
        assert_eq!(
            kit().receive(&signed(HOOK, &params)),
            authentic(events),
            "{word:?}"
        );
    }
}
