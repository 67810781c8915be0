//! A webhook: is it genuine, and what is in it.
//!
//! ```text
//! request ──proof──> one object, or an array of them ──> message.status? ──> status report
//!                                                        else ────────────> message
//! ```
//!
//! An element of an array that can't be read does not hold up the others: it becomes a note.

use serde_json::{Value, json};
use trunkline_plugin_api::{Event, Note, Received, Response, Verdict, WebhookRequest};

use crate::{
    config::Settings,
    fields::{Fields, GivenId},
    standard, status,
};

/// Elements of one array that are taken.
const BATCH_MAX: usize = 1_000;

/// Verifies one webhook and reads the events in it.
pub(crate) fn receive(settings: &Settings, request: &WebhookRequest) -> Received {
    if settings.proofs.is_empty() {
        let reason = "the channel has no inbound secret, so nothing can be verified";
        return Received::refused(Verdict::NoSecret, 404, reason);
    }
    let proved = match settings.proofs.verify(request) {
        Ok(proved) => proved,
        Err(forged) => return Received::refused(forged.verdict, 401, forged.reason),
    };
    let header_id = HeaderId {
        id: proved.signed_id.or_else(|| standard::header_id(request)),
        is_vouched_for: proved.signed_id.is_some() || proved.knows_secret,
    };
    let answer = Response::with_body(200, "application/json", r#"{"status":"accepted"}"#);
    match read(&settings.fields, &request.body, &header_id) {
        Ok(events) => Received::authentic(answer, events),
        Err(why) => Received::unparsed(answer, why),
    }
}

/// The id in the request's headers. Where no proof covers it (under a hub signature alone), it
/// stands behind the body's own: a captured body must not pass as new under another header.
struct HeaderId<'a> {
    id: Option<&'a str>,
    is_vouched_for: bool,
}

fn read(fields: &Fields, body: &[u8], header: &HeaderId<'_>) -> Result<Vec<Event>, String> {
    let json: Value =
        serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    match json {
        Value::Array(items) => read_batch(fields, &items, header.id),
        object => {
            let id = match header.id {
                Some(id) if header.is_vouched_for => GivenId::Header(id),
                Some(id) => GivenId::Unsigned(id),
                None => GivenId::None,
            };
            Ok(vec![read_one(fields, &object, &id)?])
        }
    }
}

fn read_batch(
    fields: &Fields,
    items: &[Value],
    header_id: Option<&str>,
) -> Result<Vec<Event>, String> {
    if items.len() > BATCH_MAX {
        let count = items.len();
        return Err(format!(
            "an array of {count} elements; {BATCH_MAX} are taken at most"
        ));
    }
    let mut events = Vec::with_capacity(items.len());
    let mut first_fault = None;
    let mut readable = 0;
    for (index, item) in items.iter().enumerate() {
        let id = header_id.map_or(GivenId::None, |id| GivenId::Numbered(id, index));
        let event = read_one(fields, item, &id);
        readable += usize::from(event.is_ok());
        events.push(event.unwrap_or_else(|reason| {
            first_fault.get_or_insert_with(|| format!("element {index}: {reason}"));
            Event::Note(Note {
                kind: "unreadable".into(),
                data: json!({"index": index, "reason": reason}),
            })
        }));
    }
    match first_fault {
        Some(fault) if readable == 0 => Err(fault),
        _ => Ok(events),
    }
}

fn read_one(fields: &Fields, object: &Value, id: &GivenId<'_>) -> Result<Event, String> {
    match status::read(object) {
        Some(report) => report,
        None => fields.message(object, id).map(Event::Message),
    }
}
