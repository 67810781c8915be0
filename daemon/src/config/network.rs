//! Ranges of network addresses.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An address, or a range of them such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("format" = "network"))]
pub struct Network(IpNet);

impl Network {
    /// Reads `192.0.2.1`, `10.0.0.0/8` or `fd00::/8`; the error is a phrase for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let one = IpAddr::from_str(text).map(IpNet::from);
        one.or_else(|_| IpNet::from_str(text))
            .map(Self)
            .map_err(|_| "must be an address or a range, such as \"10.0.0.0/8\"".into())
    }

    /// This machine.
    pub fn loopback() -> Vec<Self> {
        let four = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
        let six = Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128);
        vec![Self(four.into()), Self(six.into())]
    }

    /// True for an address in the range; an IPv4 address may come as an IPv6 one.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.0.to_string()
    }
}
