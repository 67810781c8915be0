//! `trunkline top`: the gateway live in the terminal.
//!
//! ```text
//! every second: GET /api/v1/overview ─> Frame (with the one before: rates) ─> view ─> terminal
//! keys ────────────────────────────────> Screen (sorting, selection, details) ─┘
//! ```

mod frame;
mod screen;
mod terminal;
mod view;

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use clap::Args;
use ratatui::{Terminal, backend::TestBackend};

use self::{
    frame::Frame,
    screen::{After, Screen, Sort},
    terminal::{Keys, Taken},
};
use super::{
    admin::{Admin, Query},
    failure::Failure,
    output,
};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// The terminal of `--once`, where it is narrower than what there is to say.
const ONCE_COLUMNS: u16 = 120;

/// The verb.
#[derive(Debug, Args)]
pub(super) struct Top {
    /// Prints one frame as plain text and ends.
    #[arg(long)]
    once: bool,
    /// Prints the API's JSON once and ends.
    #[arg(long)]
    json: bool,
    /// What the channels are sorted by.
    #[arg(long, value_enum, default_value_t)]
    sort: Sort,
}

impl Top {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        if self.json {
            let path = ["overview"];
            return output::print_json(&admin.get(&path, &Query::default()).await?);
        }
        let mut screen = Screen::new(self.sort);
        screen.show(look(admin).await?);
        if self.once {
            // Rates need two looks.
            tokio::time::sleep(INTERVAL).await;
            screen.show(look(admin).await?);
            return output::print(&plain(&screen));
        }
        if !io::stdout().is_terminal() {
            let words = "standard output is no terminal: use --once or --json";
            return Err(Failure::said(words));
        }
        let mut taken = Taken::take()?;
        let outcome = watch(admin, &mut screen, &mut taken).await;
        drop(taken);
        outcome
    }
}

async fn look(admin: &Admin) -> Result<Frame, Failure> {
    let answer = admin.get(&["overview"], &Query::default()).await?;
    Ok(Frame::read(&answer))
}

/// Draws until a key or a signal ends it. A daemon that does not answer is said, and asked again.
async fn watch(admin: &Admin, screen: &mut Screen, taken: &mut Taken) -> Result<(), Failure> {
    let mut keys = Keys::listen();
    let mut due = tokio::time::interval(INTERVAL);
    let mut end = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        taken.draw(screen)?;
        tokio::select! {
            _ = due.tick() => match look(admin).await {
                Ok(frame) => screen.show(frame),
                Err(failure) => screen.trouble(failure.to_string()),
            },
            key = keys.next() => match key {
                Some(key) if screen.press(key) == After::Stay => {}
                _ => return Ok(()),
            },
            _ = end.recv() => return Ok(()),
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

/// One frame as text, with all channels.
fn plain(screen: &Screen) -> String {
    let rows = u16::try_from(screen.channels().len()).unwrap_or(u16::MAX);
    let backend = TestBackend::new(ONCE_COLUMNS, rows.saturating_add(view::ROWS_AROUND));
    let mut terminal = match Terminal::new(backend) {
        Ok(terminal) => terminal,
        Err(never) => match never {},
    };
    match terminal.draw(|area| view::draw(area, screen)) {
        Ok(_) => {}
        Err(never) => match never {},
    }
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for row in buffer.content().chunks(usize::from(ONCE_COLUMNS)) {
        let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
