//! A mail as it is written after DATA (RFC 5321, 4.5.2): lines end with CR LF, and a dot at the
//! beginning of one is doubled. A CR or LF by itself becomes a whole line end: servers disagree about
//! what it is, and a dot behind it could end the mail early.

/// Writes a mail in chunks of any size.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stuffer(At);

/// Where in a line the last byte left us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum At {
    #[default]
    Start,
    Within,
    /// Behind a CR that is written already.
    Cr,
}

impl Stuffer {
    /// Appends the next chunk to `out`.
    pub(super) fn push(&mut self, mut chunk: &[u8], out: &mut Vec<u8>) {
        while let Some(&byte) = chunk.first() {
            if self.0 == At::Cr {
                out.push(b'\n');
                self.0 = At::Start;
                if byte == b'\n' {
                    chunk = &chunk[1..];
                    continue;
                }
            }
            match byte {
                b'\r' => {
                    out.push(b'\r');
                    self.0 = At::Cr;
                    chunk = &chunk[1..];
                }
                b'\n' => {
                    out.extend_from_slice(b"\r\n");
                    self.0 = At::Start;
                    chunk = &chunk[1..];
                }
                _ => {
                    if self.0 == At::Start && byte == b'.' {
                        out.push(b'.');
                    }
                    let end = chunk.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
                    let (run, rest) = chunk.split_at(end.unwrap_or(chunk.len()));
                    out.extend_from_slice(run);
                    self.0 = At::Within;
                    chunk = rest;
                }
            }
        }
    }

    /// What ends the mail: its last line's end where that is missing, and the final dot.
    pub(super) fn end(self) -> &'static [u8] {
        match self.0 {
            At::Start => b".\r\n",
            At::Within => b"\r\n.\r\n",
            At::Cr => b"\n.\r\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(chunks: &[&[u8]]) -> Vec<u8> {
        let (mut stuffer, mut out) = (Stuffer::default(), Vec::new());
        for chunk in chunks {
            stuffer.push(chunk, &mut out);
        }
        out.extend_from_slice(stuffer.end());
        out
    }

    /// The mail as a server reads it: up to the first line that is a dot.
    fn read(written: &[u8]) -> Vec<Vec<u8>> {
        let text = written.to_vec();
        let mut lines = Vec::new();
        let mut rest = text.as_slice();
        loop {
            let end = rest.windows(2).position(|pair| pair == b"\r\n");
            let (line, after) = rest.split_at(end.expect("every line has an end"));
            rest = &after[2..];
            if line == b"." {
                assert!(rest.is_empty(), "something follows the final dot");
                return lines;
            }
            lines.push(line.strip_prefix(b".").unwrap_or(line).to_vec());
        }
    }

    #[test]
    fn dots_are_doubled_across_the_borders_of_chunks() {
        assert_eq!(written(&[]), b".\r\n");
        assert_eq!(written(&[b".a\r\n", b".", b"\r\n"]), b"..a\r\n..\r\n.\r\n");
        assert_eq!(written(&[b"a\r", b"\n.b"]), b"a\r\n..b\r\n.\r\n");
        assert_eq!(written(&[b"a\n.\n"]), b"a\r\n..\r\n.\r\n");
        assert_eq!(written(&[b"a\r.\r", b"b\r"]), b"a\r\n..\r\nb\r\n.\r\n");
        assert_eq!(written(&[b"a\r\r\nb"]), b"a\r\n\r\nb\r\n.\r\n");
    }

    proptest! {
        #[test]
        fn a_server_reads_the_same_lines_however_it_is_cut(
            text in "[a.\r\n]{0,60}", cuts in proptest::collection::vec(0usize..60, 0..6)
        ) {
            let text = text.into_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([text.len()]) {
                chunks.push(&text[from..cut]);
                from = cut;
            }
            let written = written(&chunks);
            let bare = |at: usize| written[at] == b'\n' && (at == 0 || written[at - 1] != b'\r');
            prop_assert!(!(0..written.len()).any(bare));
            let normal = String::from_utf8(text).unwrap();
            let normal = normal.replace("\r\n", "\n").replace('\r', "\n");
            let mut expected: Vec<_> = normal.split('\n').map(|line| line.as_bytes().to_vec()).collect();
            if expected.last().is_some_and(Vec::is_empty) {
                expected.pop();
            }
            prop_assert_eq!(read(&written), expected);
        }
    }
}
