//! `[server]` and `[admin]`: where the daemon listens, and as what the world sees it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    listener::{Limits, Tls},
    network::Network,
    public_url::PublicUrl,
    units::{ByteSize, HumanTime},
};

/// The public listener: webhooks, visitor chat, forms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port of the public listener. Put a proxy that speaks TLS in front of it, or set
    /// `[server.tls]`. Port 0 takes a free one; the log line `ready` names it. A socket named
    /// `public` that systemd passes is taken instead.
    #[schemars(with = "String", extend("format" = "socket-address", "x-restart" = true))]
    pub listen: SocketAddr,
    /// What providers call, as they see it: scheme, host, and the path before `/webhooks` where
    /// the proxy adds one. Signatures are checked against it.
    pub public_url: PublicUrl,
    /// Largest body of a webhook. An adapter may ask for another limit, a channel may set its own.
    #[serde(with = "ByteSize")]
    pub body_bytes_max: u64,
    /// Webhooks of one channel handled at the same time; one more is answered 503.
    #[schemars(range(min = 1, max = 65536), extend("x-restart" = true))]
    pub permits_per_channel: u32,
    /// Proxies in front of the public listener: a request from one of them came from the address that
    /// it names in Forwarded or X-Forwarded-For.
    pub trusted_proxies: Vec<Network>,
    /// How long a stop waits for running webhooks and sends.
    #[serde(with = "HumanTime")]
    pub drain: Duration,
    /// TLS 1.2 and 1.3 on the public listener. Without it a proxy in front has to speak TLS.
    #[schemars(extend("x-table" = true))]
    pub tls: Tls,
    /// What the public listener grants a client. A change holds for connections that are open, too.
    #[schemars(extend("x-table" = true))]
    pub limits: Limits,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: PublicUrl::default(),
            body_bytes_max: 4 << 20,
            permits_per_channel: 256,
            trusted_proxies: Network::loopback(),
            drain: Duration::from_secs(30),
            tls: Tls::default(),
            limits: Limits::default(),
        }
    }
}

/// The admin listener: console, API, metrics, and the socket of the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Address and port of console, API and `/metrics`. Not meant for the open internet. A socket
    /// named `admin` that systemd passes is taken instead.
    #[schemars(with = "String", extend("format" = "socket-address", "x-restart" = true))]
    pub listen: SocketAddr,
    /// The socket that the command line talks to; who may open it needs no token.
    #[schemars(extend("x-restart" = true))]
    pub socket: PathBuf,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)),
            socket: "/run/trunkline/admin.sock".into(),
        }
    }
}
