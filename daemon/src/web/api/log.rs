//! What is logged: shown and changed while the daemon runs.

use std::time::Duration;

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Deserialize;
use serde_json::json;

use crate::{
    model::Role,
    telemetry::{self, Logs},
    web::{auth::Caller, problem::Problem},
};

/// Longest time of a change that ends by itself.
const TIME_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Characters of a filter.
const FILTER_CHARS_MAX: usize = 500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// What to log; none goes back to what is configured.
    #[serde(default)]
    filter: Option<String>,
    /// After this time what is configured returns: "10m".
    #[serde(default, rename = "for")]
    time: Option<String>,
}

/// What is logged at the moment.
pub(super) async fn show(caller: Caller) -> Result<HttpResponse, Problem> {
    allowed(&caller)?;
    Ok(shown(logs()?))
}

/// Changes it.
pub(super) async fn change(
    caller: Caller,
    change: web::Json<Change>,
) -> Result<HttpResponse, Problem> {
    allowed(&caller)?;
    let Change { filter, time } = change.into_inner();
    if filter
        .as_ref()
        .is_some_and(|filter| filter.len() > FILTER_CHARS_MAX)
    {
        let detail = format!("\"filter\" may have {FILTER_CHARS_MAX} characters");
        return Err(Problem::invalid(detail));
    }
    let time = time.as_deref().map(read_time).transpose()?;
    let logs = logs()?;
    tracing::info!(event = "api_log_level", by = %caller.name, "a change of what is logged was asked for");
    logs.set(filter.as_deref(), time)
        .map_err(Problem::invalid)?;
    Ok(shown(logs))
}

/// The log is that of the installation, and what it holds is that of all organizations.
fn allowed(caller: &Caller) -> Result<(), Problem> {
    caller.must_be(Role::Owner)?;
    caller.must_see_all()
}

fn read_time(text: &str) -> Result<Duration, Problem> {
    let time = humantime::parse_duration(text).ok();
    let fits = |time: &Duration| (Duration::from_secs(1)..=TIME_MAX).contains(time);
    time.filter(fits)
        .ok_or_else(|| Problem::invalid("\"for\" must be a time from \"1s\" to \"7d\""))
}

fn logs() -> Result<&'static Logs, Problem> {
    telemetry::logs().ok_or_else(|| {
        let detail = "this process has another log than the daemon's own";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_log", detail)
    })
}

fn shown(logs: &Logs) -> HttpResponse {
    let status = logs.status();
    HttpResponse::Ok().json(json!({
        "filter": status.filter,
        "configured": status.configured,
        "left_s": status.left.map(|left| left.as_secs()),
    }))
}
