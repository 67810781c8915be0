//! E-mail by Resend: out with states, in by announcements.

use serde_json::json;
use trunkline_simulator::{Behaviour, ResendMail, SignedWebhook, Simulator, standard_signature};
use trunkline_tests::config::{Channel, Config};

use crate::stage::Stage;

pub(crate) fn resend(simulator: &Simulator) -> Channel {
    let account = simulator.resend();
    Channel::new("mail", "email")
        .config("provider", "resend")
        .config("from", format!("Support <{}>", account.address()))
        .config("api_key", account.api_key())
        .config("webhook_secret", account.webhook_secret())
        .config("api_base", account.api_base())
}

#[tokio::test]
async fn resend_sends_and_reports() {
    let stage = Stage::new(|simulator| Config::new().channel(resend(simulator))).await;
    let (api, account) = (stage.daemon.api(), stage.simulator.resend());
    api.wait_health("mail", "healthy").await;
    let url = stage.daemon.url("mail");
    let id = api
        .send_text("mail", "ada@example.org", "It is on its way")
        .await;
    api.wait_status(&id, "sent").await;
    let sent = account.messages().remove(0);
    assert_eq!(sent.json["text"], "It is on its way");
    assert_eq!(sent.idempotency_key.as_deref(), Some(id.as_str()));
    for (kind, status) in [
        ("email.delivery_delayed", "sent"),
        ("email.delivered", "delivered"),
        ("email.opened", "read"),
    ] {
        let answer = account
            .report(&url, &sent.id, kind, &json!({}))
            .await
            .expect("an answer");
        assert_eq!(answer.status, 200, "{kind}");
        api.wait_status(&id, status).await;
    }
    let bounced = api.send_text("mail", "gone@example.org", "Hello?").await;
    api.wait_status(&bounced, "sent").await;
    let sent = account.messages().remove(1);
    let why =
        json!({"bounce": {"type": "Permanent", "subType": "General", "message": "no such user"}});
    account
        .report(&url, &sent.id, "email.bounced", &why)
        .await
        .expect("an answer");
    let failed = api.wait_status(&bounced, "failed").await;
    assert_eq!(failed["error"]["class"], "recipient", "{failed}");
    account
        .report(&url, &sent.id, "email.complained", &json!({}))
        .await
        .expect("an answer");
    let body = json!({"channel": "mail", "to": "gone@example.org", "content": {"text": "Again"}});
    let refused = api.post("/api/v1/messages", &body).await;
    assert_eq!(
        (refused.status, &refused.json["code"]),
        (422, &json!("opted_out"))
    );
    assert!(account.problems().is_empty(), "{:?}", account.problems());
}

/// An answer that was lost is asked for again under the same key: one mail.
#[tokio::test]
async fn a_lost_answer_of_resend_doubles_nothing() {
    let stage = Stage::new(|simulator| Config::new().channel(resend(simulator))).await;
    let account = stage.simulator.resend();
    account.behave_once(Behaviour::ResetAfterRead.after_accepting());
    account.behave_once(Behaviour::error(429, 1, "rate_limit_exceeded"));
    let api = stage.daemon.api();
    let id = api.send_text("mail", "ada@example.org", "once").await;
    api.wait_status(&id, "sent").await;
    assert_eq!(account.messages().len(), 1);
    assert!(account.problems().is_empty(), "{:?}", account.problems());
}

fn question() -> ResendMail {
    ResendMail {
        from: "Ada <Ada@example.org>".into(),
        to: "support@example.com".into(),
        message_id: "<q1@example.org>".into(),
        subject: "Order 42".into(),
        text: "Where is it?\r\n".into(),
        headers: vec![("references".into(), "<q0@example.org>".into())],
        files: vec![("a.txt".into(), "text/plain".into(), b"a".to_vec())],
    }
}

