//! Reports on mails that we sent: what could not be delivered (RFC 3464), complaints (RFC 5965), receipts of
//! readers (RFC 8098).
//!
//! ```text
//! multipart/report ─ bounce address's tag, or the headers that came back ─> our message ─> status, consent
//! ```
//!
//! A report that names no message of ours is no report to us: it is kept as a message, marked as a machine's.

use mail_parser::MessageParser;
use trunkline_plugin_api::{
    AdapterError, Consent, ConsentChange, ErrorClass, Event, Identity, ReportedStatus, StatusReport,
};

use crate::{
    SPACE,
    address::{self, normal},
    automatic::OWN_HEADER,
    config::Settings,
    errors,
    mail::{Envelope, clip},
    mime::{self, Headers, Mail},
};

/// Recipients of one report that are looked at.
const RECIPIENTS_MAX: usize = 50;

/// What a report says; none where the mail is none, or is not about a mail of ours.
pub(crate) fn read(
    settings: &Settings,
    mail: &Mail<'_>,
    envelope: &Envelope,
) -> Option<Vec<Event>> {
    let content_type = mail.headers.content("Content-Type")?;
    let is_report = content_type.ctype().eq_ignore_ascii_case("multipart")
        && content_type.subtype()?.eq_ignore_ascii_case("report");
    if !is_report {
        return None;
    }
    let part = |names: &[&str]| names.iter().find_map(|name| mail.leaf(name));
    let subject = Subject::of(settings, mail, envelope);
    if let Some(leaf) = part(&["message/delivery-status", "message/global-delivery-status"]) {
        let text = mime::decoded(leaf.encoding, leaf.bytes);
        return delivery(&subject?, &groups(&settings.parser, &text));
    }
    if let Some(leaf) = part(&["message/feedback-report"]) {
        let text = mime::decoded(leaf.encoding, leaf.bytes);
        return complaint(&subject?, groups(&settings.parser, &text).first()?);
    }
    let leaf = part(&[
        "message/disposition-notification",
        "message/global-disposition-notification",
    ])?;
    let text = mime::decoded(leaf.encoding, leaf.bytes);
    receipt(settings, subject, groups(&settings.parser, &text).first()?)
}

/// The mail of ours that a report is about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Subject {
    external_id: String,
    reference: Option<String>,
    /// The address of ours that it went out from.
    address: Option<String>,
    /// Whom it went to.
    to: Option<String>,
}

impl Subject {
    /// By the tag of the bounce address, by our header among those that came back, or by their Message-ID.
    fn of(settings: &Settings, mail: &Mail<'_>, envelope: &Envelope) -> Option<Self> {
        let bounce = settings
            .bounce
            .as_ref()
            .map(|own| own.address.to_lowercase());
        let tag = envelope.to.as_deref().and_then(|to| {
            let (base, tag) = address::split_tag(to);
            (Some(base) == bounce).then_some(tag?)
        });
        let tag = tag
            .filter(|tag| address::is_reference(tag))
            .map(str::to_owned);
        let returned = [
            "message/rfc822",
            "text/rfc822-headers",
            "message/rfc822-headers",
            "message/global",
            "message/global-headers",
        ]
        .into_iter()
        .find_map(|name| mail.leaf(name));
        let Some(leaf) = returned else {
            let reference = tag?;
            return Some(Self {
                external_id: format!("{reference}@{}", settings.own_domain()),
                reference: Some(reference),
                address: None,
                to: None,
            });
        };
        let bytes = mime::decoded(leaf.encoding, leaf.bytes);
        let (headers, _) = Headers::read(&settings.parser, &bytes);
        let message_id = headers.ids("Message-ID").first().map(|id| (*id).to_owned());
        let first = |name| {
            let all = headers.addresses(name);
            all.into_iter()
                .find_map(|each| each.address().and_then(normal))
        };
        let ours = headers
            .text(OWN_HEADER)
            .filter(|text| address::is_reference(text));
        let in_id = message_id
            .as_deref()
            .and_then(|id| address::reference_in(id, settings.own_domain()));
        let reference = tag.or_else(|| ours.or(in_id).map(str::to_owned));
        let address = first("From");
        let own = settings.from.as_ref().map(|own| own.address.to_lowercase());
        // Without our mark, only what went out from our own address can be ours.
        if reference.is_none() && (own.is_none() || address != own) {
            return None;
        }
        let external_id = match (&message_id, &reference) {
            (Some(id), _) => settings.external_id(id).to_owned(),
            (None, Some(reference)) => format!("{reference}@{}", settings.own_domain()),
            (None, None) => return None,
        };
        Some(Self {
            external_id,
            reference,
            address,
            to: first("To"),
        })
    }

