//! From a part's bytes to text: transfer encoding, charset, and HTML as plain text.

use std::borrow::Cow;

use mail_parser::decoders::{
    base64::base64_decode, charsets::map::charset_decoder, html::html_to_text,
    quoted_printable::quoted_printable_decode,
};

use super::{Encoding, Leaf};

/// Bytes of a part that are read as text; what is behind them stays in the raw mail.
const TEXT_BYTES_MAX: usize = 512 * 1024;

/// Tags behind which a new line of plain text begins.
const BLOCK_ENDS: [&str; 10] = [
    "</div>",
    "</li>",
    "</tr>",
    "</h1>",
    "</h2>",
    "</h3>",
    "</h4>",
    "</ul>",
    "</ol>",
    "</blockquote>",
];

/// A part's bytes without their transfer encoding. What is not in the encoding that it claims is taken as it is.
pub(crate) fn decoded(encoding: Encoding, bytes: &[u8]) -> Cow<'_, [u8]> {
    let bytes = &bytes[..bytes.len().min(TEXT_BYTES_MAX)];
    let decoded = match encoding {
        Encoding::Identity => None,
        Encoding::Base64 => base64_decode(bytes).or_else(|| {
            // A text that was cut, or has something behind it: whole groups of what is base64.
            let kept: Vec<u8> = bytes
                .iter()
                .copied()
                .filter(|byte| is_base64(*byte))
                .collect();
            base64_decode(&kept[..kept.len() / 4 * 4])
        }),
        Encoding::QuotedPrintable => quoted_printable_decode(bytes),
    };
    decoded.map_or(Cow::Borrowed(bytes), Cow::Owned)
}

/// A part as text.
pub(crate) fn text_of(leaf: &Leaf<'_>) -> String {
    let bytes = decoded(leaf.encoding, leaf.bytes);
    let charset = leaf.charset.as_deref().unwrap_or_default();
    if matches!(charset, "" | "utf-8" | "utf8" | "us-ascii" | "ascii") {
        match std::str::from_utf8(&bytes) {
            Ok(text) => return text.to_owned(),
            // Cut in the middle of its last character.
            Err(cut) if cut.error_len().is_none() => {
                return String::from_utf8_lossy(&bytes[..cut.valid_up_to()]).into_owned();
            }
            Err(_) => {}
        }
    }
    // Bytes that are not what they claim are most often the charset of Western Windows.
    let fallback = match charset {
        "" | "us-ascii" | "ascii" => "windows-1252",
        other => other,
    };
    charset_decoder(fallback.as_bytes()).map_or_else(
        || String::from_utf8_lossy(&bytes).into_owned(),
        |decode| decode(&bytes),
    )
}

/// HTML as the plain text that a person would read.
pub(crate) fn from_html(html: &str) -> String {
    let mut marked = String::with_capacity(html.len() + html.len() / 8);
    let mut rest = html;
    while let Some(at) = rest.find("</") {
        let (before, tag) = rest.split_at(at);
        marked.push_str(before);
        let end = BLOCK_ENDS.iter().find(|end| {
            tag.get(..end.len())
                .is_some_and(|tag| tag.eq_ignore_ascii_case(end))
        });
        let len = end.map_or(2, |end| end.len());
        marked.push_str(&tag[..len]);
        if end.is_some() {
            marked.push_str("<br>");
        }
        rest = &tag[len..];
    }
    marked.push_str(rest);
    let text = html_to_text(&marked);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut out = String::with_capacity(text.len());
    let mut blank = 0;
    for line in lines {
        blank = if line.is_empty() { blank + 1 } else { 0 };
        if blank < 2 {
            out.push_str(line);
            out.push('\n');
        }
    }
    out.trim().to_owned()
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}
