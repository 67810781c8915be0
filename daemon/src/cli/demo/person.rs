//! One person on four channels: four contacts, until somebody says that they are one.

use serde_json::Value;

use super::super::failure::Failure;
use super::{
    inbound::{ADA, deliver, text, took},
    report::{Count, Report, say},
    settings::SUPPORT,
    tour::{ADA_MAIL, ADA_WHATSAPP},
    world::World,
};

/// What is in the one timeline, oldest first: each channel's question and answer, and the last word.
const TOGETHER: &str = "sms sms whatsapp whatsapp email email chat chat sms";
/// The same in the four timelines.
const APART: &str = "sms sms sms | whatsapp whatsapp | email email | chat chat";

/// Tells it. `visitor` is Ada as the chat knows her.
pub(super) async fn tell(world: &World, report: &mut Report, visitor: &str) -> Result<(), Failure> {
    report.chapter("One person, four channels")?;
    let gateway = &world.gateway;
    let mut ids: Vec<String> = Vec::new();
    for identifier in [ADA, ADA_WHATSAPP, ADA_MAIL, visitor] {
        for contact in gateway.contacts(identifier).await? {
            let id = contact["id"].as_str().unwrap_or_default().to_owned();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    say("Ada wrote by SMS, WhatsApp, e-mail and chat; we say that they are one, she writes again")?;
    report.check("contacts before", &4, &ids.len())?;
    let Some((ada, others)) = ids.split_first() else {
        return Ok(());
    };
    for other in others {
        gateway.join(ada, "merge", other).await?;
    }
    let sms = text(world, SUPPORT, ADA, "Thank you!");
    took(report, &deliver(world, SUPPORT, &sms).await?, 200);
    report.add(Count::Stored, 1, 0);
    let merged = gateway.timeline(ada).await?;
    let order = if is_in_order(&merged) { "" } else { "not " };
    let found = format!("{}, {order}in the order of time", media(&merged));
    let expected = format!("{TOGETHER}, in the order of time");
    report.check("one timeline", &expected, &found)?;
    for other in others {
        gateway.join(ada, "unmerge", other).await?;
    }
    let mut apart = Vec::new();
    for id in &ids {
        apart.push(media(&gateway.timeline(id).await?));
    }
    report.check("taken apart", &APART, &apart.join(" | ").as_str())
}

/// By what each message of a timeline went, oldest first.
fn media(timeline: &[Value]) -> String {
    let words = timeline
        .iter()
        .rev()
        .map(|message| message["medium"].as_str());
    let words: Vec<_> = words.map(|word| word.unwrap_or("?")).collect();
    words.join(" ")
}

/// Whether no message of a timeline, newest first, is older than the one that follows.
fn is_in_order(timeline: &[Value]) -> bool {
    let times = timeline
        .iter()
        .map(|message| message["created_at"].as_str());
    let times: Vec<_> = times.collect();
    times.iter().all(Option::is_some) && times.is_sorted_by(|newer, older| newer >= older)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_timeline_that_goes_back_in_time_is_not_in_order() {
        let at = |time: &str| json!({"medium": "sms", "created_at": time});
        let (old, new) = (
            at("2026-01-01T00:00:00.001Z"),
            at("2026-01-01T00:00:00.002Z"),
        );
        assert!(is_in_order(&[new.clone(), old.clone()]));
        assert!(!is_in_order(&[old.clone(), new]));
        assert!(!is_in_order(&[old, json!({})]));
    }
}