    fn status(&self, status: ReportedStatus) -> StatusReport {
        StatusReport {
            external_id: self.external_id.clone(),
            address: self.address.clone(),
            reference: self.reference.clone(),
            status,
            code: None,
            detail: None,
            error: None,
            at_ms: None,
        }
    }
}

/// Groups of fields, separated by empty lines.
fn groups<'t>(parser: &MessageParser, mut text: &'t [u8]) -> Vec<Headers<'t>> {
    let mut groups = Vec::new();
    while !text.is_empty() && groups.len() <= RECIPIENTS_MAX {
        let (fields, next) = Headers::read(parser, text);
        if !fields.is_empty() {
            groups.push(fields);
        }
        text = &text[next..];
    }
    groups
}

/// One event for each recipient whose fate is told. Ours have one each.
fn delivery(subject: &Subject, groups: &[Headers<'_>]) -> Option<Vec<Event>> {
    let mut events = Vec::new();
    for fields in groups {
        let Some(action) = fields.text("Action") else {
            continue;
        };
        let code = fields.text("Status").map(first_word).unwrap_or_default();
        let diagnostic = fields.text("Diagnostic-Code").map(clip);
        let status = match first_word(action).to_ascii_lowercase().as_str() {
            "failed" => ReportedStatus::Failed,
            "delivered" => ReportedStatus::Delivered,
            "relayed" | "expanded" | "delayed" => ReportedStatus::Sent,
            _ => continue,
        };
        let failed = status == ReportedStatus::Failed;
        events.push(Event::Status(StatusReport {
            code: Some(if code.is_empty() {
                action.to_owned()
            } else {
                code.to_owned()
            }),
            error: failed.then(|| bounce(code)),
            detail: diagnostic,
            ..subject.status(status)
        }));
    }
    (!events.is_empty()).then_some(events)
}

/// Why a mail bounced. What is refused for now and for good alike will not be sent again: it was given up.
fn bounce(code: &str) -> AdapterError {
    let mut error = errors::of_enhanced(code, 550);
    if code.starts_with('4') {
        error.class = ErrorClass::Transient;
        error.code = "undeliverable_for_now".into();
    }
    error.message = format!("the mail came back: {}", error.message);
    error.with_provider_code(code)
}

fn complaint(subject: &Subject, fields: &Headers<'_>) -> Option<Vec<Event>> {
    let kind = fields.text("Feedback-Type")?.to_ascii_lowercase();
    if !matches!(
        kind.as_str(),
        "abuse" | "fraud" | "opt-out" | "opt-out-list"
    ) {
        return None;
    }
    let named = fields.text("Original-Rcpt-To").and_then(normal);
    Some(vec![Event::Consent(Consent {
        identity: Identity::new(SPACE, named.or_else(|| subject.to.clone())?),
        address: subject.address.clone(),
        change: ConsentChange::OptOut,
        source: Some(subject.external_id.clone()),
    })])
}

/// Only `displayed` says that somebody saw it.
fn receipt(
    settings: &Settings,
    subject: Option<Subject>,
    fields: &Headers<'_>,
) -> Option<Vec<Event>> {
    let disposition = fields.text("Disposition")?.to_ascii_lowercase();
    let what = disposition.rsplit(';').next().unwrap_or_default().trim();
    let id = fields
        .ids("Original-Message-ID")
        .first()
        .map(|id| (*id).to_owned());
    let id = id.or_else(|| {
        fields
            .text("Original-Message-ID")
            .map(|id| id.trim_matches(['<', '>']).to_owned())
    });
    let named = id.and_then(|id| {
        let reference = address::reference_in(&id, settings.own_domain())?.to_owned();
        Some(Subject {
            external_id: settings.external_id(&id).to_owned(),
            reference: Some(reference),
            address: None,
            to: None,
        })
    });
    let subject = named.or(subject)?;
    let is_displayed = what.split('/').next() == Some("displayed");
    let status = if is_displayed {
        ReportedStatus::Read
    } else {
        ReportedStatus::Delivered
    };
    Some(vec![Event::Status(StatusReport {
        code: Some(clip(what)),
        ..subject.status(status)
    })])
}

fn first_word(text: &str) -> &str {
    text.split([' ', '\t', '(']).next().unwrap_or_default()
}
