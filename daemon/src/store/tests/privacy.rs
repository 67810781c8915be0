//! Retention, erasure and audit: what goes is gone, and what stays is found whole and in order.

use proptest::prelude::*;

use super::*;
use crate::model::{Actor, AuditEntry, ContactId};

const PEOPLE: usize = 4;

/// What may happen.
#[derive(Debug, Clone)]
enum Deed {
    Says(usize),
    Queues(usize),
    /// What waits longest leaves the queue.
    Leaves,
    Merges(usize, usize),
    Parts(usize, usize),
    /// Everything older than this message of all ends, as far as it may.
    Sweeps(prop::sample::Index),
    Erases(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    let person = || 0..PEOPLE;
    prop_oneof![
        8 => person().prop_map(Deed::Says),
        3 => person().prop_map(Deed::Queues),
        2 => Just(Deed::Leaves),
        1 => (person(), person()).prop_map(|(a, b)| Deed::Merges(a, b)),
        1 => (person(), person()).prop_map(|(a, b)| Deed::Parts(a, b)),
        3 => any::<prop::sample::Index>().prop_map(Deed::Sweeps),
        1 => person().prop_map(Deed::Erases),
    ]
}

/// What there is: each message with whose address it has, and whether it waits to be sent.
#[derive(Default)]
struct World {
    messages: Vec<(MessageId, usize, bool)>,
    people: Vec<ContactId>,
    parent: Vec<Option<usize>>,
}

impl World {
    fn root(&self, mut person: usize) -> usize {
        while let Some(above) = self.parent[person] {
            person = above;
        }
        person
    }

    fn of(&self, whole: usize) -> Vec<MessageId> {
        let theirs = self.messages.iter();
        let theirs = theirs.filter(|(_, person, _)| self.root(*person) == whole);
        let mut ids: Vec<_> = theirs.map(|(id, _, _)| *id).collect();
        ids.sort_by_key(|id| std::cmp::Reverse(*id));
        ids
    }
}

impl Bench {
    /// The whole timeline, read in small pages.
    fn timeline(&self, contact: ContactId, limit: usize) -> Vec<MessageId> {
        let (mut before, mut ids) = (None, Vec::new());
        loop {
            let page = self
                .store
                .timeline(self.channel.org, contact, before, limit);
            let page = page.unwrap();
            ids.extend(page.items.iter().map(|message| message.id));
            before = page.next;
            if before.is_none() {
                return ids;
            }
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(Store) -> T + Send + 'static,
    ) -> T {
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || work(store))
            .await
            .unwrap()
    }

    async fn sweep(&self, before: MessageId) -> Expired {
        let org = self.channel.org;
        self.blocking(move |store| {
            let limits = Limits {
                messages: Some(before),
                ..Limits::default()
            };
            store.expire(org, &limits, 1_000, &mut Sweep::default())
        })
        .await
        .unwrap()
    }

    async fn erase(&self, contact: ContactId) -> crate::model::Erasure {
        let org = self.channel.org;
        let begun = self
            .store
            .begin_erasure(org, contact, "uid 0")
            .await
            .unwrap();
        let BeginErasure::Begun(erasure) = begun else {
            panic!("{begun:?}");
        };
        self.blocking(move |store| store.erase(org, &erasure, &|| false))
            .await
            .unwrap()
    }

    async fn first_of(&self, world: &mut World, person: usize, at: usize) -> ContactId {
        let id = self.heard(world, person, at).await;
        self.message(id).contact
    }

    async fn heard(&self, world: &mut World, person: usize, at: usize) -> MessageId {
        let result = self
            .receive(vec![sms(&format!("in {at}"), &format!("+{person}"))])
            .await;
        let id = result.messages[0].id;
        world.messages.push((id, person, false));
        id
    }

