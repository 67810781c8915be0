//! Which channels there are, and which one a webhook or an event belongs to.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use subtle::ConstantTimeEq;

use super::Channel;
use crate::model::ChannelId;

/// All running channels. Replaced as a whole by a reload, so that every request sees one state.
#[derive(Default)]
pub struct Registry {
    routes: ArcSwap<Routes>,
}

/// One state of the registry.
#[derive(Default)]
pub struct Routes {
    channels: BTreeMap<ChannelId, Arc<Channel>>,
    aliases: BTreeMap<String, Arc<Channel>>,
}

/// What a webhook path leads to.
pub enum Lookup {
    /// This channel.
    Channel(Arc<Channel>),
    /// Nothing; all the ways to get here look the same from outside.
    NotFound,
}

impl Registry {
    /// The state now.
    pub fn routes(&self) -> Arc<Routes> {
        self.routes.load_full()
    }

    /// A channel by its id.
    pub fn get(&self, id: &str) -> Option<Arc<Channel>> {
        self.routes.load().get(id).cloned()
    }

    /// Replaces all routes in one step.
    pub fn publish(&self, channels: BTreeMap<ChannelId, Arc<Channel>>) {
        self.routes.store(Arc::new(Routes::new(channels)));
    }
}

impl Routes {
    fn new(channels: BTreeMap<ChannelId, Arc<Channel>>) -> Self {
        let mut aliases = BTreeMap::new();
        for channel in channels.values() {
            for path in &channel.config().webhook_paths {
                aliases.insert(path.clone(), channel.clone());
            }
        }
        Self { channels, aliases }
    }

    /// All channels by id.
    pub fn channels(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.channels.values()
    }

    /// A channel by its id.
    pub fn get(&self, id: &str) -> Option<&Arc<Channel>> {
        self.channels.get(&ChannelId::new(id))
    }

    /// The channel of `/webhooks/{id}/{token}`. The token is compared in constant time, also
    /// where there is no such channel.
    pub fn by_token(&self, id: &str, token: Option<&str>) -> Lookup {
        let channel = self.get(id);
        let given = token.unwrap_or_default();
        let is_right = match channel.map(|channel| channel.config()) {
            Some(config) if config.webhook_tokens.is_empty() => token.is_none(),
            Some(config) => config.accepts_token(given),
            // A comparison of the same length where there is no such channel.
            None => {
                let decoy = "0".repeat(given.len());
                std::hint::black_box(decoy.as_bytes().ct_eq(given.as_bytes()));
                false
            }
        };
        match channel {
            Some(channel) if is_right && accepts_webhooks(channel) => {
                Lookup::Channel(channel.clone())
            }
            _ => Lookup::NotFound,
        }
    }

    /// The channel that lists this path as its own.
    pub fn by_alias(&self, path: &str) -> Lookup {
        match self.aliases.get(path) {
            Some(channel) if accepts_webhooks(channel) => Lookup::Channel(channel.clone()),
            _ => Lookup::NotFound,
        }
    }

    /// The channel that an event for this address belongs to: one of the same adapter and
    /// organization as the one that received it. The receiving one comes first and last.
    pub fn by_address(&self, receiver: &Arc<Channel>, address: Option<&str>) -> Arc<Channel> {
        let Some(address) = address else {
            return receiver.clone();
        };
        let has = |channel: &Channel| {
            let facts = channel.facts.as_ref();
            facts.is_some_and(|facts| facts.addresses.iter().any(|own| own == address))
        };
        if has(receiver) {
            return receiver.clone();
        }
        let adapter = &receiver.config().adapter;
        self.channels
            .values()
            .find(|other| {
                other.org == receiver.org && other.config().adapter == *adapter && has(other)
            })
            .unwrap_or(receiver)
            .clone()
    }
}

/// A channel without an inbound secret has no webhook route. One that could not be opened keeps
/// its route, so that providers are asked to come back rather than told that it is gone.
fn accepts_webhooks(channel: &Channel) -> bool {
    channel.facts.is_none() || channel.has_webhook()
}
