//! Forms over several channels: an address decides the channel, and the last page leads to WhatsApp.

use serde_json::{Value, json};
use trunkline_simulator::Simulator;
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::http::{Reply, Request};

use crate::email::ses;
use crate::stage::{SMS, Stage, twilio};
use crate::whatsapp::{ADA, WA, meta};

const MAIL: &str = "mail";

async fn fill_in(stage: &Stage, body: &str) -> Reply {
    let request = Request::new("POST", "/forms/contact");
    let request = request.body("application/x-www-form-urlencoded", body);
    let sent = stage.post(&request).await;
    assert_eq!(sent.status, 303, "{}", sent.text());
    sent
}

/// The page that a filled-in form leads to.
async fn last_page(stage: &Stage, sent: &Reply) -> String {
    let next = sent.header("location").expect("a way on");
    let page = stage
        .post(&Request::new("GET", format!("/forms/{next}")))
        .await;
    assert_eq!(page.status, 200);
    page.text()
}

fn form(config: Config, channels: &[&str]) -> Config {
    config
        .set("form.contact.channels", json!(channels))
        .set("form.contact.reply", "Thank you, we have it.")
}

#[tokio::test]
async fn who_leaves_an_address_alone_is_answered_by_mail() {
    let configure = |simulator: &Simulator| {
        let config = Config::new()
            .channel(twilio(SMS, simulator))
            .channel(ses(simulator));
        form(config, &[SMS, MAIL])
    };
    let stage = Stage::new(configure).await;
    fill_in(
        &stage,
        "name=Ada&email=Ada%40Example.org&message=Where+is+it%3F",
    )
    .await;
    let api = stage.daemon.api();
    let messages = api.timeline("ada@example.org").await;
    assert_eq!(messages.len(), 2, "{messages:?}");
    let (answer, lead) = (&messages[0], &messages[1]);
    assert_eq!(lead["content"]["text"], "Where is it?");
    assert_eq!(
        (&lead["channel"], &lead["medium"]),
        (&json!(MAIL), &json!("email"))
    );
    assert_eq!(lead["peer"]["space"], "email");
    api.wait_status(answer["id"].as_str().expect("an id"), "sent")
        .await;
    let account = stage.simulator.ses();
    let sent = account.messages();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        sent[0].json["Destination"]["ToAddresses"],
        json!(["ada@example.org"])
    );
    assert!(account.problems().is_empty(), "{:?}", account.problems());
    assert!(stage.simulator.twilio().messages().is_empty());

    // With both, the first channel is the first choice.
    fill_in(
        &stage,
        "email=bob%40example.org&phone=%2B15005550109&message=And+mine%3F",
    )
    .await;
    let messages = api.timeline("+15005550109").await;
    assert_eq!(messages.last().expect("the lead")["channel"], SMS);
    assert_eq!(
        messages.last().expect("the lead")["metadata"]["email"],
        "bob@example.org"
    );
    assert!(api.contacts("bob@example.org").await.is_empty());
}

/// The number of the WhatsApp channel by configuration, and as the check finds it.
#[tokio::test]
async fn the_last_page_leads_to_whatsapp_with_the_reference() {
    for (address, digits) in [
        (Some("+1 555 030 0000"), "15550300000"),
        (None, "15550200000"),
    ] {
        let configure = |simulator: &Simulator| {
            let whatsapp: Channel = meta(WA, simulator, 0);
            let whatsapp = match address {
                Some(address) => whatsapp.key("address", address),
                None => whatsapp,
            };
            let config = Config::new()
                .channel(twilio(SMS, simulator))
                .channel(whatsapp)
                .set("form.contact.continue_on", WA);
            form(config, &[SMS])
        };
        let stage = Stage::new(configure).await;
        let api = stage.daemon.api();
        api.wait_health(WA, "healthy").await;
        let sent = fill_in(&stage, "phone=%2B15005550101&message=Hello").await;
        let page = last_page(&stage, &sent).await;
        let messages = api.timeline(ADA).await;
        let lead = messages.last().expect("the lead");
        let reference = lead["metadata"]["reference"].as_str().expect("a code");
        let link = format!("href=\"https://wa.me/{digits}?text=");
        let (_, rest) = page.split_once(&link).unwrap_or_else(|| panic!("{page}"));
        let link = rest.split('"').next().unwrap_or_default();
        assert!(link.contains(reference), "{link} has {reference}");
        assert!(page.contains("Continue on WhatsApp"), "{page}");
    }
}

/// Who fills in a form has not written on WhatsApp: nothing but templates may go there.
#[tokio::test]
async fn a_lead_opens_no_window() {
    let configure = |simulator: &Simulator| {
        let config = Config::new()
            .channel(meta(WA, simulator, 0))
            .set("form.contact.continue_on", WA);
        form(config, &[WA])
    };
    let stage = Stage::new(configure).await;
    fill_in(&stage, "phone=%2B15005550101&message=Hello").await;
    let api = stage.daemon.api();
    let messages = api.timeline(ADA).await;
    assert_eq!(messages.len(), 1, "the lead alone: {messages:?}");
    assert_eq!(messages[0]["direction"], "inbound");
    let body = json!({"channel": WA, "to": ADA, "content": {"text": "Hello to you"}});
    let refused = api.post("/api/v1/messages", &body).await;
    assert_eq!(
        (refused.status, &refused.json["code"]),
        (422, &json!("window_closed")),
        "{}",
        refused.reply.text()
    );
    let contact = api.contacts(ADA).await.remove(0);
    let window = &contact["identities"][0]["window"];
    assert!(
        *window == Value::Null || window["open"] == false,
        "{contact}"
    );
    assert!(stage.simulator.meta().messages().is_empty());
}
