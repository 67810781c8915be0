//! From a server's name to a connection that may be spoken on.

use std::net::{IpAddr, SocketAddr};

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use trunkline_plugin_api::{TransportError, TransportKind};

use super::{
    super::{CONNECT_TIMEOUT, refused, trust::Trust},
    wire::{Pace, Stream},
};
use crate::outbound::address::{Forbidden, is_public};

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Connects to the first address that answers. Private ones only where that is allowed.
pub(super) async fn connect(
    host: &str,
    port: u16,
    allow_private: bool,
    pace: Pace,
) -> Result<TcpStream, TransportError> {
    let addresses = resolve(host, port, allow_private, pace).await?;
    let pace = Pace {
        step: pace.step.min(CONNECT_TIMEOUT),
        ..pace
    };
    let mut last = None;
    for address in addresses.into_iter().take(ADDRESSES_MAX) {
        let what = format!("connecting to {address}");
        match pace.step(&what, TcpStream::connect(address)).await {
            Ok(stream) => {
                // Commands are short; a server's answer is waited for after each.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| failed(TransportKind::Dns, "the name has no address")))
}

async fn resolve(
    host: &str,
    port: u16,
    allow_private: bool,
    pace: Pace,
) -> Result<Vec<SocketAddr>, TransportError> {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    let found: Vec<SocketAddr> = if let Ok(address) = literal.parse::<IpAddr>() {
        vec![SocketAddr::new(address, port)]
    } else {
        let lookup = tokio::net::lookup_host((host, port));
        let found = pace.step("looking up the server's name", lookup).await;
        let found = found.map_err(|error| TransportError {
            kind: TransportKind::Dns,
            ..error
        })?;
        found.collect()
    };
    let allowed = |address: &SocketAddr| allow_private || is_public(address.ip());
    if !found.is_empty() && !found.iter().any(allowed) {
        return Err(refused(format!("{host}: {Forbidden}")));
    }
    Ok(found.into_iter().filter(allowed).collect())
}

/// Encrypts a connection, and proves that the server is the one with this name.
pub(super) async fn encrypt(
    stream: impl Stream + 'static,
    host: &str,
    trust: &Trust,
    pace: Pace,
) -> Result<Box<dyn Stream>, TransportError> {
    let config = trust
        .client()
        .map_err(|error| failed(TransportKind::Tls, &error.to_string()))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned())
        .map_err(|_| refused(format!("\"{host}\" is not the name of a server")))?;
    let handshake = TlsConnector::from(config).connect(name, stream);
    let encrypted = pace.step("TLS", handshake).await;
    let encrypted = encrypted.map_err(|error| match error.kind {
        TransportKind::Connect => failed(TransportKind::Tls, &error.detail),
        _ => error,
    })?;
    Ok(Box::new(encrypted))
}

pub(super) fn failed(kind: TransportKind, detail: &str) -> TransportError {
    TransportError {
        kind,
        detail: detail.to_owned(),
    }
}
