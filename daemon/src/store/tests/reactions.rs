//! Reactions find their message, once each, whatever the order they come in.

use trunkline_plugin_api::Reaction;

use super::*;

fn reaction(id: &str, target: &str, emoji: &str, sent_at_ms: Millis) -> Event {
    Event::Reaction(Reaction {
        id: id.into(),
        target: target.into(),
        address: None,
        sender: Sender {
            identity: Identity::new("phone", "+1555"),
            ..Sender::default()
        },
        emoji: emoji.into(),
        sent_at_ms: Some(sent_at_ms),
    })
}

impl Bench {
    fn shown(&self, id: MessageId) -> Vec<String> {
        let reactions = self.message(id).reactions.into_iter();
        let shown = reactions.filter(crate::model::MessageReaction::is_shown);
        shown.map(|reaction| reaction.emoji).collect()
    }
}

#[tokio::test]
async fn the_latest_of_a_person_counts_and_a_repeat_changes_nothing() {
    let bench = bench().await;
    let result = bench.receive(vec![sms("m1", "+1555")]).await;
    let target = result.messages[0].id;
    let first = bench.receive(vec![reaction("r1", "m1", "a", 10)]).await;
    assert_eq!(
        (first.outcome, first.messages.len()),
        (Outcome::Accepted, 0)
    );
    assert_eq!(bench.shown(target), ["a"]);
    bench.receive(vec![reaction("r3", "m1", "c", 30)]).await;
    bench.receive(vec![reaction("r2", "m1", "b", 20)]).await;
    assert_eq!(bench.shown(target), ["c"], "an older one came late");
    let again = bench.receive(vec![reaction("r1", "m1", "a", 40)]).await;
    assert_eq!((again.outcome, again.duplicates), (Outcome::Duplicate, 1));
    assert_eq!(bench.shown(target), ["c"]);
    bench.receive(vec![reaction("r5", "m1", "", 50)]).await;
    bench.receive(vec![reaction("r4", "m1", "d", 40)]).await;
    assert!(bench.shown(target).is_empty(), "it was taken back");
}

#[tokio::test]
async fn a_reaction_to_a_message_of_ours_finds_it() {
    let bench = bench().await;
    let id = bench.queued("+1555").await;
    bench.lease().await;
    bench.finish(id, sent("SM1")).await;
    let mut changes = bench.store.changes("test", Position(0));
    bench.receive(vec![reaction("r1", "SM1", "a", 10)]).await;
    assert_eq!(bench.shown(id), ["a"]);
    let is_noted =
        |change: &Change| matches!(change, Change::Reaction { message, .. } if *message == id);
    while !changes.next().await.unwrap().changes.iter().any(is_noted) {}
}

/// In one webhook, behind its message or before it.
#[tokio::test]
async fn a_batch_may_hold_both() {
    let bench = bench().await;
    let events = vec![sms("m1", "+1555"), reaction("r1", "m1", "a", 10)];
    let result = bench.receive(events).await;
    assert_eq!(bench.shown(result.messages[0].id), ["a"]);
}

#[tokio::test]
async fn a_reaction_to_something_unknown_is_kept_in_the_thread() {
    let bench = bench().await;
    let result = bench
        .receive(vec![reaction("r1", "nobody knows", "a", 10)])
        .await;
    assert_eq!(
        (result.outcome, result.messages.len()),
        (Outcome::Accepted, 1)
    );
    let kept = bench.message(result.messages[0].id);
    let call = kept.content.reaction.expect("the reaction is its content");
    assert_eq!(
        (call.target.as_str(), call.emoji.as_str()),
        ("nobody knows", "a")
    );
    let again = bench
        .receive(vec![reaction("r1", "nobody knows", "a", 10)])
        .await;
    assert_eq!(
        (again.outcome, again.messages.len()),
        (Outcome::Duplicate, 0)
    );
}
