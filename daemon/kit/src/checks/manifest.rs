//! Loading, and what the adapter says of itself.

use trunkline_plugin_api::{Capability, Manifest};

use crate::{bench::Bench, findings::Findings};

/// Characters of a name that a list has room for.
const NAME_CHARS_MAX: usize = 64;

/// The file can be loaded at all.
pub(super) fn load(bench: &mut Bench, findings: &mut Findings) {
    if let Err(trouble) = &bench.loaded {
        findings.trouble(trouble.clone());
    }
}

/// The manifest can be read, and what is in it makes sense.
pub(super) fn manifest(bench: &mut Bench, findings: &mut Findings) {
    let manifest = match &bench.manifest {
        Ok(manifest) => manifest,
        Err(trouble) => return findings.trouble(trouble.clone()),
    };
    if manifest.name.trim().is_empty() || manifest.name.chars().count() > NAME_CHARS_MAX {
        findings.fail(format!(
            "the name {:?} is none that people can read in a list: 1 to {NAME_CHARS_MAX} characters",
            manifest.name
        ));
    }
    if manifest.media.is_empty() {
        findings
            .fail("names no medium: say which of sms, whatsapp, email, chat, webhook it carries");
    }
    capabilities(manifest, findings);
    limits(manifest, findings);
    if !manifest.config_schema.is_object() {
        findings
            .fail("has no config_schema: it must be a JSON Schema of the channel's config section");
    }
    let names = |names: Vec<&str>| names.join(", ");
    findings.fact(format!(
        "{}: {}; {}",
        manifest.name,
        names(
            manifest
                .media
                .iter()
                .map(|medium| medium.as_str())
                .collect()
        ),
        names(
            manifest
                .capabilities
                .iter()
                .map(|known| name(*known))
                .collect()
        )
    ));
}

fn capabilities(manifest: &Manifest, findings: &mut Findings) {
    let known = &manifest.capabilities;
    if known.contains(&Capability::Unknown) {
        findings.fail(
            "names a capability that this version does not know: the names are those of the calls (receive, \
             send, probe, delivery_status, find_sent, list_inbound, templates, fetch_media, mark_read, complete)",
        );
    }
    for (index, capability) in known.iter().enumerate() {
        if known[..index].contains(capability) && *capability != Capability::Unknown {
            findings.fail(format!("names the capability {} twice", name(*capability)));
        }
    }
    if !known.contains(&Capability::Receive) && !known.contains(&Capability::Send) {
        findings.warn("can neither receive nor send, by its capabilities: what is it for?");
    }
}

fn limits(manifest: &Manifest, findings: &mut Findings) {
    let limits = &manifest.limits;
    if limits.text_chars_max == Some(0) {
        findings.fail("limits.text_chars_max is 0: leave it out where there is no limit");
    }
    if limits.media_bytes_max == Some(0) {
        findings.fail("limits.media_bytes_max is 0: leave it out where there is no limit");
    }
}

fn name(capability: Capability) -> &'static str {
    match capability {
        Capability::Receive => "receive",
        Capability::Send => "send",
        Capability::Probe => "probe",
        Capability::DeliveryStatus => "delivery_status",
        Capability::FindSent => "find_sent",
        Capability::ListInbound => "list_inbound",
        Capability::Templates => "templates",
        Capability::FetchMedia => "fetch_media",
        Capability::MarkRead => "mark_read",
        Capability::Complete => "complete",
        Capability::Unknown => "unknown",
    }
}
