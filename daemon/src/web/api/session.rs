//! Signing in and out. A session is a random secret in a cookie that scripts can't read and other sites can't
//! send; it is stored by its hash.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::LazyLock,
    time::{Duration as Span, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time::Duration},
    http::StatusCode,
    web,
};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;

use super::{shapes, tokens};
use crate::{
    gateway::Gateway,
    model::{
        Actor, ActorKind, AuditEntry, OrgId, PASSWORD_CHARS_MAX, Session, USER_NAME_CHARS_MAX, User,
    },
    web::{
        auth::{Caller, SESSION_COOKIE, hash, session_of},
        client, password,
        problem::Problem,
    },
};

/// How long a session lasts: a working day with its overtime.
const SESSION_MS: i64 = 12 * 3_600_000;
/// Wrong guesses that are taken at once; then one a pause.
const GUESSES: u32 = 10;
const PAUSE: Span = Span::from_secs(6);
/// Names and networks whose guesses are remembered.
const GUESSERS_MAX: usize = 10_000;

/// A name, from a network: guesses from elsewhere don't keep the person out.
type NameThere = (String, Option<IpAddr>);

static BY_NAME: LazyLock<Guesses<NameThere>> = LazyLock::new(Guesses::new);
static BY_NETWORK: LazyLock<Guesses<IpAddr>> = LazyLock::new(Guesses::new);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    name: String,
    password: String,
}

/// Signs in.
pub(super) async fn begin(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    body: web::Json<Credentials>,
) -> Result<HttpResponse, Problem> {
    let Credentials { name, password } = body.into_inner();
    let too_long =
        name.len() > USER_NAME_CHARS_MAX || password.chars().count() > PASSWORD_CHARS_MAX;
    if too_long {
        return Err(refused());
    }
    let attempt = Attempt::admit(&gateway, &request, &name)?;
    let Some((user, session, secret)) = sign_in(&gateway, &name, password).await? else {
        tracing::warn!(event = "sign_in_refused", "sign-in refused");
        return Err(refused());
    };
    attempt.forgive();
    enter(&gateway, &user).await?;
    tracing::info!(event = "signed_in", user = %user.id, "signed in");
    let answer =
        json!({"user": shapes::user(&user), "expires_at": shapes::time(session.expires_at_ms)});
    let cookie = cookie(&request, secret, Duration::milliseconds(SESSION_MS));
    Ok(HttpResponse::Ok().cookie(cookie).json(answer))
}

/// Checks a password and begins a session, with its secret. Others may change the user while the password is checked:
/// what was checked has to be so still.
async fn sign_in(
    gateway: &Gateway,
    name: &str,
    password: String,
) -> Result<Option<(User, Session, String)>, Problem> {
    let user = gateway.store.user_by_name(name);
    let stored = user.as_ref().map(|user| user.password.clone());
    let good = password::matches(password, stored).await?;
    let Some(user) = user.filter(|user| good && !user.disabled) else {
        return Ok(None);
    };
    let session = Session {
        user: user.id,
        expires_at_ms: gateway.store.now() + SESSION_MS,
    };
    let secret = tokens::secret("tls_")?;
    let store = &gateway.store;
    let begun = store.sign_in(hash(&secret), session, &user.password);
    Ok(begun.await?.map(|user| (user, session, secret)))
}

/// Enters a sign-in into the audit. Those that are refused are in the log alone: anybody can make them.
async fn enter(gateway: &Gateway, user: &User) -> Result<(), Problem> {
    let actor = Actor {
        kind: ActorKind::User,
        id: Some(user.id.to_string()),
        name: Some(user.name.clone()),
    };
    let mut known = gateway.store.organizations().into_iter();
    let own = known.find(|(slug, _)| user.organization.as_ref() == Some(slug));
    let org = own.map_or(OrgId::SYSTEM, |(_, org)| org);
    let entry = AuditEntry::new(gateway.store.now(), actor, "session.create")
        .with("route", "POST /api/v1/session");
    let entered = gateway.store.audit(org, &entry).await;
    entered.map_err(|error| {
        tracing::error!(event = "audit_not_written", %error, action = %entry.action, "a sign-in could not be entered into the audit");
        error.into()
    })
}

