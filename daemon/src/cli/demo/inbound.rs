//! The second part of the story: what else comes in, and how.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use trunkline_simulator::{Answer, InboundHook, InboundSms, Proof, SimulatorError, batch, message};

use super::super::failure::Failure;
use super::{
    gateway::{inbound, settle},
    report::{Count, Report, say, shown},
    settings::{SALES, SHOP, SUPPORT, WHATSAPP_TWILIO},
    world::World,
};

/// Asks for her order, on several channels.
pub(super) const ADA: &str = "+15005550111";
/// Messages that Ada has written from this number before this part begins.
const OF_ADA: usize = 2;
/// Writes in bursts.
pub(super) const BEN: &str = "+15005550112";
/// Messages of the rush, and how many are under way at a time.
const RUSH: usize = 200;
const RUSH_AT_ONCE: usize = 16;

/// Tells it.
pub(super) async fn tell(world: &mut World, report: &mut Report) -> Result<(), Failure> {
    let last = burst(world, report).await?;
    duplicate(world, report, &last).await?;
    forged(world, report).await?;
    many_in_one(world, report).await?;
    rush(world, report).await
}

async fn burst(world: &World, report: &mut Report) -> Result<InboundSms, Failure> {
    report.chapter("A burst, and a duplicate")?;
    let lines = ["Hi", "I have a question"];
    let last = text(world, SUPPORT, BEN, "about my invoice");
    let lines = lines.map(|line| text(world, SUPPORT, BEN, line));
    let lines = [&lines[0], &lines[1], &last];
    for sms in lines {
        took(report, &deliver(world, SUPPORT, sms).await?, 200);
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    report.add(Count::Stored, lines.len(), 0);
    say("Ben writes three short messages in a row; they are handed on as one turn")?;
    let messages = world.gateway.messages_with(BEN).await?;
    let thread = messages
        .first()
        .and_then(|message| message["thread"].as_str());
    let thread = thread.unwrap_or_default();
    let whole = settle(1, async || {
        let turns = world.gateway.turns(thread).await?;
        Ok(usize::from(turns == [lines.len()]))
    });
    report.add(Count::Turns, 1, whole.await?);
    let turns = world.gateway.turns(thread).await?;
    let found = format!("{}, turns: {}", inbound(&messages), turns.len());
    report.check(
        "messages in Ben's timeline",
        &format!("{}, turns: 1", lines.len()),
        &found,
    )?;
    Ok(last)
}

async fn duplicate(world: &World, report: &mut Report, sms: &InboundSms) -> Result<(), Failure> {
    repeat(world, report, sms).await?;
    say("the provider delivers the last of them again; it is answered, and not stored again")?;
    let stored = inbound(&world.gateway.messages_with(BEN).await?);
    report.check("messages in Ben's timeline now", &3, &stored)
}

/// Delivers a message once more, and counts the duplicate.
pub(super) async fn repeat(
    world: &World,
    report: &mut Report,
    sms: &InboundSms,
) -> Result<(), Failure> {
    let before = world.gateway.webhooks("duplicate").await?;
    let answer = deliver(world, SUPPORT, sms).await?;
    took(report, &answer, 200);
    let counted = settle(before + 1, async || {
        world.gateway.webhooks("duplicate").await
    });
    report.add(Count::Duplicates, 1, counted.await?.saturating_sub(before));
    Ok(())
}

async fn forged(world: &World, report: &mut Report) -> Result<(), Failure> {
    report.chapter("Forgeries")?;
    let before = world.gateway.webhooks("rejected").await?;
    let twilio = world.simulator.twilio();
    let url = world.gateway.webhook_url(SUPPORT).await?;
    let address = url.split('#').next().unwrap_or_default();
    let genuine = twilio.prepare(address, &text(world, SUPPORT, ADA, "Send me 10 euros"));
    let header = genuine
        .headers
        .iter()
        .find(|(name, _)| name == "x-twilio-signature");
    let signature = header.map(|(_, value)| value.as_str());
    let changed = String::from_utf8_lossy(&genuine.body)
        .replace("10+euros", "99+euros")
        .into_bytes();

    say("someone posts a message in Ada's name, once with a stolen signature and once without")?;
    let stolen = twilio.inbound_raw(address, changed, signature).await;
    let bare = twilio.inbound_raw(address, genuine.body, None).await;
    let mut answers = Vec::new();
    for answer in [stolen, bare] {
        let answer = answer.map_err(lost)?;
        took(report, &answer, 401);
        answers.push(answer.status.to_string());
    }
    report.check("answers", &"401, 401", &answers.join(", ").as_str())?;
    let counted = settle(before + 2, async || {
        world.gateway.webhooks("rejected").await
    });
    report.add(Count::Refused, 2, counted.await?.saturating_sub(before));
    let stored = inbound(&world.gateway.messages_with(ADA).await?);
    report.check("messages in Ada's timeline", &OF_ADA, &stored)
}

async fn many_in_one(world: &World, report: &mut Report) -> Result<(), Failure> {
    report.chapter("Many at once")?;
    let customers = ["dora", "emil", "fay", "dora", "emil"];
    let run = rand::random::<u32>();
    let messages = customers.iter().enumerate();
    let messages = messages.map(|(at, who)| message(&format!("o{run}-{at}"), who, "Order changed"));
    let hook = InboundHook::new(
        Proof::Standard,
        &world.shop_secret,
        &batch(messages.collect()),
    );
    let url = world.gateway.webhook_url(SHOP).await?;
    let answer = world
        .simulator
        .webhook()
        .deliver(&url, &hook)
        .await
        .map_err(lost)?;
    took(report, &answer, 200);
    report.add(Count::Stored, customers.len(), 0);
    say(&format!(
        "the web shop posts five messages of three customers in one signed webhook; answered {} in {}",
        answer.status,
        shown(answer.elapsed)
    ))?;
    let mut stored = Vec::new();
    for who in ["dora", "emil", "fay"] {
        let messages = world.gateway.messages_with(who).await?;
        stored.push(format!("{who} {}", inbound(&messages)));
    }
    report.check(
        "messages in their timelines",
        &"dora 2, emil 2, fay 1",
        &stored.join(", ").as_str(),
    )
}

async fn rush(world: &World, report: &mut Report) -> Result<(), Failure> {
    let mut all = Vec::new();
    for number in 0..RUSH {
        let channel = if number % 2 == 0 { SUPPORT } else { SALES };
        let from = format!("+1500555{:04}", 2000 + number);
        all.push((channel, text(world, channel, &from, "Are you open today?")));
    }
    let urls = [
        world.gateway.webhook_url(SUPPORT).await?,
        world.gateway.webhook_url(SALES).await?,
    ];
    let started = Instant::now();
    let answers: Vec<_> = stream::iter(&all)
        .map(|(channel, sms)| {
            let url = &urls[usize::from(*channel == SALES)];
            world.simulator.twilio().inbound(url, sms)
        })
        .buffer_unordered(RUSH_AT_ONCE)
        .collect()
        .await;
    let elapsed = started.elapsed();
    let mut right = 0;
    for answer in answers {
        let answer = answer.map_err(lost)?;
        took(report, &answer, 200);
        right += usize::from(answer.status == 200);
    }
    report.add(Count::Stored, RUSH, 0);
    say(&format!(
        "{RUSH} people write to both numbers at once, {RUSH_AT_ONCE} at a time; done in {}",
        shown(elapsed)
    ))?;
    report.check("answered 200", &RUSH, &right)
}

/// A message to a channel's number.
pub(super) fn text(world: &World, channel: &str, from: &str, body: &str) -> InboundSms {
    let numbers = world.simulator.twilio().numbers();
    match channel {
        WHATSAPP_TWILIO => InboundSms::text(
            &format!("whatsapp:{from}"),
            &format!("whatsapp:{}", numbers[2]),
            body,
        ),
        SUPPORT => InboundSms::text(from, &numbers[0], body),
        SALES => InboundSms::text(from, &numbers[1], body),
        _ => InboundSms::text(from, &numbers[3], body),
    }
}

/// Delivers a message to a channel's webhook as the provider would.
pub(super) async fn deliver(
    world: &World,
    channel: &str,
    sms: &InboundSms,
) -> Result<Answer, Failure> {
    let url = world.gateway.webhook_url(channel).await?;
    world
        .simulator
        .twilio()
        .inbound(&url, sms)
        .await
        .map_err(lost)
}

/// Counts an answered webhook, and how long it took where it was taken.
pub(super) fn took(report: &mut Report, answer: &Answer, expected: u16) {
    report.add(Count::Handed, 1, usize::from(answer.status == expected));
    if answer.is_success() {
        report.acknowledged(answer.elapsed);
    }
}

/// A webhook that was not answered at all.
pub(super) fn lost(error: SimulatorError) -> Failure {
    Failure::Other(error.into())
}
