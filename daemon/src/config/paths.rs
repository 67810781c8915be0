//! Alias paths of webhooks: well-formed, free, and nobody else's.

use std::{collections::BTreeMap, sync::Arc};

use super::{channel::Channel, finding::child, report::Report};

/// Longest alias in bytes.
const PATH_BYTES_MAX: usize = 512;
/// First steps of paths that the daemon serves itself.
const TAKEN: [&str; 4] = ["chat", "forms", "healthz", "media"];

/// Checks the aliases of all channels.
pub(super) fn check(channels: &BTreeMap<String, Arc<Channel>>, report: &mut Report<'_>) {
    let mut owners: BTreeMap<&str, (&str, String)> = BTreeMap::new();
    for (id, channel) in channels {
        let list = child(&child("/channel", id), "webhook_paths");
        for (index, path) in channel.webhook_paths.iter().enumerate() {
            let pointer = child(&list, &index.to_string());
            if let Err(message) = well_formed(path).and_then(|()| free(path, id, channels)) {
                report.error(&pointer, message);
                continue;
            }
            if let Some((owner, at)) = owners.get(path.as_str()) {
                let place = report.places.of(at);
                let message =
                    format!("channel {id:?} and channel {owner:?} ({place}) both have {path:?}");
                report.error(&pointer, message);
                continue;
            }
            owners.insert(path, (id, pointer.clone()));
            let message = "an alias carries no token: the provider's signature is its only proof";
            report.warn(&pointer, message);
        }
    }
}

fn well_formed(path: &str) -> Result<(), String> {
    let Some(steps) = path.strip_prefix('/') else {
        return Err("must begin with a slash".into());
    };
    if path.len() > PATH_BYTES_MAX {
        return Err(format!("must have at most {PATH_BYTES_MAX} characters"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~/:@".contains(c);
    if !path.chars().all(plain) {
        return Err("may hold only letters, digits and -_.~:@ between its slashes".into());
    }
    if steps.split('/').any(|step| matches!(step, "" | "." | "..")) {
        return Err("must not have empty, \".\" or \"..\" steps, nor a slash at its end".into());
    }
    Ok(())
}

/// Whether a path does not mean something else already.
fn free(path: &str, id: &str, channels: &BTreeMap<String, Arc<Channel>>) -> Result<(), String> {
    let steps: Vec<_> = path.split('/').skip(1).collect();
    match steps.as_slice() {
        [first, ..] if TAKEN.contains(first) => {
            Err(format!("/{first} is taken by the daemon itself"))
        }
        // Without a token in it, `/webhooks/{id}` is the channel's own to open.
        ["webhooks", owner] if *owner != id && channels.contains_key(*owner) => Err(format!(
            "channel {id:?} can't have it: it is the address of channel {owner:?}"
        )),
        ["webhooks", owner, _, ..] if channels.contains_key(*owner) => Err(format!(
            "/webhooks/{owner}/ leads to the tokens of channel {owner:?}"
        )),
        _ => Ok(()),
    }
}
