//! What the daemon itself enters into the audit of the installation.

use serde_json::{Value, json};

use crate::{
    config::ReloadPlan,
    model::{Actor, AuditEntry, OrgId},
    store::Store,
};

/// Enters an act of the daemon. What can't be entered is in the log.
pub(super) async fn tell(
    store: &Store,
    action: &str,
    complete: impl FnOnce(AuditEntry) -> AuditEntry,
) {
    let entry = complete(AuditEntry::new(store.now(), Actor::daemon(), action));
    if let Err(error) = store.audit(OrgId::SYSTEM, &entry).await {
        tracing::error!(event = "audit_not_written", %error, action, "this could not be entered into the audit");
    }
}

/// What a reload changed: names of channels and keys, never values.
pub(super) fn with_plan(mut entry: AuditEntry, plan: &ReloadPlan) -> AuditEntry {
    let changes: [(&str, Value); 6] = [
        ("start", json!(plan.start)),
        ("stop", json!(plan.stop)),
        ("restart", json!(plan.restart)),
        ("update", json!(plan.update)),
        ("apply", json!(plan.apply)),
        ("needs_restart", json!(plan.needs_restart)),
    ];
    for (name, value) in changes {
        let empty = value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(serde_json::Map::is_empty);
        if !empty {
            entry = entry.with(name, value);
        }
    }
    entry
}
