//! Merging contacts and taking it back.

use proptest::prelude::*;

use super::*;
use crate::model::{Contact, ContactId, ThreadState};

impl Bench {
    /// A message from a number, and its contact.
    async fn said(&self, id: &str, from: &str) -> ContactId {
        let result = self.receive(vec![sms(id, from)]).await;
        self.message(result.messages[0].id).contact
    }

    fn contact(&self, id: ContactId) -> Contact {
        self.store.contact(self.channel.org, id).unwrap().unwrap()
    }

    /// The ids that the provider gave the messages of a timeline, oldest first.
    fn told(&self, contact: ContactId) -> Vec<String> {
        let org = self.channel.org;
        let page = self.store.timeline(org, contact, None, 100).unwrap();
        let ids = page.items.into_iter().rev();
        ids.filter_map(|message| message.external_id).collect()
    }

    async fn merge(&self, keep: ContactId, other: ContactId) -> MergeResult {
        let merged = self
            .store
            .merge_contacts(self.channel.org, keep, other, "ada");
        merged.await.unwrap()
    }

    async fn unmerge(&self, keep: ContactId, other: ContactId) -> MergeResult {
        let parted = self.store.unmerge_contacts(self.channel.org, keep, other);
        parted.await.unwrap()
    }

    fn listed_contacts(&self) -> Vec<ContactId> {
        let page = self.store.contacts(self.channel.org, None, 100).unwrap();
        page.items.iter().map(|contact| contact.id).collect()
    }
}

#[tokio::test]
async fn two_contacts_become_one_timeline_and_two_again() {
    let bench = bench().await;
    let ada = bench.said("1", "+1").await;
    let other = bench.said("2", "+2").await;
    bench.said("3", "+1").await;
    assert!(matches!(
        bench.merge(ada, other).await,
        MergeResult::Done(_)
    ));
    assert_eq!(bench.said("4", "+2").await, ada);
    assert_eq!(bench.said("5", "+1").await, ada);
    assert_eq!(bench.told(ada), ["1", "2", "3", "4", "5"]);
    assert_eq!(bench.listed_contacts(), [ada]);
    assert_eq!(bench.contact(ada).identities.len(), 2);
    let found = bench.store.contacts_with(bench.channel.org, "+2").unwrap();
    assert_eq!(found[0].id, ada);

    assert!(matches!(
        bench.unmerge(ada, other).await,
        MergeResult::Done(_)
    ));
    assert_eq!(bench.said("6", "+2").await, other);
    assert_eq!(bench.said("7", "+1").await, ada);
    assert_eq!(bench.told(ada), ["1", "3", "5", "7"]);
    assert_eq!(bench.told(other), ["2", "4", "6"]);
    assert_eq!(bench.listed_contacts(), [other, ada]);
}

#[tokio::test]
async fn one_person_has_one_open_thread() {
    let bench = bench().await;
    let (ada, other) = (bench.said("1", "+1").await, bench.said("2", "+2").await);
    let org = bench.channel.org;
    let thread = |contact: &Contact| {
        let thread = bench.store.thread(org, contact.thread.unwrap());
        thread.unwrap().unwrap()
    };
    let theirs = thread(&bench.contact(other));
    let update = bench
        .store
        .update_thread(org, theirs.id, ThreadUpdate::TakeOver);
    update.await.unwrap();
    bench.merge(ada, other).await;
    assert_eq!(thread(&bench.contact(other)).state, ThreadState::Closed);
    assert!(thread(&bench.contact(ada)).needs_human);
    bench.unmerge(ada, other).await;
    assert_eq!(thread(&bench.contact(other)).state, ThreadState::Open);
}

#[tokio::test]
async fn what_can_not_be_merged_is_refused() {
    let bench = bench().await;
    let (one, two) = (bench.said("1", "+1").await, bench.said("2", "+2").await);
    let three = bench.said("3", "+3").await;
    let nobody = ContactId::from_bytes([7; 16]);
    assert_eq!(bench.merge(one, one).await, MergeResult::Same);
    assert_eq!(bench.merge(one, nobody).await, MergeResult::Unknown(nobody));
    assert_eq!(bench.unmerge(one, two).await, MergeResult::NotMerged);
    bench.merge(one, two).await;
    let part = MergeResult::PartOf {
        contact: two,
        whole: one,
    };
    assert_eq!(bench.merge(three, two).await, part);
    assert_eq!(bench.merge(two, three).await, part);
}

#[tokio::test]
async fn merging_changes_no_order_of_what_waits() {
    let bench = bench().await;
    let (ada, other) = (bench.said("1", "+1").await, bench.said("2", "+2").await);
    let first = bench.queued("+2").await;
    bench.merge(ada, other).await;
    let second = bench.queued("+2").await;
    assert_eq!(bench.message(second).contact, ada);
    assert_eq!(bench.lease().await, [first]);
    bench.unmerge(ada, other).await;
    let third = bench.queued("+2").await;
    assert_eq!(bench.lease().await, []);
    for id in [first, second, third] {
        bench.finish(id, sent(&format!("out {id}"))).await;
        bench.lease().await;
    }
    assert_eq!(bench.message(third).status, Status::Sent);
}

fn sent(external_id: &str) -> Attempt {
    Attempt::Sent(Receipt {
        external_id: external_id.into(),
        ..Receipt::default()
    })
}

/// What may happen to four people.
#[derive(Debug, Clone)]
enum Deed {
    Says(usize),
    Merges(usize, usize),
    Parts(usize, usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => (0..4_usize).prop_map(Deed::Says),
        1 => (0..4_usize, 0..4_usize).prop_map(|(a, b)| Deed::Merges(a, b)),
        1 => (0..4_usize, 0..4_usize).prop_map(|(a, b)| Deed::Parts(a, b)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever was merged and taken back: what is apart in the end has its own messages and no
    /// others, and what is merged has them all.
    #[test]
    fn every_message_is_with_the_one_whose_address_it_has(
        deeds in proptest::collection::vec(deed(), 1..30),
    ) {
        let runtime = actix::System::new();
        runtime.block_on(async {
            let bench = bench().await;
            let mut people = Vec::new();
            let mut said: Vec<Vec<String>> = Vec::new();
            for person in 0..4 {
                let id = format!("first {person}");
                people.push(bench.said(&id, &format!("+{person}")).await);
                said.push(vec![id]);
            }
            let mut parent: Vec<Option<usize>> = vec![None; 4];
            for (at, deed) in deeds.iter().enumerate() {
                match *deed {
                    Deed::Says(person) => {
                        let id = format!("{at}");
                        bench.said(&id, &format!("+{person}")).await;
                        said[person].push(id);
                    }
                    Deed::Merges(keep, other) => {
                        let result = bench.merge(people[keep], people[other]).await;
                        if matches!(result, MergeResult::Done(_)) {
                            parent[other] = Some(keep);
                        }
                    }
                    Deed::Parts(keep, other) => {
                        let result = bench.unmerge(people[keep], people[other]).await;
                        if matches!(result, MergeResult::Done(_)) {
                            parent[other] = None;
                        }
                    }
                }
            }
            let root = |mut person: usize| {
                while let Some(above) = parent[person] {
                    person = above;
                }
                person
            };
            for whole in (0..4).filter(|person| parent[*person].is_none()) {
                let mut told = bench.told(people[whole]);
                let members = (0..4).filter(|person| root(*person) == whole);
                let mut expected: Vec<_> = members.flat_map(|one| said[one].clone()).collect();
                told.sort();
                expected.sort();
                assert_eq!(told, expected, "person {whole} after {deeds:?}");
            }
        });
    }
}
