//! Finds the parts of a mail by their boundaries, without copying any of them.

use std::ops::Range;

use mail_parser::MessageParser;
use memchr::memmem;
use trunkline_plugin_api::MediaEncoding;

use super::Headers;

/// Multiparts within multiparts.
const DEPTH_MAX: usize = 16;
/// Parts of a whole mail.
const LEAVES_MAX: usize = 300;
/// Characters of a file name.
const NAME_CHARS_MAX: usize = 200;

/// How a part's bytes are written in the mail.
pub(crate) type Encoding = MediaEncoding;

/// A part that has no parts of its own.
pub(crate) struct Leaf<'m> {
    /// Lower case, `text/plain` where nothing is said.
    pub(crate) content_type: String,
    pub(crate) charset: Option<String>,
    pub(crate) encoding: Encoding,
    /// The file's own name, without folders.
    pub(crate) name: Option<String>,
    /// By which an HTML text shows it.
    pub(crate) content_id: Option<String>,
    /// True where the mail says that it is an attachment.
    pub(crate) is_attachment: bool,
    /// The multipart/alternative that it is in, by number.
    pub(crate) alternative: Option<usize>,
    /// Where it is in the mail.
    pub(crate) range: Range<usize>,
    /// Its bytes, as they are written there.
    pub(crate) bytes: &'m [u8],
}

impl Leaf<'_> {
    /// True for what a person reads first, and not for a text that is a file.
    pub(crate) fn is_body(&self) -> bool {
        matches!(self.content_type.as_str(), "text/plain" | "text/html")
            && !self.is_attachment
            && self.name.is_none()
    }
}

/// A walk through a mail.
pub(super) struct Walk<'m, 'p> {
    parser: &'p MessageParser,
    mail: &'m [u8],
    depth: usize,
    alternatives: usize,
    alternative: Option<usize>,
    pub(super) leaves: Vec<Leaf<'m>>,
    pub(super) is_cut: bool,
}

impl<'m, 'p> Walk<'m, 'p> {
    pub(super) fn new(parser: &'p MessageParser, mail: &'m [u8]) -> Self {
        Self {
            parser,
            mail,
            depth: 0,
            alternatives: 0,
            alternative: None,
            leaves: Vec::new(),
            is_cut: false,
        }
    }

    /// Takes an entity with these headers, whose body is at `range` of the mail.
    pub(super) fn entity(&mut self, headers: &Headers<'m>, range: Range<usize>) {
        if self.leaves.len() >= LEAVES_MAX {
            self.is_cut = true;
            return;
        }
        let content_type = headers.content("Content-Type");
        let boundary = content_type
            .filter(|found| found.ctype().eq_ignore_ascii_case("multipart"))
            .and_then(|found| found.attribute("boundary"))
            .filter(|boundary| !boundary.is_empty());
        if let Some(boundary) = boundary {
            let room = LEAVES_MAX - self.leaves.len();
            let (parts, more) = split(&self.mail[range.clone()], boundary.as_bytes(), room);
            if !parts.is_empty() && self.depth < DEPTH_MAX {
                self.is_cut |= more;
                let is_alternative = content_type
                    .and_then(|found| found.subtype())
                    .is_some_and(|subtype| subtype.eq_ignore_ascii_case("alternative"));
                self.multipart(is_alternative, range.start, parts);
                return;
            }
            self.is_cut |= !parts.is_empty();
        }
        self.leaves.push(leaf(headers, self.mail, range));
        if let Some(leaf) = self.leaves.last_mut() {
            leaf.alternative = self.alternative;
        }
    }

    fn multipart(&mut self, is_alternative: bool, start: usize, parts: Vec<Range<usize>>) {
        let before = self.alternative;
        // What is alternative within an alternative is still the same text said otherwise.
        if is_alternative && before.is_none() {
            self.alternatives += 1;
            self.alternative = Some(self.alternatives);
        }
        self.depth += 1;
        for part in parts {
            let range = start + part.start..start + part.end;
            let (headers, body) = Headers::read(self.parser, &self.mail[range.clone()]);
            self.entity(&headers, range.start + body..range.end);
        }
        self.depth -= 1;
        self.alternative = before;
    }
}

