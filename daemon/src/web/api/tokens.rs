//! API tokens: made, listed, revoked.

use actix_web::{HttpRequest, HttpResponse, web};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{paging::list as listed, shapes};
use crate::{
    gateway::Gateway,
    model::{ApiToken, Role, TokenId},
    web::{audit, auth::Caller, problem::Problem},
};

/// Characters of a token's name.
const NAME_CHARS_MAX: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    name: String,
    role: Role,
    #[serde(default)]
    organization: Option<String>,
}

/// Makes a token; its secret is shown this once.
pub(super) async fn create(
    request: HttpRequest,
    gateway: web::Data<Gateway>,
    caller: Caller,
    body: web::Json<Body>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Owner)?;
    let body = body.into_inner();
    if body.name.is_empty() || body.name.chars().count() > NAME_CHARS_MAX {
        return Err(Problem::invalid(format!(
            "name must have 1 to {NAME_CHARS_MAX} characters"
        )));
    }
    let organization = organization(&gateway, &caller, body.organization)?;
    let secret = secret("tl_")?;
    let token = ApiToken {
        id: TokenId::new(gateway.store.new_id()),
        name: body.name,
        role: body.role,
        organization,
        hash: Sha256::digest(secret.as_bytes()).into(),
        created_at_ms: gateway.store.now(),
    };
    gateway.store.save_token(&token).await?;
    audit::note(&request, "token", &token.id);
    tracing::info!(event = "api_token_made", by = %caller.name, token = %token.id, role = token.role.as_str(), "token made");
    let made = json!({ "token": secret, "id": token.id.to_string(), "role": token.role });
    Ok(HttpResponse::Created().json(made))
}

/// A caller confined to an organization makes tokens for that one alone.
pub(super) fn organization(
    gateway: &Gateway,
    caller: &Caller,
    wanted: Option<String>,
) -> Result<Option<String>, Problem> {
    let organization = wanted.or_else(|| caller.organization.clone());
    match &organization {
        Some(slug) if !caller.sees(slug) => Err(Problem::not_found("organization")),
        Some(slug)
            if !gateway
                .store
                .organizations()
                .iter()
                .any(|(known, _)| known == slug) =>
        {
            Err(Problem::invalid(format!(
                "there is no organization \"{slug}\"; a channel names it first"
            )))
        }
        _ => Ok(organization),
    }
}

/// 32 random bytes behind a prefix.
pub(super) fn secret(prefix: &str) -> Result<String, Problem> {
    Ok(format!("{prefix}{}", BASE64URL_NOPAD.encode(&random()?)))
}

fn random() -> Result<[u8; 32], Problem> {
    let mut bytes = [0; 32];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).map_err(|_| {
        let status = actix_web::http::StatusCode::SERVICE_UNAVAILABLE;
        Problem::new(status, "random", "the system gives no random numbers")
    })?;
    Ok(bytes)
}

pub(super) async fn list(
    gateway: web::Data<Gateway>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let tokens = gateway.store.tokens();
    let items = tokens
        .iter()
        .filter(|token| visible(&caller, token))
        .map(shapes::token)
        .collect();
    Ok(HttpResponse::Ok().json(listed(items, None)))
}

pub(super) async fn revoke(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Owner)?;
    let id: TokenId = id.parse().map_err(|_| Problem::not_found("token"))?;
    let known = gateway.store.tokens();
    let token = known
        .iter()
        .find(|token| token.id == id && visible(&caller, token));
    let token = token.ok_or_else(|| Problem::not_found("token"))?;
    gateway.store.revoke_token(token.id).await?;
    tracing::info!(event = "api_token_revoked", by = %caller.name, token = %id, "token revoked");
    Ok(HttpResponse::NoContent().finish())
}

fn visible(caller: &Caller, token: &ApiToken) -> bool {
    caller.organization.is_none() || caller.organization == token.organization
}
