//! `trunkline check`: everything that a start would refuse, without starting.

use std::{collections::BTreeMap, path::Path};

use super::{
    prepare::{self, Prepared, Purpose},
    reload::refused,
};
use trunkline_plugin_api::Front;

use crate::{
    channel::ChannelSpec,
    config::{ConfigErrors, Finding, LmtpListen, ReloadPlan, SecretUse},
    model::OrgId,
};

/// A configuration that would start.
pub struct CheckReport {
    /// The configuration and the plugins found.
    pub prepared: Prepared,
    /// What is worth knowing of each channel, one sentence a line.
    pub notes: Vec<String>,
}

impl CheckReport {
    /// What a start would bring up.
    pub fn start_plan(&self) -> ReloadPlan {
        ReloadPlan {
            start: self.prepared.config.channels.keys().cloned().collect(),
            refused: refused(&self.prepared),
            ..ReloadPlan::default()
        }
    }

    /// What works but should be looked at.
    pub fn warnings(&self) -> &[Finding] {
        &self.prepared.warnings
    }
}

/// Checks a configuration file with everything it names. Plugins are loaded and every channel is
/// opened, as a start would.
pub async fn check(file: &Path) -> Result<CheckReport, ConfigErrors> {
    // A check leaves nothing behind, and runs for users who may not write to the store.
    let state = tempfile::tempdir().ok();
    let state = state.as_ref().map(tempfile::TempDir::path);
    let mut prepared = prepare::prepare(file, &Purpose::Look(state))?;
    let organizations: BTreeMap<String, OrgId> = BTreeMap::new();
    let ids: Vec<String> = prepared.config.channels.keys().cloned().collect();
    let specs = prepare::open_channels(&prepared, &ids, &organizations).await?;
    let bare = prepare::without_token(&prepared.config, &specs);
    prepared.warnings.extend(bare);
    let by_mail = prepared.config.lmtp.listen != LmtpListen::Off;
    let notes = specs.iter().flat_map(|spec| notes_of(spec, by_mail));
    let mut notes: Vec<String> = notes.collect();
    notes.extend(mail_notes(&prepared.config.lmtp.listen, &specs));
    Ok(CheckReport { prepared, notes })
}

/// The secrets of a configuration file, those in plain sight by the schemas of the plugins. Blocks.
pub fn secrets(file: &Path) -> Result<Vec<SecretUse>, ConfigErrors> {
    let state = tempfile::tempdir().ok();
    let state = state.as_ref().map(tempfile::TempDir::path);
    let prepared = prepare::prepare(file, &Purpose::Look(state))?;
    let schema_of = |adapter: &str| {
        let plugin = prepared.plugins.get(adapter)?;
        Some(plugin.manifest().config_schema.clone())
    };
    Ok(prepared.config.secrets(&schema_of))
}

fn notes_of(spec: &ChannelSpec, by_mail: bool) -> Vec<String> {
    let id = &spec.id;
    let Some(facts) = &spec.facts else {
        let reason = spec.instance.as_ref().err().map_or("", String::as_str);
        return vec![format!("channel {id} will be down: {reason}")];
    };
    let mut notes = Vec::new();
    let takes_mail = by_mail && facts.fronts.contains(&Front::Mail);
    if !facts.can_receive && !takes_mail {
        notes.push(format!(
            "channel {id} has no inbound secret: it sends only, and has no webhook route"
        ));
    }
    if !facts.can_send {
        notes.push(format!(
            "channel {id} has no credentials to send with: it receives only"
        ));
    }
    notes.extend(
        facts
            .notes
            .iter()
            .map(|note| format!("channel {id}: {note}")),
    );
    notes
}

/// Which channels take mails by LMTP, where it is listened for.
fn mail_notes(listen: &LmtpListen, specs: &[ChannelSpec]) -> Vec<String> {
    if *listen == LmtpListen::Off {
        return Vec::new();
    }
    let addresses = |spec: &ChannelSpec| {
        let facts = spec.facts.as_ref()?;
        let takes = facts.fronts.contains(&Front::Mail) && !facts.addresses.is_empty();
        takes.then(|| facts.addresses.join(", "))
    };
    let notes: Vec<String> = specs
        .iter()
        .filter_map(|spec| {
            let addresses = addresses(spec)?;
            let id = &spec.id;
            Some(format!(
                "channel {id} takes mails for {addresses} by LMTP at {listen}"
            ))
        })
        .collect();
    if notes.is_empty() {
        return vec![format!(
            "no channel takes mails: every mail that comes to {listen} will be refused"
        )];
    }
    notes
}
