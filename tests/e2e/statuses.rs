//! Reports on a message in every order and any number: the end is the same, and the history keeps
//! every one.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use trunkline_simulator::StatusWord;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage};

/// The reports that are put into every order, with their error code.
const REPORTS: [(StatusWord, Option<u32>); 4] = [
    (StatusWord::Sent, None),
    (StatusWord::Delivered, None),
    (StatusWord::Read, None),
    (StatusWord::Failed, Some(30_003)),
];
/// Messages reported on side by side.
const TOGETHER: usize = 8;

/// A sequence of reports, as places in [`REPORTS`].
type Sequence = Vec<usize>;

/// Every order of every choice of reports: 64 sequences of one to four.
fn orders() -> Vec<Sequence> {
    let mut all: Vec<Sequence> = Vec::new();
    let mut open: Vec<Sequence> = vec![Vec::new()];
    while let Some(begun) = open.pop() {
        for next in 0..REPORTS.len() {
            if !begun.contains(&next) {
                let longer = [begun.as_slice(), &[next]].concat();
                all.push(longer.clone());
                open.push(longer);
            }
        }
    }
    all
}

/// Each sequence as it is, with every report doubled, and twice as a whole.
fn variants(order: &Sequence) -> [Sequence; 3] {
    let doubled = order.iter().flat_map(|report| [*report; 2]).collect();
    [order.clone(), doubled, order.repeat(2)]
}

/// Where a message ends that got these reports: what proves most.
fn end_of(sequence: &Sequence) -> &'static str {
    let ends = [(2, "read"), (1, "delivered"), (3, "failed"), (0, "sent")];
    let end = ends.iter().find(|(report, _)| sequence.contains(report));
    end.expect("a sequence has a report").1
}

#[tokio::test]
async fn reports_in_any_order_and_number_end_alike() {
    let sequences: Vec<Sequence> = orders().iter().flat_map(variants).collect();
    assert_eq!(sequences.len(), 3 * 64);
    let stage = Stage::sms().await;
    let api = stage.daemon.api();
    let mut ids = Vec::with_capacity(sequences.len());
    for number in 0..sequences.len() {
        let to = format!("+1500666{number:04}");
        ids.push(api.send_text(SMS, &to, &number.to_string()).await);
    }
    let cases = ids.iter().zip(&sequences);
    let cases = cases.map(async |(id, sequence)| check(&stage, id, sequence).await);
    stream::iter(cases)
        .buffer_unordered(TOGETHER)
        .collect::<()>()
        .await;
    assert_eq!(stage.simulator.twilio().message_count(), sequences.len());
}

/// Posts the reports one after the other, and compares what the message has become.
async fn check(stage: &Stage, id: &str, sequence: &Sequence) {
    let (api, account) = (stage.daemon.api(), stage.simulator.twilio());
    let message = api.wait_status(id, "sent").await;
    let sid = message["external_id"]
        .as_str()
        .expect("a sent message has an id");
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for report in sequence {
        let (word, code) = REPORTS[*report];
        let answer = account.report(sid, word, code).await;
        let answer = answer.expect("the callback is answered");
        assert_eq!(answer.map(|answer| answer.status), Some(200));
        *expected.entry(word.as_str()).or_default() += 1;
    }
    let message = eventually(&format!("the end of {sequence:?}"), SOON, || async {
        let message = api.message(id).await;
        (counted(&message) == expected).then_some(message)
    })
    .await;
    let end = end_of(sequence);
    assert_eq!(message["status"], end, "{sequence:?}: {message}");
    let code = (end == "failed").then_some("30003");
    assert_eq!(
        message["error"]["provider_code"].as_str(),
        code,
        "{message}"
    );
}

/// How often each status was reported by callback, by the history.
fn counted(message: &Value) -> BTreeMap<&str, u64> {
    let mut counts = BTreeMap::new();
    let history = message["history"]
        .as_array()
        .expect("a message has a history");
    for entry in history.iter().filter(|entry| entry["source"] == "callback") {
        let status = entry["status"].as_str().unwrap_or_default();
        *counts.entry(status).or_default() += entry["count"].as_u64().unwrap_or_default();
    }
    counts
}
