//! Sends by an SMTP submission server: one mail in RFC 5322 form.
//!
//! The Message-ID is made of our id, so it is the same for every attempt and stands in answers and bounces. SMTP
//! has no idempotency key: an attempt of unknown outcome is not repeated by itself.

use mail_builder::{
    MessageBuilder,
    headers::{Header as _, content_type::ContentType, raw::Raw, text::Text},
    mime::{BodyPart, MimePart},
};
use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError, Body, ErrorClass, PieceEncoding, Receipt, Reply, Request, SmtpRequest, Step,
    Turn, sign,
};

use crate::{
    address::Mailbox,
    compose::{self, Outgoing},
    config::{Settings, Smtp},
    errors,
    send::is_first,
};

/// Sends, or reads the server's last answer.
pub(crate) fn send(
    settings: &Settings,
    server: &Smtp,
    from: &Mailbox,
    outgoing: &Outgoing<'_>,
    turn: &Turn,
) -> Step<Receipt> {
    let message_id = format!("{}@{}", outgoing.reference, settings.own_domain());
    if is_first(turn) {
        let data = match mail(from, outgoing, &message_id, turn.now_ms) {
            Ok(data) => data,
            Err(error) => return Step::fail(error),
        };
        let request = SmtpRequest {
            rcpt_to: vec![outgoing.to.to_owned()],
            data,
            ..session(server, &return_path(settings, from, &outgoing.reference))
        };
        return Step::Call {
            request: Request::Smtp(request),
            cursor: Value::from("send"),
        };
    }
    let outcome = turn
        .reply
        .as_ref()
        .map_or_else(|| Err(errors::interrupted()), Reply::smtp);
    let receipt = outcome.and_then(|reply| match reply.code {
        200..300 => Ok(Receipt {
            external_id: message_id,
            code: Some(reply.code.to_string()),
            ..Receipt::default()
        }),
        _ => Err(errors::of_smtp(reply)),
    });
    receipt.map_or_else(Step::fail, Step::done)
}

/// A session without recipients and mail.
pub(crate) fn session(server: &Smtp, mail_from: &str) -> SmtpRequest {
    let (username, password) = match &server.login {
        Some((user, password)) => (Some(user.clone()), Some(password.expose().to_owned())),
        None => (None, None),
    };
    SmtpRequest {
        host: server.host.clone(),
        port: server.port,
        tls: server.tls,
        username,
        password,
        mail_from: mail_from.to_owned(),
        rcpt_to: Vec::new(),
        data: Body::Empty,
    }
}

/// Where bounces go: the bounce address with our id behind its `+` (VERP), else our own address.
pub(crate) fn return_path(settings: &Settings, from: &Mailbox, reference: &str) -> String {
    let Some(bounce) = &settings.bounce else {
        return from.address.clone();
    };
    match bounce.address.rsplit_once('@') {
        Some((local, domain)) => format!("{local}+{reference}@{domain}"),
        None => bounce.address.clone(),
    }
}

/// `Name <address>` for a header, the name in encoded words where it is not ASCII.
pub(crate) fn encoded(mailbox: &Mailbox) -> String {
    let Some(name) = mailbox.name.as_deref().map(compose::one_line) else {
        return mailbox.address.clone();
    };
    let name = if name.is_ascii() {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        let mut words = Vec::new();
        // Writing to memory can't fail.
        let _ = Text::new(name).write_header(&mut words, 0);
        let words = String::from_utf8_lossy(&words).replace(['\r', '\n', '\t'], " ");
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    format!("{name} <{}>", mailbox.address)
}

/// The mail. Attachments are pieces that the daemon streams in.
fn mail(
    from: &Mailbox,
    outgoing: &Outgoing<'_>,
    message_id: &str,
    now_ms: i64,
) -> Result<Body, AdapterError> {
    let seed = [
        &outgoing.reference,
        outgoing.text.as_deref().unwrap_or_default(),
        outgoing.html.as_deref().unwrap_or_default(),
    ];
    // No text can hold the hash of itself, so none can hold the boundary.
    let seed = &sign::hex(&sign::sha256(seed.concat().as_bytes()))[..32];
    let boundary = format!("=_mixed_{seed}");
    let mut mail = MessageBuilder::new()
        .header("From", Raw::new(encoded(from)))
        .header("To", Raw::new(outgoing.to))
        .subject(outgoing.subject.as_str())
        .date(now_ms / 1_000)
        .message_id(message_id);
    if let Some(parent) = &outgoing.in_reply_to {
        mail = mail.in_reply_to(parent.as_str());
    }
    if !outgoing.references.is_empty() {
        mail = mail.references(outgoing.references.clone());
    }
    for (name, value) in &outgoing.headers {
        mail = mail.header(*name, Raw::new(value.as_str()));
    }
    let mut body = text_part(outgoing, seed);
    if !outgoing.files.is_empty() {
        body = multipart("multipart/mixed", &boundary, vec![body]);
    }
    let unwritable =
        |_| AdapterError::new(ErrorClass::Bug, "unwritable", "the mail can't be written");
    let mut bytes = mail.body(body).write_to_vec().map_err(unwritable)?;
    if outgoing.files.is_empty() {
        return Ok(Body::Bytes { bytes });
    }
    // The multipart is closed behind the attachments instead.
    let end = format!("--{boundary}--\r\n");
    bytes.truncate(bytes.len() - end.len());
    let mut data = Body::pieces();
    data.push_bytes(&bytes);
    for file in &outgoing.files {
        let name = compose::file_name(file);
        let kind = ContentType::new(compose::content_type(file)).attribute("name", name.clone());
        let part = MimePart::new(kind, BodyPart::Text("".into()))
            .attachment(name)
            .transfer_encoding("base64");
        let mut head = format!("--{boundary}\r\n").into_bytes();
        part.write_part(&mut head).map_err(unwritable)?;
        data.push_bytes(&head);
        data.push_media(file.source.clone(), PieceEncoding::Base64Lines);
    }
    data.push_bytes(end.as_bytes());
    Ok(data)
}

fn text_part<'o>(outgoing: &'o Outgoing<'_>, seed: &str) -> MimePart<'o> {
    let part = |kind, text: &'o str| {
        let kind = ContentType::new(kind).attribute("charset", "utf-8");
        MimePart::new(kind, BodyPart::Text(text.into()))
    };
    match (outgoing.text.as_deref(), outgoing.html.as_deref()) {
        (Some(text), Some(html)) => {
            let boundary = format!("=_text_{seed}");
            let parts = vec![part("text/plain", text), part("text/html", html)];
            multipart("multipart/alternative", &boundary, parts)
        }
        (None, Some(html)) => part("text/html", html),
        (text, None) => part("text/plain", text.unwrap_or_default()),
    }
}

fn multipart<'o>(kind: &'static str, boundary: &str, parts: Vec<MimePart<'o>>) -> MimePart<'o> {
    let kind = ContentType::new(kind).attribute("boundary", boundary.to_owned());
    MimePart::new(kind, BodyPart::Multipart(parts))
}
