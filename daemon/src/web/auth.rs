//! Who asks: a permitted user of this machine, by the socket; the holder of a token; or who is signed in.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::{Extensions, Payload},
    http::{StatusCode, header},
    web,
};
use sha2::{Digest, Sha256};
use tokio::net::UnixStream;

use super::problem::Problem;
use crate::{
    gateway::Gateway,
    model::{Actor, ActorKind, AuthorKind, OrgId, Role, UserId},
};

/// The user id behind a connection of the admin socket.
#[derive(Debug, Clone, Copy)]
struct Peer {
    uid: u32,
}

/// Notes the user behind a new connection of the socket.
pub(super) fn note_peer(stream: &UnixStream, data: &mut Extensions) {
    if let Ok(credentials) = stream.peer_cred() {
        data.insert(Peer {
            uid: credentials.uid(),
        });
    }
}

/// The cookie of a session.
pub(super) const SESSION_COOKIE: &str = "trunkline_session";

/// Who asks, and what they may do.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// For the log.
    pub(super) name: String,
    /// The user who is signed in; none is a program, or somebody at this machine.
    pub(super) user: Option<UserId>,
    /// For the audit.
    pub(super) actor: Actor,
    /// What they may do.
    pub(super) role: Role,
    /// The organization they are confined to, by slug; none is all.
    pub(super) organization: Option<String>,
}

impl Caller {
    /// As whom they write messages.
    pub(super) fn author(&self) -> AuthorKind {
        match self.user {
            Some(_) => AuthorKind::Member,
            None => AuthorKind::System,
        }
    }

    /// Refuses callers below a role.
    pub(super) fn must_be(&self, role: Role) -> Result<(), Problem> {
        if self.role >= role {
            return Ok(());
        }
        let detail = format!(
            "this needs the role {}, yours is {}",
            role.as_str(),
            self.role.as_str()
        );
        Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail))
    }

    /// Refuses callers confined to one organization: this concerns the installation.
    pub(super) fn must_see_all(&self) -> Result<(), Problem> {
        match &self.organization {
            None => Ok(()),
            Some(_) => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "this needs a token for all organizations",
            )),
        }
    }

    /// The organizations that the caller may see.
    pub(super) fn organizations(&self, gateway: &Gateway) -> Vec<OrgId> {
        let mut known = gateway.store.organizations();
        known.sort_by_key(|(_, org)| *org);
        known
            .into_iter()
            .filter(|(slug, _)| self.sees(slug))
            .map(|(_, org)| org)
            .collect()
    }

    /// Whether the caller may see an organization.
    pub(super) fn sees(&self, slug: &str) -> bool {
        self.organization.as_deref().is_none_or(|own| own == slug)
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(identify(request))
    }
}

fn actor(kind: ActorKind, id: &impl ToString, name: Option<String>) -> Actor {
    Actor {
        kind,
        id: Some(id.to_string()),
        name,
    }
}

/// Who sent a request.
pub(super) fn identify(request: &HttpRequest) -> Result<Caller, Problem> {
    if let Some(peer) = request.conn_data::<Peer>() {
        return Ok(Caller {
            name: format!("uid {}", peer.uid),
            user: None,
            actor: actor(ActorKind::Uid, &peer.uid, None),
            role: Role::Owner,
            organization: None,
        });
    }
    let unauthorized =
        |detail: &str| Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail);
    let gateway = request
        .app_data::<web::Data<Gateway>>()
        .ok_or_else(|| unauthorized("not here"))?;
    if let Some(session) = session_of(request) {
        return signed_in(gateway, request, &session);
    }
    let secret = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(|| unauthorized("send the header \"Authorization: Bearer tl_...\""))?;
    // Looked up by its hash: what the comparison's time tells is of the hash, not of the secret.
    let token = gateway
        .store
        .token_by_hash(&hash(secret))
        .ok_or_else(|| unauthorized("this token is not known, or was revoked"))?;
    Ok(Caller {
        name: format!("token {} ({})", token.id, token.name),
        user: None,
        actor: actor(ActorKind::Token, &token.id, Some(token.name)),
        role: token.role,
        organization: token.organization,
    })
}

/// The hash that a secret is kept by.
pub(super) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// The hash of the session that a request brings.
pub(super) fn session_of(request: &HttpRequest) -> Option<[u8; 32]> {
    request
        .cookie(SESSION_COOKIE)
        .map(|cookie| hash(cookie.value()))
}

/// Who is signed in. What changes something must come from a page of our own: browsers say so in `Origin`.
fn signed_in(
    gateway: &Gateway,
    request: &HttpRequest,
    session: &[u8; 32],
) -> Result<Caller, Problem> {
    if !request.method().is_safe() && !is_own_page(request) {
        let detail = "a request with a session has to come from a page of this host (Origin)";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
    }
    let user = gateway.store.signed_in(session, gateway.store.now());
    let user = user.ok_or_else(|| {
        let detail = "this session is over; sign in again";
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    })?;
    Ok(Caller {
        name: format!("user {}", user.name),
        user: Some(user.id),
        actor: actor(ActorKind::User, &user.id, Some(user.name)),
        role: user.role,
        organization: user.organization,
    })
}

/// Whether the page that a request came from has the host that it goes to.
fn is_own_page(request: &HttpRequest) -> bool {
    let text = |name| request.headers().get(name)?.to_str().ok();
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, host)| Some(host) == text(header::HOST))
}
