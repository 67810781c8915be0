//! The doctor: what is wrong with a channel, and what to do about it.
//!
//! ```text
//! refused webhooks (memory) ─ causes, secrets ─> trials ─> what would have matched
//! names seen, clock, files, plugin, disk ────────────────> checks
//! ```
//!
//! Nothing here talks to the network or writes anything. What it says holds no secret, no path
//! token and no message text.

mod address;
mod causes;
mod checks;
mod edits;
pub mod files;
mod query;
mod report;
mod retest;
mod secrets;
mod trials;
mod words;

use std::{path::Path, sync::Arc};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use self::{causes::Known, retest::Retester};
pub use self::{
    report::{Check, Examined, Report, State},
    retest::{Finding, Match},
};
use trunkline_host::{PluginSet, Quarantine};

use crate::{
    channel::{Channel, Registry},
    config::Config,
    inbound::{Ingress, Rejected},
    outbound::ProviderClock,
};

/// Other channels whose secrets are tried.
const OTHERS_MAX: usize = 20;
/// A larger file is no plugin.
const PLUGIN_BYTES_MAX: u64 = 256 << 20;

/// What an examination needs of the gateway.
pub struct Doctor {
    /// The channels.
    pub registry: Arc<Registry>,
    /// What it remembers of webhooks.
    pub ingress: Arc<Ingress>,
    /// The configuration in force.
    pub config: Arc<Config>,
    /// The plugins found last.
    pub plugins: Arc<PluginSet>,
    /// The files that are not trusted.
    pub quarantine: Arc<Quarantine>,
    /// The providers' clock.
    pub clock: ProviderClock,
}

impl Doctor {
    /// Examines a channel. Other channels of its adapter are asked as well, as far as `may_see`
    /// says so of their organization. Takes up to half a minute of waiting and very little of the
    /// channel's time.
    pub async fn examine(&self, channel: &Arc<Channel>, may_see: impl Fn(&str) -> bool) -> Report {
        let rejected = self.ingress.rejects().of(channel.org, &channel.id);
        let others = self.others(channel, may_see);
        let mut retester = Retester::new(
            channel.clone(),
            others,
            self.known(channel),
            &self.config.plugins,
        );
        let mut examined = Vec::with_capacity(rejected.len());
        for one in &rejected {
            examined.push(Examined {
                at_ms: one.at_ms(),
                reason: one.reason.clone(),
                finding: retester.examine(one).await,
            });
        }
        let rejected: Vec<&Rejected> = rejected.iter().map(AsRef::as_ref).collect();
        Report {
            channel: channel.id.clone(),
            checks: self.checks(channel, &rejected, &examined).await,
            rejected: examined,
            trials: retester.trials(),
        }
    }

    async fn checks(
        &self,
        channel: &Channel,
        rejected: &[&Rejected],
        examined: &[Examined],
    ) -> Vec<Check> {
        let seen = self.ingress.sightings().of(&channel.id);
        let path = channel
            .plugin
            .as_ref()
            .map(|plugin| plugin.path().to_owned());
        let path = path.filter(|path| !path.as_os_str().is_empty());
        let (config, id) = (self.config.clone(), channel.id.to_string());
        let of_files = tokio::task::spawn_blocking(move || {
            let on_disk = path.as_deref().map(hash);
            let permissions = files::permissions(&config, Some(&id));
            (on_disk, permissions, files::disk(&config))
        });
        let mut checks = vec![
            checks::running(channel),
            checks::signatures(examined, &seen),
            checks::public_url(&self.config.server.public_url, &seen),
            checks::clock(self.clock.ahead_ms(), rejected),
        ];
        match of_files.await {
            Ok((on_disk, permissions, disk)) => {
                checks.push(checks::plugin(channel, &self.plugins, on_disk));
                checks.extend(checks::quarantine(channel, &self.quarantine));
                checks.extend([permissions, disk]);
            }
            Err(error) => {
                let words = format!("the files could not be looked at: {error}");
                checks.push(Check::new("permissions", State::Fault, words));
            }
        }
        checks
    }

    /// The other channels of the same adapter, those of the same organization first.
    fn others(&self, channel: &Channel, may_see: impl Fn(&str) -> bool) -> Vec<Arc<Channel>> {
        let routes = self.registry.routes();
        let adapter = &channel.config().adapter;
        let mut others: Vec<_> = routes
            .channels()
            .filter(|other| other.id != channel.id && other.config().adapter == *adapter)
            .filter(|other| may_see(&other.config().organization))
            .cloned()
            .collect();
        others.sort_by_key(|other| other.org != channel.org);
        others.truncate(OTHERS_MAX);
        others
    }

    fn known(&self, channel: &Channel) -> Known {
        let config = channel.config();
        let bare = format!("/webhooks/{}", channel.id);
        let tokens = config.webhook_tokens.iter();
        let mut paths: Vec<String> = tokens
            .map(|token| format!("{bare}/{}", token.expose()))
            .collect();
        paths.extend(config.webhook_paths.iter().cloned());
        paths.push(bare);
        let seen = self.ingress.sightings().of(&channel.id);
        let genuine = seen.into_iter().filter(|seen| seen.is_genuine);
        let hosts = genuine.flat_map(|seen| [seen.forwarded_host, seen.host]);
        Known {
            public_url: self.config.server.public_url.as_str().to_owned(),
            paths,
            hosts: hosts.filter(|host| !host.is_empty()).collect(),
            port: self.config.server.listen.port(),
        }
    }
}

/// The SHA-256 of a file as it is now, lower-case hex. Blocks.
fn hash(path: &Path) -> Result<String, String> {
    let read = || {
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() || metadata.len() > PLUGIN_BYTES_MAX {
            return Err(std::io::Error::other("it is no plugin"));
        }
        std::fs::read(path)
    };
    let bytes = read().map_err(|error| error.to_string())?;
    Ok(HEXLOWER.encode(&Sha256::digest(&bytes)))
}

/// What a request carries, made safe for one line.
fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}
