//! Script and style of the page, as they were built in. Browsers keep them and ask whether they changed.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, ETag, EntityTag, Header as _, IfNoneMatch},
    web,
};
use sha2::{Digest, Sha256};

use super::door::Door;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Name, type, bytes.
const FILES: [(&str, &str, &str); 5] = [
    ("main.js", SCRIPT, include_str!("assets/main.js")),
    (
        "connection.js",
        SCRIPT,
        include_str!("assets/connection.js"),
    ),
    ("view.js", SCRIPT, include_str!("assets/view.js")),
    ("links.js", SCRIPT, include_str!("assets/links.js")),
    ("style.css", STYLE, include_str!("assets/style.css")),
];
const EMBED: &str = include_str!("assets/embed.js");

/// A file of the page.
pub(super) async fn show(door: web::Data<Door>, request: HttpRequest) -> HttpResponse {
    if let Err(refusal) = door.channel(&request) {
        return refusal.answer(None);
    }
    let name = request.match_info().get("name").unwrap_or_default();
    let found = FILES.iter().find(|(known, ..)| *known == name);
    match found {
        Some((_, content_type, text)) => file(&request, content_type, text, "same-origin"),
        None => super::refusal::Refusal::not_found().answer(None),
    }
}

/// The script that puts the chat into another site's page: the one file that other sites load.
pub(super) async fn embed(door: web::Data<Door>, request: HttpRequest) -> HttpResponse {
    match door.channel(&request) {
        Ok(_) => file(&request, SCRIPT, EMBED, "cross-origin"),
        Err(refusal) => refusal.answer(None),
    }
}

fn file(
    request: &HttpRequest,
    content_type: &str,
    text: &'static str,
    loaded_by: &'static str,
) -> HttpResponse {
    let digest = Sha256::digest(text.as_bytes());
    let tag = EntityTag::new_strong(data_encoding::HEXLOWER.encode(&digest[..12]));
    let is_known = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(&tag)),
        _ => false,
    };
    let mut answer = if is_known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    answer
        .insert_header(ETag(tag))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header(("cross-origin-resource-policy", loaded_by));
    if is_known {
        return answer.finish();
    }
    answer.content_type(content_type).body(text)
}
