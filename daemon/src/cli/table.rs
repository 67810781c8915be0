//! Lists for people: aligned columns without lines, made from the API's JSON.
//!
//! A verb says which members of an item it shows; what is missing is a dash, so that a daemon of
//! another version still makes a readable table.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

use super::output::clean;

/// Longest text in a cell; longer ones are cut.
const CELL_CHARS_MAX: usize = 60;
/// Longest text in the last cell of a row, which pushes no other aside.
const LAST_CHARS_MAX: usize = 500;
/// What stands for a value that is not there.
const NOTHING: &str = "-";

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    title: &'static str,
    show: Show,
    right: bool,
}

/// Where a cell comes from; pointers are JSON pointers into the item.
#[derive(Debug, Clone, Copy)]
enum Show {
    Word(&'static str),
    Time(&'static str),
    Made(fn(&Value) -> String),
}

impl Column {
    /// A text, cut where it is long.
    pub(super) const fn text(title: &'static str, pointer: &'static str) -> Self {
        Self::new(title, Show::Word(pointer))
    }

    /// A number, aligned to the right.
    pub(super) const fn number(title: &'static str, pointer: &'static str) -> Self {
        Self::new(title, Show::Word(pointer)).right()
    }

    /// A time, shown as local time.
    pub(super) const fn time(title: &'static str, pointer: &'static str) -> Self {
        Self::new(title, Show::Time(pointer))
    }

    /// What a function makes of the item.
    pub(super) const fn made(title: &'static str, make: fn(&Value) -> String) -> Self {
        Self::new(title, Show::Made(make))
    }

    /// The same, aligned to the right.
    pub(super) const fn right(mut self) -> Self {
        self.right = true;
        self
    }

    const fn new(title: &'static str, show: Show) -> Self {
        Self {
            title,
            show,
            right: false,
        }
    }

    fn cell(&self, item: &Value, zone: &TimeZone) -> String {
        match self.show {
            Show::Word(pointer) => word(item.pointer(pointer)),
            Show::Time(pointer) => item
                .pointer(pointer)
                .and_then(Value::as_str)
                .map_or(NOTHING.to_owned(), |time| local(time, zone)),
            Show::Made(make) => make(item),
        }
    }
}

/// The table of some items in the local time zone.
pub(super) fn render(items: &[Value], columns: &[Column]) -> String {
    render_in(items, columns, &TimeZone::system())
}

fn render_in(items: &[Value], columns: &[Column], zone: &TimeZone) -> String {
    let titles = columns.iter().map(|column| column.title.to_owned());
    let last = columns.len().saturating_sub(1);
    let rows = items.iter().map(|item| {
        let cells = columns.iter().enumerate();
        cells
            .map(|(at, column)| {
                let chars_max = if at == last {
                    LAST_CHARS_MAX
                } else {
                    CELL_CHARS_MAX
                };
                cut(&clean(&column.cell(item, zone)), chars_max)
            })
            .collect()
    });
    let right: Vec<bool> = columns.iter().map(|column| column.right).collect();
    align(titles.collect(), rows.collect(), &right)
}

/// Aligned rows under their titles; where `right` says so a column goes to the right.
pub(super) fn align(titles: Vec<String>, rows: Vec<Vec<String>>, right: &[bool]) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(titles)
        .add_rows(rows);
    for (column, right) in table.column_iter_mut().zip(right) {
        column.set_padding((0, 2));
        if *right {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n")
}

/// A JSON value as one word or phrase.
pub(super) fn word(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => NOTHING.to_owned(),
        Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        Some(Value::String(text)) if text.is_empty() => NOTHING.to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) if items.is_empty() => NOTHING.to_owned(),
        Some(Value::Array(items)) => {
            let words: Vec<_> = items.iter().map(|item| word(Some(item))).collect();
            words.join(", ")
        }
        Some(Value::Object(members)) => {
            let pairs: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{name}={}", word(Some(value))))
                .collect();
            pairs.join(" ")
        }
        Some(Value::Number(number)) => number.to_string(),
    }
}

/// A time of the API (RFC 3339, UTC) as the same in a zone, to the second.
pub(super) fn local(time: &str, zone: &TimeZone) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => {
            let zoned = time.to_zoned(zone.clone());
            zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
        }
        Err(_) => time.to_owned(),
    }
}

/// Microseconds in a unit that people read.
pub(super) fn micros(micros: u64) -> String {
    let (whole, rest) = (micros / 1000, micros % 1000);
    match whole {
        0 => format!("{micros} µs"),
        1..=99 => format!("{whole}.{} ms", rest / 100),
        100..=9_999 => format!("{whole} ms"),
        _ => format!("{}.{} s", whole / 1000, whole % 1000 / 100),
    }
}

fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(chars_max - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const COLUMNS: [Column; 4] = [
        Column::text("ID", "/id"),
        Column::number("ATTEMPTS", "/attempts"),
        Column::time("NEXT", "/next"),
        Column::text("ERROR", "/error/message"),
    ];

    #[test]
    fn a_table_is_aligned_and_ends_its_lines_without_spaces() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let items = [
            json!({"id": "a", "attempts": 12, "next": "2026-03-01T10:00:00.123Z", "error": null}),
            json!({"id": "bcd", "attempts": 3, "error": {"message": "down\u{1b}[2J\nagain"}}),
        ];
        let expected = "\
ID   ATTEMPTS  NEXT                       ERROR
a          12  2026-03-01T12:00:00+02:00  -
bcd         3  -                          down [2J again";
        assert_eq!(render_in(&items, &COLUMNS, &zone), expected);
    }

    #[test]
    fn a_table_without_items_still_has_its_titles() {
        assert_eq!(
            render_in(&[], &COLUMNS[..2], &TimeZone::UTC),
            "ID  ATTEMPTS"
        );
    }

    #[test]
    fn wide_and_long_texts_keep_the_columns() {
        let items = [
            json!({"id": "日本", "attempts": 1}),
            json!({"id": "x".repeat(90), "attempts": 2}),
        ];
        let table = render_in(&items, &COLUMNS[..2], &TimeZone::UTC);
        let last = table.lines().next_back().unwrap_or_default();
        assert!(
            last.starts_with(&format!("{}…", "x".repeat(59))) && last.ends_with('2'),
            "{table}"
        );
    }

    #[test]
    fn only_the_last_column_shows_long_texts() {
        let columns = [Column::text("A", "/a"), Column::text("B", "/b")];
        let items = [json!({"a": "x".repeat(90), "b": "y".repeat(90)})];
        let table = render_in(&items, &columns, &TimeZone::UTC);
        assert!(
            table.contains(&format!("{}…  {}", "x".repeat(59), "y".repeat(90))),
            "{table}"
        );
    }

    #[test]
    fn values_become_words() {
        let table = [
            (json!(true), "yes"),
            (json!([]), "-"),
            (json!(["sms", "whatsapp"]), "sms, whatsapp"),
            (
                json!({"space": "phone", "primary": false}),
                "space=phone primary=no",
            ),
            (json!(""), "-"),
            (json!(1.5), "1.5"),
        ];
        for (value, expected) in table {
            assert_eq!(word(Some(&value)), expected);
        }
    }

    #[test]
    fn durations_are_short() {
        let table = [
            (7, "7 µs"),
            (1_250, "1.2 ms"),
            (99_999, "99.9 ms"),
            (123_456, "123 ms"),
            (12_340_000, "12.3 s"),
        ];
        for (value, expected) in table {
            assert_eq!(micros(value), expected);
        }
    }
}
