//! What the state machine promises, by cases and by chance.

use proptest::prelude::*;

use super::*;

fn rules() -> config::Health {
    config::Health::default()
}

fn words() -> String {
    "because".into()
}

fn silent() -> Signal {
    Signal::ProbeSilent(words())
}

fn trouble() -> Signal {
    Signal::SendTrouble(words())
}

/// The statuses after each signal, on top of one good probe.
fn walk(signals: impl IntoIterator<Item = Signal>) -> (Condition, Vec<HealthStatus>) {
    let mut condition = Condition::default();
    condition.take(Signal::ProbeGood, &rules());
    let mut statuses = Vec::new();
    for signal in signals {
        condition.take(signal, &rules());
        statuses.push(condition.status());
    }
    (condition, statuses)
}

const HEALTHY: HealthStatus = HealthStatus::Healthy;
const DEGRADED: HealthStatus = HealthStatus::Degraded;
const DOWN: HealthStatus = HealthStatus::Down;

#[test]
fn a_fresh_channel_is_unknown_and_may_send() {
    let mut condition = Condition::default();
    assert_eq!(condition.status(), HealthStatus::Unknown);
    assert!(condition.lets_send());
    condition.take(Signal::SendGood, &rules());
    assert_eq!(condition.status(), HealthStatus::Unknown, "not checked yet");
    condition.take(Signal::ProbeGood, &rules());
    assert_eq!(condition.status(), HEALTHY);
}

#[test]
fn silence_is_degraded_before_it_is_down_and_two_good_probes_heal() {
    let (condition, statuses) = walk([silent(), silent(), silent()]);
    assert_eq!(statuses, [DEGRADED, DEGRADED, DOWN]);
    assert!(!condition.lets_send());
    assert_eq!(condition.reason(), Some("because"));
    let all = [silent(), silent(), silent(), Signal::ProbeGood];
    let (condition, statuses) = walk(all);
    assert_eq!(statuses[3], DOWN);
    assert!(condition.lets_send() && condition.is_trial);
    let mut condition = condition;
    condition.take(Signal::ProbeGood, &rules());
    assert_eq!(condition.status(), HEALTHY);
    assert_eq!(condition.reason(), None);
    assert!(!condition.is_trial);
}

#[test]
fn refused_credentials_are_down_at_once_and_heal_at_once() {
    let refused = || Signal::SendRefused(words());
    let finding = || Signal::ProbeFinding(Grade::Down, words());
    for bad in [refused(), finding()] {
        let (condition, statuses) = walk([bad.clone(), Signal::ProbeGood]);
        assert_eq!(statuses, [DOWN, HEALTHY]);
        assert!(condition.lets_send());
        // In flight when the credentials were refused: says nothing of them.
        let (_, statuses) = walk([bad, trouble(), Signal::SendAnswered]);
        assert_eq!(statuses, [DOWN; 3]);
    }
    // A probe that works with credentials that sends are refused with does not flap.
    let (condition, statuses) = walk([refused(), Signal::ProbeGood, refused(), Signal::ProbeGood]);
    assert_eq!(statuses, [DOWN, HEALTHY, DOWN, DOWN]);
    assert!(condition.is_trial && condition.lets_send());
}

#[test]
fn sends_degrade_by_their_share_and_down_by_failures_in_a_row() {
    let rules = rules();
    let (_, statuses) = walk((0..rules.sends_down_after).map(|_| trouble()));
    let mut expected = vec![HEALTHY; 4];
    expected.extend([DEGRADED; 5]);
    expected.push(DOWN);
    assert_eq!(statuses, expected);
    // Two in seven is less than 30 percent, three in eight is more.
    let few = [false, false, false, false, true, false, true, true];
    let signals = few.map(|bad| if bad { trouble() } else { Signal::SendGood });
    let (condition, statuses) = walk(signals);
    assert_eq!(statuses[6..], [HEALTHY, DEGRADED]);
    assert!(condition.lets_send());
}

#[test]
fn what_is_wrong_with_messages_is_not_the_channels_trouble() {
    let (condition, statuses) = walk((0..100).map(|_| Signal::SendAnswered));
    assert!(statuses.iter().all(|status| *status == HEALTHY));
    assert_eq!(condition.window.len(), 0);
    // An answer breaks the row: the provider was reached.
    let row = (0..30).map(|at| {
        if at % 9 == 8 {
            Signal::SendAnswered
        } else {
            trouble()
        }
    });
    let (_, statuses) = walk(row);
    assert!(!statuses.contains(&DOWN), "{statuses:?}");
}

#[test]
fn trouble_by_sends_is_over_when_their_share_is_low_or_probes_are_good() {
    let bad = || (0..5).map(|_| trouble());
    let good = |count| (0..count).map(|_| Signal::SendGood);
    let (_, statuses) = walk(bad().chain(good(19)));
    assert_eq!(statuses[5..9], [DEGRADED; 4], "two good ones are no proof");
    assert_eq!(statuses.last(), Some(&HEALTHY));
    let (_, statuses) = walk(bad().chain([Signal::ProbeGood, Signal::ProbeGood]));
    assert_eq!(statuses[5..], [DEGRADED, HEALTHY]);
}

