//! The type of a file by its first bytes. A table of our own: what people send each other is a short
//! list, and containers (zip, OLE, MP4) need what was declared to tell their kinds apart.

/// What nothing is known of.
const UNKNOWN: &str = "application/octet-stream";
/// What runs on some machine.
const EXECUTABLE: &str = "application/x-executable";

/// Bytes at a place, and the type that they mean.
const MAGIC: [(usize, &[u8], &str); 41] = [
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/x-msvideo"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypheix", "image/heic"),
    (4, b"ftypmif1", "image/heif"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftyp3g", "video/3gpp"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\xff\xf2", "audio/mpeg"),
    (0, b"\xff\xf1", "audio/aac"),
    (0, b"\xff\xf9", "audio/aac"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"fLaC", "audio/flac"),
    (0, b"MThd", "audio/midi"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (
        0,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "application/x-ole-storage",
    ),
    (0, b"\x7fELF", EXECUTABLE),
    (0, b"\xca\xfe\xba\xbe", EXECUTABLE),
    (0, b"\xcf\xfa\xed\xfe", EXECUTABLE),
    (0, b"\xce\xfa\xed\xfe", EXECUTABLE),
    (0, b"\0asm", EXECUTABLE),
    (0, b"#!", EXECUTABLE),
    (0, b"\x30\x80", UNKNOWN),
];

/// Declared types that a type found may also be: beginnings.
const KINDS: [(&str, &[&str]); 9] = [
    (
        "application/zip",
        &[
            "application/vnd.openxmlformats-officedocument.",
            "application/vnd.oasis.opendocument.",
            "application/vnd.ms-",
            "application/epub+zip",
        ],
    ),
    (
        "application/x-ole-storage",
        &["application/msword", "application/vnd.ms-"],
    ),
    (
        "video/mp4",
        &["audio/mp4", "audio/aac", "audio/x-m4a", "video/"],
    ),
    ("video/3gpp", &["audio/3gpp", "audio/amr"]),
    ("video/webm", &["audio/webm", "video/x-matroska"]),
    ("audio/ogg", &["video/ogg", "application/ogg"]),
    (
        UNKNOWN,
        &[
            "application/pkcs7-signature",
            "application/x-pkcs7-signature",
        ],
    ),
    (
        "text/plain",
        &[
            "text/csv",
            "text/calendar",
            "text/vcard",
            "text/x-vcard",
            "text/markdown",
            "message/rfc822",
            "message/delivery-status",
            "application/json",
            "application/pgp-signature",
        ],
    ),
    ("application/xml", &["text/xml", "image/svg+xml"]),
];

/// What makes a text a page that a browser would run.
const PAGES: [&str; 7] = [
    "<!doctype html",
    "<html",
    "<head",
    "<body",
    "<script",
    "<iframe",
    "<img",
];

/// The type of a file: found in its first bytes; among the kinds of a container, or of plain text,
/// what was declared chooses.
pub(super) fn content_type(head: &[u8], declared: Option<&str>) -> String {
    let found = found(head);
    let declared = declared.unwrap_or_default();
    let declared = declared.split(';').next().unwrap_or_default();
    let declared = declared.trim().to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/.+-".contains(c);
    let kinds = KINDS.iter().find(|(kind, _)| *kind == found);
    let may_be = kinds.is_some_and(|(_, kinds)| {
        kinds.iter().any(|kind| declared.starts_with(kind)) && declared.chars().all(plain)
    });
    if may_be { declared } else { found.to_owned() }
}

fn found(head: &[u8]) -> &'static str {
    let is_there =
        |at: usize, magic: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(magic));
    // Two letters alone could begin any text.
    if is_there(0, b"MZ") && head.contains(&0) {
        return EXECUTABLE;
    }
    let mut known = MAGIC.iter();
    if let Some((_, _, found)) = known.find(|(at, magic, _)| is_there(*at, magic)) {
        return found;
    }
    text(head)
}

/// The kind of text, or unknown where it is none: UTF-8 (or another code without control
/// characters).
fn text(head: &[u8]) -> &'static str {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return "text/plain";
    }
    let is_control = |byte: &u8| *byte < 0x20 && !b"\t\n\r\x0c\x1b".contains(byte) || *byte == 0x7f;
    if head.iter().any(is_control) {
        return UNKNOWN;
    }
    let start = String::from_utf8_lossy(head);
    let start = start.trim_start_matches('\u{feff}').trim_start();
    let start = start.to_ascii_lowercase();
    if PAGES.iter().any(|page| start.contains(page)) {
        "text/html"
    } else if start.contains("<svg") {
        "image/svg+xml"
    } else if start.starts_with("<?xml") {
        "application/xml"
    } else if start.starts_with("begin:vcard") {
        "text/vcard"
    } else if start.starts_with("begin:vcalendar") {
        "text/calendar"
    } else if mostly_text(head) {
        "text/plain"
    } else {
        UNKNOWN
    }
}

/// UTF-8 up to a character that may be cut at the end, or nearly all ASCII, as the older codes of
/// Western languages are.
fn mostly_text(head: &[u8]) -> bool {
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) if error.error_len().is_none() => true,
        Err(_) => {
            let foreign = head.iter().filter(|byte| !byte.is_ascii()).count();
            foreign * 4 < head.len()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_say_what_a_file_is() {
        let table: [(&[u8], Option<&str>, &str); 25] = [
            (b"MZ is no program", None, "text/plain"),
            (b"\x89PNG\r\n\x1a\n....", Some("text/html"), "image/png"),
            (b"\xff\xd8\xff\xe0", None, "image/jpeg"),
            (b"RIFF....WEBPVP8 ", None, "image/webp"),
            (b"....ftypisom....", Some("audio/mp4"), "audio/mp4"),
            (b"....ftypisom....", Some("image/png"), "video/mp4"),
            (b"%PDF-1.7", Some("image/png"), "application/pdf"),
            (b"MZ\x90\0", Some("image/png"), EXECUTABLE),
            (b"\x7fELF", Some("application/pdf"), EXECUTABLE),
            (b"#!/bin/sh\n", Some("text/plain"), EXECUTABLE),
            (
                b"PK\x03\x04",
                Some("application/x-msdownload"),
                "application/zip",
            ),
            (
                b"PK\x03\x04",
                Some("application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            ),
            (
                b"PK\x03\x04",
                Some("application/vnd.android.package-archive"),
                "application/zip",
            ),
            (
                b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
                Some("application/msword"),
                "application/msword",
            ),
            (b"hello", Some("text/csv; charset=utf-8"), "text/csv"),
            (b"hello", Some("text/html"), "text/plain"),
            (b"hello", Some("text/csv\r\nx: y"), "text/plain"),
            (b"gr\xc3\xbc\xc3\x9fe", None, "text/plain"),
            (b"cut off \xc3", None, "text/plain"),
            (b"  <!DOCTYPE html><p>", Some("image/png"), "text/html"),
            (
                b"hi <script>alert(1)</script>",
                Some("text/plain"),
                "text/html",
            ),
            (
                b"<?xml version=\"1.0\"?><svg>",
                Some("image/png"),
                "image/svg+xml",
            ),
            (b"a\0b", Some("text/plain"), UNKNOWN),
            (
                b"\x30\x80\x06\x09",
                Some("application/pkcs7-signature"),
                "application/pkcs7-signature",
            ),
            (b"", None, "text/plain"),
        ];
        for (head, declared, expected) in table {
            assert_eq!(
                content_type(head, declared),
                expected,
                "{head:?} {declared:?}"
            );
        }
    }
}
