//! The visitor's chat: a page of our own, and what it talks to.
//!
//! | route | what |
//! |---|---|
//! | `GET POST /chat/{channel}` | the page; without scripts a form that posts and shows the conversation: [`page`] |
//! | `GET /chat/{channel}/embed.js`, `/chat/{channel}/assets/...` | script and style: [`assets`] |
//! | `POST /chat/{channel}/session` | a token for the visitor: [`token`] |
//! | `GET /chat/{channel}/ws` | frames both ways: [`socket`] |
//! | `GET /chat/{channel}/events`, `POST /chat/{channel}/messages` | the same where no WebSocket passes: [`stream`] |
//! | `POST /chat/{channel}/uploads` | an attachment, for a message that comes after: [`files`] |
//!
//! ```text
//! visitor's frame ─ origin, token, limits, bounds ─ ingress.take (method CHAT) ─ commit ─> acknowledged
//! adapter's push ─ outbound::Sessions ─> every open page      closed page ─ catch-up from the timeline
//! ```
//!
//! Routes exist for channels whose facts name the chat door, switched on or not. A visitor sees their own
//! messages on this channel and ours to them, and nothing else; the page is escaped by the template or
//! built from text nodes.

mod assets;
mod door;
mod face;
mod feed;
mod files;
mod frame;
mod history;
mod limits;
mod page;
mod refusal;
mod socket;
mod stream;
mod take;
mod token;

use std::sync::Arc;

use actix_web::web::{self, ServiceConfig};

pub(super) use self::door::Door;
use super::public;

/// The routes of the chat. What is under `/chat` and none of these is looked for among webhooks.
pub(super) fn routes(config: &mut ServiceConfig, door: &Arc<Door>) {
    config
        .app_data(web::Data::from(door.clone()))
        .service(
            web::resource("/chat/{channel}")
                .route(web::get().to(page::show))
                .route(web::post().to(page::write))
                .default_service(web::to(public::webhook)),
        )
        .route("/chat/{channel}/embed.js", web::get().to(assets::embed))
        .route("/chat/{channel}/assets/{name}", web::get().to(assets::show))
        .route("/chat/{channel}/session", web::post().to(stream::session))
        .route("/chat/{channel}/ws", web::get().to(socket::open))
        .route("/chat/{channel}/events", web::get().to(stream::events))
        .route("/chat/{channel}/messages", web::post().to(stream::message))
        .route("/chat/{channel}/uploads", web::post().to(files::upload));
}
