//! Files on their way to whoever may have them. Whatever someone sent in is dangerous to a browser, so
//! it is saved and not shown, but for pictures, sound, film and plain text; and never guessed at.

use std::{
    io::{self, Seek as _, SeekFrom},
    ops::Range,
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::{
        StatusCode,
        header::{
            self, Charset, ContentDisposition, DispositionParam, DispositionType, ExtendedValue,
        },
    },
    web::Bytes,
};
use futures_util::StreamExt as _;

use crate::{
    media,
    model::{MediaHash, MediaRecord},
    outbound::BodyStream,
    store::Store,
};

/// A page made of a file may load nothing, run nothing, and is nobody's origin.
const POLICY: &str = "default-src 'none'; sandbox";

/// Answers with a file, or the part of it that is asked for. An error is a file that can't be read.
pub(super) fn serve(
    store: &Store,
    request: &HttpRequest,
    hash: &MediaHash,
    record: &MediaRecord,
    cache: &'static str,
) -> io::Result<HttpResponse> {
    let tag = format!("\"{hash}\"");
    let asked = |name: header::HeaderName| request.headers().get(name)?.to_str().ok();
    if asked(header::IF_NONE_MATCH).is_some_and(|tags| tags == "*" || tags.contains(&tag)) {
        let mut answer = HttpResponse::NotModified();
        return Ok(answer.insert_header((header::ETAG, tag)).finish());
    }
    let fresh = asked(header::IF_RANGE).is_none_or(|known| known == tag);
    let range = asked(header::RANGE).filter(|_| fresh);
    let (status, range) = match range.map(|range| part(range, record.size)) {
        None | Some(Part::Whole) => (StatusCode::OK, 0..record.size),
        Some(Part::Some(range)) => (StatusCode::PARTIAL_CONTENT, range),
        Some(Part::Outside) => {
            let length = format!("bytes */{}", record.size);
            let mut answer = HttpResponse::build(StatusCode::RANGE_NOT_SATISFIABLE);
            return Ok(answer
                .insert_header((header::CONTENT_RANGE, length))
                .finish());
        }
    };
    let mut file = store.media_files().open(hash, record.size)?;
    file.seek(SeekFrom::Start(range.start))?;
    let len = range.end - range.start;
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header((header::CONTENT_TYPE, record.content_type.as_str()))
        .insert_header(disposition(record))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header(("cross-origin-resource-policy", "same-origin"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, cache))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header((header::ETAG, tag));
    if status == StatusCode::PARTIAL_CONTENT {
        let last = range.end.saturating_sub(1);
        let range = format!("bytes {}-{last}/{}", range.start, record.size);
        answer.insert_header((header::CONTENT_RANGE, range));
    }
    let chunks = BodyStream::of_file(file, len).into_stream();
    let chunks = chunks.map(|chunk| chunk.map(Bytes::from));
    Ok(answer.body(SizedStream::new(len, chunks)))
}

fn disposition(record: &MediaRecord) -> ContentDisposition {
    let disposition = if media::is_shown(&record.content_type) {
        DispositionType::Inline
    } else {
        DispositionType::Attachment
    };
    let mut parameters = Vec::new();
    if let Some(name) = &record.name {
        let plain = |c: char| c.is_ascii_alphanumeric() || " -_.".contains(c);
        let ascii = name.chars().map(|c| if plain(c) { c } else { '_' });
        parameters.push(DispositionParam::Filename(ascii.collect()));
        parameters.push(DispositionParam::FilenameExt(ExtendedValue {
            charset: Charset::Ext("UTF-8".into()),
            language_tag: None,
            value: name.clone().into_bytes(),
        }));
    }
    ContentDisposition {
        disposition,
        parameters,
    }
}

/// What of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Some(Range<u64>),
    Outside,
}

/// Reads `bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-COUNT` (RFC 9110). Anything else, also several
/// parts at once, is answered with the whole.
fn part(range: &str, size: u64) -> Part {
    let Some((first, last)) = range
        .strip_prefix("bytes=")
        .and_then(|spec| spec.split_once('-'))
    else {
        return Part::Whole;
    };
    let read = |number: &str| number.parse::<u64>().ok();
    let range = match (read(first), read(last)) {
        (Some(first), Some(last)) if last >= first => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.is_empty() => first..size,
        (None, Some(count)) if first.is_empty() => size.saturating_sub(count)..size,
        _ => return Part::Whole,
    };
    if range.is_empty() {
        return Part::Outside;
    }
    Part::Some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_of_a_file_can_be_asked_for() {
        let table = [
            ("bytes=0-3", Part::Some(0..4)),
            ("bytes=4-", Part::Some(4..10)),
            ("bytes=-3", Part::Some(7..10)),
            ("bytes=-30", Part::Some(0..10)),
            ("bytes=5-99", Part::Some(5..10)),
            ("bytes=10-", Part::Outside),
            ("bytes=-0", Part::Outside),
            (
                "bytes=18446744073709551615-18446744073709551615",
                Part::Outside,
            ),
            ("bytes=3-1", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("bytes=", Part::Whole),
        ];
        for (range, expected) in table {
            assert_eq!(part(range, 10), expected, "{range}");
        }
    }
}
