//! The mail behind DATA, byte for byte: doubled dots are taken out, nothing else is touched. Only
//! CR LF, dot, CR LF ends it; whatever else looks like an end is part of the mail, so that no part of
//! a mail is ever taken for commands.

/// Bytes of a mail of unknown length behind which it is taken for a large one.
const KNOWN_BYTES_MAX: usize = 256 * 1024;

/// Takes a mail in chunks of any size.
#[derive(Debug, Clone)]
pub(super) struct Unstuffer {
    at: At,
    /// What was read so far.
    pub(super) mail: Vec<u8>,
    /// How many bytes it has, kept or not.
    pub(super) len: u64,
    /// Bytes that are kept at most.
    pub(super) keep_max: u64,
}

/// Where in a line the last byte left us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    Within,
    Cr,
    /// Behind a dot at the beginning of a line.
    Dot,
    /// Behind such a dot and a CR.
    DotCr,
}

impl Unstuffer {
    /// A mail of which at most `keep_max` bytes are kept, with room for `expected`.
    pub(super) fn new(expected: u64, keep_max: u64) -> Self {
        let room = usize::try_from(expected.min(keep_max)).unwrap_or(0);
        Self {
            at: At::Start,
            mail: Vec::with_capacity(room),
            len: 0,
            keep_max,
        }
    }

    /// True where the mail is larger than what is kept.
    pub(super) fn is_cut(&self) -> bool {
        self.len > self.keep_max
    }

