//! The third part of the story: an answer, through a provider in trouble.

use serde_json::Value;
use trunkline_simulator::Behaviour;

use super::super::failure::Failure;
use super::{
    inbound::BEN,
    report::{Count, Report, say},
    settings::SUPPORT,
    world::World,
};

/// How often the provider fails before it takes the reply.
const OUTAGES: usize = 2;

/// Tells it.
pub(super) async fn tell(world: &mut World, report: &mut Report) -> Result<(), Failure> {
    through_an_outage(world, report).await
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
    let to_ben = requests.iter();
    let to_ben = to_ben.filter(|sent| sent.method == "POST" && sent.param("To") == Some(BEN));
    let taken = twilio.messages();
    let taken = taken.iter().filter(|sent| sent.to == BEN);
    let found = format!(
        "{}, of which the provider took {}",
        to_ben.count(),
        taken.count()
    );
    let expected = format!("{}, of which the provider took 1", OUTAGES + 1);
    report.check("attempts", &expected, &found)
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
