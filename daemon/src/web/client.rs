//! Who is at the other end of a request.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::{HttpRequest, http::header::HeaderMap};

use crate::config::Network;

/// The address that a request came from: that of the connection, or, where a trusted proxy holds it, the
/// last one in `X-Forwarded-For` that is not a trusted proxy itself. What stands before that one is
/// hearsay. `Forwarded` (RFC 7239) is read where there is no `X-Forwarded-For`: a proxy that writes one
/// of them lets the other through as its client wrote it.
pub(super) fn address(request: &HttpRequest, proxies: &[Network]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    let headers = request.headers();
    let named = joined(headers, "x-forwarded-for");
    if headers.contains_key("x-forwarded-for") {
        return Some(origin(peer, named.rsplit(','), proxies));
    }
    let forwarded = joined(headers, "forwarded");
    let named = split(&forwarded, ',').into_iter().rev();
    let named = named.map(|element| parameter(element, "for").unwrap_or_default());
    Some(origin(peer, named, proxies))
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

/// All values of a header as the one list that they are.
fn joined(headers: &HeaderMap, name: &str) -> String {
    let values = headers.get_all(name);
    // What can't be read ends the way back, as an unknown address does.
    let values: Vec<&str> = values
        .map(|value| value.to_str().unwrap_or("unknown"))
        .collect();
    values.join(",")
}

/// Goes back from the connection over the addresses that were named, the last one first.
fn origin<'a>(peer: IpAddr, named: impl Iterator<Item = &'a str>, proxies: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| proxies.iter().any(|proxy| proxy.contains(address));
    let mut address = peer.to_canonical();
    for named in named {
        if !is_trusted(address) {
            break;
        }
        match read(named) {
            Some(named) => address = named.to_canonical(),
            None => break,
        }
    }
    address
}

/// An address, also with a port and in the brackets of RFC 7239.
fn read(named: &str) -> Option<IpAddr> {
    let named = named.trim();
    let bare = named
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let with_port = || named.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.unwrap_or(named).parse().ok().or_else(with_port)
}

/// The parts of a text between separators that are not in quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped, mut start) = (false, false, 0);
    let mut parts = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if c == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The value of a parameter of one element of `Forwarded`, without its quotes.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    split(element, ';').into_iter().find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        let quoted = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        key.eq_ignore_ascii_case(name)
            .then(|| quoted.unwrap_or(value))
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    fn proxies() -> Vec<Network> {
        let mut proxies = Network::loopback();
        proxies.push(Network::parse("10.0.0.0/8").expect("a range"));
        proxies
    }

    fn found(peer: &str, headers: &[(&str, &str)]) -> String {
        let peer: IpAddr = peer.parse().expect("an address");
        let mut request = TestRequest::default().peer_addr((peer, 4711).into());
        for header in headers {
            request = request.append_header(*header);
        }
        let found = address(&request.to_http_request(), &proxies());
        found.expect("an address").to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let table = [
            ("192.0.2.1", "", "192.0.2.1"),
            ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
            ("127.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("127.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
            ("::ffff:127.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("127.0.0.1", "1.1.1.1, 198.51.100.7", "198.51.100.7"),
            ("127.0.0.1", "198.51.100.7, 10.1.2.3", "198.51.100.7"),
            (
                "127.0.0.1",
                "10.9.9.9, 198.51.100.7, 10.1.2.3",
                "198.51.100.7",
            ),
            ("127.0.0.1", "unknown", "127.0.0.1"),
            ("127.0.0.1", "unknown, 10.1.2.3", "10.1.2.3"),
            ("127.0.0.1", "", "127.0.0.1"),
        ];
        for (peer, forwarded, expected) in table {
            let found = found(peer, &[("x-forwarded-for", forwarded)]);
            assert_eq!(found, expected, "{peer} {forwarded}");
        }
    }

    #[test]
    fn several_headers_are_one_list_and_a_forged_one_comes_first() {
        let headers = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "198.51.100.7"),
        ];
        assert_eq!(found("127.0.0.1", &headers), "198.51.100.7");
    }

    #[test]
    fn the_standard_header_is_read_where_it_is_alone() {
        let table = [
            ("for=198.51.100.7", "198.51.100.7"),
            ("For=\"198.51.100.7:80\";proto=https", "198.51.100.7"),
            ("for=\"[2001:db8::17]:4711\";by=10.0.0.1", "2001:db8::17"),
            ("for=\"[2001:db8::17]\"", "2001:db8::17"),
            ("for=1.1.1.1, for=198.51.100.7;by=\"a,b\"", "198.51.100.7"),
            ("for=198.51.100.7, for=10.1.2.3", "198.51.100.7"),
            ("for=_hidden, for=10.1.2.3", "10.1.2.3"),
            ("for=1.1.1.1, proto=https", "127.0.0.1"),
            ("for=\"198.51.100.7", "127.0.0.1"),
        ];
        for (forwarded, expected) in table {
            let found = found("127.0.0.1", &[("forwarded", forwarded)]);
            assert_eq!(found, expected, "{forwarded}");
        }
        let both = [
            ("forwarded", "for=1.1.1.1"),
            ("x-forwarded-for", "198.51.100.7"),
        ];
        assert_eq!(found("127.0.0.1", &both), "198.51.100.7");
    }

    proptest! {
        #[test]
        fn any_header_is_borne(text in "[ -~]{0,80}") {
            for name in ["forwarded", "x-forwarded-for"] {
                found("127.0.0.1", &[(name, &text)]);
                prop_assert_eq!(found("192.0.2.1", &[(name, &text)]), "192.0.2.1");
            }
        }
    }
}
