//! The terminal while it is ours: left as it was whatever ends us, a panic included.

use std::io;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::DefaultTerminal;
use tokio::sync::mpsc;

use super::{
    screen::{Key, Screen},
    view,
};

/// Keys that may wait.
const KEYS_MAX: usize = 16;

/// The terminal, taken over until this is dropped.
pub(super) struct Taken(DefaultTerminal);

impl Taken {
    /// Takes the terminal over; a panic gives it back before it is reported.
    pub(super) fn take() -> io::Result<Self> {
        ratatui::try_init().map(Self)
    }

    pub(super) fn draw(&mut self, screen: &Screen) -> io::Result<()> {
        self.0.draw(|area| view::draw(area, screen)).map(|_| ())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Keys as they are pressed, read on a thread of their own; it ends with the process.
pub(super) struct Keys(mpsc::Receiver<Key>);

impl Keys {
    pub(super) fn listen() -> Self {
        let (sender, keys) = mpsc::channel(KEYS_MAX);
        std::thread::spawn(move || {
            while let Ok(event) = crossterm::event::read() {
                let Event::Key(event) = event else { continue };
                if let Some(key) = meaning(event)
                    && sender.blocking_send(key).is_err()
                {
                    return;
                }
            }
        });
        Self(keys)
    }

    /// The next key; none once there can't be one any more.
    pub(super) async fn next(&mut self) -> Option<Key> {
        self.0.recv().await
    }
}

/// What a key means. In raw mode Ctrl-C is a key like any other.
fn meaning(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    if event.modifiers.contains(KeyModifiers::CONTROL) {
        return (event.code == KeyCode::Char('c')).then_some(Key::Quit);
    }
    match event.code {
        KeyCode::Char('q') => Some(Key::Quit),
        KeyCode::Up | KeyCode::Char('k') => Some(Key::Up),
        KeyCode::Down | KeyCode::Char('j') => Some(Key::Down),
        KeyCode::Enter => Some(Key::Details),
        KeyCode::Esc => Some(Key::Back),
        KeyCode::Char('s') => Some(Key::Sort),
        _ => None,
    }
}
