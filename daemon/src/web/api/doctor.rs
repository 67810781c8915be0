//! What is wrong with a channel.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::{channels, shapes};
use crate::{
    doctor::{Examined, Finding},
    gateway::Gateway,
    model::Role,
    web::{auth::Caller, problem::Problem},
};

/// Examines a channel. Changes nothing; takes some seconds where much was refused.
pub(super) async fn examine(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let channel = channels::find(&gateway, &caller, &id)?;
    let see = |organization: &str| caller.sees(organization);
    let report = gateway.doctor().examine(&channel, see).await;
    let rejected: Vec<Value> = report.rejected.iter().map(shown).collect();
    Ok(HttpResponse::Ok().json(json!({
        "channel": report.channel,
        "checks": report.checks,
        "rejected": rejected,
        "trials": report.trials,
    })))
}

fn shown(one: &Examined) -> Value {
    let (matched, note) = match &one.finding {
        Finding::Match(found) => (
            json!({"cause": found.cause, "words": found.words}),
            Value::Null,
        ),
        Finding::Nothing(words) => (Value::Null, json!(words)),
    };
    json!({
        "at": shapes::time(one.at_ms),
        "reason": one.reason,
        "matched": matched,
        "note": note,
    })
}