fn leaf<'m>(headers: &Headers<'m>, mail: &'m [u8], range: Range<usize>) -> Leaf<'m> {
    let content_type = headers.content("Content-Type");
    let disposition = headers.content("Content-Disposition");
    let full = content_type.map(|found| {
        let subtype = found.subtype().unwrap_or("plain");
        format!("{}/{subtype}", found.ctype()).to_ascii_lowercase()
    });
    // A multipart without parts is what it looks like: text.
    let full = full.filter(|full| !full.starts_with("multipart/") && full.len() <= 100);
    let name = disposition
        .and_then(|found| found.attribute("filename"))
        .or_else(|| content_type.and_then(|found| found.attribute("name")));
    let charset = content_type.and_then(|found| found.attribute("charset"));
    Leaf {
        content_type: full.unwrap_or_else(|| "text/plain".into()),
        charset: charset.map(str::to_ascii_lowercase),
        encoding: encoding(headers.text("Content-Transfer-Encoding")),
        name: name.and_then(file_name),
        content_id: headers.ids("Content-ID").first().map(|id| (*id).to_owned()),
        is_attachment: disposition
            .is_some_and(|found| !found.ctype().eq_ignore_ascii_case("inline")),
        alternative: None,
        bytes: &mail[range.clone()],
        range,
    }
}

fn encoding(word: Option<&str>) -> Encoding {
    match word {
        Some(word) if word.eq_ignore_ascii_case("base64") => Encoding::Base64,
        Some(word) if word.eq_ignore_ascii_case("quoted-printable") => Encoding::QuotedPrintable,
        _ => Encoding::Identity,
    }
}

/// The last step of a path, without what no file name holds.
fn file_name(text: &str) -> Option<String> {
    let last = text.rsplit(['/', '\\']).next().unwrap_or(text);
    let kept = last
        .chars()
        .filter(|c| !c.is_control())
        .take(NAME_CHARS_MAX);
    let name = kept.collect::<String>().trim().to_owned();
    (!name.is_empty() && name != "." && name != "..").then_some(name)
}

/// The parts between the lines `--boundary`, at most `max`, and whether there are more. The line end before a
/// boundary belongs to the boundary. A last part without a boundary behind it goes to the end.
fn split(body: &[u8], boundary: &[u8], max: usize) -> (Vec<Range<usize>>, bool) {
    let delimiter = [b"--", boundary].concat();
    let mut parts = Vec::new();
    let mut begun = None;
    for at in memmem::find_iter(body, &delimiter) {
        if at > 0 && body[at - 1] != b'\n' {
            continue;
        }
        let Some((next, is_last)) = line_end(body, at + delimiter.len()) else {
            continue;
        };
        if let Some(start) = begun.take() {
            if parts.len() == max {
                return (parts, true);
            }
            parts.push(start..before_line_end(body, start, at));
        }
        if is_last {
            return (parts, false);
        }
        begun = Some(next);
    }
    if let Some(start) = begun {
        if parts.len() == max {
            return (parts, true);
        }
        parts.push(start..body.len());
    }
    (parts, false)
}

/// Where the line behind a boundary ends, and whether the boundary closes; none where it is the beginning of
/// another, longer boundary.
fn line_end(body: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let is_last = body[at..].starts_with(b"--");
    if is_last {
        at += 2;
    }
    while matches!(body.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    match &body[at..] {
        [] => Some((at, is_last)),
        [b'\n', ..] => Some((at + 1, is_last)),
        [b'\r', b'\n', ..] => Some((at + 2, is_last)),
        // Behind the closing one anything goes.
        _ if is_last => Some((at, true)),
        _ => None,
    }
}

fn before_line_end(body: &[u8], start: usize, at: usize) -> usize {
    let mut end = at;
    if end > start && body[end - 1] == b'\n' {
        end -= 1;
        if end > start && body[end - 1] == b'\r' {
            end -= 1;
        }
    }
    end
}
