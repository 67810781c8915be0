//! The first part of the story: every channel, in and out.

use serde_json::Value;

use super::super::failure::Failure;
use super::{
    bring::bring,
    gateway::settle,
    inbound::ADA,
    report::{Count, Report},
    settings::{MAIL, SHOP, SMS_VONAGE, SUPPORT, TELEGRAM, WEB, WHATSAPP, WHATSAPP_TWILIO},
    visitor::Visitor,
    world::World,
};

/// Ada's other number, for WhatsApp.
pub(super) const ADA_WHATSAPP: &str = "+15005550116";
/// Ada's mail address.
pub(super) const ADA_MAIL: &str = "ada@example.org";
/// Somebody else, as Telegram's bots know them.
pub(super) const TELEGRAM_USER: i64 = 5_001_001;
/// The order of statuses.
const STATUSES: [&str; 4] = ["queued", "sent", "delivered", "read"];
/// Where the findings of a line begin.
const INDENT: usize = 20;

/// Who brings what people write, and takes our answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    Twilio,
    Vonage,
    Meta,
    MailServer,
    Telegram,
    Page,
    Shop,
}

/// One channel of the tour.
pub(super) struct Stage {
    title: &'static str,
    pub(super) by: By,
    pub(super) channel: &'static str,
    medium: &'static str,
    /// Identifier of the person; a visitor gets one from the gateway.
    pub(super) person: &'static str,
    pub(super) says: &'static str,
    answer: &'static str,
    /// What is told of the answer, to its end.
    way: &'static [&'static str],
}

const TOUR: [Stage; 8] = [
    Stage {
        title: "SMS by Twilio",
        by: By::Twilio,
        channel: SUPPORT,
        medium: "sms",
        person: ADA,
        says: "Hello, is my order on its way? 📦",
        answer: "It arrives tomorrow.",
        way: &["queued", "sent", "delivered"],
    },
    Stage {
        title: "SMS by Vonage",
        by: By::Vonage,
        channel: SMS_VONAGE,
        medium: "sms",
        person: "+15005550118",
        says: "Where is the driver?",
        answer: "Around the corner.",
        way: &["queued", "sent", "delivered"],
    },
    Stage {
        title: "WhatsApp by Meta",
        by: By::Meta,
        channel: WHATSAPP,
        medium: "whatsapp",
        person: ADA_WHATSAPP,
        says: "Can it come before noon?",
        answer: "Yes, at eleven.",
        way: &["queued", "sent", "delivered", "read"],
    },
    Stage {
        title: "WhatsApp by Twilio",
        by: By::Twilio,
        channel: WHATSAPP_TWILIO,
        medium: "whatsapp",
        person: "+15005550113",
        says: "Salut !",
        answer: "Bonjour !",
        way: &["queued", "sent", "delivered"],
    },
    Stage {
        title: "E-mail",
        by: By::MailServer,
        channel: MAIL,
        medium: "email",
        person: ADA_MAIL,
        says: "Please send me the invoice.",
        answer: "The invoice is on its way.",
        way: &["queued", "sent"],
    },
    Stage {
        title: "Telegram",
        by: By::Telegram,
        channel: TELEGRAM,
        medium: "chat",
        person: "5001001",
        says: "Do you also ship abroad?",
        answer: "We do, everywhere.",
        way: &["queued", "sent"],
    },
    Stage {
        title: "Chat",
        by: By::Page,
        channel: WEB,
        medium: "chat",
        person: "",
        says: "Is anybody there?",
        answer: "We are, hello!",
        way: &["queued", "sent", "delivered", "read"],
    },
    Stage {
        title: "Webhook",
        by: By::Shop,
        channel: SHOP,
        medium: "webhook",
        person: "carl",
        says: "Order 1042 is paid",
        answer: "Order 1042 is packed",
        way: &["queued", "sent"],
    },
];

/// Tells it; gives the identifier of Ada as a visitor of the chat.
pub(super) async fn tell(world: &mut World, report: &mut Report) -> Result<String, Failure> {
    report.chapter("Every channel: somebody writes, and is answered")?;
    let public = world.addresses().await?.public;
    let visitor = Visitor::arrive(public, WEB).await?;
    let reports = world.gateway.webhook_url(WHATSAPP).await?;
    world.simulator.meta().subscribe(&reports);
    let mut identifier = String::new();
    for stage in &TOUR {
        let person = play(world, report, &visitor, stage).await?;
        if let By::Page = stage.by {
            identifier = person;
        }
    }
    Ok(identifier)
}

