//! What is on the screen, and what keys do to it. No terminal here.

use std::cmp::Reverse;

use clap::ValueEnum;

use super::frame::{ChannelRow, Frame};

/// What the channels are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Sort {
    /// Their id.
    #[default]
    Name,
    /// How bad their status is.
    Status,
    /// Messages that wait.
    Queue,
    /// Messages in and out.
    Traffic,
    /// Failed attempts and refused webhooks.
    Errors,
}

/// A key that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Up,
    Down,
    Details,
    Back,
    Sort,
}

/// What comes after a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Stay,
    End,
}

/// What is on the screen.
#[derive(Debug, Default)]
pub(super) struct Screen {
    frame: Frame,
    sort: Sort,
    /// The id of the selected channel; empty for the first.
    selected: String,
    pub(super) details: bool,
    /// Why there is nothing newer.
    pub(super) trouble: Option<String>,
}

impl Sort {
    fn next(self) -> Self {
        match self {
            Self::Name => Self::Status,
            Self::Status => Self::Queue,
            Self::Queue => Self::Traffic,
            Self::Traffic => Self::Errors,
            Self::Errors => Self::Name,
        }
    }

    /// As it is shown.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Status => "status",
            Self::Queue => "queue",
            Self::Traffic => "traffic",
            Self::Errors => "errors",
        }
    }
}

impl Screen {
    pub(super) fn new(sort: Sort) -> Self {
        Self {
            sort,
            ..Self::default()
        }
    }

    /// Shows a new look.
    pub(super) fn show(&mut self, mut frame: Frame) {
        frame.compare(&self.frame);
        self.frame = frame;
        self.trouble = None;
        self.order();
    }

    /// Says why there is no new look.
    pub(super) fn trouble(&mut self, words: String) {
        self.trouble = Some(words);
    }

    /// Does what a key means.
    pub(super) fn press(&mut self, key: Key) -> After {
        match key {
            Key::Quit => return After::End,
            Key::Back if !self.details => return After::End,
            Key::Back => self.details = false,
            Key::Details => self.details = !self.details && !self.channels().is_empty(),
            Key::Up => self.step(false),
            Key::Down => self.step(true),
            Key::Sort => {
                self.sort = self.sort.next();
                self.order();
            }
        }
        After::Stay
    }

    fn step(&mut self, down: bool) {
        let at = self.selected();
        let to = if down { at + 1 } else { at.saturating_sub(1) };
        if let Some(channel) = self.channels().get(to) {
            self.selected = channel.id.clone();
        }
    }

    fn order(&mut self) {
        let sort = self.sort;
        let key = |row: &ChannelRow| match sort {
            Sort::Name => 0,
            Sort::Status => severity(&row.status),
            Sort::Queue => row.waiting() + row.stuck(),
            Sort::Traffic => row.received + row.sent,
            Sort::Errors => row.failed + row.rejected,
        };
        self.frame.channels.sort_by(|one, other| {
            (Reverse(key(one)), &one.id).cmp(&(Reverse(key(other)), &other.id))
        });
    }

    /// The place of the selected channel.
    pub(super) fn selected(&self) -> usize {
        let mut ids = self.frame.channels.iter().map(|channel| &channel.id);
        ids.position(|id| *id == self.selected).unwrap_or(0)
    }

    pub(super) fn channels(&self) -> &[ChannelRow] {
        &self.frame.channels
    }

    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    pub(super) fn sort(&self) -> Sort {
        self.sort
    }
}

/// How bad a status is.
pub(super) fn severity(status: &str) -> u64 {
    match status {
        "down" => 4,
        "degraded" => 3,
        "unknown" => 2,
        "off" | "disabled" => 1,
        _ => 0,
    }
}
