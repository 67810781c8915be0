//! One request: which way in it came by, and what it holds.

use trunkline_plugin_api::{Event, Front, Received, Response, WebhookRequest};

use crate::{
    config::Settings,
    mail::{self, Envelope},
    mime::Mail,
    proof::Proved,
    report, resend_events,
};

/// Verifies and reads a request.
pub(crate) fn receive(settings: &Settings, request: &WebhookRequest) -> Received {
    // The daemon vouches for its own listener.
    if request.method == Front::Mail.method() {
        return read_mail(settings, request);
    }
    match settings.proofs.verify(request) {
        Ok(Proved::Mta) => read_mail(settings, request),
        Ok(Proved::Resend) => resend_events::read(settings, request),
        Err(forged) => Received::refused(forged.verdict, 401, forged.reason),
    }
}

/// Reads the body as a mail: a report on what we sent, or else a message.
fn read_mail(settings: &Settings, request: &WebhookRequest) -> Received {
    let done = Response::status(200);
    let Some(mail) = Mail::parse(&settings.parser, &request.body) else {
        return Received::unparsed(done, "the body is not a mail: it has no header");
    };
    let envelope = Envelope::of(request, &mail);
    if let Some(events) = report::read(settings, &mail, &envelope) {
        return Received::authentic(done, events);
    }
    match mail::message(settings, &mail, &envelope) {
        Ok(message) => Received::authentic(done, vec![Event::Message(message)]),
        Err(why) => Received::unparsed(done, why),
    }
}
