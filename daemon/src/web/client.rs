//! Who is at the other end of a request.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::HttpRequest;

use crate::config::Network;

/// The address that a request came from: that of the connection, or, where a trusted proxy holds it, the
/// last one in `X-Forwarded-For` that is not a trusted proxy itself. What stands before that one is
/// hearsay.
pub(super) fn address(request: &HttpRequest, proxies: &[Network]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    let named = request.headers().get_all("x-forwarded-for");
    let named: Vec<&str> = named.filter_map(|value| value.to_str().ok()).collect();
    Some(origin(peer, &named.join(","), proxies))
}

/// One customer's network: an IPv4 address, or the 64 bits that an IPv6 host may change at will.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => {
            let mut parts = v6.segments();
            parts[4..].fill(0);
            Ipv6Addr::from(parts).into()
        }
    }
}

fn origin(peer: IpAddr, forwarded: &str, proxies: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| proxies.iter().any(|proxy| proxy.contains(address));
    let mut address = peer.to_canonical();
    for named in forwarded.rsplit(',') {
        if !is_trusted(address) {
            break;
        }
        match named.trim().parse::<IpAddr>() {
            Ok(named) => address = named.to_canonical(),
            Err(_) => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let mut proxies = Network::loopback();
        proxies.push(Network::parse("10.0.0.0/8").expect("a range"));
        let table = [
            ("192.0.2.1", "", "192.0.2.1"),
            ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
            ("127.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("::ffff:127.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("127.0.0.1", "1.1.1.1, 198.51.100.7", "198.51.100.7"),
            ("127.0.0.1", "198.51.100.7, 10.1.2.3", "198.51.100.7"),
            ("127.0.0.1", "unknown", "127.0.0.1"),
            ("127.0.0.1", "unknown, 10.1.2.3", "10.1.2.3"),
            ("127.0.0.1", "", "127.0.0.1"),
        ];
        for (peer, forwarded, expected) in table {
            let peer = peer.parse().expect("an address");
            let found = origin(peer, forwarded, &proxies);
            assert_eq!(found.to_string(), expected, "{peer} {forwarded}");
        }
    }
}