    /// Takes bytes; gives how many of them belonged to the mail where it ended within them.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            match (self.at, byte) {
                (At::Within, _) => {
                    let rest = &chunk[at..];
                    let end = rest.iter().position(|byte| *byte == b'\r');
                    let run = &rest[..end.unwrap_or(rest.len())];
                    self.keep(run);
                    at += run.len();
                    if end.is_some() {
                        self.keep(b"\r");
                        self.at = At::Cr;
                        at += 1;
                    }
                    continue;
                }
                (At::Start, b'.') => self.at = At::Dot,
                (At::Dot, b'\r') => self.at = At::DotCr,
                (At::DotCr, b'\n') => return Some(at + 1),
                (At::Cr, b'\n') => {
                    self.keep(b"\n");
                    self.at = At::Start;
                }
                (At::DotCr, _) => {
                    // The dot was a doubled one, before a CR by itself.
                    self.keep(b"\r");
                    self.at = At::Cr;
                    continue;
                }
                (At::Start | At::Cr, b'\r') => {
                    self.keep(b"\r");
                    self.at = At::Cr;
                }
                (At::Start | At::Dot | At::Cr, _) => {
                    self.at = At::Within;
                    continue;
                }
            }
            at += 1;
        }
        None
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        if self.is_cut() {
            return;
        }
        let is_full = self.mail.capacity() - self.mail.len() < bytes.len();
        if is_full && self.mail.len() > KNOWN_BYTES_MAX {
            // Once, up to what is allowed: memory that is not written to costs nothing, while a
            // vector that grows by doubling is there twice when it moves.
            let room = usize::try_from(self.keep_max).unwrap_or(usize::MAX);
            self.mail.reserve_exact(room - self.mail.len());
        }
        self.mail.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The mail, and what follows it.
    fn read(chunks: &[&[u8]]) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut unstuffer = Unstuffer::new(0, 1000);
        for (index, chunk) in chunks.iter().enumerate() {
            if let Some(end) = unstuffer.push(chunk) {
                let mut rest = chunk[end..].to_vec();
                chunks[index + 1..]
                    .iter()
                    .for_each(|chunk| rest.extend_from_slice(chunk));
                return Some((unstuffer.mail, rest));
            }
        }
        None
    }

    #[test]
    fn a_large_mail_of_unknown_length_moves_once() {
        let keep_max = 4 << 20;
        let mut unstuffer = Unstuffer::new(0, keep_max);
        let chunk = vec![b'a'; 64 << 10];
        let mut places = std::collections::BTreeSet::new();
        for _ in 0..keep_max / chunk.len() as u64 {
            assert_eq!(unstuffer.push(&chunk), None);
            if unstuffer.mail.len() > 2 * KNOWN_BYTES_MAX {
                places.insert((unstuffer.mail.as_ptr(), unstuffer.mail.capacity()));
            }
        }
        assert_eq!(unstuffer.mail.len() as u64, keep_max);
        assert_eq!(places.len(), 1, "{places:?}");
        assert_eq!(unstuffer.mail.capacity() as u64, keep_max);
        assert_eq!(unstuffer.push(&chunk), None);
        assert!(unstuffer.is_cut());
        assert_eq!(unstuffer.mail.len() as u64, keep_max, "no more is kept");
    }

    fn mail(written: &[u8]) -> Vec<u8> {
        let (mail, rest) = read(&[written]).expect("the mail ends");
        assert!(rest.is_empty());
        mail
    }

    #[test]
    fn doubled_dots_are_taken_out_and_only_a_whole_line_ends_it() {
        assert_eq!(mail(b".\r\n"), b"");
        assert_eq!(mail(b"a\r\n..\r\n...b\r\n.\r\n"), b"a\r\n.\r\n..b\r\n");
        assert_eq!(mail(b"a\n.\nb\r\n.\r\n"), b"a\n.\nb\r\n");
        assert_eq!(mail(b"a\r.\r\nb\r\n.\r\n"), b"a\r.\r\nb\r\n");
        assert_eq!(mail(b"a\n.\r\nb\r\n.\r\n"), b"a\n.\r\nb\r\n");
        assert_eq!(mail(b"a\r\n.\rb\r\n.\r\n"), b"a\r\n\rb\r\n");
        assert_eq!(mail(b"a\r\r\n.\r\n"), b"a\r\r\n");
        assert_eq!(mail(b"a\r\n.\r\r\n.\r\n"), b"a\r\n\r\r\n");
        assert_eq!(read(&[b"a\r\n.\r"]), None);
        let (mail, rest) = read(&[b"a\r\n.", b"\r\nQUIT\r\n"]).unwrap();
        assert_eq!(
            (mail.as_slice(), rest.as_slice()),
            (&b"a\r\n"[..], &b"QUIT\r\n"[..])
        );
    }

    #[test]
    fn what_is_too_large_is_read_to_its_end_and_not_kept() {
        let mut unstuffer = Unstuffer::new(1 << 40, 4);
        assert!(unstuffer.mail.capacity() < 100);
        assert_eq!(unstuffer.push(b"abcd"), None);
        assert!(!unstuffer.is_cut());
        assert_eq!(unstuffer.push(b"efgh\r\n.\r\n"), Some(9));
        assert!(unstuffer.is_cut() && unstuffer.len == 10 && unstuffer.mail.len() <= 4);
    }

    proptest! {
        #[test]
        fn any_mail_comes_out_as_it_went_in(
            // No CR before an LF: that would be another line.
            lines in proptest::collection::vec("([a.\n]|\r[a.]){0,6}", 0..8),
            cuts in proptest::collection::vec(0usize..90, 0..6)
        ) {
            let mail: String = lines.iter().flat_map(|line| [line, "\r\n"]).collect();
            let mut written: String = lines
                .iter()
                .flat_map(|line| [if line.starts_with('.') { "." } else { "" }, line, "\r\n"])
                .collect();
            written.push_str(".\r\nNEXT");
            let written = written.into_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(written.len())).collect();
            cuts.sort_unstable();
            let (mut chunks, mut from) = (Vec::new(), 0);
            for cut in cuts.into_iter().chain([written.len()]) {
                chunks.push(&written[from..cut]);
                from = cut;
            }
            let (read, rest) = read(&chunks).expect("it ends");
            prop_assert_eq!(read, mail.into_bytes());
            prop_assert_eq!(rest, b"NEXT".to_vec());
        }
    }
}
