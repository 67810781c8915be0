//! Calls a loaded plugin over and over: what `perf` and `valgrind --tool=callgrind` are run on.
//!
//! ```text
//! calls FILE [COUNT] [apart]
//! ```

use std::{error::Error, ffi::OsString, process::ExitCode, time::Instant};

use serde_json::json;
use trunkline_host::{Isolation, PluginOptions, PluginSet, worker};
use trunkline_plugin_api::{WebhookRequest, sign};

const SECRET: &str = "It's a Secret to Everybody";
const BODY_BYTES: usize = 500;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(arguments) = worker::arguments(arguments.iter().cloned()) {
        return worker::main(arguments);
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[OsString]) -> Result<(), Box<dyn Error>> {
    let file = arguments.get(1).ok_or("which plugin?")?;
    let count = arguments.get(2).and_then(|count| count.to_str());
    let count: usize = count.unwrap_or("20000").parse()?;
    let folder = tempfile::tempdir()?;
    let options = PluginOptions {
        paths: vec![file.into()],
        state: folder.path().into(),
        ..PluginOptions::default()
    };
    let is_apart = arguments.get(3).is_some();
    let options = PluginOptions {
        worker: is_apart.then(worker::Program::this),
        ..options
    };
    let isolation = if is_apart {
        Isolation::Process {
            memory_bytes_max: options.memory_bytes_max,
            timeout: options.call_timeout,
        }
    } else {
        Isolation::None
    };
    let set = PluginSet::scan(&options, None);
    let plugin = set
        .get("webhook")
        .ok_or_else(|| set.why_missing("webhook"))?;
    let (instance, _) = plugin.open_in("bench", &json!({"hub_secret": SECRET}), &isolation)?;
    let request = webhook();
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        let received = instance.receive(&request)?;
        times.push(began.elapsed());
        assert!(received.verdict.is_authentic() && received.events.len() == 1);
    }
    times.sort();
    for share in [1, 50, 90, 99] {
        println!("p{share} {:.2?}", times[(count - 1) * share / 100]);
    }
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
