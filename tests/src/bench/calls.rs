//! What a call into a plugin costs: a signed webhook of 500 bytes, in this process and in one of its own.
//!
//! Both take turns in slices, so that a noisy machine is noisy for both. The call is the whole one: the
//! request to JSON, the way to the plugin, its check of the signature and its reading, and the answer back
//! into types.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use trunkline_host::{Instance, Isolation, PluginOptions, PluginSet, worker};
use trunkline_plugin_api::{WebhookRequest, sign};

use crate::built;

const SECRET: &str = "It's a Secret to Everybody";
const BODY_BYTES: usize = 500;
const SLICES: usize = 40;
const CALLS_A_SLICE: usize = 500;
/// Calls before the first slice: pages, caches, branch predictors.
const WARM_UP: usize = 2_000;

/// Prints both medians, both 99th percentiles and the ratio.
pub fn measure() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let plugins = folder.path().join("plugins");
    built::install_plugins(&plugins);
    let options = PluginOptions {
        paths: vec![plugins],
        state: folder.path().join("state"),
        worker: Some(worker::Program {
            path: built::binary(),
            arguments: vec![worker::VERB.into()],
        }),
        ..PluginOptions::default()
    };
    let set = PluginSet::scan(&options, None);
    let apart = Isolation::Process {
        memory_bytes_max: options.memory_bytes_max,
        timeout: Duration::from_secs(10),
    };
    let open = |isolation: &Isolation| -> Result<Instance> {
        let plugin = set.get("webhook").context(set.why_missing("webhook"))?;
        let opened = plugin.open_in("bench", &json!({"hub_secret": SECRET}), isolation);
        Ok(opened?.0)
    };
    let (here, apart) = (open(&Isolation::None)?, open(&apart)?);
    let request = webhook();
    for instance in [&here, &apart] {
        take(instance, &request, WARM_UP)?;
    }
    let (mut times_here, mut times_apart) = (Vec::new(), Vec::new());
    for _ in 0..SLICES {
        times_here.extend(take(&here, &request, CALLS_A_SLICE)?);
        times_apart.extend(take(&apart, &request, CALLS_A_SLICE)?);
    }
    println!(
        "a signed webhook of {BODY_BYTES} bytes through the webhook plugin, one call at a time"
    );
    let median_here = print("in this process", &mut times_here);
    let median_apart = print("in one of its own", &mut times_apart);
    println!("  ratio                {:>8.1}", median_apart / median_here);
    Ok(())
}

fn webhook() -> WebhookRequest {
    let mut body = json!({"id": "m1", "from": "ada", "text": ""});
    let padding = BODY_BYTES - body.to_string().len();
    body["text"] = "x".repeat(padding).into();
    let body = body.to_string();
    let signature = sign::hex(&sign::hmac_sha256(SECRET.as_bytes(), body.as_bytes()));
    WebhookRequest {
        method: "POST".into(),
        url: "https://hooks.example.org/webhooks/bench".into(),
        headers: vec![
            ("content-type".into(), "application/json".into()),
            ("user-agent".into(), "bench".into()),
            ("x-hub-signature-256".into(), format!("sha256={signature}")),
        ],
        body: body.into_bytes().into(),
        ..WebhookRequest::default()
    }
}

fn take(instance: &Instance, request: &WebhookRequest, calls: usize) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let began = Instant::now();
        let received = instance.receive(request)?;
        times.push(began.elapsed());
        let is_right = received.verdict.is_authentic() && received.events.len() == 1;
        ensure!(is_right, "the webhook was not taken: {:?}", received.reason);
    }
    Ok(times)
}

/// Prints one line; gives the median in microseconds.
fn print(what: &str, times: &mut [Duration]) -> f64 {
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e6;
    println!(
        "  {what:<18} p50 {:>7.2} µs   p99 {:>7.2} µs",
        at(50),
        at(99)
    );
    at(50)
}
