//! What all routes of the chat share, and the way in: channel, origin, address, visitor.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

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
use crate::{channel::Channel, gateway::Gateway, web::client};

/// Who has no address counts as this one.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The chat's own state; one for the daemon.
pub(crate) struct Door {
    /// Where everything else is.
    pub(super) gateway: Arc<Gateway>,
    /// How often visitors may do what.
    pub(super) limits: Limits,
    /// Where attachments are.
    pub(super) files: Files,
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
    pub(super) fn new(gateway: &Gateway, channel: Arc<Channel>, request: &HttpRequest) -> Self {
        let proxies = &gateway.settings.load().server.trusted_proxies;
        let address = client::address(request, proxies);
        Self {
            face: Face::of(&channel),
            channel,
            address: address.unwrap_or(NOWHERE),
        }
    }
}

impl Door {
    /// A door.
    pub(crate) fn new(gateway: Arc<Gateway>) -> Self {
        Self {
            files: Files::new(gateway.clone()),
            gateway,
            limits: Limits::default(),
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
        let entry = Entry::new(&self.gateway, self.channel(request)?, request);
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
