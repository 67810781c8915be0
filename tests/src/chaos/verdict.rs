//! The end of a run: what was accepted, what the API shows, and what the provider has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::Value;
use trunkline_simulator::{LedgerMessage, Simulator, StatusWord};

use super::client::{Accepted, by_body, place};
use crate::api::Api;

/// Messages asked for together.
const LOOKUPS_MAX: usize = 8;
/// Longest wait until nothing is under way any more.
const DRAIN_MAX: Duration = Duration::from_secs(90);
/// Longest wait for the look-ups of what the provider has, and for missed reports.
const SETTLE_MAX: Duration = Duration::from_secs(40);

/// What a run came to. [`Self::faults`] says whether it is right.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Messages accepted.
    pub accepted: usize,
    /// Messages that the provider has.
    pub delivered: usize,
    /// Messages listed as of unknown outcome.
    pub uncertain: usize,
    /// Those of them that the provider has.
    pub uncertain_at_provider: usize,
    /// Messages whose outcome was unknown for a time and is known now.
    pub resolved: usize,
    /// Of those, how many reached the provider behind a later message of their line.
    pub late: usize,
    /// Messages that the provider has more than once, as a policy to send again allows where their
    /// outcome was unknown.
    pub doubled: usize,
    /// Requests that clients sent again.
    pub repeated: usize,
    /// From the first request until the queue had settled.
    pub elapsed: Duration,
    /// Everything that should not be, in words.
    pub faults: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} accepted ({} requests repeated), {} at the provider, {} uncertain ({} of them at the \
             provider), {} resolved ({} of them late, {} doubled), {:.1} s",
            self.accepted,
            self.repeated,
            self.delivered,
            self.uncertain,
            self.uncertain_at_provider,
            self.resolved,
            self.late,
            self.doubled,
            self.elapsed.as_secs_f64(),
        )?;
        for fault in self.faults.iter().take(10) {
            write!(out, "\n  {fault}")?;
        }
        if self.faults.len() > 10 {
            write!(out, "\n  and {} more", self.faults.len() - 10)?;
        }
        Ok(())
    }
}

/// A message as the API shows it at the end.
struct Shown {
    status: String,
    external_id: Option<String>,
    /// Status and source of every report, in the order they came.
    history: Vec<String>,
}

impl Shown {
    fn new(message: &Value) -> Self {
        let text = |key: &str| message[key].as_str().map(str::to_owned);
        let report = |entry: &Value| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default();
            format!("{} by {}", text("status"), text("source"))
        };
        let history = message["history"].as_array();
        Self {
            status: text("status").unwrap_or_default(),
            external_id: text("external_id"),
            history: history.map_or_else(Vec::new, |all| all.iter().map(report).collect()),
        }
    }

    /// True where the outcome was unknown at some time.
    fn was_uncertain(&self) -> bool {
        self.history
            .iter()
            .any(|entry| entry.starts_with("uncertain"))
    }
}