/// Who asks.
pub(super) async fn show(caller: Caller) -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "name": caller.name,
        "role": caller.role,
        "organization": caller.organization,
    }))
}

/// Signs out.
pub(super) async fn end(
    gateway: web::Data<Gateway>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    if let (Some(user), Some(session)) = (caller.user, session_of(&request)) {
        gateway.store.end_sessions(user, Some(session)).await?;
    }
    let cookie = cookie(&request, String::new(), Duration::ZERO);
    Ok(HttpResponse::NoContent().cookie(cookie).finish())
}

/// An attempt to sign in, by whom and from where. It counts as a wrong guess until it is forgiven, so that many at
/// once are bounded too.
struct Attempt {
    name: NameThere,
    network: Option<IpAddr>,
}

impl Attempt {
    /// Bounds guessing: by network, and by name from a network. The admin socket's callers have none.
    fn admit(gateway: &Gateway, request: &HttpRequest, name: &str) -> Result<Self, Problem> {
        let settings = gateway.settings.load();
        let address = client::address(request, &settings.server.trusted_proxies);
        let network = address.map(client::network);
        let name = (name.to_owned(), network);
        let now = Instant::now();
        if network.is_none_or(|network| BY_NETWORK.charge(&network, now)) {
            if BY_NAME.charge(&name, now) {
                return Ok(Self { name, network });
            }
            if let Some(network) = network {
                BY_NETWORK.forgive(&network);
            }
        }
        Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_guesses",
            "too many attempts to sign in; wait a minute",
        ))
    }

    /// The password was right.
    fn forgive(&self) {
        BY_NAME.forgive(&self.name);
        if let Some(network) = &self.network {
            BY_NETWORK.forgive(network);
        }
    }
}

/// Wrong guesses by key: when the pauses that they cost are over.
struct Guesses<K>(Mutex<HashMap<K, Instant>>);

impl<K: Clone + Eq + Hash> Guesses<K> {
    fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// Counts one. False, and not counted, where there were too many.
    fn charge(&self, key: &K, now: Instant) -> bool {
        let mut until = self.0.lock();
        let paused = until.get(key).map_or(now, |until| now.max(*until));
        if paused + PAUSE > now + PAUSE * GUESSES {
            return false;
        }
        if until.len() >= GUESSERS_MAX {
            until.retain(|_, until| *until > now);
        }
        if until.len() >= GUESSERS_MAX {
            let first = until.iter().min_by_key(|(_, until)| **until);
            let first = first.map(|(key, _)| key.clone());
            if let Some(first) = first {
                until.remove(&first);
            }
        }
        until.insert(key.clone(), paused + PAUSE);
        true
    }

    /// Takes one back.
    fn forgive(&self, key: &K) {
        if let Some(until) = self.0.lock().get_mut(key) {
            *until = until.checked_sub(PAUSE).unwrap_or(*until);
        }
    }
}

fn refused() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "name or password is wrong",
    )
}

/// The cookie of a session. It is for https alone where the browser came by https.
fn cookie(request: &HttpRequest, secret: String, age: Duration) -> Cookie<'static> {
    let origin = request.headers().get("origin");
    let by_https = origin.is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
    Cookie::build(SESSION_COOKIE, secret)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(by_https)
        .max_age(age)
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_guesses_are_bounded_and_right_ones_are_not() {
        let guesses = Guesses::new();
        let now = Instant::now();
        for _ in 0..100 {
            assert!(guesses.charge(&"ada", now));
            guesses.forgive(&"ada");
        }
        for _ in 0..GUESSES {
            assert!(guesses.charge(&"eve", now));
        }
        assert!(!guesses.charge(&"eve", now));
        assert!(guesses.charge(&"ada", now));
        assert!(guesses.charge(&"eve", now + PAUSE));
        assert!(!guesses.charge(&"eve", now + PAUSE));
    }

    #[test]
    fn few_guessers_are_remembered() {
        let guesses = Guesses::new();
        let now = Instant::now();
        for guesser in 0..=GUESSERS_MAX {
            assert!(guesses.charge(&guesser, now));
        }
        assert_eq!(guesses.0.lock().len(), GUESSERS_MAX);
    }
}
