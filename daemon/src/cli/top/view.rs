//! How it looks: a line on the whole, a table of channels, a line on keys. Fits into 80 columns.

use ratatui::{
    Frame as Area,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Paragraph, Row, Table, TableState, Wrap},
};

use super::{
    frame::{ChannelRow, Frame, StoreRow},
    screen::{Screen, severity},
};

/// Lines that are not channels.
pub(super) const ROWS_AROUND: u16 = 6;

const TITLES: [&str; 8] = [
    "CHANNEL",
    "STATUS",
    "IN/s",
    "OUT/s",
    "QUEUE",
    "OLDEST",
    "ERRORS",
    "LAST ERROR",
];

/// Draws a screen.
pub(super) fn draw(area: &mut Area<'_>, screen: &Screen) {
    let [head, middle, foot] = Layout::vertical([
        Constraint::Length(3),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(area.area());
    area.render_widget(Paragraph::new(summary(screen)), head);
    let selected = screen.channels().get(screen.selected());
    match selected.filter(|_| screen.details) {
        Some(channel) => details(area, middle, channel),
        None => channels(area, middle, screen),
    }
    area.render_widget(Paragraph::new(keys(screen)), foot);
}

fn summary(screen: &Screen) -> Vec<Line<'static>> {
    let frame = screen.frame();
    let sum = |of: fn(&ChannelRow) -> u64| frame.channels.iter().map(of).sum::<u64>();
    let rate = |of: fn(&ChannelRow) -> f64| {
        frame
            .channels
            .iter()
            .map(of)
            .fold(0.0, |sum, one| sum + one)
    };
    let healthy = frame
        .channels
        .iter()
        .filter(|row| severity(&row.status) == 0);
    let (all, healthy) = (frame.channels.len(), healthy.count());
    vec![
        Line::from(vec![
            Span::styled(format!("trunkline {}", frame.version), bold()),
            Span::raw(format!(
                "  {healthy}/{all} up  in {:.1}/s  out {:.1}/s  queue {}  stuck {}  notices {}",
                rate(|row| row.rate_in),
                rate(|row| row.rate_out),
                sum(ChannelRow::waiting),
                sum(ChannelRow::stuck),
                frame.notifications,
            )),
        ]),
        store(frame),
        Line::default(),
    ]
}

fn store(frame: &Frame) -> Line<'static> {
    let Some(store) = &frame.store else {
        return Line::default();
    };
    if !store.failed.is_empty() {
        return Line::styled(format!("store fails: {}", store.failed), alarm());
    }
    let StoreRow {
        position,
        queued,
        sync_us,
        log_bytes,
        index_bytes,
        free_bytes,
        ..
    } = store;
    Line::from(format!(
        "store {position}, {queued} wait, sync {}.{} ms  log {} index {} free {}  memory {}",
        sync_us / 1000,
        sync_us % 1000 / 100,
        size(*log_bytes),
        size(*index_bytes),
        size(*free_bytes),
        size(frame.resident_bytes),
    ))
}

fn channels(area: &mut Area<'_>, place: Rect, screen: &Screen) {
    let rows = screen.channels().iter().map(row);
    let widths = [
        Constraint::Length(17),
        Constraint::Length(8),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Fill(1),
    ];
    let table = Table::new(rows, widths)
        .header(Row::new(TITLES).style(bold()))
        .column_spacing(1)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::default().with_selected(screen.selected());
    area.render_stateful_widget(table, place, &mut state);
}

fn row(channel: &ChannelRow) -> Row<'static> {
    let style = match severity(&channel.status) {
        4 => alarm(),
        3 => Style::new().fg(Color::Yellow),
        0 => Style::new(),
        _ => Style::new().fg(Color::DarkGray),
    };
    let waiting = match channel.stuck() {
        0 => channel.waiting().to_string(),
        stuck => format!("{}+{stuck}", channel.waiting()),
    };
    Row::new([
        channel.id.clone(),
        channel.status.clone(),
        format!("{:.1}", channel.rate_in),
        format!("{:.1}", channel.rate_out),
        waiting,
        channel.oldest_s.map_or_else(|| "-".to_owned(), age),
        (channel.failed + channel.rejected).to_string(),
        channel.last_error.clone(),
    ])
    .style(style)
}

fn details(area: &mut Area<'_>, place: Rect, channel: &ChannelRow) {
    let queue: Vec<String> = channel
        .queue
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let or = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
    let facts = [
        ("Channel", channel.id.clone()),
        ("Adapter", channel.adapter.clone()),
        ("Organization", channel.organization.clone()),
        ("Status", channel.status.clone()),
        (
            "Received",
            format!("{} (last {})", channel.received, or(&channel.last_received)),
        ),
        (
            "Sent",
            format!("{} (last {})", channel.sent, or(&channel.last_sent)),
        ),
        ("Failed", format!("{} attempts", channel.failed)),
        ("Refused", format!("{} webhooks", channel.rejected)),
        ("Queue", or(&queue.join(", "))),
        (
            "Oldest",
            channel.oldest_s.map_or_else(|| "-".to_owned(), age),
        ),
        ("Restarts", channel.restarts.to_string()),
        ("Last error", or(&channel.last_error)),
    ];
    let lines: Vec<Line<'_>> = facts
        .into_iter()
        .map(|(name, value)| {
            Line::from(vec![
                Span::styled(format!("{name:<13}"), bold()),
                Span::raw(value),
            ])
        })
        .collect();
    area.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), place);
}

fn keys(screen: &Screen) -> Line<'static> {
    if let Some(words) = &screen.trouble {
        return Line::styled(words.clone(), alarm());
    }
    let back = if screen.details { "list" } else { "details" };
    let text = format!(
        "q quit  arrows select  enter {back}  s sort: {}",
        screen.sort().as_str()
    );
    Line::styled(text, Style::new().fg(Color::DarkGray))
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

fn alarm() -> Style {
    Style::new().fg(Color::Red)
}

/// A time in at most five characters.
fn age(seconds: u64) -> String {
    match seconds {
        0..100 => format!("{seconds}s"),
        100..6_000 => format!("{}m", seconds / 60),
        6_000..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A number of bytes in at most five characters.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes}B"),
        10_000..10_000_000 => format!("{}K", bytes >> 10),
        10_000_000..10_000_000_000 => format!("{}M", bytes >> 20),
        _ => format!("{}G", bytes >> 30),
    }
}
