//! The client that does nothing else: a loop of reqwest calls, each with the form that the daemon
//! sends, each answer read to its end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;

use super::latency::rate;
use super::provider::Provider;
use crate::twilio::encode;

/// What the loop came to.
#[derive(Debug, Clone, Copy)]
pub struct BareRun {
    /// Calls answered.
    pub calls: usize,
    /// How long it took.
    pub elapsed: Duration,
}

impl BareRun {
    /// Calls a second.
    pub fn per_second(self) -> u32 {
        rate(self.calls, self.elapsed)
    }
}

/// Calls Create for `length`, `under_way` at once, on one thread as an outbox has one.
pub async fn run(
    provider: &Provider,
    form: impl Fn(usize) -> Vec<(String, String)>,
    under_way: usize,
    length: Duration,
) -> Result<BareRun> {
    let client = client()?;
    let sid = &provider.account_sid;
    let url = format!("{}/2010-04-01/Accounts/{sid}/Messages.json", provider.url);
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let worker = async || -> Result<usize> {
        let mut calls = 0;
        while started.elapsed() < length {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let request = client
                .post(&url)
                .basic_auth(sid, Some(&provider.auth_token))
                .header("accept", "application/json")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(encode(&form(number)));
            let response = request.send().await?;
            let status = response.status();
            let body = response.bytes().await?;
            ensure!(
                status == 201,
                "{status}: {}",
                String::from_utf8_lossy(&body)
            );
            calls += 1;
        }
        Ok(calls)
    };
    let calls = try_join_all((0..under_way).map(|_| worker())).await?;
    Ok(BareRun {
        calls: calls.iter().sum(),
        elapsed: started.elapsed(),
    })
}

/// A client of its own.
pub fn client() -> Result<reqwest::Client> {
    // Everything is plain HTTP; the client still wants to know whose TLS it would use. A second
    // call finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().referer(false);
    Ok(client.redirect(reqwest::redirect::Policy::none()).build()?)
}