/// Resend announces a mail; its text is fetched behind the answer, also when that takes two tries.
#[tokio::test]
async fn resend_announces_and_the_mail_is_fetched() {
    let stage = Stage::new(|simulator| Config::new().channel(resend(simulator))).await;
    let (account, url) = (stage.simulator.resend(), stage.daemon.url("mail"));
    account.read_once(Behaviour::error(500, 1, "application_error"));
    let webhook = account.receive(&question()).expect("a webhook");
    assert_eq!(
        account
            .post(&url, &webhook)
            .await
            .expect("an answer")
            .status,
        200
    );
    let message = stage.only_message("ada@example.org").await;
    assert_eq!(message["content"]["text"], "Where is it?\r\n");
    assert_eq!(message["content"]["subject"], "Order 42");
    assert_eq!(message["content"]["media"][0]["name"], "a.txt");
    assert_eq!(message["external_id"], "q1@example.org support@example.com");
    assert_eq!(message["metadata"]["references"], json!(["q0@example.org"]));
    // Announced again, it is fetched again and known.
    assert_eq!(
        account
            .post(&url, &webhook)
            .await
            .expect("an answer")
            .status,
        200
    );
    stage
        .event("mail", "the repeat", |event| {
            event["outcome"] == "duplicate"
        })
        .await;
    stage.only_message("ada@example.org").await;
    // A machine's mail is known by headers that only the API shows.
    let away = ResendMail {
        message_id: "<away@example.org>".into(),
        from: "away@example.org".into(),
        headers: vec![("Auto-Submitted".into(), "auto-replied".into())],
        ..question()
    };
    account.inbound(&url, &away).await.expect("an answer");
    assert_eq!(
        stage.only_message("away@example.org").await["metadata"]["auto_reply"],
        true
    );
    assert!(account.problems().is_empty(), "{:?}", account.problems());
}

#[tokio::test]
async fn announcements_survive_a_crash() {
    let mut stage = Stage::new(|simulator| Config::new().channel(resend(simulator))).await;
    let account = stage.simulator.resend().clone();
    for _ in 0..8 {
        account.read_once(Behaviour::error(500, 1, "application_error"));
    }
    let answer = account
        .inbound(&stage.daemon.url("mail"), &question())
        .await;
    assert_eq!(answer.expect("an answer").status, 200);
    stage.daemon.kill9().await;
    account.set_reads(Behaviour::Accept);
    stage.daemon.launch().await;
    let message = stage.only_message("ada@example.org").await;
    assert_eq!(message["content"]["text"], "Where is it?\r\n");
}

#[tokio::test]
async fn forged_replayed_and_changed_webhooks_are_refused() {
    let stage = Stage::new(|simulator| Config::new().channel(resend(simulator))).await;
    let (account, url) = (stage.simulator.resend(), stage.daemon.url("mail"));
    let genuine = account.receive(&question()).expect("a webhook");
    let signed = |secret: &str, time_s: i64, body: &[u8]| {
        let signature = standard_signature(secret, "msg_1", time_s, body).expect("a secret");
        SignedWebhook {
            headers: vec![
                ("svix-id".into(), "msg_1".into()),
                ("svix-timestamp".into(), time_s.to_string()),
                ("svix-signature".into(), signature),
            ],
            body: body.to_vec(),
        }
    };
    let now = jiff::Timestamp::now().as_second();
    let other = "whsec_//////////////////////////////////////////8=";
    let mut truncated = genuine.clone();
    truncated.body.truncate(genuine.body.len() - 1);
    let mut unsigned = genuine.clone();
    unsigned
        .headers
        .retain(|(name, _)| name != "svix-signature");
    let bad = [
        signed(other, now, &genuine.body),
        signed(&account.webhook_secret(), now - 400, &genuine.body),
        signed(&account.webhook_secret(), now + 400, &genuine.body),
        truncated,
        unsigned,
    ];
    for webhook in &bad {
        assert_eq!(
            account.post(&url, webhook).await.expect("an answer").status,
            401,
            "{:?}",
            webhook.headers
        );
    }
    assert!(
        stage
            .daemon
            .api()
            .contacts("ada@example.org")
            .await
            .is_empty()
    );
    let late = signed(&account.webhook_secret(), now - 200, &genuine.body);
    assert_eq!(
        account.post(&url, &late).await.expect("an answer").status,
        200
    );
    stage.only_message("ada@example.org").await;
}
