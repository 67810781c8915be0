//! What is written into the store of a version before it is released.

use serde_json::{Value, json};
use trunkline_simulator::Behaviour;
use trunkline_tests::http::Request;
use trunkline_tests::origin::file;
use trunkline_tests::twilio::Sms;
use trunkline_tests::visitor::Visitor;
use trunkline_tests::wait::{SOON, eventually};

use crate::chat::WEB;
use crate::email::{mail, post};
use crate::stage::{SMS, Stage};
use crate::whatsapp::deliver;
use crate::window::{ADA_WA, US, WA};

/// Every kind of record that a version can write.
pub(crate) async fn fill(stage: &Stage) {
    let api = stage.daemon.api();
    let ada = "+15005550101";
    for text in ["hello", "are you there?"] {
        assert_eq!(stage.deliver(SMS, &Sms::new(ada, text)).await, 200);
    }
    let sent = api.send_text(SMS, ada, "yes, we are").await;
    api.wait_status(&sent, "sent").await;
    let long = "a long answer in many words. ".repeat(40);
    let split = api.send_text(SMS, ada, &long).await;
    api.wait_status(&split, "sent").await;

    // Addresses that end in a stop, a dead letter, and one that is scheduled.
    assert_eq!(
        stage.deliver(SMS, &Sms::new("+15005550102", "STOP")).await,
        200
    );
    stage
        .simulator
        .twilio()
        .behave_once(Behaviour::error(400, 21211, "Invalid 'To' Phone Number"));
    let dead = api.send_text(SMS, "+15005550103", "to nobody").await;
    api.wait_status(&dead, "failed").await;
    let later = json!({"channel": SMS, "to": ada, "content": {"text": "in ten years"}, "send_at": "2036-01-01T00:00:00Z"});
    assert_eq!(api.post("/api/v1/messages", &later).await.status, 202);

    // WhatsApp: held until they write, and a template.
    let held = json!({"channel": WA, "to": "+15005550104", "content": {"text": "held"}});
    assert_eq!(api.post("/api/v1/messages", &held).await.status, 202);
    let sms = trunkline_simulator::InboundSms::text(ADA_WA, US, "by WhatsApp");
    let inbound = stage
        .simulator
        .twilio()
        .inbound(&stage.daemon.url(WA), &sms)
        .await;
    assert_eq!(inbound.expect("delivered").status, 200);
    let message = trunkline_simulator::WaMessage::text("+15005550105", "by the other WhatsApp");
    assert_eq!(deliver(stage, &message).await.status, 200);
    let vonage = api.send_text("vonage", "+447700900001", "by Vonage").await;
    api.wait_status(&vonage, "sent").await;

    fill_pages(stage).await;
    fill_people(stage).await;
}

/// A mail both ways, a file, a visitor, a form.
async fn fill_pages(stage: &Stage) {
    let api = stage.daemon.api();
    assert_eq!(
        post(
            stage,
            mail("bea@example.org", "one@example.org", "", "a mail")
        )
        .await,
        200
    );
    let answer = api.send_text("mail", "bea@example.org", "answered").await;
    api.wait_status(&answer, "sent").await;
    let upload = Request::new("POST", "/api/v1/media?organization=default");
    let upload = upload.body("image/png", file("png", 900, 7));
    assert_eq!(api.send(upload).await.status, 201);
    let browser = Visitor::new(stage.daemon.public(), WEB).await;
    let (mut page, _) = browser.arrive(None).await;
    page.say("one", "from the page").await;
    let lead = "name=Cyd&phone=%2B15005550106&email=&message=A+question&website=";
    let form = Request::new("POST", "/forms/contact");
    let form = stage
        .post(&form.body("application/x-www-form-urlencoded", lead))
        .await;
    assert_eq!(form.status, 303, "{}", form.text());
}

/// Refused, merged, parted; then all is quiet.
async fn fill_people(stage: &Stage) {
    let api = stage.daemon.api();
    let ada = "+15005550101";
    let refused = Sms::new(ada, "forged");
    let hook = stage.hook(SMS);
    assert_eq!(
        stage
            .post(&hook.unsigned(&refused.params(&hook.account_sid)))
            .await
            .status,
        401
    );
    let id = |contacts: Vec<Value>| contacts[0]["id"].as_str().expect("an id").to_owned();
    let (keep, other) = (
        id(api.contacts(ada).await),
        id(api.contacts("bea@example.org").await),
    );
    let third = id(api.contacts("+15005550106").await);
    for other in [&other, &third] {
        let merged = api
            .post(
                &format!("/api/v1/contacts/{keep}/merge"),
                &json!({"contact": other}),
            )
            .await;
        assert_eq!(merged.status, 200, "{}", merged.reply.text());
    }
    let parted = api
        .post(
            &format!("/api/v1/contacts/{keep}/unmerge"),
            &json!({"contact": third}),
        )
        .await;
    assert_eq!(parted.status, 200, "{}", parted.reply.text());
    let opt_in = json!({"identifier": "+15005550107", "change": "opt_in", "reason": "by phone", "scope": "*"});
    assert_eq!(api.post("/api/v1/consents", &opt_in).await.status, 200);
    eventually("the outbox is quiet", SOON, || async {
        let items = api.all("/api/v1/outbox").await;
        let is_settled = |item: &Value| item["scheduled"] == true || item["state"] != "queued";
        items.iter().all(is_settled).then_some(())
    })
    .await;
    eventually("every turn is closed", SOON, || async {
        let thread = api.timeline(ada).await[0]["thread"].as_str()?.to_owned();
        let turns = api.get(&format!("/api/v1/threads/{thread}/turns")).await;
        turns["items"]
            .as_array()
            .filter(|turns| !turns.is_empty())
            .map(|_| ())
    })
    .await;
}
