//! After the story: the daemon stays, with a little traffic, for the newcomer to look around.

use std::time::Duration;

use super::super::{failure::Failure, output};
use super::{
    inbound::{ADA, BEN, deliver, text},
    settings::{SUPPORT, WEB},
    world::{World, pages},
};

/// Pause between two messages.
const PAUSE: Duration = Duration::from_secs(7);

/// What people go on to write, and what they are answered.
const TALK: [(&str, &str, &str); 4] = [
    (ADA, "It is here, thank you!", "You are welcome."),
    (BEN, "The invoice is fine now.", "Good to hear."),
    (
        ADA,
        "Can I order the same again?",
        "Of course, we have put it in your basket.",
    ),
    (BEN, "Do you deliver on Saturdays?", "Yes, until noon."),
];

/// Shows how to look around, and goes on until the demo is ended from outside.
pub(super) async fn play(world: &mut World) -> Result<(), Failure> {
    invite(world).await?;
    for (from, words, answer) in TALK.iter().cycle() {
        tokio::time::sleep(PAUSE).await;
        world.alive()?;
        let sms = text(world, SUPPORT, from, words);
        let acknowledged = deliver(world, SUPPORT, &sms).await?;
        output::print(&format!(
            "  {from} writes: {words}  ({})",
            acknowledged.status
        ))?;
        tokio::time::sleep(PAUSE).await;
        let id = world.gateway.send(SUPPORT, from, answer).await?;
        let message = world.gateway.message_until(&id, "delivered").await?;
        let status = message["status"].as_str().unwrap_or("?");
        output::print(&format!(
            "  answered: {answer}  ({})",
            output::clean(status)
        ))?;
    }
    Ok(())
}

async fn invite(world: &mut World) -> Result<(), Failure> {
    let addresses = world.addresses().await?;
    let (admin, [chat, form]) = (addresses.admin, pages(addresses.public));
    let token = world.gateway.token().await?;
    let program = std::env::current_exe()?;
    let program = program.display();
    let file = world.path().join("trunkline.toml");
    let file = file.display();
    output::print(&format!(
        "
The daemon goes on, with a message now and then. Look around, in another terminal:

  Admin address  http://{admin}
  Token          {token}
  Chat page      {chat}   (open it in a browser and write)
  Form           {form}

  curl -H 'Authorization: Bearer {token}' http://{admin}/api/v1/channels
  curl -H 'Authorization: Bearer {token}' 'http://{admin}/api/v1/contacts?identifier=%2B15005550111'
  {program} channel list -c {file}
  {program} contact list -c {file}
  {program} thread list -c {file}
  {program} event list -c {file}
  {program} send {SUPPORT} {ADA} 'Hello Ada' -c {file}
  {program} send {WEB} VISITOR 'Hello' -c {file}

VISITOR is who wrote by the chat page: what `contact list` shows behind `chat:`.

Ctrl-C ends it and removes everything.
"
    ))
}
