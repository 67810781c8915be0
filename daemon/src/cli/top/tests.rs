//! Drawing and keys, without a terminal.

use ratatui::{Terminal, backend::TestBackend};
use serde_json::{Value, json};

use super::{
    frame::Frame,
    plain,
    screen::{After, Key, Screen, Sort},
    view,
};

fn answer(at: &str, received: u64) -> Value {
    let channel = |id: &str, status: &str, queue: Value, error: Option<&str>| {
        json!({
            "id": id, "adapter": "twilio", "organization": "default", "enabled": true, "status": status,
            "received": received, "sent": 4, "failed": 1, "rejected": 2, "queue": queue,
            "oldest_s": 75, "restarts": 0, "last_error": error,
        })
    };
    json!({
        "version": "1.2.3", "at": at, "notifications_open": 3,
        "channels": [
            channel("sms_support", "healthy", json!({"queued": 2}), None),
            channel("mail", "down", json!({"queued": 7, "dead": 5}), Some("no\u{1b}[31m way in")),
        ],
        "store": {"position": 99, "queued": 0, "sync_us_last": 1250, "failed": null, "log_bytes": 67_108_864,
                  "index_bytes": 2048, "disk_free_bytes": 50_000_000_000_u64},
        "process": {"resident_bytes": 80_000_000, "cpu_seconds": 1.5},
    })
}

fn screen() -> Screen {
    let mut screen = Screen::new(Sort::Name);
    screen.show(Frame::read(&answer("2026-11-21T10:00:00.000Z", 10)));
    screen.show(Frame::read(&answer("2026-11-21T10:00:02.000Z", 30)));
    screen
}

fn drawn(screen: &Screen, columns: u16, rows: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|area| view::draw(area, screen)).unwrap();
    let cells = terminal.backend().buffer().content().to_vec();
    let lines = cells.chunks(usize::from(columns));
    lines
        .map(|line| line.iter().map(ratatui::buffer::Cell::symbol).collect())
        .collect()
}

#[test]
fn a_frame_fits_into_eighty_columns() {
    let lines = drawn(&screen(), 80, 24);
    let has = |words: &[&str]| {
        let found = lines
            .iter()
            .any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "{words:?} in {lines:#?}");
    };
    has(&[
        "trunkline 1.2.3",
        "1/2 up",
        "in 20.0/s",
        "queue 9",
        "stuck 5",
        "notices 3",
    ]);
    has(&["store 99", "sync 1.2 ms", "log 64M"]);
    has(&["CHANNEL", "STATUS", "OLDEST", "LAST ERROR"]);
    has(&["sms_support", "healthy", "10.0", "75s"]);
    has(&["mail", "down", "7+5", "no [31m way in"]);
    has(&["q quit", "s sort: name"]);
    assert!(lines.iter().all(|line| !line.contains('\u{1b}')));
}

#[test]
fn the_smallest_terminal_does_no_harm() {
    for (columns, rows) in [(1, 1), (10, 3), (80, 2), (200, 60)] {
        assert_eq!(drawn(&screen(), columns, rows).len(), usize::from(rows));
    }
}

#[test]
fn keys_select_sort_open_and_end() {
    let mut screen = screen();
    assert_eq!(screen.channels()[screen.selected()].id, "mail");
    assert_eq!(screen.press(Key::Down), After::Stay);
    assert_eq!(screen.press(Key::Down), After::Stay);
    assert_eq!(screen.channels()[screen.selected()].id, "sms_support");
    screen.press(Key::Details);
    let lines = drawn(&screen, 80, 24);
    assert!(
        lines
            .iter()
            .any(|line| line.contains("Queue        2 queued")),
        "{lines:#?}"
    );
    assert_eq!(screen.press(Key::Back), After::Stay);
    screen.press(Key::Sort);
    assert_eq!(
        (screen.sort(), screen.channels()[0].id.as_str()),
        (Sort::Status, "mail")
    );
    // The selection stays with its channel.
    assert_eq!(screen.channels()[screen.selected()].id, "sms_support");
    assert_eq!(screen.press(Key::Back), After::End);
    assert_eq!(screen.press(Key::Quit), After::End);
}

#[test]
fn trouble_is_told_until_the_next_look() {
    let mut screen = screen();
    screen.trouble("the daemon does not answer".into());
    assert!(drawn(&screen, 80, 24)[23].contains("does not answer"));
    screen.show(Frame::read(&json!({})));
    assert!(!drawn(&screen, 80, 24)[23].contains("does not answer"));
}

#[test]
fn once_prints_every_channel_as_text() {
    let text = plain(&screen());
    assert!(
        text.contains("mail") && text.contains("sms_support"),
        "{text}"
    );
    assert!(text.lines().all(|line| !line.ends_with(' ')));
}
