//! What is counted of the public listener below HTTP.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};

use super::{Metrics, book::Book, labels::ByRefusal};

/// Why a connection or a request was not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There are too many connections.
    Connections,
    /// There are too many from one address.
    ConnectionsOfAddress,
    /// A TLS handshake failed, or took too long.
    Handshake,
    /// A request's head took too long.
    SlowHead,
    /// A request's body took too long, or came too slowly.
    SlowBody,
    /// The client took nothing of its answer for too long.
    SlowReader,
    /// A request's head is too large.
    LargeHead,
    /// A request's path and query are too long.
    LongTarget,
}

impl Refusal {
    /// The reason as it is written in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections_max",
            Self::ConnectionsOfAddress => "connections_per_address",
            Self::Handshake => "handshake",
            Self::SlowHead => "slow_head",
            Self::SlowBody => "slow_body",
            Self::SlowReader => "slow_reader",
            Self::LargeHead => "large_head",
            Self::LongTarget => "long_target",
        }
    }
}

/// The listener's part of the list.
#[derive(Default)]
pub(super) struct ListenerMetrics {
    connections: Gauge<u64, AtomicU64>,
    refused: Family<ByRefusal, Counter>,
    certificate_expires: Gauge,
}

impl ListenerMetrics {
    pub(super) fn register(&self, book: &mut Book) {
        book.register(
            "public_connections",
            "Open connections of the public listener",
            self.connections.clone(),
        );
        book.register(
            "public_refused",
            "Connections and requests that the public listener did not serve, by reason",
            self.refused.clone(),
        );
        book.register(
            "certificate_expires_seconds",
            "When the certificate of the public listener ends, in seconds since 1970; 0 without TLS",
            self.certificate_expires.clone(),
        );
    }
}

impl Metrics {
    /// So many connections are open on the public listener.
    pub fn connections(&self, open: u32) {
        self.listener.connections.set(open.into());
    }

    /// The public listener did not serve a connection or a request.
    pub fn refused(&self, why: Refusal) {
        let labels = ByRefusal {
            reason: why.as_str(),
        };
        self.listener.refused.get_or_create(&labels).inc();
    }

    /// The certificate ends then, in seconds since 1970; 0 where there is none.
    pub fn certificate_expires(&self, at_s: i64) {
        self.listener.certificate_expires.set(at_s);
    }
}
