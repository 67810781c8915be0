//! `trunkline simulator`: the providers, played on this machine, for trying an installation or a plugin offline.
//!
//! ```text
//! channels (a file for channels.d, by --write-config) ─> daemon ── calls ──> simulator: shown, with what a provider would dislike
//! standard input: send, fault, reports, help, quit ───────────────────────────> webhooks, signed ──> daemon
//! ```
//!
//! Everything stays on loopback. Credentials and tokens are made anew with each start.

mod bring;
mod faults;
mod fragment;
mod show;

use std::{io::BufRead as _, net::SocketAddr, path::PathBuf, thread, time::Duration};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::json;
use tokio::{signal, sync::mpsc};
use url::Url;

use self::{
    bring::Bearer,
    faults::{Fault, Reports},
    show::Show,
};
use super::failure::Failure;

/// Between two looks for calls.
const LOOK: Duration = Duration::from_millis(50);
/// Commands typed ahead.
const COMMANDS_MAX: usize = 64;

/// The adapters that have a provider here; a visitor stands for that of the chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Side {
    /// SMS by Twilio.
    Twilio,
    /// SMS by Vonage.
    Vonage,
    /// WhatsApp by Meta.
    Whatsapp,
    /// E-mail by Resend.
    Email,
    /// A bot on Telegram.
    Telegram,
    /// A visitor of the chat.
    Chat,
    /// A generic webhook peer.
    Webhook,
    /// Acme, which does not exist: the provider of plugins that `trunkline plugin new` wrote.
    #[value(skip)]
    Acme,
}

/// An adapter that gets a channel.
#[derive(Debug, Clone)]
struct Part {
    side: Side,
    /// The adapter's id.
    adapter: String,
}

impl Part {
    /// The id of its channel.
    fn channel(&self) -> String {
        format!("sim_{}", self.adapter)
    }
}

impl Side {
    const ALL: [Self; 7] = [
        Self::Twilio,
        Self::Vonage,
        Self::Whatsapp,
        Self::Email,
        Self::Telegram,
        Self::Chat,
        Self::Webhook,
    ];

    /// The bundled adapter of this side.
    fn bundled(self) -> Part {
        let adapter = match self {
            Self::Twilio => "twilio",
            Self::Vonage => "vonage",
            Self::Whatsapp => "whatsapp",
            Self::Email => "email",
            Self::Telegram => "telegram",
            Self::Chat => "chat",
            Self::Webhook => "webhook",
            Self::Acme => "acme",
        };
        Part {
            side: self,
            adapter: adapter.to_owned(),
        }
    }
}

/// The verb.
#[derive(Debug, Args)]
pub(super) struct Simulator {
    /// Where the daemon's public listener is; on this machine.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    gateway: Url,
    /// The daemon's `[server] public_url`, where it is another: what webhooks are signed for.
    #[arg(long, value_name = "URL")]
    public_url: Option<Url>,
    /// Adapters that get a channel; all of them by default.
    #[arg(long, value_name = "ADAPTERS", value_delimiter = ',')]
    adapter: Vec<Side>,
    /// Plugins that `trunkline plugin new` wrote get a channel, with Acme as their provider; without
    /// `--adapter` they alone.
    #[arg(long, value_name = "IDS", value_delimiter = ',', value_parser = plugin_id)]
    plugin: Vec<String>,
    /// Port of the providers' APIs; 0 is a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Writes a channel for each adapter to this file, to be put into `channels.d`.
    #[arg(long, value_name = "FILE")]
    write_config: Option<PathBuf>,
    /// Prints the channels, as they would be written.
    #[arg(long)]
    print_config: bool,
    /// Has a share of the calls go wrong: `429:10%`, `500:5%`, `hang:1%`, `reset:1%`, `lost:1%` (done, and not answered).
    #[arg(long = "fault", value_name = "WHAT:SHARE")]
    faults: Vec<Fault>,
    /// Which calls go wrong: the same number, the same calls. By default another one each time; it is told at the start.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How states of messages are reported.
    #[arg(long, value_name = "HOW", default_value = "in-order")]
    reports: Reports,
    /// A line of JSON for each thing that happens.
    #[arg(long)]
    json: bool,
}

