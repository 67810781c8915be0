//! The attachments of a message on its way out: looked at when it is accepted, and given a link just
//! before the adapter sees it.

use trunkline_plugin_api::{Content, Media};
use url::Url;

use super::{
    AcceptError,
    accept::{refused, unknown_media},
    gate::Gate,
    link::MediaLinks,
};
use crate::{
    channel::Channel,
    model::{MediaHash, Millis},
};

/// Attachments of one message, where the adapter names no smaller number.
const COUNT_MAX: usize = 10;
/// Bytes of an attachment's URL.
const URL_BYTES_MAX: usize = 2048;
/// Bytes of its name and type, each.
const TEXT_BYTES_MAX: usize = 255;

/// Checks attachments, and completes those of the daemon with what it knows of them.
pub(super) fn check(
    gate: &Gate,
    channel: &Channel,
    content: &Content,
) -> Result<Vec<Media>, AcceptError> {
    let limits = channel
        .plugin
        .as_ref()
        .map(|plugin| plugin.manifest().limits.clone());
    let limits = limits.unwrap_or_default();
    let allowed = limits.media_count_max.map_or(COUNT_MAX, |max| max as usize);
    let count = content.media.len();
    if count > allowed {
        let detail = format!("{count} attachments, more than {allowed}");
        return Err(refused("too_many_media", detail));
    }
    let check = |media: &Media| {
        let complete = complete(gate, channel, media)?;
        match (complete.size, limits.media_bytes_max) {
            (Some(size), Some(max)) if size > max => {
                let detail = format!(
                    "an attachment has {size} bytes, channel {} takes {max}",
                    channel.id
                );
                Err(refused("media_too_large", detail))
            }
            _ => Ok(complete),
        }
    };
    content.media.iter().map(check).collect()
}

fn complete(gate: &Gate, channel: &Channel, media: &Media) -> Result<Media, AcceptError> {
    let texts = [&media.name, &media.content_type];
    let long = |text: &&String| text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control);
    if texts.into_iter().flatten().any(|text| long(&text)) {
        let words =
            "\"name\" and \"content_type\" of an attachment are one line of at most 255 bytes";
        return Err(invalid(words));
    }
    let source = &media.source;
    match (
        &source.sha256,
        &source.url,
        &source.provider_id,
        source.range,
    ) {
        (Some(name), None, None, None) => ours(gate, channel, media, name),
        (None, Some(url), None, None) if is_web(url) => Ok(media.clone()),
        (None, None, Some(_), None) => Ok(media.clone()),
        _ => Err(invalid(
            "an attachment names exactly one of \"sha256\" (a file that was uploaded), \"url\" (an \
             http or https address of at most 2048 bytes) and \"provider_id\"",
        )),
    }
}

/// A file of the organization, with its size and type.
fn ours(gate: &Gate, channel: &Channel, media: &Media, name: &str) -> Result<Media, AcceptError> {
    let hash: MediaHash = name.parse().map_err(|_| unknown_media(name))?;
    let record = gate.store.media(channel.org, &hash)?;
    let record = record.ok_or_else(|| unknown_media(name))?;
    Ok(Media {
        source: media.source.clone(),
        content_type: Some(record.content_type),
        name: media.name.clone().or(record.name),
        size: Some(record.size),
    })
}

fn is_web(url: &str) -> bool {
    let parsed = Url::parse(url).ok();
    let web = parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https"));
    web && url.len() <= URL_BYTES_MAX
}

fn invalid(words: &str) -> AcceptError {
    refused("invalid_media", words)
}

/// Gives each file of the daemon a link that a provider can fetch it by.
pub(super) fn link(links: &MediaLinks, channel: &Channel, content: &mut Content, now_ms: Millis) {
    for media in &mut content.media {
        let hash = media
            .source
            .sha256
            .as_deref()
            .and_then(|name| name.parse().ok());
        if let Some(hash) = hash {
            let name = media.name.as_deref();
            media.source.url = Some(links.url(channel.org, &hash, name, now_ms));
        }
    }
}
