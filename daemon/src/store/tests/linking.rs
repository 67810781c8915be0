//! Identities that a provider vouches for: never two people for one, never one for two.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::model::ContactId;

fn person(id: &str) -> Identity {
    Identity::new("whatsapp", id)
}

/// A message from somebody with these ids, the sender's first.
fn from(id: &str, ids: &[&str]) -> Event {
    Event::Message(InboundMessage {
        id: id.into(),
        sender: Sender {
            identity: person(ids[0]),
            also: ids[1..].iter().map(|id| person(id)).collect(),
            name: None,
        },
        content: Content::text("hi"),
        ..InboundMessage::default()
    })
}

impl Bench {
    fn owner(&self, id: &str) -> Option<ContactId> {
        let found = self.store.contacts_with(self.channel.org, id).unwrap();
        assert!(found.len() < 2, "{id} belongs to {found:?}");
        found.first().map(|contact| contact.id)
    }

    fn ids(&self, contact: ContactId) -> Vec<String> {
        let contact = self.store.contact(self.channel.org, contact).unwrap();
        let identities = contact.expect("it was found by an identity").identities;
        let mut ids: Vec<_> = identities
            .into_iter()
            .map(|known| known.identity.identifier)
            .collect();
        ids.sort();
        ids
    }

    async fn takes(&self, id: &str, ids: &[&str]) -> crate::model::Message {
        let result = self.receive(vec![from(id, ids)]).await;
        self.message(result.messages[0].id)
    }
}

#[tokio::test]
async fn a_number_joins_when_it_becomes_known() {
    let bench = bench().await;
    let hidden = bench.takes("m1", &["US.1"]).await;
    let both = bench.takes("m2", &["+1555", "US.1"]).await;
    let number = bench.takes("m3", &["+1555"]).await;
    assert_eq!((hidden.thread, hidden.contact), (both.thread, both.contact));
    assert_eq!((number.thread, number.seq), (hidden.thread, 3));
    assert_eq!(bench.ids(hidden.contact), ["+1555", "US.1"]);
    assert!(!both.metadata.contains_key("merge_suggestions"));
}

#[tokio::test]
async fn a_stranger_with_several_identities_is_one_contact_at_once() {
    let bench = bench().await;
    let ids = ["+1555", "US.1", "US.ENT.9", "US.1", "+1555"];
    let events = vec![
        from("m1", &ids),
        from("m2", &["US.ENT.9"]),
        from("m3", &["US.1"]),
    ];
    let result = bench.receive(events).await;
    assert_eq!(result.messages.len(), 3);
    let owner = bench.owner("+1555").unwrap();
    assert_eq!(bench.ids(owner), ["+1555", "US.1", "US.ENT.9"]);
    let threads: HashSet<_> = result.messages.iter().map(|new| new.thread).collect();
    assert_eq!(threads.len(), 1);
    let contact = bench
        .store
        .contact(bench.channel.org, owner)
        .unwrap()
        .unwrap();
    assert!(
        contact
            .identities
            .iter()
            .all(|known| known.verified_at_ms.is_some())
    );
    assert_eq!(
        contact
            .identities
            .iter()
            .filter(|known| known.primary)
            .count(),
        1
    );
}

/// What belongs to somebody stays with them; the message says who they may be.
#[tokio::test]
async fn nothing_is_taken_from_another_contact() {
    let bench = bench().await;
    let by_number = bench.takes("m1", &["+1555"]).await.contact;
    let by_id = bench.takes("m2", &["US.1"]).await.contact;
    assert_ne!(by_number, by_id);
    let both = bench.takes("m3", &["+1555", "US.1", "US.ENT.9"]).await;
    assert_eq!(both.contact, by_number);
    let suggested = Value::from(vec![by_id.to_string()]);
    assert_eq!(both.metadata.get("merge_suggestions"), Some(&suggested));
    assert_eq!(bench.owner("US.1"), Some(by_id));
    assert_eq!(bench.owner("US.ENT.9"), Some(by_number));
    let by_either = bench.takes("m4", &["US.1", "+1555"]).await;
    assert_eq!(by_either.contact, by_id);
}

/// An identity that was only written to joins as well.
#[tokio::test]
async fn who_was_written_to_is_the_same_person() {
    let bench = bench().await;
    let sent = bench.queued("+1555").await;
    let sent = bench.message(sent);
    let event = Event::Message(InboundMessage {
        id: "m1".into(),
        sender: Sender {
            identity: Identity::new("phone", "+1555"),
            also: vec![person("US.1")],
            name: None,
        },
        content: Content::text("hi"),
        ..InboundMessage::default()
    });
    bench.receive(vec![event]).await;
    assert_eq!(bench.owner("US.1"), Some(sent.contact));
}

/// The three ids of one of the people.
fn ids_of(person: u8) -> [String; 3] {
    [
        format!("+1555010{person}"),
        format!("US.{person}"),
        format!("US.ENT.{person}"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever ids people show in whatever order: no identity has two owners, no contact holds ids of
    /// two people, and who shows all ids at first is one contact for ever.
    #[test]
    fn people_stay_apart_and_whole(
        shown in prop::collection::vec((0_u8..3, prop::sample::subsequence(vec![0_usize, 1, 2], 1..=3), any::<bool>()), 1..24),
        open in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = bench().await;
            let mut met: BTreeMap<u8, ContactId> = BTreeMap::new();
            for (number, (person, ids, back)) in shown.iter().enumerate() {
                let all = ids_of(*person);
                let mut ids: Vec<&str> = ids.iter().map(|at| all[*at].as_str()).collect();
                if open && !met.contains_key(person) {
                    ids = all.iter().map(String::as_str).collect();
                }
                if *back {
                    ids.reverse();
                }
                let message = bench.takes(&format!("m{number}"), &ids).await;
                let first = *met.entry(*person).or_insert(message.contact);
                if open {
                    assert_eq!(message.contact, first, "{person} became two");
                }
            }
            for person in 0..3 {
                for id in ids_of(person) {
                    let Some(owner) = bench.owner(&id) else { continue };
                    let theirs = ids_of(person);
                    assert!(bench.ids(owner).iter().all(|id| theirs.contains(id)), "two people in one");
                }
            }
        });
    }
}
