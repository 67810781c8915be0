//! Accounting: is everything that was acknowledged there, and nothing twice?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::api::Api;
use crate::load::{Outcome, Sent};

/// Contacts looked at together.
const LOOKUPS_MAX: usize = 4;

/// The outcome of an accounting. Everything but the counts should be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balance {
    /// Messages acknowledged.
    pub acknowledged: usize,
    /// Messages found in timelines.
    pub found: usize,
    /// Acknowledged, but nowhere.
    pub missing: Vec<String>,
    /// In a timeline more than once.
    pub doubled: Vec<String>,
    /// In a timeline, but never sent.
    pub strange: Vec<String>,
    /// Senders with more than one contact.
    pub split: Vec<String>,
}

impl Balance {
    /// True where every acknowledged message is there exactly once.
    pub fn is_right(&self) -> bool {
        self.missing.is_empty()
            && self.doubled.is_empty()
            && self.strange.is_empty()
            && self.split.is_empty()
    }

    /// Panics with the figures where it is not right.
    pub fn must_be_right(&self) {
        assert!(self.is_right(), "{self}");
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} acknowledged, {} found, {} missing {:?}, {} doubled {:?}, {} strange, {} split {:?}",
            self.acknowledged,
            self.found,
            self.missing.len(),
            &self.missing[..self.missing.len().min(3)],
            self.doubled.len(),
            &self.doubled[..self.doubled.len().min(3)],
            self.strange.len(),
            self.split.len(),
            &self.split[..self.split.len().min(3)],
        )
    }
}

/// Compares a ledger with the timelines of its senders.
pub async fn balance(api: &Api, ledger: &[Sent]) -> Balance {
    let mut people: BTreeMap<&str, Vec<&Sent>> = BTreeMap::new();
    for sent in ledger {
        people.entry(&sent.sms.from).or_default().push(sent);
    }
    let accounts = stream::iter(people).map(|(sender, sent)| person(api, sender, sent));
    let accounts = accounts
        .buffer_unordered(LOOKUPS_MAX)
        .collect::<Vec<_>>()
        .await;
    accounts
        .into_iter()
        .fold(Balance::default(), |mut total, part| {
            total.acknowledged += part.acknowledged;
            total.found += part.found;
            total.missing.extend(part.missing);
            total.doubled.extend(part.doubled);
            total.strange.extend(part.strange);
            total.split.extend(part.split);
            total
        })
}

async fn person(api: &Api, sender: &str, ledger: Vec<&Sent>) -> Balance {
    let contacts = api.contacts(sender).await.len();
    let mut balance = Balance::default();
    if contacts > 1 {
        balance.split.push(sender.to_owned());
    }
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for message in api.timeline(sender).await {
        let id = message["external_id"].as_str().unwrap_or_default();
        *found.entry(id.to_owned()).or_default() += 1;
    }
    balance.found = found.values().sum();
    for sent in &ledger {
        let acknowledged = sent.outcome == Outcome::Acknowledged;
        balance.acknowledged += usize::from(acknowledged);
        match found.get(&sent.sms.sid) {
            None if acknowledged => balance.missing.push(sent.sms.sid.clone()),
            Some(2..) => balance.doubled.push(sent.sms.sid.clone()),
            _ => {}
        }
    }
    let sent: BTreeSet<&str> = ledger.iter().map(|sent| sent.sms.sid.as_str()).collect();
    balance.strange = found
        .into_keys()
        .filter(|id| !sent.contains(id.as_str()))
        .collect();
    balance
}
