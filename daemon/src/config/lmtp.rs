//! `[lmtp]`: where a mail server of this machine hands over mails.

use std::{borrow::Cow, fmt, net::SocketAddr, path::PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::units::ByteSize;

/// The LMTP listener, for mails that a mail server of this machine (Postfix, Exim) delivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lmtp {
    /// The path of a socket, or a loopback address with a port. Whoever may connect is believed, so
    /// other addresses are refused; owner and group of a socket may. "off" takes no mails.
    #[schemars(extend("x-restart" = true))]
    pub listen: LmtpListen,
    /// Largest mail, attachments and all; larger ones are refused for good. A channel's own
    /// `body_bytes_max`, or its adapter's, may be smaller.
    #[serde(with = "ByteSize")]
    pub mail_bytes_max: u64,
    /// Connections at the same time; one more is asked to come back.
    #[schemars(range(min = 1, max = 1024), extend("x-restart" = true))]
    pub connections_max: u32,
}

impl Default for Lmtp {
    fn default() -> Self {
        Self {
            listen: LmtpListen::Off,
            mail_bytes_max: 32 << 20,
            connections_max: 32,
        }
    }
}

/// Where the LMTP listener is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LmtpListen {
    /// Nowhere.
    #[default]
    Off,
    /// At a Unix socket.
    Socket(PathBuf),
    /// At a loopback address; port 0 takes a free one.
    Address(SocketAddr),
}

impl LmtpListen {
    /// Reads `off`, a path with a slash in it, or an address; the error is a phrase for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        if text.contains('/') {
            return Ok(Self::Socket(text.into()));
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Self::Address(address)),
            Ok(_) => Err(
                "must be a loopback address (127.0.0.1 or [::1]): whoever connects is believed"
                    .into(),
            ),
            Err(_) => Err(
                "must be \"off\", the path of a socket such as \"/run/trunkline/lmtp.sock\", or a \
                           loopback address with a port such as \"127.0.0.1:2424\""
                    .into(),
            ),
        }
    }

    /// The path, for making it absolute.
    pub(super) fn socket_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::Socket(path) => Some(path),
            Self::Off | Self::Address(_) => None,
        }
    }
}

impl fmt::Display for LmtpListen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => formatter.write_str("off"),
            Self::Socket(path) => write!(formatter, "{}", path.display()),
            Self::Address(address) => write!(formatter, "{address}"),
        }
    }
}

impl Serialize for LmtpListen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LmtpListen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for LmtpListen {
    fn schema_name() -> Cow<'static, str> {
        "LmtpListen".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "lmtp-listen" })
    }
}