impl Simulator {
    /// Plays until Ctrl-C or `quit`.
    pub(super) async fn perform(self) -> Result<(), Failure> {
        let listener = loopback(&self.gateway)?;
        let simulator = trunkline_simulator::Simulator::start_on(self.port);
        let simulator = simulator.map_err(anyhow::Error::from)?;
        let fragment = fragment::make(self.parts(), &simulator);
        if let Some(file) = &self.write_config {
            let written = fragment.write(file);
            written.with_context(|| format!("can't write {}", file.display()))?;
        }
        let public = self.public_url.as_ref().unwrap_or(&self.gateway);
        let public = public.as_str().trim_end_matches('/').to_owned();
        simulator.route(&public, &format!("http://{listener}"));
        let seed = self.seed.unwrap_or_else(rand::random);
        faults::provoke(&simulator, &self.faults, seed);
        faults::report(&simulator, self.reports);
        let show = Show { json: self.json };
        self.introduce(&show, &simulator, &fragment, seed)?;
        let bearer = Bearer::new(simulator, fragment, public, listener, seed);
        play(&show, &bearer).await
    }

    fn parts(&self) -> Vec<Part> {
        let sides: &[Side] = match self.adapter.as_slice() {
            [] if self.plugin.is_empty() => &Side::ALL,
            some => some,
        };
        let plugins = self.plugin.iter().map(|id| Part {
            side: Side::Acme,
            adapter: id.clone(),
        });
        let bundled = sides.iter().map(|side| side.bundled());
        bundled.chain(plugins).collect()
    }

    fn introduce(
        &self,
        show: &Show,
        simulator: &trunkline_simulator::Simulator,
        fragment: &fragment::Fragment,
        seed: u64,
    ) -> Result<(), Failure> {
        if self.print_config {
            show.text(&fragment.text)?;
        }
        let channels: Vec<_> = fragment
            .channels
            .iter()
            .map(|one| json!({"id": one.part.channel(), "adapter": one.part.adapter, "path": one.path}))
            .collect();
        show.event(
            &json!({
                "event": "started",
                "url": simulator.url(),
                "config": self.write_config,
                "seed": seed,
                "channels": channels,
            }),
            &format!(
                "Providers are played on {} (--seed {seed}). Ctrl-C ends it; `help` says what can be typed.",
                simulator.url()
            ),
        )
    }
}

async fn play(show: &Show, bearer: &Bearer) -> Result<(), Failure> {
    let mut commands = commands();
    let mut looks = tokio::time::interval(LOOK);
    let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())
        .context("signals can't be waited for")?;
    let mut listens = true;
    loop {
        tokio::select! {
            _ = signal::ctrl_c() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = looks.tick() => {
                for (side, call) in bearer.simulator().take_calls() {
                    show.call(side, &call)?;
                }
            }
            line = commands.recv(), if listens => match line {
                None => listens = false,
                Some(line) if line.trim() == "quit" => return Ok(()),
                Some(line) => bearer.obey(show, &line).await?,
            }
        }
    }
}

/// Lines of standard input, read on a thread of their own: nothing waits for it at the end.
fn commands() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(COMMANDS_MAX);
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// An adapter's id.
fn plugin_id(text: &str) -> Result<String, String> {
    let wrong = "an adapter's id is 1 to 32 lower-case letters, digits and _";
    let right = trunkline_plugin_api::ffi::is_id(text);
    right
        .then(|| text.to_owned())
        .ok_or_else(|| wrong.to_owned())
}

/// Refuses what is not on this machine.
fn loopback(url: &Url) -> Result<SocketAddr, Failure> {
    let addresses = url.socket_addrs(|| None).unwrap_or_default();
    let found = addresses.into_iter().find(|at| at.ip().is_loopback());
    found.ok_or_else(|| {
        Failure::said(format!(
            "--gateway {url} is not on this machine: the simulator speaks to loopback addresses only"
        ))
    })
}
