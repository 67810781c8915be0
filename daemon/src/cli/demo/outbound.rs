//! The second part of the story: we answer.

use serde_json::Value;
use trunkline_simulator::Behaviour;

use super::super::failure::Failure;
use super::{
    gateway::settle,
    inbound::{ADA, BEN, CHLOE},
    report::{Count, Report, say},
    settings::{SHOP, SUPPORT, WHATSAPP},
    world::World,
};

/// How often the provider fails before it takes the reply.
const OUTAGES: usize = 2;

/// Tells it.
pub(super) async fn tell(world: &mut World, report: &mut Report) -> Result<(), Failure> {
    reply(world, report).await?;
    through_an_outage(world, report).await?;
    other_channels(world, report).await
}

async fn reply(world: &World, report: &mut Report) -> Result<(), Failure> {
    report.chapter("A reply")?;
    let id = world
        .gateway
        .send(SUPPORT, ADA, "It arrives tomorrow.")
        .await?;
    let message = delivered(world, report, &id).await?;
    say("Ada is answered through the API; the provider reports back by signed callbacks")?;
    say(&format!("history: {}", history(&message)))?;
    let taken = world.simulator.twilio().messages();
    let taken = taken.iter().filter(|sent| sent.to == ADA).count();
    report.check("taken by the provider", &1, &taken)
}

async fn through_an_outage(world: &World, report: &mut Report) -> Result<(), Failure> {
    report.chapter("A provider in trouble")?;
    let twilio = world.simulator.twilio();
    for _ in 0..OUTAGES {
        twilio.behave_once(Behaviour::error(503, 20503, "Service unavailable"));
    }
    let id = world
        .gateway
        .send(SUPPORT, BEN, "Your invoice is attached.")
        .await?;
    let message = delivered(world, report, &id).await?;
    say("the provider answers 503 twice; the reply is tried again, with growing pauses")?;
    say(&format!("history: {}", history(&message)))?;
    let requests = twilio.requests();
    let attempts = requests
        .iter()
        .filter(|request| request.method == "POST" && request.param("To") == Some(BEN));
    report.check("attempts", &(OUTAGES + 1), &attempts.count())?;
    let taken = twilio
        .messages()
        .iter()
        .filter(|sent| sent.to == BEN)
        .count();
    report.check("taken by the provider", &1, &taken)
}

async fn other_channels(world: &World, report: &mut Report) -> Result<(), Failure> {
    report.chapter("Replies by other channels")?;
    let id = world.gateway.send(WHATSAPP, CHLOE, "Bonjour !").await?;
    delivered(world, report, &id).await?;
    let shop = world.simulator.webhook();
    world
        .gateway
        .send(SHOP, "dora", "Your parcel is packed.")
        .await?;
    let taken = settle(1, async || Ok(shop.taken().len())).await?;
    say("Chloé by WhatsApp, the web shop by a signed webhook")?;
    report.check("webhooks with a right signature at the shop", &1, &taken)?;
    let problems = world.simulator.twilio().problems();
    for problem in &problems {
        say(problem)?;
    }
    report.check(
        "requests that the provider would dislike",
        &0,
        &problems.len(),
    )
}

/// Waits for a reply to be delivered, and counts it.
async fn delivered(world: &World, report: &mut Report, id: &str) -> Result<Value, Failure> {
    let message = world.gateway.message_until(id, "delivered").await?;
    let done = message["status"] == "delivered";
    report.add(Count::Delivered, 1, usize::from(done));
    if !done {
        report.check(
            "status",
            &"delivered",
            &message["status"].as_str().unwrap_or("none"),
        )?;
    }
    Ok(message)
}

/// A message's way in one line.
fn history(message: &Value) -> String {
    let entries = message["history"].as_array().into_iter().flatten();
    let words: Vec<_> = entries
        .map(|entry| {
            let word = |name: &str| entry[name].as_str().unwrap_or("?");
            format!("{} ({})", word("status"), word("source"))
        })
        .collect();
    words.join(" → ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_history_is_one_line() {
        let message = json!({"history": [
            {"status": "queued", "source": "accept"},
            {"status": "sent", "source": "receipt"},
        ]});
        assert_eq!(history(&message), "queued (accept) → sent (receipt)");
        assert_eq!(history(&json!({})), "");
    }
}