#[test]
fn a_trial_that_fails_costs_one_attempt_and_changes_nothing() {
    let mut condition = walk((0..10).map(|_| trouble())).0;
    for _ in 0..5 {
        assert!(!condition.lets_send());
        condition.take(Signal::ProbeGood, &rules());
        assert!(condition.lets_send() && condition.is_trial);
        condition.take(trouble(), &rules());
        assert_eq!(condition.status(), DOWN);
    }
    condition.take(Signal::ProbeGood, &rules());
    condition.take(Signal::SendGood, &rules());
    assert_eq!(condition.status(), HEALTHY);
}

#[test]
fn a_channel_in_trouble_is_probed_sooner_and_then_less_often() {
    let interval = Duration::from_secs(300);
    let mut condition = walk([]).0;
    assert_eq!(condition.wait(interval), interval);
    let mut waits = Vec::new();
    for _ in 0..8 {
        condition.take(silent(), &rules());
        waits.push(condition.wait(interval).as_secs());
    }
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
    let short = Duration::from_millis(200);
    assert_eq!(condition.wait(short), short);
    condition.take(Signal::ProbeGood, &rules());
    condition.take(Signal::ProbeGood, &rules());
    assert_eq!(condition.wait(interval), interval);
}

#[test]
fn quiet_lost_and_stopped_hold_until_they_are_taken_back() {
    let (condition, statuses) = walk([
        Signal::Quiet(Some("quiet".into())),
        Signal::CanaryLost(Some("lost".into())),
        Signal::ProbeGood,
        Signal::Quiet(None),
        Signal::CanaryLost(None),
        Signal::Stopped("gone".into()),
    ]);
    let expected = [DEGRADED, DEGRADED, DEGRADED, DEGRADED, HEALTHY, DOWN];
    assert_eq!(statuses, expected);
    assert_eq!(condition.reason(), Some("gone"));
    assert!(!condition.lets_send());
    let (condition, _) = walk([Signal::Stopped("gone".into()), Signal::ProbeGood]);
    assert_eq!(condition.status(), HEALTHY);
}

fn signal() -> impl Strategy<Value = Signal> {
    prop_oneof![
        Just(Signal::ProbeGood),
        Just(Signal::ProbeFinding(Grade::Degraded, words())),
        Just(Signal::ProbeFinding(Grade::Down, words())),
        Just(silent()),
        Just(Signal::SendGood),
        Just(Signal::SendAnswered),
        Just(trouble()),
        Just(Signal::SendRefused(words())),
        Just(Signal::Stopped(words())),
    ]
}

proptest! {
    #[test]
    fn enough_good_probes_always_lead_to_healthy(
        signals in prop::collection::vec(signal(), 0..60),
        up_after in 1_u32..5,
    ) {
        let rules = config::Health { up_after, ..rules() };
        let mut condition = Condition::default();
        for signal in signals {
            condition.take(signal, &rules);
        }
        for _ in 0..up_after {
            condition.take(Signal::ProbeGood, &rules);
        }
        prop_assert_eq!(condition.status(), HEALTHY);
        prop_assert!(condition.lets_send() && !condition.is_trial);
    }

    #[test]
    fn alternating_single_signals_do_not_flap(
        before in prop::collection::vec(signal(), 0..40),
        bad_probe: bool,
        good_probe: bool,
    ) {
        let mut condition = Condition::default();
        for signal in before {
            condition.take(signal, &rules());
        }
        let mut changes = 0;
        for _ in 0..100 {
            let bad = if bad_probe { silent() } else { trouble() };
            let good = if good_probe { Signal::ProbeGood } else { Signal::SendGood };
            for signal in [bad, good] {
                let was = condition.status();
                condition.take(signal, &rules());
                changes += usize::from(condition.status() != was);
            }
        }
        prop_assert!(changes <= 3, "{} changes", changes);
    }

    #[test]
    fn disabled_is_left_by_enabling_alone(
        before in prop::collection::vec(signal(), 0..20),
        signals in prop::collection::vec(signal(), 0..60),
    ) {
        let mut condition = Condition::default();
        for signal in before {
            condition.take(signal, &rules());
        }
        condition.take(Signal::Enabled(false), &rules());
        for signal in signals {
            condition.take(signal, &rules());
            prop_assert_eq!(condition.status(), HealthStatus::Disabled);
            prop_assert!(!condition.lets_send());
        }
        condition.take(Signal::Enabled(true), &rules());
        prop_assert!(condition.status() != HealthStatus::Disabled);
    }

    #[test]
    fn down_means_held_but_for_a_trial(signals in prop::collection::vec(signal(), 0..60)) {
        let mut condition = Condition::default();
        for signal in signals {
            condition.take(signal, &rules());
            let is_down = condition.status() == DOWN;
            if is_down {
                prop_assert!(!condition.lets_send() || condition.is_trial);
            } else {
                prop_assert!(condition.lets_send());
            }
            prop_assert!(condition.reason().is_some() == (condition.status() != HEALTHY
                && condition.status() != HealthStatus::Unknown));
        }
    }
}
