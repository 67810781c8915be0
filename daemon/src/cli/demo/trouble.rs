//! The last part of the story: a crash, and changes while it runs.

use super::super::{admin::AdminError, failure::Failure, reload};
use super::{
    gateway::{inbound, settle},
    inbound::{deliver, repeat, text, took},
    report::{Count, Report, say, shown},
    settings::{self, CHANNELS, EVENTS, SUPPORT},
    world::{World, started_at},
};

/// Writes just before the crash, and just after.
const GUS: &str = "+15005550114";
/// Writes to the line that a reload adds.
const HANA: &str = "+15005550115";
/// Messages acknowledged right before the crash.
const BEFORE_CRASH: usize = 20;

/// Tells it.
pub(super) async fn tell(world: &mut World, report: &mut Report) -> Result<(), Failure> {
    crash(world, report).await?;
    reload(world, report).await?;
    mistake(world, report).await
}

async fn crash(world: &mut World, report: &mut Report) -> Result<(), Failure> {
    report.chapter("A crash")?;
    let mut acknowledged = Vec::new();
    for number in 1..=BEFORE_CRASH {
        let sms = text(world, SUPPORT, GUS, &format!("Message {number}"));
        took(report, &deliver(world, SUPPORT, &sms).await?, 200);
        acknowledged.push(sms);
    }
    world.crash()?;
    let (_, after) = world.start().await?;
    say(&format!(
        "the daemon is killed right after it has acknowledged {BEFORE_CRASH} messages; \
         started again, ready after {}",
        shown(after)
    ))?;
    if let Some(last) = acknowledged.last() {
        repeat(world, report, last).await?;
    }
    let fresh = text(world, SUPPORT, GUS, "Still there?");
    took(report, &deliver(world, SUPPORT, &fresh).await?, 200);
    say("the provider repeats the last of them, and Gus writes once more")?;
    let expected = BEFORE_CRASH + 1;
    report.add(Count::Stored, expected, 0);
    let stored = settle(expected, async || {
        Ok(inbound(&world.gateway.messages_with(GUS).await?))
    });
    report.check("messages in Gus' timeline", &expected, &stored.await?)
}

async fn reload(world: &World, report: &mut Report) -> Result<(), Failure> {
    report.chapter("A reload")?;
    let before = started_at(&world.gateway, &CHANNELS).await?;
    settings::add_events_line(world.path(), &world.simulator)?;
    let plan = world.gateway.reload().await?;
    say("a file for one more number is put into channels.d; `trunkline reload` says:")?;
    for line in reload::sentences(&plan).lines() {
        say(&format!("  {line}"))?;
    }
    let after = started_at(&world.gateway, &CHANNELS).await?;
    let same = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before == after);
    report.check(
        "channels that never stopped",
        &CHANNELS.len(),
        &same.count(),
    )?;
    let sms = text(world, EVENTS, HANA, "When does it begin?");
    took(report, &deliver(world, EVENTS, &sms).await?, 200);
    report.add(Count::Stored, 1, 0);
    let stored = inbound(&world.gateway.messages_with(HANA).await?);
    report.check("messages on the new number", &1, &stored)
}

async fn mistake(world: &World, report: &mut Report) -> Result<(), Failure> {
    report.chapter("A mistake in a file")?;
    settings::break_events_line(world.path())?;
    let refused = match world.gateway.reload().await {
        Err(AdminError::Problem(problem)) => problem.errors,
        Err(other) => return Err(other.into()),
        Ok(_) => Vec::new(),
    };
    say("a key is misspelt; the reload is refused, and everything goes on as before:")?;
    for line in &refused {
        say(&format!("  {line}"))?;
    }
    let named = refused
        .iter()
        .any(|line| line.contains("sms_events.toml:3:"));
    settings::add_events_line(world.path(), &world.simulator)?;
    let sms = text(world, EVENTS, HANA, "And where?");
    took(report, &deliver(world, EVENTS, &sms).await?, 200);
    report.add(Count::Stored, 1, 0);
    let stored = inbound(&world.gateway.messages_with(HANA).await?);
    let found = format!("{named}, messages on the new number: {stored}");
    let expected = "true, messages on the new number: 2";
    report.check("file and line are named", &expected, &found.as_str())
}
