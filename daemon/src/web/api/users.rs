//! Users: made, listed, changed, removed. Who changes them is an owner; a user of one organization is seen by
//! that organization's owners alone.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{paging::list as listed, shapes, tokens};
use crate::{
    gateway::Gateway,
    model::{Role, User, UserId, check_password, check_user_name},
    web::{auth::Caller, password, problem::Problem},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    name: String,
    password: String,
    role: Role,
    #[serde(default)]
    organization: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    role: Option<Role>,
    #[serde(default)]
    disabled: Option<bool>,
}

/// Makes a user.
pub(super) async fn create(
    gateway: web::Data<Gateway>,
    caller: Caller,
    body: web::Json<New>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Owner)?;
    let body = body.into_inner();
    check_user_name(&body.name).map_err(Problem::invalid)?;
    check_password(&body.password).map_err(Problem::invalid)?;
    let organization = tokens::organization(&gateway, &caller, body.organization)?;
    let user = User {
        id: UserId::new(gateway.store.new_id()),
        name: body.name,
        role: body.role,
        organization,
        disabled: false,
        password: password::hash(body.password).await?,
        created_at_ms: gateway.store.now(),
        signed_in_at_ms: None,
    };
    if !gateway.store.save_user(&user).await? {
        let detail = format!("there is a user \"{}\" already", user.name);
        return Err(Problem::conflict("user_exists", detail));
    }
    tracing::info!(event = "api_user_made", by = %caller.name, user = %user.id, role = user.role.as_str(), "user made");
    Ok(HttpResponse::Created().json(shapes::user(&user)))
}

pub(super) async fn list(
    gateway: web::Data<Gateway>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let users = gateway.store.users();
    let seen = users.iter().filter(|user| visible(&caller, user));
    let items: Vec<Value> = seen.map(shapes::user).collect();
    Ok(HttpResponse::Ok().json(listed(items, None)))
}

/// Changes a user, named by id or name. A new password, and a user that is disabled, ends all their sessions.
pub(super) async fn change(
    gateway: web::Data<Gateway>,
    caller: Caller,
    who: web::Path<String>,
    body: web::Json<Change>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Owner)?;
    let user = find(&gateway, &caller, &who)?;
    let body = body.into_inner();
    let ends_sessions = body.password.is_some() || body.disabled == Some(true);
    let mut fresh = None;
    if let Some(password) = body.password {
        check_password(&password).map_err(Problem::invalid)?;
        fresh = Some(password::hash(password).await?);
    }
    // Others may have changed or removed the user meanwhile.
    let changed = gateway.store.update_user(user.id, |user| {
        if let Some(fresh) = fresh {
            user.password = fresh;
        }
        user.role = body.role.unwrap_or(user.role);
        user.disabled = body.disabled.unwrap_or(user.disabled);
    });
    let user = changed.await?.ok_or_else(|| Problem::not_found("user"))?;
    if ends_sessions {
        gateway.store.end_sessions(user.id, None).await?;
    }
    tracing::info!(event = "api_user_changed", by = %caller.name, user = %user.id, role = user.role.as_str(), disabled = user.disabled, "user changed");
    Ok(HttpResponse::Ok().json(shapes::user(&user)))
}

/// Removes a user, named by id or name.
pub(super) async fn remove(
    gateway: web::Data<Gateway>,
    caller: Caller,
    who: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Owner)?;
    let user = find(&gateway, &caller, &who)?;
    gateway.store.remove_user(user.id).await?;
    tracing::info!(event = "api_user_removed", by = %caller.name, user = %user.id, "user removed");
    Ok(HttpResponse::Ok().json(json!({"id": user.id.to_string(), "removed": true})))
}

fn find(gateway: &Gateway, caller: &Caller, who: &str) -> Result<User, Problem> {
    let users = gateway.store.users();
    let is_meant = |user: &User| user.name == who || user.id.to_string() == who;
    let mut found = users.into_iter().filter(|user| visible(caller, user));
    found
        .find(is_meant)
        .ok_or_else(|| Problem::not_found("user"))
}

fn visible(caller: &Caller, user: &User) -> bool {
    caller.organization.is_none() || caller.organization == user.organization
}
