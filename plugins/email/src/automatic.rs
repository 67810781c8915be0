//! Was a mail written by a machine? Such mail is kept, but nothing answers it: else two machines would
//! write to each other for ever (RFC 3834, section 2).

use mail_parser::Addr;

use crate::{address, config::Settings, mail::Envelope, mime::Headers};

/// In every mail that we send: our message's id. It also tells our own mails that come back.
pub(crate) const OWN_HEADER: &str = "X-Trunkline-Message";

/// Senders that are no person.
const MACHINES: [&str; 6] = [
    "mailer-daemon",
    "postmaster",
    "no-reply",
    "noreply",
    "do-not-reply",
    "donotreply",
];

/// What shows that a machine wrote this; none where a person may have.
pub(crate) fn reason(
    settings: &Settings,
    headers: &Headers<'_>,
    envelope: &Envelope,
) -> Option<&'static str> {
    let text = |name| headers.text(name).unwrap_or_default().to_ascii_lowercase();
    let own_id = headers
        .ids("Message-ID")
        .into_iter()
        .any(|id| address::reference_in(id, settings.own_domain()).is_some());
    if own_id || headers.has(OWN_HEADER) {
        return Some("our own mail came back");
    }
    let submitted = text("Auto-Submitted");
    if !submitted.is_empty() && submitted.split([';', ' ']).next() != Some("no") {
        return Some("Auto-Submitted");
    }
    if envelope.has_null_sender {
        return Some("null return path");
    }
    if matches!(
        text("Precedence").as_str(),
        "bulk" | "list" | "junk" | "auto_reply"
    ) {
        return Some("Precedence");
    }
    let lists = ["List-Id", "List-Post", "List-Unsubscribe"];
    if let Some(name) = lists.into_iter().find(|name| headers.has(name)) {
        return Some(name);
    }
    let suppressed = text("X-Auto-Response-Suppress");
    let words = ["all", "autoreply", "oof", "dr", "ndr"];
    if suppressed
        .split(',')
        .any(|word| words.contains(&word.trim()))
    {
        return Some("X-Auto-Response-Suppress");
    }
    let answers = ["X-Autoreply", "X-Autorespond", "X-Autoresponder"];
    if let Some(name) = answers.into_iter().find(|name| headers.has(name)) {
        return Some(name);
    }
    let from = headers.addresses("From");
    let machine = from
        .iter()
        .filter_map(|from| Addr::address(from))
        .any(|from| {
            let local = from.split('@').next().unwrap_or_default();
            MACHINES
                .iter()
                .any(|machine| local.eq_ignore_ascii_case(machine))
        });
    machine.then_some("sender")
}
