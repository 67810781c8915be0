//! Reply windows as they are shown with contacts, threads and previews.

use serde_json::{Value, json};
use trunkline_plugin_api::Identity;

use super::shapes;
use crate::{
    gateway::Gateway,
    model::{Contact, OrgId, WindowState},
    outbound::{TemplateOutlook, WindowOutlook},
    store::StoreError,
};

fn state(state: &WindowState) -> Value {
    json!({
        "open": state.open,
        "expires_at": shapes::maybe_time(state.expires_at_ms),
    })
}

/// The windows of one identity, by the channels that have one for it.
fn of_identity(
    gateway: &Gateway,
    org: OrgId,
    who: &Identity,
) -> Result<Vec<(String, WindowState)>, StoreError> {
    let routes = gateway.registry.routes();
    let mut states = Vec::new();
    for channel in routes.channels().filter(|channel| channel.org == org) {
        let is_its = |facts: &trunkline_plugin_api::Facts| facts.space == who.space;
        let Some(rule) = channel
            .window()
            .filter(|_| channel.facts.as_ref().is_some_and(is_its))
        else {
            continue;
        };
        let state = gateway.store.window_state(org, who, &rule)?;
        states.push((channel.id.to_string(), state));
    }
    Ok(states)
}

/// Adds to a contact's identities their windows: `window` is the one that is open for longest,
/// null where no channel has one for it; `windows` has all, by channel.
pub(super) fn add_to_contact(
    gateway: &Gateway,
    org: OrgId,
    contact: &Contact,
    shown: &mut Value,
) -> Result<(), StoreError> {
    for (at, known) in contact.identities.iter().enumerate() {
        let states = of_identity(gateway, org, &known.identity)?;
        let best = states
            .iter()
            .map(|(_, state)| *state)
            .max_by_key(|state| (state.open, state.expires_at_ms));
        let entry = &mut shown["identities"][at];
        entry["window"] = best.as_ref().map_or(Value::Null, state);
        entry["windows"] = states.iter().map(by_channel).collect();
    }
    Ok(())
}

fn by_channel((channel, found): &(String, WindowState)) -> Value {
    let mut shown = state(found);
    shown["channel"] = json!(channel);
    shown
}

/// Adds to a thread the windows of its contact.
pub(super) fn add_to_thread(
    gateway: &Gateway,
    org: OrgId,
    contact: &Contact,
    shown: &mut Value,
) -> Result<(), StoreError> {
    let mut windows = Vec::new();
    for known in &contact.identities {
        for found in of_identity(gateway, org, &known.identity)? {
            let mut entry = by_channel(&found);
            entry["space"] = json!(known.identity.space);
            entry["identifier"] = json!(known.identity.identifier);
            windows.push(entry);
        }
    }
    shown["windows"] = windows.into();
    Ok(())
}

/// What the window means for a message that is looked at.
pub(super) fn outlook(window: &WindowOutlook) -> Value {
    let mut shown = state(&window.state);
    shown["then"] = json!(window.then);
    shown
}

/// A template as the recipient would see it.
pub(super) fn template_outlook(found: &TemplateOutlook) -> Value {
    json!({
        "id": found.call.id,
        "name": found.call.name,
        "language": found.call.language,
        "variables": found.call.variables,
        "text": found.text,
    })
}
