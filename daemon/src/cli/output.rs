//! Writing to the terminal. Everything that others wrote (names, texts, reasons) passes [`clean`]
//! first, so that a message can't move the cursor, recolour or retitle the operator's terminal.

use std::io::{self, Write};

use serde_json::Value;

use super::failure::Failure;

/// Prints a text and a line break. A closed pipe is a failure of its own, not a panic.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

/// Prints JSON for programs.
pub(super) fn print_json(value: &Value) -> Result<(), Failure> {
    print(&format!("{value:#}"))
}

/// Prints a remark on standard error, whether or not anyone reads it.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A text made safe for one line of a terminal: controls and direction marks become spaces.
pub(super) fn clean(text: &str) -> String {
    let unsafe_char = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    text.replace(unsafe_char, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_gets_through() {
        assert_eq!(clean("a\x1b[31m\nb\u{202e}c\u{9b}2J"), "a [31m b c 2J");
        assert_eq!(clean("Grüße 👋"), "Grüße 👋");
    }
}
