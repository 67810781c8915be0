//! What a server answers (RFC 5321, 4.2): a code and one or several lines.

use trunkline_plugin_api::SmtpReply;

/// Lines of one answer.
const LINES_MAX: usize = 128;
/// Bytes of one answer's text that an adapter is given.
const TEXT_BYTES_MAX: usize = 1024;

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: u16,
    lines: Vec<String>,
}

/// What is not an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's answer is not SMTP")]
pub(super) struct Garbled;

/// What a server offers, by its answer to EHLO.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) starttls: bool,
    pub(super) pipelining: bool,
    pub(super) eight_bit: bool,
    pub(super) utf8: bool,
    pub(super) auth_plain: bool,
    pub(super) auth_login: bool,
    /// Whether SIZE is offered at all.
    pub(super) size: bool,
    /// Bytes of a mail at most, where the server says.
    pub(super) size_max: Option<u64>,
}

impl Answer {
    /// Takes the next line, without its end. True where it is the last one.
    pub(super) fn push(&mut self, line: &[u8]) -> Result<bool, Garbled> {
        let (code, rest) = line.split_at_checked(3).ok_or(Garbled)?;
        let code = std::str::from_utf8(code).map_err(|_| Garbled)?;
        let is_number = code.bytes().all(|byte| byte.is_ascii_digit());
        let code: u16 = code.parse().map_err(|_| Garbled)?;
        let is_first = self.lines.is_empty();
        if !is_number || !(200..600).contains(&code) || (!is_first && code != self.code) {
            return Err(Garbled);
        }
        let is_last = match rest.first() {
            None | Some(b' ') => true,
            Some(b'-') => false,
            Some(_) => return Err(Garbled),
        };
        if self.lines.len() == LINES_MAX {
            return Err(Garbled);
        }
        self.code = code;
        let text = String::from_utf8_lossy(rest.get(1..).unwrap_or_default());
        self.lines.push(text.trim().replace(char::is_control, "?"));
        Ok(is_last)
    }

    /// True where the server did what it was told.
    pub(super) fn is_good(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// What an answer to EHLO offers.
    pub(super) fn offer(&self) -> Offer {
        let mut offer = Offer::default();
        for line in self.lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            // Some old servers write "AUTH=LOGIN".
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            match words.next().unwrap_or_default() {
                "STARTTLS" => offer.starttls = true,
                "PIPELINING" => offer.pipelining = true,
                "8BITMIME" => offer.eight_bit = true,
                "SMTPUTF8" => offer.utf8 = true,
                "SIZE" => {
                    offer.size = true;
                    let bytes = words.next().and_then(|word| word.parse().ok());
                    offer.size_max = bytes.filter(|bytes| *bytes > 0);
                }
                "AUTH" => {
                    for word in words {
                        offer.auth_plain |= word == "PLAIN";
                        offer.auth_login |= word == "LOGIN";
                    }
                }
                _ => {}
            }
        }
        offer
    }

    /// The answer as adapters get it: the enhanced code (RFC 3463) apart, the lines as one text.
    pub(super) fn into_reply(self) -> SmtpReply {
        let class = self.code / 100;
        let mut enhanced = None;
        let mut text = String::new();
        for line in &self.lines {
            let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
            let words = match enhanced_code(first, class) {
                Some(code) => {
                    enhanced.get_or_insert_with(|| code.to_owned());
                    rest
                }
                None => line,
            };
            if !text.is_empty() && !words.is_empty() {
                text.push(' ');
            }
            text.push_str(words);
        }
        let end = (0..=TEXT_BYTES_MAX.min(text.len())).rev();
        let end = end.into_iter().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        SmtpReply {
            code: self.code,
            enhanced,
            text,
        }
    }
}

/// `5.1.1`, where a word is one of the answer's class.
fn enhanced_code(word: &str, class: u16) -> Option<&str> {
    let mut parts = word.split('.');
    let is_number = |part: &str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let first = parts.next()?;
    let well_formed = parts.clone().count() == 2 && parts.all(is_number);
    (first == class.to_string() && well_formed).then_some(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(lines: &[&str]) -> Result<Answer, Garbled> {
        let mut answer = Answer::default();
        for (index, line) in lines.iter().enumerate() {
            assert_eq!(answer.push(line.as_bytes())?, index + 1 == lines.len());
        }
        Ok(answer)
    }

    #[test]
    fn several_lines_are_one_answer() {
        let read = answer(&["550-5.1.1 no such user", "550-5.1.1 here", "550 5.1.1"]).unwrap();
        let reply = read.into_reply();
        assert_eq!(reply.code, 550);
        assert_eq!(reply.enhanced.as_deref(), Some("5.1.1"));
        assert_eq!(reply.text, "no such user here");
        assert_eq!(answer(&["250"]).unwrap().into_reply().text, "");
        // An enhanced code of another class, and a version number, are words.
        for line in ["250 5.1.1 odd", "250 2.1 is my version", "250 2.1.x no"] {
            let reply = answer(&[line]).unwrap().into_reply();
            assert_eq!((reply.enhanced, reply.text.as_str()), (None, &line[4..]));
        }
    }

    #[test]
    fn what_is_offered_is_read_whatever_its_case() {
        let read = answer(&[
            "250-mx.example.org",
            "250-pipelining",
            "250-SIZE 1000",
            "250-AUTH=LOGIN",
            "250-AUTH PLAIN XOAUTH2",
            "250-8BITMIME",
            "250 StartTLS",
        ]);
        let offer = read.unwrap().offer();
        assert!(offer.starttls && offer.pipelining && offer.eight_bit && offer.size);
        assert!(offer.auth_plain && offer.auth_login && !offer.utf8);
        assert_eq!(offer.size_max, Some(1000));
        let greeting = answer(&["250 STARTTLS"]).unwrap();
        assert_eq!(
            greeting.offer(),
            Offer::default(),
            "the first line is a name"
        );
    }

    #[test]
    fn what_is_not_smtp_is_refused() {
        for line in [
            "",
            "25",
            "abc hello",
            "+25 x",
            "250x",
            "999 no",
            "100 no",
            "HTTP/1.1 400",
        ] {
            assert_eq!(
                Answer::default().push(line.as_bytes()),
                Err(Garbled),
                "{line}"
            );
        }
        assert_eq!(answer(&["250-a", "251 b"]), Err(Garbled));
        let mut long = Answer::default();
        assert!((0..LINES_MAX).all(|_| long.push(b"250-x") == Ok(false)));
        assert_eq!(long.push(b"250-x"), Err(Garbled));
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused_and_leaves_no_control_characters(line in "\\PC{0,40}|[0-9]{3}[ -].{0,600}") {
            let mut answer = Answer::default();
            if answer.push(line.as_bytes()).is_ok() {
                let reply = answer.into_reply();
                prop_assert!((200..600).contains(&reply.code));
                prop_assert!(!reply.text.contains(char::is_control));
                prop_assert!(reply.text.len() <= TEXT_BYTES_MAX);
            }
        }
    }
}
