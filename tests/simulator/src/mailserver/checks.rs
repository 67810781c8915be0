//! What a mail on the wire must look like (RFC 5321, 4.5; RFC 5322, 2.1 and 3.6).

use mail_parser::MessageParser;

/// Bytes of a line with its end (RFC 5322, 2.1.1).
const LINE_BYTES_MAX: usize = 1000;

/// How a mail was announced.
pub(super) struct Announced {
    pub(super) size: Option<u64>,
    pub(super) eight_bit: bool,
}

/// Finds the end of a mail at `from` or behind it: the index behind the final dot's line.
pub(super) fn end_of_mail(bytes: &[u8], from: usize) -> Option<usize> {
    if bytes.starts_with(b".\r\n") {
        return Some(3);
    }
    let rest = bytes.get(from..)?;
    let end = rest.windows(5).position(|five| five == b"\r\n.\r\n")?;
    Some(from + end + 5)
}

/// The mail without its final dot and doubled dots, and what is wrong with how it was written.
pub(super) fn read(written: &[u8], announced: &Announced) -> (Vec<u8>, Vec<String>) {
    let mut complaints = Vec::new();
    let text = written.strip_suffix(b".\r\n").unwrap_or(written);
    let mut mail = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let Some(bare) = line.strip_suffix(b"\r\n") else {
            complaints.push("a line does not end with CR LF".to_owned());
            mail.extend_from_slice(line);
            continue;
        };
        if bare.contains(&b'\r') {
            complaints.push("a CR stands by itself".to_owned());
        }
        if line.len() > LINE_BYTES_MAX {
            complaints.push(format!("a line has {} bytes", line.len()));
        }
        match bare {
            [b'.', b'.', ..] => mail.extend_from_slice(&line[1..]),
            [b'.', ..] => {
                complaints.push("a line begins with a single dot".to_owned());
                mail.extend_from_slice(&line[1..]);
            }
            _ => mail.extend_from_slice(line),
        }
    }
    if !mail.is_ascii() && !announced.eight_bit {
        complaints.push("the mail is not ASCII, and BODY=8BITMIME was not said".to_owned());
    }
    if let Some(size) = announced.size
        && size.abs_diff(mail.len() as u64) > 2
    {
        complaints.push(format!("SIZE={size} was said, {} bytes came", mail.len()));
    }
    complaints.extend(headers(&mail));
    (mail, complaints)
}

/// What is wrong with the headers.
fn headers(mail: &[u8]) -> Vec<String> {
    let Some(parsed) = MessageParser::default().parse_headers(mail) else {
        return vec!["the mail has no headers".to_owned()];
    };
    let mut complaints = Vec::new();
    for name in ["From", "Date", "Message-ID"] {
        let headers = parsed.headers().iter();
        let count = headers
            .filter(|header| header.name().eq_ignore_ascii_case(name))
            .count();
        if count != 1 {
            complaints.push(format!("the mail has {count} headers {name}"));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "From: a@example.com\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\r\n";

    fn complaints(body: &str) -> Vec<String> {
        let announced = Announced {
            size: None,
            eight_bit: false,
        };
        read(format!("{HEAD}{body}.\r\n").as_bytes(), &announced).1
    }

    #[test]
    fn what_a_good_server_dislikes_is_found() {
        assert_eq!(complaints("hello\r\n..\r\n"), Vec::<String>::new());
        assert!(complaints("a\nb\r\n")[0].contains("CR LF"));
        assert!(complaints("a\rb\r\n")[0].contains("by itself"));
        assert!(complaints(".a\r\n")[0].contains("single dot"));
        assert!(complaints("é\r\n")[0].contains("8BITMIME"));
        assert!(complaints(&format!("{}\r\n", "a".repeat(999)))[0].contains("1001 bytes"));
        let announced = Announced {
            size: Some(3),
            eight_bit: true,
        };
        let (mail, found) = read(b"a: b\r\n\r\n..x\r\n.\r\n", &announced);
        assert_eq!(mail, b"a: b\r\n\r\n.x\r\n");
        assert_eq!(found.len(), 4, "{found:?}");
    }

    #[test]
    fn a_mail_ends_with_a_dot_on_a_line_by_itself() {
        assert_eq!(end_of_mail(b".\r\nQUIT", 0), Some(3));
        assert_eq!(end_of_mail(b"a\r\n.\r\nQUIT", 1), Some(6));
        assert_eq!(end_of_mail(b"a\n.\nb\r\n..\r\n", 0), None);
    }
}