/// Waits until everything is settled, and compares. `resends`: what is uncertain is sent again, so
/// that in the end nothing is.
pub(super) async fn settle(
    api: &Api,
    simulator: &Simulator,
    accepted: &[Accepted],
    resends: bool,
) -> Result<Verdict> {
    drain(api).await?;
    let mut shown: BTreeMap<&str, Shown> = BTreeMap::new();
    let started = Instant::now();
    loop {
        let ledger = Ledger::new(simulator, resends);
        let open: Vec<_> = accepted
            .iter()
            .filter(|message| {
                let seen = shown.get(message.body.as_str());
                seen.is_none_or(|seen| !ledger.settles(&message.body, seen))
            })
            .collect();
        if open.is_empty() || started.elapsed() > SETTLE_MAX {
            return compare(api, &ledger, accepted, &shown).await;
        }
        let pause = if shown.is_empty() { 0 } else { 200 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let asked = open.into_iter().map(async |message| {
            let answer = api.message(&message.id).await;
            (message.body.as_str(), Shown::new(&answer))
        });
        let answers: Vec<_> = stream::iter(asked)
            .buffer_unordered(LOOKUPS_MAX)
            .collect()
            .await;
        shown.extend(answers);
    }
}

/// Waits until nothing is queued, retrying or held; nothing may be dead.
async fn drain(api: &Api) -> Result<()> {
    let started = Instant::now();
    for state in ["queued", "retrying", "held"] {
        loop {
            let page = api
                .get(&format!("/api/v1/outbox?state={state}&limit=1"))
                .await;
            let items = page["items"].as_array().map_or(0, Vec::len);
            if items == 0 {
                break;
            }
            ensure!(
                started.elapsed() < DRAIN_MAX,
                "still {state} after {DRAIN_MAX:?}: {}; the outbox: {}",
                page["items"][0],
                super::outbox_states(api).await
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let dead = api.all("/api/v1/outbox?state=dead").await;
    // A report of failure makes a dead letter of an item that is still there; one that was given up
    // by the daemon itself has used all its attempts.
    let given_up = dead
        .iter()
        .find(|item| item["error"]["class"] == "transient");
    match given_up {
        Some(item) => anyhow::bail!("given up: {item}"),
        None => Ok(()),
    }
}

/// The provider's messages by what they say.
struct Ledger {
    by_body: BTreeMap<String, Vec<LedgerMessage>>,
    in_order: Vec<String>,
    resends: bool,
}

impl Ledger {
    fn new(simulator: &Simulator, resends: bool) -> Self {
        let messages = simulator.twilio().messages();
        let in_order = messages.iter().map(|m| m.body.clone()).collect();
        let mut by_body: BTreeMap<String, Vec<LedgerMessage>> = BTreeMap::new();
        for message in messages {
            by_body
                .entry(message.body.clone())
                .or_default()
                .push(message);
        }
        Self {
            by_body,
            in_order,
            resends,
        }
    }

    /// Whether what the API shows of a message is what the provider has.
    fn settles(&self, body: &str, shown: &Shown) -> bool {
        match self.find(body, shown) {
            Some(message) => shown.status == status(message.status),
            None => shown.status == "uncertain" && !self.resends,
        }
    }

    /// The provider's message of this text: the one known by its id where there are several.
    fn find(&self, body: &str, shown: &Shown) -> Option<&LedgerMessage> {
        let copies = self.by_body.get(body)?;
        let known = copies
            .iter()
            .find(|copy| shown.external_id.as_ref() == Some(&copy.sid));
        known.or(copies.first())
    }
}

/// Our word for a state at the provider.
fn status(word: StatusWord) -> &'static str {
    match word {
        StatusWord::Delivered => "delivered",
        StatusWord::Read => "read",
        StatusWord::Failed | StatusWord::Undelivered | StatusWord::Canceled => "failed",
        _ => "sent",
    }
}

async fn compare(
    api: &Api,
    ledger: &Ledger,
    accepted: &[Accepted],
    shown: &BTreeMap<&str, Shown>,
) -> Result<Verdict> {
    let known = by_body(accepted)?;
    let listed = api.all("/api/v1/outbox?state=uncertain").await;
    let listed: BTreeSet<&str> = listed
        .iter()
        .filter_map(|i| i["message"].as_str())
        .collect();
    let mut verdict = Verdict {
        accepted: accepted.len(),
        delivered: ledger.in_order.len(),
        uncertain: listed.len(),
        ..Verdict::default()
    };
    for (body, copies) in &ledger.by_body {
        let was_uncertain = shown.get(body.as_str()).is_some_and(Shown::was_uncertain);
        if copies.len() > 1 && ledger.resends && was_uncertain {
            verdict.doubled += 1;
        } else if copies.len() > 1 {
            let words = format!("{} times at the provider: {body}", copies.len());
            verdict.faults.push(words);
        }
        if !known.contains_key(body.as_str()) {
            verdict
                .faults
                .push(format!("at the provider, but never accepted: {body}"));
        }
    }
    for message in accepted {
        let Some(shown) = shown.get(message.body.as_str()) else {
            verdict
                .faults
                .push(format!("never shown: {}", message.body));
            continue;
        };
        let is_listed = listed.contains(message.id.as_str());
        verdict.resolved += usize::from(shown.was_uncertain() && !is_listed);
        verdict.check(message, shown, is_listed, ledger);
    }
    verdict.check_order(ledger, shown);
    Ok(verdict)
}

impl Verdict {
    fn check(&mut self, message: &Accepted, shown: &Shown, is_listed: bool, ledger: &Ledger) {
        let Accepted { id, body } = message;
        let uncertain = shown.status == "uncertain";
        if is_listed != uncertain {
            let words = if is_listed {
                "listed as"
            } else {
                "not listed, but"
            };
            self.faults.push(format!(
                "{words} uncertain, shown as {}: {body} ({id})",
                shown.status
            ));
        }
        let Some(held) = ledger.find(body, shown) else {
            if !uncertain || ledger.resends {
                self.faults
                    .push(format!("lost, shown as {}: {body} ({id})", shown.status));
            }
            return;
        };
        if uncertain {
            self.uncertain_at_provider += 1;
            return;
        }
        if shown.status != status(held.status) {
            let words = format!(
                "{} there, {} here: {body} ({id}) {:?}",
                held.status, shown.status, shown.history
            );
            self.faults.push(words);
        }
        if shown.external_id.as_ref() != Some(&held.sid) {
            self.faults.push(format!(
                "{} is known as {:?}: {body}",
                held.sid, shown.external_id
            ));
        }
    }

    /// Messages of one line arrive in its order. One whose outcome was unknown left its line; where
    /// it comes behind a later one it is counted, not refused.
    fn check_order(&mut self, ledger: &Ledger, shown: &BTreeMap<&str, Shown>) {
        let mut newest: BTreeMap<usize, usize> = BTreeMap::new();
        for body in &ledger.in_order {
            let Some((recipient, number)) = place(body) else {
                continue;
            };
            let before = newest.entry(recipient).or_insert(number);
            if number >= *before {
                *before = number;
                continue;
            }
            if shown.get(body.as_str()).is_some_and(Shown::was_uncertain) {
                self.late += 1;
            } else {
                self.faults
                    .push(format!("after number {before:04} came {body}"));
            }
        }
    }
}
