//! How what people write comes to the gateway, by each channel.

use std::time::{Duration, Instant};

use jiff::Zoned;
use trunkline_simulator::{
    Answer, InboundHook, LmtpClient, Proof, VonageInbound, WaMessage, message,
};

use super::super::failure::Failure;
use super::{
    channels::OUR_ADDRESS,
    inbound::{deliver, lost, text},
    settings::LMTP,
    tour::{By, Stage, TELEGRAM_USER},
    visitor::Visitor,
    world::World,
};

/// The answer that a mail server gets to a mail that is durable.
const MAIL_TAKEN: u16 = 250;

/// A message that the gateway was given.
pub(super) struct Brought {
    /// The code of its answer.
    pub(super) code: u16,
    /// The code that says that it was taken.
    pub(super) taken: u16,
    /// How long the answer took.
    pub(super) elapsed: Duration,
    /// Identifier of who wrote.
    pub(super) person: String,
}

/// Has a person's message brought to the gateway.
pub(super) async fn bring(
    world: &World,
    visitor: &Visitor,
    stage: &Stage,
) -> Result<Brought, Failure> {
    let (from, says) = (stage.person, stage.says);
    let simulator = &world.simulator;
    let answer = match stage.by {
        By::Twilio => {
            let sms = text(world, stage.channel, from, says);
            deliver(world, stage.channel, &sms).await?
        }
        By::Vonage => {
            let url = world.gateway.webhook_url(stage.channel).await?;
            let vonage = simulator.vonage();
            let sms = VonageInbound::text(from, &vonage.number(), says);
            vonage.inbound_sms(&url, &sms).await.map_err(lost)?
        }
        By::Meta => {
            let url = world.gateway.webhook_url(stage.channel).await?;
            let meta = simulator.meta();
            let text = WaMessage::text(from, says);
            let given = meta.inbound(&url, &meta.phone_number_id(), &text).await;
            given.map_err(lost)?
        }
        By::Shop => {
            let url = world.gateway.webhook_url(stage.channel).await?;
            let id = format!("o{:08x}", rand::random::<u32>());
            let json = message(&id, from, says);
            let hook = InboundHook::new(Proof::Standard, &world.shop_secret, &json);
            simulator
                .webhook()
                .deliver(&url, &hook)
                .await
                .map_err(lost)?
        }
        By::Telegram => {
            let url = world.gateway.webhook_url(stage.channel).await?;
            let bot = simulator.telegram();
            let given = bot.say(&url, TELEGRAM_USER, says).await;
            given.map_err(lost)?
        }
        By::MailServer => return mail(world, stage).await,
        By::Page => return chat(world, visitor, stage).await,
    };
    Ok(Brought::webhook(&answer, from))
}

impl Brought {
    fn webhook(answer: &Answer, person: &str) -> Self {
        Self {
            code: answer.status,
            taken: 200,
            elapsed: answer.elapsed,
            person: person.to_owned(),
        }
    }
}

/// A mail, handed over by LMTP as a mail server beside the gateway does.
async fn mail(world: &World, stage: &Stage) -> Result<Brought, Failure> {
    let at = world.path().join(LMTP);
    let mut client = LmtpClient::connect(&at.to_string_lossy()).await?;
    let date = jiff::fmt::rfc2822::to_string(&Zoned::now()).map_err(anyhow::Error::from)?;
    let mail = format!(
        "From: Ada <{from}>\r\nTo: {OUR_ADDRESS}\r\nSubject: My order\r\nDate: {date}\r\n\
         Message-ID: <{:016x}@example.org>\r\n\r\n{}\r\n",
        rand::random::<u64>(),
        stage.says,
        from = stage.person,
    );
    let started = Instant::now();
    let answers = client
        .deliver(stage.person, &[OUR_ADDRESS], mail.as_bytes())
        .await?;
    Ok(Brought {
        code: answers.first().map_or(0, |answer| answer.code),
        taken: MAIL_TAKEN,
        elapsed: started.elapsed(),
        person: stage.person.to_owned(),
    })
}

async fn chat(world: &World, visitor: &Visitor, stage: &Stage) -> Result<Brought, Failure> {
    let posted = visitor.write("Ada", stage.says).await?;
    let id = posted.frame["id"].as_str().unwrap_or_default();
    let message = world.gateway.message(id).await?;
    let person = message["peer"]["identifier"].as_str();
    Ok(Brought {
        code: posted.status,
        taken: 200,
        elapsed: posted.elapsed,
        person: person.unwrap_or_default().to_owned(),
    })
}
