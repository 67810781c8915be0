//! Attachments: fetched after the message is acknowledged, kept as files, handed out again.
//!
//! ```text
//! message commits ─> job ─ fetcher ─┬─ url, provider's id: the adapter's fetch_media ─┐
//!                                   └─ range of the kept webhook body: decode ────────┤
//! POST /api/v1/media ─────────────────────────────────────────────────────────────────┴─> keeper: type? size? room?
//!                     ┌───────────────────── record of the organization <── file by its hash <┘
//!                     ├─> GET /api/v1/media/{sha256}
//!                     └─> send: a link for the provider, or a body streamed by the transport
//! ```
//!
//! What a file is, is read in its bytes (`sniff`); what anyone says of it only chooses among what the
//! bytes allow. A file that is not allowed never gets a name.

mod decode;
mod fetcher;
mod inside;
mod keeper;
mod sniff;

pub use self::{
    fetcher::MediaFetcher,
    keeper::{Keeper, Refusal, clean_name},
};

/// Where the API serves a file.
pub fn href(sha256: &str) -> String {
    format!("/api/v1/media/{sha256}")
}

/// Whether a browser may show a type instead of saving it: pictures without scripts, sound, film and
/// plain text.
pub fn is_shown(content_type: &str) -> bool {
    let plain = [
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "text/plain",
    ];
    let moving = ["audio/", "video/"];
    plain.contains(&content_type) || moving.iter().any(|kind| content_type.starts_with(kind))
}
