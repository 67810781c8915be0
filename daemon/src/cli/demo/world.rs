//! Everything the story happens in: the folder, the simulated providers, the daemon.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use serde_json::Value;
use tempfile::TempDir;
use trunkline_simulator::{Callbacks, Receipts, Reports, Simulator};

use super::super::{failure::Failure, output};
use super::{
    child::{Addresses, Daemon},
    gateway::{Gateway, settle},
    plugins,
    report::{Report, say, shown},
    settings::{self, CHANNELS, FORM, PUBLIC_URL, TELEGRAM, WEB},
    visitor,
};

/// How long the simulated carrier takes for each step of a delivery.
const CARRIER_DELAY: Duration = Duration::from_millis(120);

/// The folder, the providers, the daemon.
pub(super) struct World {
    /// Everybody's providers, and the web shop.
    pub(super) simulator: Simulator,
    /// The daemon's API.
    pub(super) gateway: Gateway,
    /// Signs the shop's webhooks.
    pub(super) shop_secret: String,
    daemon: Option<Daemon>,
    folder: TempDir,
    keep: bool,
}

impl World {
    /// Makes the folder and starts the providers; the daemon comes with [`Self::open`].
    pub(super) fn create(keep: bool) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("trunkline-demo-").tempdir();
        let folder = folder.context("can't make a temporary folder")?;
        let simulator = Simulator::start().map_err(anyhow::Error::from)?;
        let delay = CARRIER_DELAY;
        simulator
            .twilio()
            .set_callbacks(Callbacks::InOrder { delay });
        simulator.vonage().set_receipts(Receipts::InOrder { delay });
        simulator.meta().set_reports(Reports::InOrder { delay });
        plugins::install(&folder.path().join("plugins"))?;
        let secret = settings::write(folder.path(), &simulator);
        let shop_secret = secret.context("can't write the configuration")?;
        let gateway = Gateway::new(folder.path())?;
        Ok(Self {
            simulator,
            gateway,
            shop_secret,
            daemon: None,
            folder,
            keep,
        })
    }

    /// Starts the daemon and waits until its channels are healthy.
    pub(super) async fn open(&mut self, report: &mut Report) -> Result<(), Failure> {
        let folder = self.path().display();
        output::print(&format!(
            "Trunkline at work. A daemon in {folder}, providers simulated on this machine,\n\
             every webhook signed as the provider signs it. Nothing leaves this machine."
        ))?;
        report.chapter("The daemon starts")?;
        let (addresses, after) = self.start().await?;
        say(&format!("ready after {}", shown(after)))?;
        say(&format!(
            "webhooks on {}, as {PUBLIC_URL} behind a TLS proxy; API on {}",
            addresses.public, addresses.admin
        ))?;
        let gateway = &self.gateway;
        let updates = gateway.webhook_url(TELEGRAM).await?;
        self.simulator.telegram().set_webhook(&updates);
        let healthy = settle(CHANNELS.len(), async || {
            let mut healthy = 0;
            for id in CHANNELS {
                healthy += usize::from(gateway.channel(id).await?["health"]["status"] == "healthy");
            }
            Ok(healthy)
        });
        report.check("channels healthy", &CHANNELS.len(), &healthy.await?)?;
        let [chat, form] = pages(addresses.public);
        let answers = [
            visitor::page_status(&chat).await?,
            visitor::page_status(&form).await?,
        ];
        let answers = answers.map(|status| status.to_string()).join(", ");
        report.check("the pages of chat and form", &"200, 200", &answers.as_str())
    }

    /// What the gateway did that a provider would dislike, in words.
    pub(super) fn disliked(&self) -> Vec<String> {
        let simulator = &self.simulator;
        let sink = simulator.webhook().received();
        [
            simulator.twilio().problems(),
            simulator.vonage().problems(),
            simulator.meta().problems(),
            simulator.smtp().complaints(),
            simulator.telegram().problems(),
            sink.into_iter().filter_map(|post| post.problem).collect(),
        ]
        .concat()
    }

    /// Starts the daemon; gives its addresses and how long it took to be ready.
    pub(super) async fn start(&mut self) -> Result<(Addresses, Duration), Failure> {
        let started = Instant::now();
        let daemon = Daemon::spawn(self.folder.path()).context("can't start the daemon")?;
        let addresses = self.daemon.insert(daemon).ready().await?;
        let listener = format!("http://{}", addresses.public);
        self.simulator.route(PUBLIC_URL, &listener);
        Ok((addresses, started.elapsed()))
    }

    /// Ends the daemon as a crash would.
    pub(super) fn crash(&mut self) -> Result<(), Failure> {
        if let Some(daemon) = &mut self.daemon {
            daemon.kill()?;
        }
        Ok(())
    }

    /// An error where the daemon has ended by itself.
    pub(super) fn alive(&mut self) -> Result<(), Failure> {
        self.daemon.as_mut().map_or(Ok(()), Daemon::alive)
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the API listens now, from the newest `ready` line.
    pub(super) async fn addresses(&mut self) -> Result<Addresses, Failure> {
        match &mut self.daemon {
            Some(daemon) => daemon.ready().await,
            None => Err(Failure::said("the daemon is not running")),
        }
    }

    /// Shows the end of the daemon's log on standard error.
    pub(super) fn show_log(&self, lines_max: usize) {
        let log = fs::read_to_string(self.path().join("daemon.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        if lines.is_empty() {
            return;
        }
        output::complain("the end of the daemon's log:");
        for line in &lines[lines.len().saturating_sub(lines_max)..] {
            output::complain(&format!("  {}", output::clean(line)));
        }
    }

    /// Stops the daemon and removes the folder, unless it is to be kept.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        if let Some(daemon) = &mut self.daemon {
            daemon.stop().await?;
        }
        self.daemon = None;
        if self.keep {
            let kept = self.folder.keep();
            return output::print(&format!("The folder is kept: {}", kept.display()));
        }
        self.folder
            .close()
            .context("can't remove the temporary folder")?;
        Ok(())
    }
}

/// The page of the chat, and that of the form.
pub(super) fn pages(public: SocketAddr) -> [String; 2] {
    [
        format!("http://{public}/chat/{WEB}"),
        format!("http://{public}/forms/{FORM}"),
    ]
}

/// When each channel's actor began, to see whether it was left alone.
pub(super) async fn started_at(gateway: &Gateway, ids: &[&str]) -> Result<Vec<Value>, Failure> {
    let mut times = Vec::new();
    for id in ids {
        times.push(gateway.channel(id).await?["started_at"].take());
    }
    Ok(times)
}
