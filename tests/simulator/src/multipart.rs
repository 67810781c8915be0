//! Multipart forms (RFC 7578), read to the byte.

/// One part of a form.
pub(crate) struct Part<'a> {
    /// Its name in the form.
    pub(crate) name: &'a str,
    /// Set where it is a file.
    pub(crate) file_name: Option<&'a str>,
    /// Its own type.
    pub(crate) content_type: Option<&'a str>,
    /// What it holds.
    pub(crate) bytes: &'a [u8],
}

/// The parts of a form with this content type; else what is wrong, in words.
pub(crate) fn parts<'a>(content_type: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, String> {
    let boundary = content_type
        .strip_prefix("multipart/form-data")
        .and_then(|rest| rest.split_once("boundary="))
        .map(|(_, boundary)| boundary.trim_matches('"'))
        .filter(|boundary| (1..=70).contains(&boundary.len()))
        .ok_or_else(|| format!("`{content_type}` is no multipart form"))?;
    split(body, boundary).ok_or_else(|| "the multipart form is damaged".to_owned())
}

/// None where the form does not end as it should.
fn split<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<Part<'a>>> {
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(&delimiter.as_bytes()[2..])?;
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let end = find(rest, delimiter.as_bytes())?;
        parts.push(part(&rest[..end])?);
        rest = &rest[end + delimiter.len()..];
    }
}

fn part(bytes: &[u8]) -> Option<Part<'_>> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let header = |name: &str| {
        head.split("\r\n").find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let disposition = header("content-disposition")?;
    let parameter = |name: &str| {
        let (_, rest) = disposition.split_once(&format!("; {name}=\""))?;
        rest.split('"').next()
    };
    Some(Part {
        name: parameter("name")?,
        file_name: parameter("filename"),
        content_type: header("content-type"),
        bytes: &bytes[end + 4..],
    })
}

/// Goes from one first byte to the next: files are large.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|byte| *byte == first)?;
        if bytes[at..].starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
}
