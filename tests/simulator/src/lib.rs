//! A provider simulator: Twilio, Vonage, Meta's WhatsApp Cloud API, Resend, Amazon SES, Telegram, mail servers and a
//! generic webhook peer on loopback ports.
//!
//! ```text
//!                 inbound webhooks, status callbacks (signed)
//!   Simulator  ───────────────────────────────────────────────►  gateway under test
//!    Twilio    ◄───────────────────────────────────────────────
//!    Vonage, Webhook  Create, Fetch, List, media; signed webhooks
//! ```
//!
//! It is a check, not a mirror: signatures, form encoding and JSON are computed here from the
//! providers' public documentation and share no code with the adapters. Requests are refused as
//! strictly as the provider would refuse them, and every finding is kept with the request.
//!
//! - [`Twilio`]: one account with several numbers, a ledger of what was accepted, status callbacks
//!   late, twice, out of order or before the answer, and media.
//! - [`Meta`]: one WhatsApp Business Account with several numbers: messages of every kind both ways, batches,
//!   reports, attachments, templates, 24-hour windows.
//! - [`Vonage`]: one account on the SMS API and the Messages API, signed webhooks in every form, receipts
//!   a part and statuses.
//! - [`Webhook`]: a sink that verifies Standard Webhooks signatures, and a sender with every proof
//!   the generic webhook channel knows.
//! - [`MailServer`]: takes mails by SMTP submission, with certificates of its own making; [`LmtpClient`]
//!   hands mails to the gateway.
//! - [`Resend`]: sending with idempotency keys, received mails, signed webhooks; [`Ses`]: signed calls of the
//!   e-mail API.
//! - [`Acme`]: a provider that does not exist, for adapters that are just begun.
//! - [`Telegram`]: one bot: chats that know it, block it or move; updates with the secret token, files both ways.
//! - [`Behaviour`]: how a call goes wrong: statuses, hangs, resets, lost answers, seeded mixes.
//!
//! ```no_run
//! # async fn example(gateway: &str) -> Result<(), trunkline_simulator::SimulatorError> {
//! use trunkline_simulator::{InboundSms, Simulator};
//! let simulator = Simulator::start()?;
//! let sms = InboundSms::text("+15005550101", &simulator.twilio().number(), "Hello");
//! let answer = simulator.twilio().inbound(gateway, &sms).await?;
//! assert_eq!(answer.status, 200);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod acme;
mod answer;
mod behaviour;
mod courier;
mod error;
mod mailserver;
mod meta;
mod multipart;
mod recorded;
mod replay;
mod reply;
mod resend;
mod server;
mod ses;
mod telegram;
mod traffic;
mod twilio;
mod vonage;
mod wait;
mod webhook;

pub use acme::{Acme, AcmeMessage, sign as sign_acme};
pub use answer::Answer;
pub use behaviour::Behaviour;
pub use error::SimulatorError;
pub use mailserver::{
    Certificate, LmtpAnswer, LmtpClient, MailFault, MailServer, Offer, Stage, TakenMail, Trouble,
};
pub use meta::{
    BusinessNumber, Meta, MetaEndpoint, MetaMessage, MetaReport, ReadMark, Reports, StoredMedia,
    WaMessage,
};
pub use recorded::RecordedRequest;
pub use replay::Recorded;
pub use resend::{Resend, ResendMail, ResendMessage, SignedWebhook};
pub use server::Simulator;
pub use ses::{Ses, SesMessage};
pub use telegram::{Telegram, TelegramFile, TelegramMessage};
pub use traffic::CallMark;
pub use twilio::{
    AccountStatus, CallbackAnswer, Callbacks, Complaint, ContentTemplate, Direction, Endpoint,
    InboundSms, LedgerMessage, Method, SignedRequest, StatusWord, Twilio, sign_form,
};
pub use vonage::{
    Carrier, ReceiptAnswer, Receipts, SignatureMethod, Vonage, VonageEndpoint, VonageInbound,
    VonageMessage, sign_params,
};
pub use webhook::{
    InboundHook, Proof, Received, Webhook, batch, hub_signature, message, standard_signature,
};
