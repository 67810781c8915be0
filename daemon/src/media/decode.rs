//! The encodings of attachments inside a mail, decoded as they are read.

use trunkline_plugin_api::MediaEncoding;

/// Decodes a stretch of bytes, piece by piece. Mail programs write both encodings carelessly: what does
/// not belong is passed over, not refused.
#[derive(Debug)]
pub(super) enum Decoder {
    Identity,
    Base64 { bits: u32, count: u32, ended: bool },
    QuotedPrintable(Quoted),
}

/// Where in a quoted-printable text a piece ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Quoted {
    #[default]
    Plain,
    /// After `=`.
    Escape,
    /// After `=` and blanks, which may end a line.
    Blank,
    /// After `=` and one digit.
    Digit(u8),
}

impl Decoder {
    pub(super) fn new(encoding: MediaEncoding) -> Self {
        match encoding {
            MediaEncoding::Identity => Self::Identity,
            MediaEncoding::Base64 => Self::Base64 {
                bits: 0,
                count: 0,
                ended: false,
            },
            MediaEncoding::QuotedPrintable => Self::QuotedPrintable(Quoted::default()),
        }
    }

    /// Decodes the next piece onto the end of `out`.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Identity => out.extend_from_slice(piece),
            Self::Base64 { bits, count, ended } => {
                for byte in piece {
                    if *byte == b'=' {
                        *ended = true;
                    }
                    let Some(value) = sextet(*byte).filter(|_| !*ended) else {
                        continue;
                    };
                    *bits = (*bits << 6) | u32::from(value);
                    *count += 6;
                    if *count >= 8 {
                        *count -= 8;
                        out.push(u8::try_from((*bits >> *count) & 0xff).unwrap_or_default());
                    }
                }
            }
            Self::QuotedPrintable(state) => {
                for byte in piece {
                    *state = quoted(*state, *byte, out);
                }
            }
        }
    }
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

fn quoted(state: Quoted, byte: u8, out: &mut Vec<u8>) -> Quoted {
    match (state, byte) {
        (Quoted::Plain, b'=') => Quoted::Escape,
        (Quoted::Plain, _) => {
            out.push(byte);
            Quoted::Plain
        }
        // A soft line break: `=`, perhaps blanks, CR LF or LF.
        (Quoted::Escape | Quoted::Blank, b'\n') => Quoted::Plain,
        (Quoted::Escape | Quoted::Blank, b' ' | b'\t' | b'\r') => Quoted::Blank,
        (Quoted::Escape, _) if hex(byte).is_some() => Quoted::Digit(byte),
        (Quoted::Escape, _) => {
            out.extend_from_slice(&[b'=', byte]);
            Quoted::Plain
        }
        (Quoted::Blank, _) => quoted(Quoted::Plain, byte, out),
        (Quoted::Digit(first), _) => {
            match (hex(first), hex(byte)) {
                (Some(high), Some(low)) => out.push((high << 4) | low),
                _ => out.extend_from_slice(&[b'=', first, byte]),
            }
            Quoted::Plain
        }
    }
}

fn hex(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;
    use proptest::prelude::*;

    use super::*;

    fn decoded(encoding: MediaEncoding, text: &[u8], step: usize) -> Vec<u8> {
        let (mut decoder, mut out) = (Decoder::new(encoding), Vec::new());
        for piece in text.chunks(step.max(1)) {
            decoder.push(piece, &mut out);
        }
        out
    }

    #[test]
    fn quoted_printable_is_read_as_mail_programs_write_it() {
        let table: [(&str, &[u8]); 6] = [
            ("gr=C3=BC=c3=9fe", "grüße".as_bytes()),
            ("a=\r\nb=\nc", b"abc"),
            ("a= \t\r\nb", b"ab"),
            ("1 + 1 =3D 2", b"1 + 1 = 2"),
            ("a =zz b", b"a =zz b"),
            ("line\r\nline", b"line\r\nline"),
        ];
        for (text, expected) in table {
            for step in 1..5 {
                let found = decoded(MediaEncoding::QuotedPrintable, text.as_bytes(), step);
                assert_eq!(found, expected, "{text} by {step}");
            }
        }
    }

    proptest! {
        #[test]
        fn base64_comes_back_whatever_the_pieces(bytes: Vec<u8>, width in 1usize..80, step in 1usize..90) {
            let text = BASE64.encode(&bytes);
            let lines: Vec<u8> = text.as_bytes().chunks(width).flat_map(|line| [line, b"\r\n"].concat()).collect();
            prop_assert_eq!(decoded(MediaEncoding::Base64, &lines, step), bytes.clone());
            prop_assert_eq!(decoded(MediaEncoding::Identity, &bytes, step), bytes);
        }

        #[test]
        fn anything_can_be_decoded(bytes: Vec<u8>, step in 1usize..9) {
            for encoding in [MediaEncoding::Base64, MediaEncoding::QuotedPrintable] {
                prop_assert!(decoded(encoding, &bytes, step).len() <= bytes.len());
            }
        }
    }
}
