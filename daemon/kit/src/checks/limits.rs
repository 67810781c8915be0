//! Sizes and times.

use std::time::Duration;

use trunkline_plugin_api::{
    WebhookRequest,
    testkit::{self, case::CaseCall},
};

use crate::{
    bench::{Bench, percentiles},
    findings::Findings,
};

/// How long a call may take, also with a large webhook. The daemon gives up one that takes longer.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Bytes of a large body, where the channel does not say that it takes less.
const BODY_BYTES: u64 = 1024 * 1024;
const HEADERS: usize = 10_000;
/// Bytes of a cursor that the daemon saves.
const CURSOR_BYTES_MAX: usize = 4096;
/// Bytes of a cursor that the daemon only hands back.
const TEMPLATES_CURSOR_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Large webhooks are answered soon, and nothing was too large all along.
pub(super) fn limits(bench: &mut Bench, findings: &mut Findings) {
    for channel in bench.open_indexes() {
        large(bench, findings, channel);
    }
    for label in &bench.watch.oversized {
        findings.fail(format!(
            "{label} answered more than {} bytes, which the daemon does not take",
            bench.options.output_bytes_max
        ));
    }
    for (label, size, max) in &bench.watch.cursors {
        findings.fail(format!(
            "{label} gave a cursor of {size} bytes, the daemon takes {max}: keep in it only what can't be had again"
        ));
    }
    if let Some((median, p99)) = percentiles(&bench.watch.times) {
        findings.fact(format!(
            "{} calls: half within {} µs, 99 of 100 within {} µs",
            bench.watch.times.len(),
            median.as_micros(),
            p99.as_micros()
        ));
    }
    if let Some((longest, label)) = &bench.watch.slowest {
        let millis = longest.as_secs_f64() * 1000.0;
        findings.fact(format!("longest call {millis:.1} ms ({label})"));
        if *longest > ANSWER_MAX {
            findings.fail(format!(
                "{label} took {:.1} s, a call may take {} s: does a loop go over its input again and again?",
                longest.as_secs_f64(),
                ANSWER_MAX.as_secs()
            ));
        }
    }
    if let Some((size, label)) = &bench.watch.largest {
        findings.fact(format!("largest answer {size} bytes ({label})"));
    }
}

/// The bytes that a cursor may have.
pub(crate) fn cursor_bytes_max(is_templates: bool) -> usize {
    if is_templates {
        TEMPLATES_CURSOR_BYTES_MAX
    } else {
        CURSOR_BYTES_MAX
    }
}

fn large(bench: &mut Bench, findings: &mut Findings, channel: usize) {
    let Ok(facts) = &bench.channels[channel].opened else {
        return;
    };
    let bytes = facts.body_bytes_max.unwrap_or(BODY_BYTES).min(BODY_BYTES);
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let usual = usual(bench, channel);
    let filler = usual.body.first().copied().unwrap_or(b'[');
    let mut open = usual.clone();
    *open.body.to_mut() = vec![filler; bytes];
    let mut text = usual.clone();
    *text.body.to_mut() = vec![b'a'; bytes];
    let mut headers = usual;
    headers
        .headers
        .extend((0..HEADERS).map(|number| (format!("x-{number}"), "value".to_owned())));
    for (what, request) in [
        (format!("a body of {bytes} times its first byte"), open),
        (format!("a body of {bytes} letters"), text),
        (format!("{HEADERS} headers"), headers),
    ] {
        let name = bench.channels[channel].name.clone();
        let label = format!("receive of {what} on {name}");
        // How long it took is watched with all other calls.
        if let Err(trouble) = bench.receive(channel, &label, &request) {
            findings.trouble(trouble);
        }
    }
}

/// A webhook that the channel knows, or one made up.
fn usual(bench: &Bench, channel: usize) -> WebhookRequest {
    let cases = bench.channels[channel].cases.iter();
    let mut webhooks = cases.filter_map(|named| match &named.case.call {
        CaseCall::Receive(receive) => Some(receive.request.clone()),
        CaseCall::Steps(_) => None,
    });
    webhooks.next().unwrap_or_else(|| {
        let url = "https://hooks.example.org/webhooks/under_test/token";
        testkit::post(url, "application/json", "{}")
    })
}
