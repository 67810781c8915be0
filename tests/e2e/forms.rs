//! A form that a stranger fills in: contact, thread, first answer, and a link to go on.

use serde_json::{Value, json};
use trunkline_simulator::Simulator;
use trunkline_tests::config::Config;
use trunkline_tests::http::{Reply, Request};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";

fn with_form(simulator: &Simulator) -> Config {
    Config::new()
        .channel(twilio(SMS, simulator))
        .set("form.contact.title", "Ask <us>")
        .set("form.contact.channels", json!([SMS]))
        .set("form.contact.reply", "Thank you, we have it.")
        .set("form.contact.address_per_hour", 5)
}

async fn get(stage: &Stage, path: &str) -> Reply {
    stage.post(&Request::new("GET", path)).await
}

async fn fill_in(stage: &Stage, body: &str) -> Reply {
    let request = Request::new("POST", "/forms/contact");
    let request = request.body("application/x-www-form-urlencoded", body);
    stage.post(&request).await
}

/// The id that a page gave its form.
fn form_id(page: &Reply) -> String {
    let text = page.text();
    let (_, rest) = text.split_once("name=\"form_id\" value=\"").expect("an id");
    rest.split('"').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_lead_becomes_contact_and_thread_and_is_answered_once() {
    let stage = Stage::new(with_form).await;
    let page = get(&stage, "/forms/contact").await;
    assert_eq!(page.status, 200);
    assert!(
        page.text().contains("<h1>Ask &#60;us&#62;</h1>"),
        "{}",
        page.text()
    );
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(!page.text().contains("<script"), "no script is needed");
    assert_eq!(get(&stage, "/forms/form.css").await.status, 200);
    assert_eq!(get(&stage, "/forms/nothing").await.status, 404);

    let id = form_id(&page);
    let body = format!(
        "form_id={id}&name=Ada&phone=%2B1+500+555-0101&email=&message=Where+is+my+order%3F&website="
    );
    for _ in 0..2 {
        let sent = fill_in(&stage, &body).await;
        assert_eq!(sent.status, 303, "{}", sent.text());
        let next = sent.header("location").unwrap_or_default().to_owned();
        assert!(next.starts_with("contact/done?reference="), "{next}");
        let done = get(&stage, &format!("/forms/{next}")).await;
        assert!(done.text().contains("Thank you."), "{}", done.text());
    }

    let api = stage.daemon.api();
    let contact = api.contacts(ADA).await.pop().expect("a contact");
    assert_eq!(contact["name"], "Ada");
    assert_eq!(contact["identities"][0]["verified_at"], Value::Null);
    let messages = api.timeline(ADA).await;
    assert_eq!(
        messages.len(),
        2,
        "the question and one answer: {messages:?}"
    );
    let lead = &messages[1];
    assert_eq!(lead["content"]["text"], "Where is my order?");
    assert_eq!(lead["metadata"]["form"], "contact");
    assert_eq!(lead["direction"], "inbound");
    let answer = messages[0]["id"].as_str().expect("an id");
    api.wait_status(answer, "sent").await;
    let ledger = stage.simulator.twilio().messages();
    assert_eq!(ledger.len(), 1);
    assert_eq!(ledger[0].body, "Thank you, we have it.");
}

#[tokio::test]
async fn what_is_wrong_is_told_and_programs_get_nowhere() {
    let stage = Stage::new(with_form).await;
    let wrong = fill_in(&stage, "name=%22%3E%3Cscript%3E&phone=12&message=").await;
    assert_eq!(wrong.status, 422);
    let text = wrong.text();
    assert!(text.contains("aria-invalid=\"true\""), "{text}");
    assert!(
        !text.contains("<script"),
        "what was written is escaped: {text}"
    );
    assert!(text.contains("Please fill this in."), "{text}");

    let trapped = fill_in(
        &stage,
        "phone=%2B15005550101&message=buy&website=http%3A%2F%2Fx",
    )
    .await;
    assert_eq!(trapped.status, 303, "a program is not told");
    let too_large = format!("message={}", "x".repeat(100_000));
    assert_eq!(fill_in(&stage, &too_large).await.status, 413);
    assert!(stage.daemon.api().contacts(ADA).await.is_empty());

    let body = "phone=%2B15005550101&message=again";
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(fill_in(&stage, body).await.status);
    }
    assert_eq!(answers, [303, 303, 303, 303, 303, 429]);
}