    async fn carry_out(&self, world: &mut World, at: usize, deed: &Deed) {
        let org = self.channel.org;
        match *deed {
            Deed::Says(person) => drop(self.heard(world, person, at).await),
            Deed::Queues(person) => {
                let id = self.queued(&format!("+{person}")).await;
                world.messages.push((id, person, true));
            }
            Deed::Leaves => {
                if let Some(waits) = world.messages.iter_mut().find(|(_, _, waits)| *waits) {
                    let decided = self.store.decide(org, waits.0, Verdict::Discard).await;
                    assert_eq!(decided.unwrap(), Decision::Done);
                    waits.2 = false;
                }
            }
            Deed::Merges(keep, other) => {
                let (one, two) = (world.people[keep], world.people[other]);
                let merged = self.store.merge_contacts(org, one, two, "ada").await;
                if matches!(merged.unwrap(), MergeResult::Done(_)) {
                    world.parent[other] = Some(keep);
                }
            }
            Deed::Parts(keep, other) => {
                let (one, two) = (world.people[keep], world.people[other]);
                let parted = self.store.unmerge_contacts(org, one, two).await;
                if matches!(parted.unwrap(), MergeResult::Done(_)) {
                    world.parent[other] = None;
                }
            }
            Deed::Sweeps(index) => {
                if world.messages.is_empty() {
                    return;
                }
                let before = index.get(&world.messages).0;
                self.sweep(before).await;
                world
                    .messages
                    .retain(|(id, _, waits)| *id >= before || *waits);
            }
            Deed::Erases(person) => {
                let whole = world.root(person);
                self.erase(world.people[whole]).await;
                let gone: Vec<usize> = (0..PEOPLE)
                    .filter(|one| world.root(*one) == whole)
                    .collect();
                world.messages.retain(|(_, one, _)| !gone.contains(one));
                for (more, one) in gone.into_iter().enumerate() {
                    world.parent[one] = None;
                    let id = at * 100 + more + 1_000_000;
                    world.people[one] = self.first_of(world, one, id).await;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_stays_is_listed_whole_and_in_order(
        deeds in proptest::collection::vec(deed(), 1..60),
        limit in 1_usize..7,
    ) {
        let runtime = actix::System::new();
        runtime.block_on(async {
            let bench = bench().await;
            let mut world = World { parent: vec![None; PEOPLE], ..World::default() };
            for person in 0..PEOPLE {
                let first = bench.first_of(&mut world, person, 2_000_000 + person).await;
                world.people.push(first);
            }
            for (at, deed) in deeds.iter().enumerate() {
                bench.carry_out(&mut world, at, deed).await;
                for whole in (0..PEOPLE).filter(|one| world.parent[*one].is_none()) {
                    let found = bench.timeline(world.people[whole], limit);
                    assert_eq!(found, world.of(whole), "person {whole} after {:?}", &deeds[..=at]);
                }
            }
            let stats = bench.store.engine().stats();
            assert_eq!(stats.surprises, 0);
        });
    }
}

#[tokio::test]
async fn a_thread_of_many_leaps_is_walked_past_what_was_swept() {
    let bench = bench().await;
    let mut ids = Vec::new();
    for at in 0..200 {
        let result = bench.receive(vec![sms(&format!("{at}"), "+1")]).await;
        ids.push(result.messages[0].id);
    }
    let contact = bench.message(ids[0]).contact;
    assert_eq!(bench.sweep(ids[130]).await.messages, 130);
    let expected: Vec<_> = ids[130..].iter().rev().copied().collect();
    assert_eq!(bench.timeline(contact, 7), expected);
    let org = bench.channel.org;
    let page = bench
        .store
        .timeline(org, contact, Some(ids[131]), 10)
        .unwrap();
    assert_eq!(page.items.len(), 1);
    let old = bench
        .store
        .timeline(org, contact, Some(ids[3]), 10)
        .unwrap();
    assert!(old.items.is_empty());
}

#[tokio::test]
async fn an_empty_old_contact_goes_and_a_busy_one_stays() {
    let bench = bench().await;
    let org = bench.channel.org;
    for (id, from) in [("1", "+1"), ("2", "+2")] {
        bench.receive(vec![sms(id, from)]).await;
    }
    bench.queued("+2").await;
    let end = MessageId::from_bytes([0xff; 16]);
    let limits = Limits {
        messages: Some(end),
        contacts_ms: Some(bench.store.now() + 1_000),
        ..Limits::default()
    };
    let seen = bench
        .blocking(move |store| store.expiring(org, &limits))
        .await;
    let done = bench
        .blocking(move |store| store.expire(org, &limits, 1_000, &mut Sweep::default()))
        .await
        .unwrap();
    assert_eq!(seen.unwrap().messages, done.messages);
    assert_eq!((done.messages, done.contacts), (2, 1));
    assert!(bench.store.contacts_with(org, "+1").unwrap().is_empty());
    assert_eq!(bench.store.contacts_with(org, "+2").unwrap().len(), 1);
    let bench = bench.restarted().await;
    bench.receive(vec![sms("3", "+1")]).await;
    assert_eq!(bench.store.contacts_with(org, "+1").unwrap().len(), 1);
}

#[tokio::test]
async fn a_report_on_a_swept_message_is_no_error() {
    let bench = bench().await;
    let id = bench.queued("+1").await;
    bench.lease().await;
    bench.finish(id, sent("out")).await;
    bench.receive(vec![sms("in", "+1")]).await;
    bench.sweep(MessageId::from_bytes([0xff; 16])).await;
    let repeated = bench.receive(vec![sms("in", "+1")]).await;
    assert_eq!(repeated.outcome, Outcome::Duplicate);
    bench
        .receive(vec![report("out", ReportedStatus::Delivered)])
        .await;
}

#[tokio::test]
async fn a_changed_audit_shows() {
    let bench = bench().await;
    let org = bench.channel.org;
    for number in 0..5 {
        let entry = AuditEntry::new(number, Actor::daemon(), format!("act.{number}"));
        bench.store.audit(org, &entry).await.unwrap();
    }
    let sound = bench.store.verify_audit(org).unwrap();
    assert_eq!((sound.entries, sound.broken), (5, None));
    let page = bench
        .store
        .audited(org, &AuditFilter::default(), None, 2)
        .unwrap();
    let newest: Vec<_> = page.items.iter().map(|found| found.sequence).collect();
    assert_eq!((newest, page.next), (vec![5, 4], Some(4)));

    assert_eq!(bench.store.sweep_audit(org, 2).await.unwrap(), 2);
    let after = bench.store.verify_audit(org).unwrap();
    assert_eq!((after.entries, &after.broken), (3, &None));
    assert_eq!(after.head, sound.head, "the end of the chain is the same");

    let key = keys::audit(org, 4);
    let tampered = bench.store.engine.transact(|tx| {
        let mut bytes = tx.get(&key)?.unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        tx.put(&key, &bytes)
    });
    tampered.unwrap().await.unwrap();
    let broken = bench.store.verify_audit(org).unwrap().broken.unwrap();
    assert_eq!(broken.0, 4);
    let removed = bench.store.engine.transact(|tx| tx.delete(&key));
    removed.unwrap().await.unwrap();
    let broken = bench.store.verify_audit(org).unwrap().broken.unwrap();
    assert_eq!(broken, (4, "entries 4 to 4 are missing".to_owned()));
}

#[tokio::test]
async fn a_compacted_store_holds_nothing_older_and_opens_again() {
    let bench = bench().await;
    let org = bench.channel.org;
    let gone = bench.receive(vec![sms("gone", "+15550101777")]).await;
    let kept = bench.receive(vec![sms("kept", "+15550101888")]).await;
    let contact = bench.message(gone.messages[0].id).contact;
    bench.erase(contact).await;
    bench.store.engine().compact().await.unwrap();
    bench.receive(vec![sms("later", "+15550101888")]).await;
    let holds = |wanted: &str| {
        let files = std::process::Command::new("grep")
            .args(["-rlaF", wanted])
            .arg(bench.folder.path())
            .output();
        String::from_utf8(files.unwrap().stdout).unwrap()
    };
    assert_eq!(holds("15550101777"), "");
    assert_ne!(holds("15550101888"), "");
    let bench = bench.restarted().await;
    let contact = bench.message(kept.messages[0].id).contact;
    assert_eq!(bench.timeline(contact, 10).len(), 2);
    assert_eq!(bench.store.erasures(org).unwrap().len(), 1);
}
