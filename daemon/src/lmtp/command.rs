//! What a client says (RFC 2033, RFC 5321): one line, one command.

/// Bytes of an address without its brackets (RFC 5321, 4.5.3.1, with room to spare).
const ADDRESS_BYTES_MAX: usize = 320;

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// `LHLO name`.
    Lhlo,
    /// `MAIL FROM:<address>`, empty for a mail without sender, and the size announced.
    Mail { from: String, size: Option<u64> },
    /// `RCPT TO:<address>`.
    Rcpt(String),
    /// `DATA`
    Data,
    /// `RSET`
    Rset,
    /// `NOOP`
    Noop,
    /// `VRFY`
    Vrfy,
    /// `QUIT`
    Quit,
}

/// Why a line is no command: the reply to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) u16, pub(super) &'static str);

const UNKNOWN: Refusal = Refusal(500, "5.5.1 no such command here; this is LMTP");
const NOT_TEXT: Refusal = Refusal(500, "5.5.2 the line is not text");
const NOT_AN_ADDRESS: Refusal = Refusal(501, "5.1.3 that is not an address");
const ARGUMENTS: Refusal = Refusal(501, "5.5.4 the arguments are wrong");
const PARAMETER: Refusal = Refusal(555, "5.5.4 no such parameter here");

/// Reads one line, without its end.
pub(super) fn parse(line: &[u8]) -> Result<Command, Refusal> {
    let line = std::str::from_utf8(line).map_err(|_| NOT_TEXT)?;
    if line.contains(char::is_control) {
        return Err(NOT_TEXT);
    }
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let is_bare = rest.trim().is_empty();
    let bare = |command| is_bare.then_some(command).ok_or(ARGUMENTS);
    match verb.to_ascii_uppercase().as_str() {
        "LHLO" if is_bare => Err(ARGUMENTS),
        "LHLO" => Ok(Command::Lhlo),
        "MAIL" => mail(rest),
        "RCPT" => {
            let (to, parameters) = path(rest, "TO:")?;
            match (to.as_str(), parameters) {
                ("", _) => Err(NOT_AN_ADDRESS),
                (_, "") => Ok(Command::Rcpt(to)),
                _ => Err(PARAMETER),
            }
        }
        "DATA" => bare(Command::Data),
        "RSET" => bare(Command::Rset),
        "NOOP" => Ok(Command::Noop),
        "VRFY" => Ok(Command::Vrfy),
        "QUIT" => bare(Command::Quit),
        _ => Err(UNKNOWN),
    }
}

fn mail(rest: &str) -> Result<Command, Refusal> {
    let (from, parameters) = path(rest, "FROM:")?;
    let mut size = None;
    for parameter in parameters.split(' ').filter(|word| !word.is_empty()) {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match key.to_ascii_uppercase().as_str() {
            "SIZE" => size = Some(value.parse().map_err(|_| ARGUMENTS)?),
            "BODY"
                if ["7BIT", "8BITMIME"]
                    .iter()
                    .any(|known| value.eq_ignore_ascii_case(known)) => {}
            "BODY" => return Err(ARGUMENTS),
            "SMTPUTF8" if value.is_empty() => {}
            _ => return Err(PARAMETER),
        }
    }
    Ok(Command::Mail { from, size })
}

/// The address between `<` and `>` behind a keyword, and what follows it.
fn path<'a>(rest: &'a str, keyword: &str) -> Result<(String, &'a str), Refusal> {
    let rest = rest.trim_start();
    let (given, rest) = rest.split_at_checked(keyword.len()).ok_or(ARGUMENTS)?;
    if !given.eq_ignore_ascii_case(keyword) {
        return Err(ARGUMENTS);
    }
    let rest = rest.trim_start().strip_prefix('<').ok_or(NOT_AN_ADDRESS)?;
    let end = closing(rest).ok_or(NOT_AN_ADDRESS)?;
    let (path, rest) = (&rest[..end], &rest[end + 1..]);
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err(ARGUMENTS);
    }
    // A source route is obsolete, and to be ignored (RFC 5321, appendix F.2).
    let address = match path.strip_prefix('@') {
        Some(routed) => routed.split_once(':').ok_or(NOT_AN_ADDRESS)?.1,
        None => path,
    };
    if address.len() > ADDRESS_BYTES_MAX {
        return Err(NOT_AN_ADDRESS);
    }
    Ok((address.to_owned(), rest.trim()))
}

/// Where the `>` is that ends a path: not one within quotes.
fn closing(path: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_are_read_whatever_their_case() {
        let mail = |from: &str, size| Command::Mail {
            from: from.into(),
            size,
        };
        let rcpt = |to: &str| Command::Rcpt(to.into());
        for (line, command) in [
            ("lhlo mx.example.org", Command::Lhlo),
            ("MAIL FROM:<>", mail("", None)),
            (
                "mail from:<a@example.org> size=12 BODY=8bitmime SMTPUTF8",
                mail("a@example.org", Some(12)),
            ),
            ("MAIL FROM: <a@example.org>", mail("a@example.org", None)),
            ("RCPT TO:<help+x@example.com>", rcpt("help+x@example.com")),
            (
                "RCPT TO:<@relay.example,@b:help@example.com>",
                rcpt("help@example.com"),
            ),
            ("RCPT TO:<\"a>b\"@example.com>", rcpt("\"a>b\"@example.com")),
            ("RCPT TO:<jörg@example.com>", rcpt("jörg@example.com")),
            ("DATA", Command::Data),
            ("NOOP whatever", Command::Noop),
            ("quit", Command::Quit),
        ] {
            assert_eq!(parse(line.as_bytes()), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_is_no_command_has_its_reply() {
        for (line, code) in [
            ("EHLO mx", 500),
            ("HELO mx", 500),
            ("", 500),
            ("MAIL", 501),
            ("MAIL FROM:a@example.org", 501),
            ("MAIL FROM:<a@example.org", 501),
            ("MAIL FROM:<a@example.org>SIZE=1", 501),
            ("MAIL FROM:<a@example.org> SIZE=many", 501),
            ("MAIL FROM:<a@example.org> RET=HDRS", 555),
            ("RCPT TO:<>", 501),
            ("RCPT TO:<a@example.org> NOTIFY=NEVER", 555),
            ("DATA now", 501),
            ("LHLO", 501),
            ("RCPT TO:<a\r\n@example.org>", 500),
        ] {
            assert_eq!(parse(line.as_bytes()).unwrap_err().0, code, "{line}");
        }
        assert_eq!(parse(b"NOOP \xff"), Err(NOT_TEXT));
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&line);
        }

        #[test]
        fn no_address_holds_control_characters(line in "(MAIL FROM|RCPT TO):<\\PC{0,12}[\\x00-\\x20]?\\PC{0,4}>.{0,4}") {
            if let Ok(Command::Rcpt(address) | Command::Mail { from: address, .. }) = parse(line.as_bytes()) {
                prop_assert!(!address.contains(char::is_control));
            }
        }
    }
}
