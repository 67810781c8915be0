//! WhatsApp through Twilio: what only it has, in both directions.

use serde_json::{Value, json};
use std::time::Duration;
use trunkline_simulator::{Callbacks, ContentTemplate, InboundSms, StatusWord};
use trunkline_tests::config::Config;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::Stage;
use crate::window::{ADA, ADA_WA, US, WA, deliver, whatsapp, write};

async fn stage() -> Stage {
    Stage::new(|simulator| Config::new().channel(whatsapp(simulator))).await
}

/// The newest message of Ada, once there are this many.
async fn newest(stage: &Stage, count: usize) -> Value {
    eventually(&format!("{count} messages"), SOON, || async {
        let mut messages = stage.daemon.api().timeline(ADA).await;
        (messages.len() == count).then(|| messages.remove(0))
    })
    .await
}

#[tokio::test]
async fn choices_places_and_captions_come_in() {
    let stage = stage().await;
    let text = |body: &str| InboundSms::text(ADA_WA, US, body);
    deliver(&stage, &text("Yes").with_button("confirm_42", "Yes")).await;
    let pressed = newest(&stage, 1).await;
    let want = json!({"kind": "button", "id": "confirm_42", "title": "Yes"});
    assert_eq!(pressed["content"]["interactive"], want, "{pressed}");
    assert_eq!(pressed["author"]["name"], "Ada");
    deliver(&stage, &text("Large").with_list("size_l", "Large")).await;
    let chosen = newest(&stage, 2).await;
    let want = json!({"kind": "list", "id": "size_l", "title": "Large"});
    assert_eq!(chosen["content"]["interactive"], want, "{chosen}");
    let place = text("")
        .with_param("Latitude", "52.5")
        .with_param("Longitude", "13.4");
    deliver(&stage, &place.with_param("Label", "Office")).await;
    let place = newest(&stage, 3).await;
    assert_eq!(place["content"]["location"]["label"], "Office", "{place}");
    let forwarded = text("a caption").with_media("https://example.org/a.png", "image/png");
    deliver(&stage, &forwarded.with_param("Forwarded", "true")).await;
    let media = newest(&stage, 4).await;
    assert_eq!(media["content"]["text"], "a caption", "{media}");
    assert_eq!(media["content"]["media"].as_array().map(Vec::len), Some(1));
    assert_eq!(media["metadata"]["Forwarded"], "true");
    let contacts = stage.daemon.api().contacts(ADA).await;
    assert_eq!(contacts.len(), 1, "{contacts:?}");
}

#[tokio::test]
async fn a_message_is_read_and_a_media_message_has_its_caption() {
    let stage = stage().await;
    let account = stage.simulator.twilio();
    let step = |word| (word, None);
    account.set_callbacks(Callbacks::Steps {
        delay: Duration::from_millis(20),
        steps: [StatusWord::Sent, StatusWord::Delivered, StatusWord::Read]
            .map(step)
            .to_vec(),
    });
    write(&stage, "hi").await;
    let content = json!({"text": "look", "media": [{"url": "https://example.org/a.png"}]});
    let body = json!({"channel": WA, "to": ADA, "content": content});
    let answer = stage.daemon.api().post("/api/v1/messages", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.reply.text());
    let id = answer.json["id"].as_str().expect("an id");
    stage.daemon.api().wait_status(id, "read").await;
    let sent = account.messages().remove(0);
    assert_eq!((sent.to.as_str(), sent.from.as_str()), (ADA_WA, US));
    assert_eq!((sent.body.as_str(), sent.media.len()), ("look", 1));
    assert_eq!(account.problems(), [""; 0]);
}

#[tokio::test]
async fn errors_of_whatsapp_are_told_apart() {
    let stage = Stage::new(|simulator| {
        let template = ContentTemplate::approved("order", "Hi");
        simulator.twilio().add_template(template);
        Config::new().channel(whatsapp(simulator))
    })
    .await;
    let account = stage.simulator.twilio();
    let rows = [
        (63024, "recipient"),
        (63013, "content"),
        (63033, "opted_out"),
    ];
    for (number, (code, class)) in rows.into_iter().enumerate() {
        let to = format!("+1500555020{number}");
        let sms = InboundSms::text(&format!("whatsapp:{to}"), US, "hi");
        deliver(&stage, &sms).await;
        account.set_callbacks(Callbacks::Failed { code });
        let id = stage.daemon.api().send_text(WA, &to, "hello").await;
        let message = stage.daemon.api().wait_status(&id, "failed").await;
        assert_eq!(message["error"]["class"], class, "{message}");
    }
}
