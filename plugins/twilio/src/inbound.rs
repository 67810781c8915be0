//! A message that came in, from the parameters of Twilio's incoming message webhook.

use serde_json::{Map, Value};
use trunkline_plugin_api::{
    Consent, ConsentChange, Content, Event, Identity, InboundMessage, Interactive, Location, Media,
    MediaRef, Sender,
};

use crate::{
    address,
    params::{Params, json_or_text},
};

/// Attachments of one message that are read; Twilio allows no more.
const MEDIA_COUNT_MAX: usize = 10;

/// Parameters that have a place of their own in the message, or that only repeat one.
const READ: &[&str] = &[
    "AccountSid",
    "Address",
    "ApiVersion",
    "Body",
    "ButtonPayload",
    "ButtonText",
    "FlowData",
    "From",
    "Label",
    "Latitude",
    "ListId",
    "ListTitle",
    "Longitude",
    "MessageSid",
    "MessageStatus",
    "NumMedia",
    "OriginalRepliedMessageSid",
    "ProfileName",
    "SmsMessageSid",
    "SmsSid",
    "SmsStatus",
    "To",
];

/// The message, followed by the consent where Twilio recorded one (Advanced Opt-Out).
pub(crate) fn events(sid: &str, params: &Params) -> Result<Vec<Event>, String> {
    let sender = sender(params).ok_or("no From")?;
    let address = params.filled("To").map(String::from);
    let consent = params
        .filled("OptOutType")
        .and_then(consent_change)
        .map(|change| {
            Event::Consent(Consent {
                identity: sender.identity.clone(),
                address: address.clone(),
                change,
                source: Some(sid.into()),
            })
        });
    let message = Event::Message(InboundMessage {
        id: sid.into(),
        address,
        sender,
        content: content(params),
        sent_at_ms: None,
        reply_to: params.filled("OriginalRepliedMessageSid").map(String::from),
        metadata: metadata(params),
    });
    Ok([Some(message), consent].into_iter().flatten().collect())
}

/// Who wrote. On WhatsApp a person may come without a number: then `WaId` (the number's digits)
/// names them, else their business-scoped id. Whatever else Twilio gives belongs to them too.
fn sender(params: &Params) -> Option<Sender> {
    let from = params
        .filled("From")
        .map(address::identity)
        .filter(|person| !person.identifier.is_empty());
    let whatsapp = |identifier: String| Identity {
        space: "whatsapp".into(),
        identifier,
    };
    let wa_id = params
        .filled("WaId")
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .map(|digits| whatsapp(format!("+{digits}")));
    let scoped = params
        .filled("ExternalUserId")
        .map(|id| whatsapp(address::identity(id).identifier));
    let numberless = from
        .as_ref()
        .is_none_or(|person| person.space == "whatsapp" && !person.identifier.starts_with('+'));
    let in_order = if numberless {
        [wa_id, from, scoped]
    } else {
        [from, wa_id, scoped]
    };
    let mut identities: Vec<Identity> = Vec::new();
    for person in in_order.into_iter().flatten() {
        if !identities.contains(&person) {
            identities.push(person);
        }
    }
    let mut identities = identities.into_iter();
    Some(Sender {
        identity: identities.next()?,
        also: identities.collect(),
        name: params.filled("ProfileName").map(String::from),
    })
}

/// What was written. An empty text beside something else is no text.
fn content(params: &Params) -> Content {
    let mut content = Content {
        media: media(params),
        location: location(params),
        interactive: interactive(params),
        ..Content::default()
    };
    let text = params.get("Body");
    content.text = if content.is_empty() {
        text.map(String::from)
    } else {
        text.filter(|text| !text.is_empty()).map(String::from)
    };
    content
}

fn media(params: &Params) -> Vec<Media> {
    let count = params
        .filled("NumMedia")
        .and_then(|count| count.parse::<usize>().ok())
        .unwrap_or(MEDIA_COUNT_MAX);
    (0..count.min(MEDIA_COUNT_MAX))
        .filter_map(|index| {
            let url = params.filled(&format!("MediaUrl{index}"))?;
            let content_type = params.filled(&format!("MediaContentType{index}"));
            Some(Media {
                source: MediaRef {
                    url: Some(url.into()),
                    ..MediaRef::default()
                },
                content_type: content_type.map(String::from),
                ..Media::default()
            })
        })
        .collect()
}

fn location(params: &Params) -> Option<Location> {
    let degrees = |name: &str, max: f64| {
        let degrees: f64 = params.filled(name)?.parse().ok()?;
        (-max..=max).contains(&degrees).then_some(degrees)
    };
    Some(Location {
        latitude: degrees("Latitude", 90.0)?,
        longitude: degrees("Longitude", 180.0)?,
        label: params.filled("Label").map(String::from),
        address: params.filled("Address").map(String::from),
    })
}

/// A button, an entry of a list, a finished WhatsApp Flow, or another rich reply (whose data is in the
/// metadata). `ListId` and `ListTitle` are not in Twilio's table of parameters; the list picker sends
/// them.
fn interactive(params: &Params) -> Option<Interactive> {
    let text = |name: &str| params.filled(name).map(String::from);
    let button = [text("ButtonPayload"), text("ButtonText")];
    let list = [text("ListId"), text("ListTitle")];
    let flow = params.filled("FlowData").map(json_or_text);
    let is_list = list[0].is_some() || list[1].is_some();
    let [id, title] = if is_list { list } else { button };
    let kind = if is_list {
        "list"
    } else if id.is_some() || title.is_some() {
        "button"
    } else if flow.is_some() {
        "flow"
    } else {
        params.filled("InteractiveData").map(|_| "interactive")?
    };
    Some(Interactive {
        kind: kind.into(),
        id,
        title,
        data: flow.unwrap_or_default(),
    })
}

/// Twilio's words (its page on Advanced Opt-Out).
fn consent_change(word: &str) -> Option<ConsentChange> {
    match word {
        "STOP" => Some(ConsentChange::OptOut),
        "START" => Some(ConsentChange::OptIn),
        "HELP" => Some(ConsentChange::Help),
        _ => None,
    }
}

/// Every other parameter, new ones included, by Twilio's name. A place that could not be read as
/// one stays here.
fn metadata(params: &Params) -> Map<String, Value> {
    let place = ["Address", "Label", "Latitude", "Longitude"];
    let placed = location(params).is_some();
    let mut metadata = params.to_object(|name| {
        let lost_place = !placed && place.contains(&name);
        let media = name.starts_with("MediaUrl") || name.starts_with("MediaContentType");
        media || (READ.contains(&name) && !lost_place)
    });
    for name in ["ChannelMetadata", "InteractiveData"] {
        if let Some(raw) = metadata.get_mut(name) {
            *raw = raw.as_str().map_or(Value::Null, json_or_text);
        }
    }
    metadata
}
