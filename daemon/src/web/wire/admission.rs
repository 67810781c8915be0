//! How many connections there may be: in all, and from one address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::net::TcpStream;
use tracing::warn;

use crate::{
    config::{Limits, Settings},
    metrics::{Metrics, Refusal},
    web::client,
};

/// Least time between two log lines about clients that were turned away.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// What a client gets that is turned away before TLS.
const TURNED_AWAY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\n\
                             content-length: 0\r\nconnection: close\r\n\r\n";

/// Counts the connections of the public listener.
pub(super) struct Admission {
    settings: Settings,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Counts,
    turned_away: u64,
    told: Option<Instant>,
}

/// Open connections.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    all: u32,
    by_network: HashMap<IpAddr, u32>,
}

/// A connection's place; given back when it is dropped.
pub(super) struct Permit {
    admission: Arc<Admission>,
    network: Option<IpAddr>,
}

impl Admission {
    pub(super) fn new(settings: Settings, metrics: Arc<Metrics>) -> Self {
        Self {
            settings,
            metrics,
            state: Mutex::default(),
        }
    }

    /// Lets a connection in, or counts it as turned away.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<Permit, Refusal> {
        let config = self.settings.load();
        let peer = peer.to_canonical();
        let is_proxy = config
            .server
            .trusted_proxies
            .iter()
            .any(|proxy| proxy.contains(peer));
        let network = (!is_proxy).then(|| client::network(peer));
        let mut state = self.state.lock();
        match state.open.take(network, &config.server.limits) {
            Ok(()) => {
                self.metrics.connections(state.open.all);
                let admission = self.clone();
                Ok(Permit { admission, network })
            }
            Err(refusal) => {
                state.turned_away += 1;
                self.metrics.refused(refusal);
                state.tell(refusal, Instant::now());
                Err(refusal)
            }
        }
    }
}

impl State {
    fn tell(&mut self, refusal: Refusal, now: Instant) {
        let is_due = self.told.is_none_or(|told| now - told >= TELL_EVERY);
        if is_due {
            self.told = Some(now);
            warn!(
                event = "connections_turned_away",
                limit = refusal.as_str(),
                open = self.open.all,
                turned_away = self.turned_away,
                "connections were turned away: [server.limits] allows no more"
            );
            self.turned_away = 0;
        }
    }
}

impl Counts {
    fn take(&mut self, network: Option<IpAddr>, limits: &Limits) -> Result<(), Refusal> {
        if self.all >= limits.connections_max {
            return Err(Refusal::Connections);
        }
        if let Some(network) = network {
            let own = self.by_network.entry(network).or_default();
            // A count of zero is not kept, and the limit is at least one.
            if *own >= limits.connections_per_address {
                return Err(Refusal::ConnectionsOfAddress);
            }
            *own += 1;
        }
        self.all += 1;
        Ok(())
    }

    fn give_back(&mut self, network: Option<IpAddr>) {
        self.all = self.all.saturating_sub(1);
        if let Some(network) = network
            && let Some(own) = self.by_network.get_mut(&network)
        {
            *own -= 1;
            if *own == 0 {
                self.by_network.remove(&network);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.admission.state.lock();
        state.open.give_back(self.network);
        self.admission.metrics.connections(state.open.all);
    }
}

/// Tells a client that is turned away, where it takes that at once.
pub(super) fn turn_away(stream: &TcpStream) {
    // Past the runtime, which does not know yet whether the new socket takes anything. The connection is
    // closed whatever becomes of it.
    let _ = socket2::SockRef::from(stream).send(TURNED_AWAY);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn one_address_can_take_no_more_than_its_share_and_proxies_only_from_the_whole() {
        let limits = Limits {
            connections_max: 4,
            connections_per_address: 2,
            ..Limits::default()
        };
        let (ada, bob) = (Some(address("192.0.2.1")), Some(address("192.0.2.2")));
        let mut counts = Counts::default();
        assert_eq!(counts.take(ada, &limits), Ok(()));
        assert_eq!(counts.take(ada, &limits), Ok(()));
        let own = Err(Refusal::ConnectionsOfAddress);
        assert_eq!(counts.take(ada, &limits), own);
        assert_eq!(counts.take(bob, &limits), Ok(()));
        assert_eq!(counts.take(None, &limits), Ok(()));
        assert_eq!(counts.take(None, &limits), Err(Refusal::Connections));
        for network in [ada, ada, bob, None] {
            counts.give_back(network);
        }
        assert_eq!(counts, Counts::default(), "nothing is left behind");
    }
}
