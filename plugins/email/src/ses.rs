//! Sends by Amazon SES: `POST /v2/email/outbound-emails` (SES API v2 reference, SendEmail).
//!
//! ```text
//! no files ── hash of the body, signed ──> send
//! files ──> the daemon's digest of the body ── signed ──> send
//! ```
//!
//! The content is `Simple`: SES makes the mail, with a Message-ID of its own (its page on header fields), which
//! begins with the id that it answers with. SES has no idempotency key: an attempt of unknown outcome is not repeated.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    AdapterError, Body, DigestRequest, ErrorClass, HttpReply, PieceEncoding, Receipt, Reply,
    Request, Step, Turn, sign,
};
use url::Url;

use crate::{
    address::Mailbox,
    compose::{self, Outgoing},
    config::{Ses, Settings},
    errors,
    send::is_first,
    smtp,
};

const DIGEST: &str = "digest";
const SEND: &str = "send";
const JSON: &str = "application/json";
/// Our message's id in the tags of a mail, which event destinations repeat.
const TAG: &str = "trunkline_message";

/// Sends, or goes on with the answer to the last step.
pub(crate) fn send(
    settings: &Settings,
    ses: &Ses,
    from: &Mailbox,
    outgoing: &Outgoing<'_>,
    turn: &Turn,
) -> Step<Receipt> {
    let stage = turn.cursor.as_str().unwrap_or_default();
    match (&turn.reply, stage) {
        // A digest called nobody, so it may be asked for again.
        (None, _) if is_first(turn) || stage == DIGEST => {
            let body = body(settings, from, outgoing);
            if let Body::Bytes { bytes } = &body {
                let payload = sign::hex(&sign::sha256(bytes));
                return call(ses, body, &payload, turn);
            }
            Step::Call {
                request: Request::Digest(DigestRequest { body }),
                cursor: Value::from(DIGEST),
            }
        }
        (None, _) => Step::fail(errors::interrupted()),
        (Some(reply), DIGEST) => match reply.digest() {
            Ok(file) => call(ses, body(settings, from, outgoing), &file.sha256, turn),
            Err(error) => Step::fail(errors::for_reading(error)),
        },
        (Some(reply), _) => {
            let receipt = Reply::http(reply).and_then(|answer| receipt(answer, turn));
            receipt.map_or_else(Step::fail, Step::done)
        }
    }
}

fn call(ses: &Ses, body: Body, payload: &str, turn: &Turn) -> Step<Receipt> {
    let url = url(ses, "outbound-emails");
    let mut request = ses
        .signer
        .sign("POST", &url, Some(JSON), payload, turn.now_ms);
    request.body = body;
    Step::call(request, Value::from(SEND))
}

/// An address of the API.
pub(crate) fn url(ses: &Ses, path: &str) -> Url {
    let mut url = ses.base.clone();
    url.path_segments_mut()
        .expect("the base is http or https, which has a path")
        .pop_if_empty()
        .extend(["v2", "email", path]);
    url
}

fn body(settings: &Settings, from: &Mailbox, outgoing: &Outgoing<'_>) -> Body {
    let part = |text: &str| json!({"Data": text, "Charset": "UTF-8"});
    let headers: Vec<Value> = outgoing
        .all_headers()
        .into_iter()
        .map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect();
    let mut texts = json!({});
    if let Some(html) = &outgoing.html {
        texts["Html"] = part(html);
    }
    if outgoing.text.is_some() || outgoing.html.is_none() {
        texts["Text"] = part(outgoing.text.as_deref().unwrap_or(" "));
    }
    let simple = json!({"Subject": part(&outgoing.subject), "Body": texts, "Headers": headers});
    let tag = outgoing.reference.replace('.', "_");
    let mut mail = json!({
        "FromEmailAddress": smtp::encoded(from),
        "Destination": {"ToAddresses": [outgoing.to]},
        "EmailTags": [{"Name": TAG, "Value": tag}],
    });
    if settings.bounce.is_some() {
        let path = smtp::return_path(settings, from, &outgoing.reference);
        mail["FeedbackForwardingEmailAddress"] = path.into();
    }
    if outgoing.files.is_empty() {
        mail["Content"] = json!({"Simple": simple});
        let bytes = mail.to_string().into_bytes();
        return Body::Bytes { bytes };
    }
    let open = |object: &Value| {
        let text = object.to_string();
        text[..text.len() - 1].to_owned()
    };
    let mut body = Body::pieces();
    let head = format!(
        "{},\"Content\":{{\"Simple\":{},\"Attachments\":[",
        open(&mail),
        open(&simple)
    );
    body.push_bytes(head.as_bytes());
    for (index, file) in outgoing.files.iter().enumerate() {
        let about = json!({
            "FileName": compose::file_name(file),
            "ContentType": compose::content_type(file),
            "ContentDisposition": "ATTACHMENT",
            "ContentTransferEncoding": "BASE64",
        });
        let comma = if index == 0 { "" } else { "," };
        body.push_bytes(format!("{comma}{},\"RawContent\":\"", open(&about)).as_bytes());
        body.push_media(file.source.clone(), PieceEncoding::Base64);
        body.push_bytes(b"\"}");
    }
    body.push_bytes(b"]}}}");
    body
}

fn receipt(answer: &HttpReply, turn: &Turn) -> Result<Receipt, AdapterError> {
    if !(200..300).contains(&answer.status) {
        return Err(errors::of_ses(answer, turn.now_ms));
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let id = body["MessageId"].as_str().filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| {
        AdapterError::new(
            ErrorClass::Ambiguous,
            "unreadable_answer",
            "SES accepted the mail, but its answer names no MessageId",
        )
    })?;
    Ok(Receipt {
        external_id: id.into(),
        ..Receipt::default()
    })
}
