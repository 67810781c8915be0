//! What is typed while the simulator runs: messages that come in, faults, reports.

use std::net::SocketAddr;

use clap::ValueEnum as _;
use serde_json::json;
use trunkline_simulator::{
    InboundHook, InboundSms, Proof, ResendMail, Simulator, SimulatorError, VonageInbound,
    WaMessage, message,
};

use super::{
    Side,
    faults::{self, Fault, Reports},
    fragment::Fragment,
    show::Show,
};
use crate::cli::{demo::visitor::Visitor, failure::Failure};

const HELP: &str = "\
send ADAPTER FROM TEXT...   a message comes in, signed as the provider signs: send twilio +15005550101 Hello
fault WHAT:SHARE ...        from now on: fault 429:10% reset:1%; without any, all is accepted
reports HOW                 in-order, late, doubled, reversed or none
quit                        ends it";

/// Carries what is typed to the daemon.
pub(super) struct Bearer {
    simulator: Simulator,
    fragment: Fragment,
    /// The daemon's public address, as the providers know it.
    public: String,
    /// Where it listens.
    listener: SocketAddr,
    /// What decides which calls go wrong.
    seed: u64,
}

impl Bearer {
    pub(super) fn new(
        simulator: Simulator,
        fragment: Fragment,
        public: String,
        listener: SocketAddr,
        seed: u64,
    ) -> Self {
        for made in &fragment.channels {
            let url = format!("{public}{}", made.path);
            match made.part.side {
                Side::Whatsapp => simulator.meta().subscribe(&url),
                Side::Telegram => simulator.telegram().set_webhook(&url),
                _ => {}
            }
        }
        Self {
            simulator,
            fragment,
            public,
            listener,
            seed,
        }
    }

    pub(super) fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// Does what a line says; what is wrong with it is shown, and nothing ends.
    pub(super) async fn obey(&self, show: &Show, line: &str) -> Result<(), Failure> {
        let (verb, rest) = split(line);
        let done = match verb {
            "" => return Ok(()),
            "help" => return show.text(HELP),
            "send" => return self.send(show, rest).await,
            "fault" => rest
                .split_whitespace()
                .map(str::parse)
                .collect::<Result<Vec<Fault>, String>>()
                .map(|faults| faults::provoke(&self.simulator, &faults, self.seed)),
            "reports" => {
                Reports::from_str(rest, true).map(|how| faults::report(&self.simulator, how))
            }
            _ => Err("this is no command: `help` says what can be typed".to_owned()),
        };
        match done {
            Ok(()) => show.event(
                &json!({"event": "done", "line": line}),
                "so it is from now on",
            ),
            Err(words) => wrong(show, &words),
        }
    }

    async fn send(&self, show: &Show, rest: &str) -> Result<(), Failure> {
        let (adapter, rest) = split(rest);
        let (from, text) = split(rest);
        if text.is_empty() {
            return wrong(
                show,
                "send what, and from whom? send twilio +15005550101 Hello",
            );
        }
        let mut channels = self.fragment.channels.iter();
        let Some(made) = channels.find(|made| made.part.adapter.eq_ignore_ascii_case(adapter))
        else {
            return wrong(show, &self.which());
        };
        let url = format!("{}{}", self.public, made.path);
        match self.bring(made.part.side, &url, from, text).await {
            Ok(status) => show.event(
                &json!({"event": "sent", "adapter": adapter, "from": from, "status": status}),
                &format!("{adapter}: the daemon answered {status}"),
            ),
            Err(words) => wrong(show, &format!("{adapter}: {words}")),
        }
    }

    /// What could be meant.
    fn which(&self) -> String {
        let channels = self.fragment.channels.iter();
        let played: Vec<&str> = channels.map(|made| made.part.adapter.as_str()).collect();
        format!(
            "send to which adapter? {} (others by --adapter and --plugin)",
            played.join(", ")
        )
    }

    /// The status of the daemon's answer.
    async fn bring(&self, side: Side, url: &str, from: &str, text: &str) -> Result<u16, String> {
        let simulator = &self.simulator;
        let lost = |error: SimulatorError| error.to_string();
        let answer = match side {
            Side::Twilio => {
                let account = simulator.twilio();
                let sms = InboundSms::text(from, &account.number(), text);
                account.inbound(url, &sms).await
            }
            Side::Vonage => {
                let account = simulator.vonage();
                let sms = VonageInbound::text(from, &account.number(), text);
                account.inbound_sms(url, &sms).await
            }
            Side::Whatsapp => {
                let account = simulator.meta();
                let message = WaMessage::text(from, text);
                account
                    .inbound(url, &account.phone_number_id(), &message)
                    .await
            }
            Side::Email => {
                let mail = self.mail(from, text);
                simulator.resend().inbound(url, &mail).await
            }
            Side::Webhook => {
                let id = format!("{:016x}", rand::random::<u64>());
                let body = message(&id, from, text);
                let secret = &self.fragment.signing_secret;
                let hook = InboundHook::new(Proof::Standard, secret, &body);
                simulator.webhook().deliver(url, &hook).await
            }
            Side::Telegram => {
                let person = from.parse();
                let person =
                    person.map_err(|_| "who writes is a number: send telegram 5001001 Hello")?;
                simulator.telegram().say(url, person, text).await
            }
            Side::Acme => {
                let id = format!("{:016x}", rand::random::<u64>());
                simulator.acme().inbound(url, &id, from, text).await
            }
            Side::Chat => return self.visit(from, text).await,
        };
        answer.map(|answer| answer.status).map_err(lost)
    }

    fn mail(&self, from: &str, text: &str) -> ResendMail {
        ResendMail {
            from: from.to_owned(),
            to: self.simulator.resend().address(),
            message_id: format!("<{:016x}@example.org>", rand::random::<u64>()),
            subject: "Simulated".to_owned(),
            text: text.to_owned(),
            headers: Vec::new(),
            files: Vec::new(),
        }
    }

    /// A new visitor of the chat writes a line.
    async fn visit(&self, name: &str, text: &str) -> Result<u16, String> {
        let visitor = Visitor::arrive(self.listener, &Side::Chat.bundled().channel()).await;
        let visitor = visitor.map_err(|error| error.to_string())?;
        let posted = visitor.write(name, text).await;
        posted
            .map(|posted| posted.status)
            .map_err(|error| error.to_string())
    }
}

fn wrong(show: &Show, words: &str) -> Result<(), Failure> {
    show.event(&json!({"event": "failed", "reason": words}), words)
}

/// The first word, and what follows.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    match text.split_once(char::is_whitespace) {
        Some((first, rest)) => (first, rest.trim_start()),
        None => (text, ""),
    }
}
