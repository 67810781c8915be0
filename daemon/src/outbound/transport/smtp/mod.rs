//! Hands one mail to an SMTP server (RFC 5321).
//!
//! ```text
//! connect ─ [TLS] ─ 220 ─ EHLO ─ [STARTTLS ─ TLS ─ EHLO] ─ [AUTH] ─ MAIL ─ RCPT.. ─ DATA ─ mail ─┤.├─ 250
//!           what breaks here was surely not sent                                                 │ may have been
//! ```
//!
//! It is written here since no client at hand streams DATA and says on which side of the final dot a
//! connection broke, and that decides whether a mail may be sent again.
//!
//! Every recipient is asked about; where one is refused nothing is sent, so that a mail goes to all
//! of its recipients or to none. No credentials go over a connection that is not encrypted, except
//! to this machine.

mod connect;
mod dots;
mod reply;
mod session;
#[cfg(test)]
mod tests;
mod wire;

use std::time::Duration;

use tokio::time::Instant;
use trunkline_plugin_api::{SmtpReply, SmtpRequest, SmtpTls, TransportError};

use super::{BodyStream, Transport, refused, trust::Trust};
use connect::{connect, encrypt};
use session::{Session, Stop};
use wire::{Pace, Wire};

/// A whole mail may take as many times the time of a single step: large ones over slow lines do.
const STEPS: u32 = 10;
/// Bytes of an address (RFC 5321, 4.5.3.1).
const ADDRESS_BYTES_MAX: usize = 320;
/// Recipients of one mail (RFC 5321, 4.5.3.1.8).
const RECIPIENTS_MAX: usize = 100;

/// What a call needs beside the request.
struct Means<'a> {
    /// The name we give ourselves.
    name: String,
    /// Whom to believe.
    trust: &'a Trust,
    /// Whether addresses of our own network may be called.
    allow_private: bool,
    /// Time of a single step.
    step: Duration,
}

impl Transport {
    /// Hands one mail to a server.
    pub(super) async fn smtp(
        &self,
        request: &SmtpRequest,
        caller: super::Caller,
    ) -> Result<SmtpReply, TransportError> {
        let body = BodyStream::open(&self.store, caller.org, &request.data)?;
        let config = self.settings.load_full();
        let means = Means {
            name: config.server.public_url.mail_name(),
            trust: &self.trust,
            allow_private: caller.allow_private,
            step: config.outbound.call_timeout,
        };
        send(request, body, &means).await
    }
}

/// Hands the mail over, or only knocks where it has no recipients. The reply is the server's last
/// word: on the mail where it took all recipients, else its refusal.
async fn send(
    request: &SmtpRequest,
    body: BodyStream,
    means: &Means<'_>,
) -> Result<SmtpReply, TransportError> {
    check(request)?;
    let pace = Pace {
        step: means.step,
        end: Instant::now() + means.step * STEPS,
    };
    let (host, port) = (request.host.as_str(), request.port);
    let stream = connect(host, port, means.allow_private, pace).await?;
    let is_loopback = stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback());
    let wire = match request.tls {
        SmtpTls::Implicit => Wire::new(encrypt(stream, host, means.trust, pace).await?, pace),
        SmtpTls::StartTls | SmtpTls::None => Wire::new(Box::new(stream), pace),
    };
    let session = Session {
        wire,
        request,
        means,
        may_authenticate: is_loopback || request.tls != SmtpTls::None,
    };
    match session.run(body).await {
        Ok(reply) | Err(Stop::Answered(reply)) => Ok(reply),
        Err(Stop::Broken(error)) => Err(error),
    }
}

/// What would end up in a command must not be able to end it.
fn check(request: &SmtpRequest) -> Result<(), TransportError> {
    let has_sender = !request.mail_from.is_empty();
    let addresses = request.rcpt_to.iter();
    for address in addresses.chain(has_sender.then_some(&request.mail_from)) {
        let forbidden = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>');
        if address.is_empty() || address.len() > ADDRESS_BYTES_MAX || address.contains(forbidden) {
            return Err(refused("an address of the envelope is not one".into()));
        }
    }
    if request.rcpt_to.len() > RECIPIENTS_MAX {
        return Err(refused(format!("more than {RECIPIENTS_MAX} recipients")));
    }
    Ok(())
}
