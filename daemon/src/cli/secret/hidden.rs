//! Reading a secret: from a file, from standard input, at a terminal without showing it.

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    path::Path,
};

use crossterm::{
    event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, read},
    terminal::{disable_raw_mode, enable_raw_mode},
};
use zeroize::Zeroizing;

use super::super::output;

/// Largest secret in bytes, as for files of secrets.
const BYTES_MAX: u64 = 64 << 10;

/// Reads a secret from a file, or from standard input where none is given. The last line break is not
/// part of it.
pub(super) fn secret(file: Option<&Path>) -> io::Result<Zeroizing<String>> {
    let secret = match file {
        Some(file) => all_of(File::open(file)?)?,
        None if io::stdin().is_terminal() => typed()?,
        None => all_of(io::stdin().lock())?,
    };
    if secret.is_empty() {
        return Err(io::Error::other("the secret is empty"));
    }
    Ok(secret)
}

fn all_of(from: impl Read) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    from.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(io::Error::other(format!("has more than {BYTES_MAX} bytes")));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    Ok(Zeroizing::new(line.to_owned()))
}

/// The terminal as it was, also after an error.
struct Raw;

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = disable_raw_mode();
        output::complain("");
    }
}

fn typed() -> io::Result<Zeroizing<String>> {
    output::complain("Type or paste the secret, then press Enter. It is not shown.");
    enable_raw_mode()?;
    let _raw = Raw;
    let mut secret = Zeroizing::new(String::with_capacity(4096));
    loop {
        let Event::Key(KeyEvent {
            code,
            modifiers,
            kind: KeyEventKind::Press,
            ..
        }) = read()?
        else {
            continue;
        };
        match code {
            KeyCode::Enter => return Ok(secret),
            KeyCode::Char('c' | 'd') if modifiers.contains(KeyModifiers::CONTROL) => {
                return Err(io::Error::other("was not given"));
            }
            KeyCode::Char('j' | 'm') if modifiers.contains(KeyModifiers::CONTROL) => {
                return Ok(secret);
            }
            KeyCode::Backspace => {
                secret.pop();
            }
            KeyCode::Char(typed) => secret.push(typed),
            _ => {}
        }
    }
}
