//! Signing in and out. A session is a random secret in a cookie that scripts can't read and other sites can't
//! send; it is stored by its hash.

use std::{net::IpAddr, sync::LazyLock};

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time::Duration},
    http::StatusCode,
    web,
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde::Deserialize;
use serde_json::json;

use super::{shapes, tokens};
use crate::{
    gateway::Gateway,
    model::{PASSWORD_CHARS_MAX, Session, USER_NAME_CHARS_MAX},
    web::{
        auth::{Caller, SESSION_COOKIE, hash, session_of},
        password,
        problem::Problem,
    },
};

/// How long a session lasts: a working day with its overtime.
const SESSION_MS: i64 = 12 * 3_600_000;
/// Wrong guesses that are taken at once; then one in six seconds.
const GUESSES: std::num::NonZeroU32 = std::num::NonZeroU32::new(10).expect("ten is not zero");

type Guesses<K> = LazyLock<DefaultKeyedRateLimiter<K>>;

static BY_NAME: Guesses<String> = LazyLock::new(|| RateLimiter::keyed(Quota::per_minute(GUESSES)));
static BY_ADDRESS: Guesses<IpAddr> =
    LazyLock::new(|| RateLimiter::keyed(Quota::per_minute(GUESSES)));

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
    admit(&request, &name)?;
    let user = gateway.store.user_by_name(&name);
    let stored = user.as_ref().map(|user| user.password.clone());
    let good = password::matches(password, stored).await?;
    let user = user.filter(|user| good && !user.disabled);
    let Some(mut user) = user else {
        tracing::warn!(event = "sign_in_refused", "sign-in refused");
        return Err(refused());
    };
    let now = gateway.store.now();
    let session = Session {
        user: user.id,
        expires_at_ms: now + SESSION_MS,
    };
    let secret = tokens::secret("tls_")?;
    gateway.store.begin_session(hash(&secret), session).await?;
    user.signed_in_at_ms = Some(now);
    gateway.store.save_user(&user).await?;
    tracing::info!(event = "signed_in", user = %user.id, "signed in");
    let answer =
        json!({"user": shapes::user(&user), "expires_at": shapes::time(session.expires_at_ms)});
    let cookie = cookie(&request, secret, Duration::milliseconds(SESSION_MS));
    Ok(HttpResponse::Ok().cookie(cookie).json(answer))
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

/// Bounds guessing: by name, and by address.
fn admit(request: &HttpRequest, name: &str) -> Result<(), Problem> {
    let address = request.peer_addr().map(|peer| peer.ip());
    let by_address = address.is_none_or(|address| BY_ADDRESS.check_key(&address).is_ok());
    if by_address && BY_NAME.check_key(&name.to_owned()).is_ok() {
        return Ok(());
    }
    BY_NAME.retain_recent();
    BY_ADDRESS.retain_recent();
    Err(Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_guesses",
        "too many attempts to sign in; wait a minute",
    ))
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
