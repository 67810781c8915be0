//! A call with a file of the daemon, as a form (Bot API, sending files). The bytes are streamed by the daemon and
//! never come here.

use serde_json::Value;
use trunkline_plugin_api::{Body, HttpRequest, Media, PieceEncoding};

use crate::{api::Api, content::Call};

/// The form of a call; `random` makes the boundary.
pub(crate) fn request(
    api: &Api,
    call: &Call<'_>,
    (parameter, media): (&str, &Media),
    random: &str,
) -> HttpRequest {
    let boundary = format!("trunkline-{random}");
    let mut body = Body::pieces();
    for (name, value) in &call.parameters {
        // What is no text goes as JSON.
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let part = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        body.push_bytes(part.as_bytes());
    }
    let head = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"{parameter}\"; filename=\"{}\"\r\n\
         content-type: {}\r\n\r\n",
        file_name(media, parameter),
        content_type(media)
    );
    body.push_bytes(head.as_bytes());
    body.push_media(media.source.clone(), PieceEncoding::Identity);
    body.push_bytes(format!("\r\n--{boundary}--\r\n").as_bytes());
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let mut request = api.post(call.method, &content_type);
    request.body = body;
    request
}

/// The type without parameters, where a header can carry it.
fn content_type(media: &Media) -> String {
    let given = media.content_type.as_deref().unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/.+-_".contains(&byte);
    if essence.contains('/') && essence.bytes().all(plain) {
        essence.to_ascii_lowercase()
    } else {
        "application/octet-stream".into()
    }
}

/// The name without what could end the quoted text or the line.
fn file_name(media: &Media, parameter: &str) -> String {
    let given = media.name.as_deref().filter(|name| !name.is_empty());
    let unsafe_in_header = |c: char| c.is_control() || "\"\\/".contains(c);
    let chars = given.unwrap_or(parameter).chars().take(200);
    chars
        .map(|c| if unsafe_in_header(c) { '_' } else { c })
        .collect()
}