async fn play(
    world: &World,
    report: &mut Report,
    visitor: &Visitor,
    stage: &Stage,
) -> Result<String, Failure> {
    let brought = bring(world, visitor, stage).await?;
    let is_taken = brought.code == brought.taken;
    report.add(Count::Handed, 1, usize::from(is_taken));
    report.add(Count::Stored, 1, 0);
    if is_taken {
        report.acknowledged(brought.elapsed);
    }
    let stored = stored(world, stage, &brought.person).await?;
    let gateway = &world.gateway;
    let id = gateway
        .send(stage.channel, &brought.person, stage.answer)
        .await?;
    let shown = match stage.by {
        By::Page => see(world, visitor, &id).await?,
        _ => None,
    };
    let last = stage.way.last().copied().unwrap_or_default();
    let message = gateway.message_until(&id, last).await?;
    report.add(Count::Delivered, 1, usize::from(message["status"] == last));
    let arrived = match stage.by {
        By::Page => usize::from(shown.as_deref() == Some(stage.answer)),
        _ => settle(1, async || Ok(arrived(world, stage))).await?,
    };
    let line = |code, stored, way: String, arrived| {
        let indent = INDENT.saturating_sub(stage.title.len());
        format!(
            "{:indent$}{code}, stored: {stored}; answer {way}, arrived: {arrived}",
            ""
        )
    };
    let expected = line(brought.taken, 1, stage.way.join(" → "), 1);
    let found = line(brought.code, stored, way(&message), arrived);
    report.check(stage.title, &expected, &found)?;
    Ok(brought.person)
}

/// How often the person's words are in their timeline, as a message of the right medium.
async fn stored(world: &World, stage: &Stage, person: &str) -> Result<usize, Failure> {
    let messages = world.gateway.messages_with(person).await?;
    let is_it = |message: &&Value| {
        let text = message["content"]["text"].as_str().unwrap_or_default();
        message["channel"] == stage.channel
            && message["medium"] == stage.medium
            && message["direction"] == "inbound"
            && text.trim_end() == stage.says
    };
    Ok(messages.iter().filter(is_it).count())
}

/// The visitor sees our answer, and says so; gives the text that is seen.
async fn see(world: &World, visitor: &Visitor, id: &str) -> Result<Option<String>, Failure> {
    let shown = visitor.shown(id).await?;
    world.gateway.message_until(id, "sent").await?;
    for mark in ["delivered", "read"] {
        visitor.mark(mark, id).await?;
        world.gateway.message_until(id, mark).await?;
    }
    Ok(shown)
}

/// How often our answer is at the provider.
fn arrived(world: &World, stage: &Stage) -> usize {
    let simulator = &world.simulator;
    let (to, answer) = (stage.person, stage.answer);
    match stage.by {
        By::Twilio => {
            let sent = simulator.twilio().messages();
            let sent = sent.iter();
            let is_it = |to_whom: &str| to_whom.trim_start_matches("whatsapp:") == to;
            sent.filter(|sent| is_it(&sent.to) && sent.body == answer)
                .count()
        }
        By::Vonage => {
            let sent = simulator.vonage().messages();
            let digits = to.trim_start_matches('+');
            let sent = sent.iter();
            sent.filter(|sent| sent.to == digits && sent.text == answer)
                .count()
        }
        By::Meta => {
            let sent = simulator.meta().messages();
            let sent = sent.iter();
            sent.filter(|sent| sent.to == to && sent.body["text"]["body"] == answer)
                .count()
        }
        By::Telegram => {
            let sent = simulator.telegram().messages();
            let sent = sent.iter();
            sent.filter(|sent| sent.chat == TELEGRAM_USER && sent.parameters["text"] == answer)
                .count()
        }
        By::MailServer => {
            let mails = simulator.smtp().mails();
            let mails = mails.iter().filter(|mail| mail.tls && mail.rcpt_to == [to]);
            mails.filter(|mail| mail.text().contains(answer)).count()
        }
        By::Shop => {
            let posts = simulator.webhook().taken();
            let posts = posts.iter();
            posts
                .filter(|post| String::from_utf8_lossy(&post.body).contains(answer))
                .count()
        }
        By::Page => 0,
    }
}

/// What was told of a message, each status once: reports may overtake one another.
fn way(message: &Value) -> String {
    let told = |status: &&&str| {
        let mut entries = message["history"].as_array().into_iter().flatten();
        entries.any(|entry| entry["status"] == ***status)
    };
    let told: Vec<_> = STATUSES.iter().filter(told).copied().collect();
    match message["status"].as_str() {
        Some(now) if !STATUSES.contains(&now) => format!("{} → {now}", told.join(" → ")),
        _ => told.join(" → "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_way_of_an_answer_is_in_order_and_names_a_failure() {
        let entry = |status: &str| json!({"status": status, "source": "callback"});
        let history = [entry("queued"), entry("delivered"), entry("sent")];
        let message = json!({"status": "delivered", "history": history});
        assert_eq!(way(&message), "queued → sent → delivered");
        let failed = json!({"status": "failed", "history": [entry("queued")]});
        assert_eq!(way(&failed), "queued → failed");
    }
}
