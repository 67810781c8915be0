//! Everything at once: sends under load through a provider that fails in every way it can, while
//! the daemon is killed again and again. At the end the provider's own ledger is compared with what
//! was accepted, message by message.
//!
//! ```text
//! clients ── API, Idempotency-Key ──> daemon ── 500, 429, hangs, resets ──> simulator ── ledger
//!    └ the same request again where no answer came  ^ kill -9                  │ late, doubled,
//!                                                   └──── callbacks ───────────┘ lost callbacks
//! ```
//!
//! [`run`] is used by a test, in a size that fits the suite, and by the benchmark in full.

mod client;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use trunkline_simulator::{Behaviour, Callbacks, Endpoint, Simulator, Twilio};

use crate::api::Api;
use crate::config::{Channel, Config};
use crate::daemon::Daemon;
use crate::port::free_port;
use client::{Accepted, Client, Shared};
pub use verdict::Verdict;

/// A call that is not answered within this time is given up.
const CALL_TIMEOUT: &str = "500ms";
/// Calls at once on each channel: what is under way at a kill may become uncertain.
const CONCURRENCY: usize = 8;
/// How long a hanging call hangs: longer than that.
const HANG: Duration = Duration::from_millis(700);
/// Longest wait for the next kill's moment.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// The size of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Messages accepted in all; rounded down to the same number for every recipient.
    pub sends: usize,
    /// Kills, spread over the run.
    pub kills: usize,
    /// Recipients.
    pub recipients: usize,
    /// Channels that they are spread over: a 429 pauses a whole channel for a second.
    pub channels: usize,
    /// Clients that send at once.
    pub clients: usize,
    /// Seed of faults, fates and moments. What threads do in between is not seeded.
    pub seed: u64,
    /// What the channels do with sends of unknown outcome, where it is not the default.
    pub uncertain: Option<&'static str>,
}

impl Plan {
    /// So many sends and kills with a random seed.
    pub fn new(sends: usize, kills: usize) -> Self {
        Self {
            sends,
            kills,
            recipients: 400,
            channels: 10,
            clients: 16,
            seed: rand::random(),
            uncertain: None,
        }
    }

    /// True where what is uncertain is sent again.
    fn resends(&self) -> bool {
        self.uncertain == Some("resend")
    }

    /// More messages than this can hardly be of unknown outcome for good: a twentieth of all (a
    /// fiftieth hangs or breaks off without effect), and what can be under way at each kill.
    pub fn uncertain_max(&self) -> usize {
        self.sends / 20 + self.kills * self.channels * CONCURRENCY
    }

    /// The number of channel `index`; the simulator's account owns them.
    fn number(index: usize) -> String {
        format!("+155502{index:02}")
    }

    fn channel(index: usize) -> String {
        format!("sms_{index:02}")
    }

    fn config(&self, simulator: &Simulator) -> Config {
        let config = Config::new()
            .set("admin.listen", format!("127.0.0.1:{}", free_port()))
            .set("outbound.attempts_max", 1_000)
            .set("outbound.call_timeout", CALL_TIMEOUT)
            .set("outbound.concurrency", CONCURRENCY)
            .set("delivery.interval", "1s");
        let account = simulator.twilio();
        (0..self.channels).fold(config, |config, index| {
            let number = Self::number(index);
            account.add_number(&number);
            let (sid, token) = (account.account_sid(), account.auth_token());
            let mut channel =
                Channel::twilio(&Self::channel(index), &sid, &token, &simulator.url())
                    .config("from", number);
            if let Some(policy) = self.uncertain {
                channel = channel.key("uncertain", policy);
            }
            config.channel(channel)
        })
    }
}

/// Runs the plan. An error is a failure of the daemon (or of the run itself) in words.
pub async fn run(plan: &Plan) -> Result<Verdict> {
    let simulator = Simulator::start()?;
    provoke(simulator.twilio(), plan.seed);
    let mut daemon = Daemon::start(plan.config(&simulator)).await;
    let started = Instant::now();
    let shared = Arc::new(Shared::new(&daemon));
    let clients: Vec<_> = (0..plan.clients)
        .map(|index| tokio::spawn(Client::new(index, plan, Arc::clone(&shared)).run()))
        .collect();
    kills(&mut daemon, &shared, plan).await?;
    let mut accepted: Vec<Accepted> = Vec::with_capacity(plan.sends);
    for client in clients {
        accepted.extend(client.await.context("a client ended badly")??);
    }
    let mut verdict = verdict::settle(&daemon.api(), &simulator, &accepted, plan.resends()).await?;
    verdict.repeated = shared.repeated();
    verdict.elapsed = started.elapsed();
    Ok(verdict)
}

/// Sets what goes wrong at the provider.
fn provoke(account: &Twilio, seed: u64) {
    let fault = || Behaviour::error(500, 20500, "Internal Server Error");
    let throttled = Behaviour::Status {
        code: 429,
        twilio_code: Some(20429),
        message: "Too Many Requests".to_owned(),
        times: None,
        retry_after: Some(1),
    };
    account.set_behaviour(Behaviour::Mix {
        seed,
        shares: vec![
            (0.10, fault()),
            (0.05, throttled),
            (0.01, Behaviour::Hang(HANG)),
            (0.01, Behaviour::Hang(HANG).after_accepting()),
            (0.01, Behaviour::ResetAfterRead),
            (0.01, Behaviour::ResetAfterRead.after_accepting()),
        ],
    });
    for endpoint in [Endpoint::List, Endpoint::Fetch] {
        let shares = vec![(0.10, fault())];
        account.set_behaviour_of(endpoint, Behaviour::Mix { seed, shares });
    }
    let soon = Duration::from_millis(50);
    let late = Duration::from_secs(2);
    account.set_callbacks(Callbacks::Mix {
        seed,
        shares: vec![
            (40, Callbacks::InOrder { delay: soon }),
            (20, Callbacks::Doubled),
            (10, Callbacks::Reversed),
            (10, Callbacks::InOrder { delay: late }),
            (10, Callbacks::Unreported { delay: soon }),
            (5, Callbacks::BeforeResponse),
            (5, Callbacks::Failed { code: 30005 }),
        ],
    });
    account.keep_requests(0);
}

/// Kills the daemon at random moments, spread over the first nine tenths of what is accepted, and
/// starts it again each time.
async fn kills(daemon: &mut Daemon, shared: &Shared, plan: &Plan) -> Result<()> {
    let mut random = StdRng::seed_from_u64(plan.seed);
    for kill in 0..plan.kills {
        let place = random.random_range(0..1_000);
        let at = plan.sends * 9 / 10 * (kill * 1_000 + place) / (plan.kills * 1_000);
        let started = Instant::now();
        while shared.accepted() < at {
            if started.elapsed() > WAIT_MAX {
                let states = outbox_states(&daemon.api()).await;
                bail!(
                    "clients stand still at {} of {}; the outbox: {states}",
                    shared.accepted(),
                    plan.sends
                );
            }
            ensure!(daemon.exited().is_none(), "the daemon ended by itself");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..40))).await;
        daemon.kill9().await;
        daemon.launch().await;
    }
    Ok(())
}

/// How many items are in each state, for a message about what went wrong.
async fn outbox_states(api: &Api) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for item in api.all("/api/v1/outbox").await {
        let state = item["state"].as_str().unwrap_or_default().to_owned();
        *counts.entry(state).or_default() += 1;
    }
    format!("{counts:?}")
}
