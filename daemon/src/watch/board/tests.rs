//! What the board tells, and what it keeps.

use arc_swap::ArcSwap;

use super::*;
use crate::config::Config;

fn board() -> (HealthBoard, mpsc::Receiver<News>, ChannelId) {
    let settings = Arc::new(ArcSwap::from_pointee(Config::default()));
    let (board, news) = HealthBoard::new(settings);
    let channel = ChannelId::new("a");
    board.set_enabled(&channel, OrgId(1), true, 0);
    (board, news, channel)
}

fn checked(result: Result<ProbeState, ErrorClass>) -> Checked {
    let result = match result {
        Ok(state) => Ok(Probe {
            state,
            account: Some("Acme".into()),
            display_name: None,
            address: None,
            quality: None,
            detail: None,
            rate_limit_remaining: None,
        }),
        Err(class) => Err(AdapterError::new(class, "x", "because")),
    };
    Checked {
        at_ms: 7,
        took_ms: 3,
        is_test: false,
        result,
    }
}

#[test]
fn changes_are_told_once_and_checks_are_remembered() {
    let (board, mut news, channel) = board();
    for _ in 0..3 {
        board.checked(&channel, checked(Ok(ProbeState::Healthy)));
    }
    board.checked(&channel, checked(Err(ErrorClass::Credentials)));
    let mut told = Vec::new();
    while let Ok(News { entry, .. }) = news.try_recv() {
        told.push((entry.from, entry.status, entry.reason));
    }
    let (unknown, healthy) = (HealthStatus::Unknown, HealthStatus::Healthy);
    let expected = [
        (Some(unknown), healthy, None),
        (Some(healthy), HealthStatus::Down, Some("because".into())),
    ];
    assert_eq!(told, expected);
    let samples = board.samples(&channel);
    assert_eq!(samples.len(), 4);
    assert_eq!(samples[3].reason.as_deref(), Some("because"));
    let health = board.get(&channel);
    assert_eq!(health.account.as_deref(), Some("Acme"));
    assert_eq!(health.last_error.as_deref(), Some("because"));
    assert!(!board.lets_send(&channel));
}

#[test]
fn memory_is_bounded() {
    let (board, mut news, channel) = board();
    for _ in 0..SAMPLES_MAX + 10 {
        board.checked(&channel, checked(Ok(ProbeState::Healthy)));
    }
    assert_eq!(board.samples(&channel).len(), SAMPLES_MAX);
    for at in 0..NEWS_MAX + 10 {
        board.set_enabled(&channel, OrgId(1), at % 2 == 1, 0);
    }
    let mut told = 0;
    while news.try_recv().is_ok() {
        told += 1;
    }
    assert_eq!(told, NEWS_MAX);
}

#[test]
fn a_channel_that_is_gone_is_not_brought_back_by_late_news() {
    let (board, _news, channel) = board();
    board.forget(&channel);
    board.checked(&channel, checked(Err(ErrorClass::Credentials)));
    assert_eq!(board.status(&channel), HealthStatus::Unknown);
    assert!(board.lets_send(&channel));
}

#[tokio::test]
async fn trouble_by_sends_asks_for_a_check() {
    let (board, _news, channel) = board();
    let wake = board.wakes(&channel);
    let error = AdapterError::new(ErrorClass::Transient, "http_503", "not available");
    for _ in 0..5 {
        board.send_failed(&channel, 0, &error);
    }
    let woken = tokio::time::timeout(Duration::from_secs(5), wake.notified()).await;
    assert!(woken.is_ok());
    let refused = AdapterError::new(ErrorClass::Recipient, "x", "no such number");
    board.send_failed(&channel, 0, &refused);
    assert_eq!(board.status(&channel), HealthStatus::Degraded);
}
