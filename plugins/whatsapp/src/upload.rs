//! Uploads a file of the daemon: `POST /{version}/{phone_number_id}/media` as multipart (Meta: Upload media). The
//! bytes are streamed by the daemon and never come here.

use trunkline_plugin_api::{
    AdapterError, Body, ErrorClass, HttpRequest, Media, PieceEncoding, Reply, Timestamp,
};

use crate::{content, fields, graph, graph::Api};

/// The upload of one file; `random` makes the boundary.
pub(crate) fn request(api: &Api, number: &str, media: &Media, random: &str) -> HttpRequest {
    let boundary = format!("trunkline-{random}");
    let content_type = content_type(media);
    let mut body = Body::pieces();
    for (name, value) in [
        ("messaging_product", "whatsapp"),
        ("type", content_type.as_str()),
    ] {
        let part = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        body.push_bytes(part.as_bytes());
    }
    let head = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{}\"\r\n\
         content-type: {content_type}\r\n\r\n",
        file_name(media)
    );
    body.push_bytes(head.as_bytes());
    body.push_media(media.source.clone(), PieceEncoding::Identity);
    body.push_bytes(format!("\r\n--{boundary}--\r\n").as_bytes());
    let mut request = api.post_to(&[number, "media"]).header(
        "content-type",
        format!("multipart/form-data; boundary={boundary}"),
    );
    request.body = body;
    request
}

/// The id that Meta gave the file.
pub(crate) fn read(reply: &Reply, now_ms: Timestamp) -> Result<String, AdapterError> {
    let body = graph::read(reply, now_ms)?;
    fields::id(&body, "id").ok_or_else(|| {
        AdapterError::new(
            ErrorClass::Transient,
            "no_media_id",
            "Meta took the attachment, but its answer names no id",
        )
    })
}

/// The type without parameters; without one that a header can carry, by the kind of file.
fn content_type(media: &Media) -> String {
    let given = media.content_type.as_deref().unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/.+-_".contains(&byte);
    if essence.contains('/') && essence.bytes().all(plain) {
        return essence.to_ascii_lowercase();
    }
    let usual = match content::kind(media) {
        "image" => "image/jpeg",
        "sticker" => "image/webp",
        "video" => "video/mp4",
        "audio" => "audio/mpeg",
        _ => "application/octet-stream",
    };
    usual.into()
}

/// The name without what could end the quoted text or the line.
fn file_name(media: &Media) -> String {
    let name = media.name.as_deref().unwrap_or("file");
    let safe: String = name
        .chars()
        .map(|c| {
            if c.is_control() || "\"\\/".contains(c) {
                '_'
            } else {
                c
            }
        })
        .take(200)
        .collect();
    if safe.is_empty() { "file".into() } else { safe }
}
