//! What all routes of the chat share, and the way in: channel, origin, address, visitor.

use std::{net::IpAddr, sync::Arc};

use actix_web::{HttpRequest, http::header};
use tokio::sync::OnceCell;
use trunkline_plugin_api::Front;

use super::{
    face::Face,
    files::Files,
    limits::Limits,
    refusal::Refusal,
    token::{TokenKey, Visitor},
};
use crate::{channel::Channel, gateway::Gateway};

/// The chat's own state; one for the daemon.
pub(crate) struct Door {
    /// Where everything else is.
    pub(super) gateway: Arc<Gateway>,
    /// How often visitors may do what.
    pub(super) limits: Limits,
    /// Where attachments go; none where there is no place for them.
    pub(super) files: Option<Arc<dyn Files>>,
    key: OnceCell<TokenKey>,
}

/// A channel's door as one request found it open.
pub(super) struct Entry {
    /// The channel.
    pub(super) channel: Arc<Channel>,
    /// Its title, greeting and origins.
    pub(super) face: Face,
    /// Who asks, as far as the network goes.
    pub(super) address: IpAddr,
}

impl Entry {
    /// A channel's door as this request finds it, wherever it comes from.
    pub(super) fn new(channel: Arc<Channel>, request: &HttpRequest) -> Self {
        Self {
            face: Face::of(&channel),
            channel,
            address: address(request),
        }
    }
}

impl Door {
    /// A door; `files` takes attachments, where there is a place for them.
    pub(crate) fn new(gateway: Arc<Gateway>, files: Option<Arc<dyn Files>>) -> Self {
        Self {
            gateway,
            limits: Limits::default(),
            files,
            key: OnceCell::new(),
        }
    }

    /// The channel of a chat path.
    pub(super) fn channel(&self, request: &HttpRequest) -> Result<Arc<Channel>, Refusal> {
        let id = request.match_info().get("channel").unwrap_or_default();
        let found = self.gateway.registry.get(id);
        found
            .filter(|channel| is_open(channel))
            .ok_or_else(Refusal::not_found)
    }

    /// The way in for everything but the page itself and its files: a chat channel, a page of ours or
    /// of a site that may show it.
    pub(super) fn enter(&self, request: &HttpRequest) -> Result<Entry, Refusal> {
        let entry = Entry::new(self.channel(request)?, request);
        let config = self.gateway.settings.load();
        if !entry.face.admits(request, &config.server.public_url) {
            return Err(Refusal::foreign_origin());
        }
        Ok(entry)
    }

    /// The key that signs tokens; made at its first use.
    pub(super) async fn key(&self) -> Result<&TokenKey, Refusal> {
        let make = || async {
            let fresh = rand::random::<[u8; 32]>();
            let stored = self.gateway.store.chat_key(fresh).await;
            stored.map(|bytes| TokenKey::new(&bytes))
        };
        self.key
            .get_or_try_init(make)
            .await
            .map_err(|_| Refusal::unavailable())
    }

    /// The visitor whose token this is; a wrong one costs its sender some of their limit.
    pub(super) async fn visitor(&self, entry: &Entry, token: &str) -> Result<Visitor, Refusal> {
        let key = self.key().await?;
        if let Some(visitor) = key.verify(&entry.channel.id, token) {
            return Ok(visitor);
        }
        self.limits.stranger(entry.address)?;
        Err(Refusal::token())
    }

    /// A token for somebody new.
    pub(super) async fn welcome(&self, entry: &Entry) -> Result<(String, Visitor), Refusal> {
        self.limits.stranger(entry.address)?;
        Ok(self.key().await?.issue(&entry.channel.id))
    }
}

fn is_open(channel: &Channel) -> bool {
    let facts = channel.facts.as_ref();
    facts.is_some_and(|facts| facts.fronts.contains(&Front::Chat))
}

/// The token that a request carries: in its header, else in its cookie.
pub(super) fn token_of(request: &HttpRequest, channel: &Channel) -> Option<String> {
    let bearer = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    match bearer {
        Some(token) => Some(token.to_owned()),
        None => from_cookie(request, channel),
    }
}

/// The token in the request's cookie alone.
pub(super) fn from_cookie(request: &HttpRequest, channel: &Channel) -> Option<String> {
    let name = cookie_name(channel);
    let headers = request.headers().get_all(header::COOKIE);
    let mut pairs = headers
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    pairs.find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

fn cookie_name(channel: &Channel) -> String {
    format!("trunkline_chat_{}", channel.id)
}

/// Whose request it is. Behind a proxy on a private address, the last entry of `X-Forwarded-For`: that
/// one was written by the proxy itself. From anywhere else the header is not believed.
fn address(request: &HttpRequest) -> IpAddr {
    let peer = request
        .peer_addr()
        .map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
    if !is_private(peer) {
        return peer;
    }
    request
        .headers()
        .get_all("x-forwarded-for")
        .last()
        .and_then(|value| value.to_str().ok())
        .and_then(|list| list.rsplit(',').next())
        .and_then(|last| last.trim().parse().ok())
        .unwrap_or(peer)
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
    }
}

/// The `Set-Cookie` that keeps a visitor's token: for the chat's own pages alone, out of reach of
/// scripts. A token is of base64url and a dot, a channel's id of letters, so neither needs quoting.
pub(super) fn cookie(gateway: &Gateway, channel: &Channel, token: &str) -> String {
    let config = gateway.settings.load();
    let public_url = &config.server.public_url;
    let page = public_url.join(&format!("/chat/{}", channel.id));
    let path = url::Url::parse(&page).map_or_else(|_| "/".to_owned(), |url| url.path().to_owned());
    let secure = if public_url.is_https() {
        "; Secure"
    } else {
        ""
    };
    let name = cookie_name(channel);
    format!("{name}={token}; Path={path}; Max-Age={COOKIE_S}; HttpOnly; SameSite=Lax{secure}")
}

/// For how many seconds browsers keep a cookie at most: 400 days.
const COOKIE_S: u32 = 400 * 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_proxy_is_believed_and_others_are_not() {
        let of = |peer: &str, forwarded: Option<&str>| {
            let mut request = TestRequest::default().peer_addr(peer.parse().unwrap());
            if let Some(forwarded) = forwarded {
                request = request.insert_header(("x-forwarded-for", forwarded));
            }
            address(&request.to_http_request()).to_string()
        };
        assert_eq!(of("203.0.113.7:1", Some("198.51.100.1")), "203.0.113.7");
        assert_eq!(of("127.0.0.1:1", None), "127.0.0.1");
        let chain = Some("10.9.9.9, 198.51.100.1");
        assert_eq!(of("127.0.0.1:1", chain), "198.51.100.1");
        assert_eq!(of("10.0.0.2:1", chain), "198.51.100.1");
        assert_eq!(of("10.0.0.2:1", Some("nonsense")), "10.0.0.2");
    }
}
