//! One person on four channels: separate, one, and separate again.

use serde_json::{Value, json};
use trunkline_simulator::WaMessage;
use trunkline_tests::config::Config;
use trunkline_tests::twilio::Sms;
use trunkline_tests::visitor::{Socket, Visitor, messages};

use crate::chat::{WEB, author_of, chat};
use crate::email::{mail, post, ses};
use crate::stage::{SMS, Stage, twilio};
use crate::whatsapp::{WA, deliver, meta};

const MAIL: &str = "mail";
/// The same number by SMS and on WhatsApp: two addresses until somebody says otherwise.
const NUMBER: &str = "+15005550101";
const ADDRESS: &str = "ada@example.org";

struct Ada {
    stage: Stage,
    browser: Visitor,
    page: Socket,
    visitor: String,
}

impl Ada {
    async fn new() -> Self {
        let stage = Stage::new(|simulator| {
            Config::new()
                .channel(twilio(SMS, simulator))
                .channel(meta(WA, simulator, 0))
                .channel(ses(simulator))
                .channel(chat(WEB))
        })
        .await;
        let browser = Visitor::new(stage.daemon.public(), WEB).await;
        let (mut page, _) = browser.arrive(None).await;
        page.say("hello", "hello").await;
        let (visitor, _) = author_of(&stage.daemon, "hello").await;
        Self {
            stage,
            browser,
            page,
            visitor,
        }
    }

    /// Writes once by every channel.
    async fn write(&mut self, round: &str) {
        let stage = &self.stage;
        let sms = Sms::new(NUMBER, &format!("sms {round}"));
        assert_eq!(stage.deliver(SMS, &sms).await, 200);
        let whatsapp = WaMessage::text(NUMBER, &format!("wa {round}"));
        assert_eq!(deliver(stage, &whatsapp).await.status, 200);
        let id = format!("{round}@example.org");
        let text = format!("mail {round}");
        assert_eq!(post(stage, mail(ADDRESS, &id, "", &text)).await, 200);
        self.page.say(round, &format!("chat {round}")).await;
    }

    /// Each address with its space and its channel.
    fn addresses(&self) -> [(&'static str, &'static str, String); 4] {
        [
            ("phone", SMS, NUMBER.to_owned()),
            ("whatsapp", WA, NUMBER.to_owned()),
            ("email", MAIL, ADDRESS.to_owned()),
            ("chat", WEB, self.visitor.clone()),
        ]
    }

    /// The contact that holds an address.
    async fn contact(&self, space: &str, identifier: &str) -> String {
        let found = self.stage.daemon.api().contacts(identifier).await;
        let holds = |contact: &&Value| {
            let identities = contact["identities"].as_array().expect("a list");
            identities
                .iter()
                .any(|known| known["space"] == space && known["identifier"] == identifier)
        };
        let found: Vec<&Value> = found.iter().filter(holds).collect();
        assert_eq!(found.len(), 1, "{space} {identifier}: {found:?}");
        found[0]["id"].as_str().expect("an id").to_owned()
    }

    async fn contacts(&self) -> Vec<String> {
        let mut contacts = Vec::new();
        for (space, _, identifier) in self.addresses() {
            contacts.push(self.contact(space, &identifier).await);
        }
        contacts
    }

    async fn timeline(&self, contact: &str) -> Vec<Value> {
        let path = format!("/api/v1/contacts/{contact}/timeline");
        let mut messages = self.stage.daemon.api().all(&path).await;
        messages.reverse();
        messages
    }

    async fn texts(&self, contact: &str) -> Vec<String> {
        let messages = self.timeline(contact).await;
        let text = |message: &Value| message["content"]["text"].as_str().map(str::to_owned);
        messages.iter().filter_map(text).collect()
    }

    /// What a page that is opened now shows.
    async fn shown(&self) -> Vec<String> {
        let (_, frames) = self.browser.arrive(None).await;
        let text = |frame: &&Value| frame["text"].as_str().unwrap_or("?").to_owned();
        messages(&frames).iter().map(text).collect()
    }

    async fn send(&mut self, body: Value) -> Value {
        let api = self.stage.daemon.api();
        let answer = api.post("/api/v1/messages", &body).await;
        assert_eq!(answer.status, 202, "{body}: {}", answer.reply.text());
        let id = answer.json["id"].as_str().expect("an id").to_owned();
        api.wait_status(&id, "sent").await
    }

    /// Panics unless a text was the last to arrive by a channel, at the address that it has there.
    async fn arrived(&mut self, channel: &str, text: &str) {
        let simulator = &self.stage.simulator;
        let (to, found) = match channel {
            SMS => {
                let last = simulator.twilio().messages().pop().expect("an SMS");
                (last.to, last.body)
            }
            WA => {
                let last = simulator.meta().messages().pop().expect("a message");
                let body = last.body["text"]["body"].as_str().map(str::to_owned);
                (last.to, body.unwrap_or_default())
            }
            MAIL => {
                let last = simulator.ses().messages().pop().expect("a mail").json;
                let to = last["Destination"]["ToAddresses"][0].as_str();
                let body = last["Content"]["Simple"]["Body"]["Text"]["Data"].as_str();
                (to.unwrap_or("?").to_owned(), body.unwrap_or("?").to_owned())
            }
            _ => loop {
                let frame = self.page.expect("message").await;
                if frame["direction"] == "out" {
                    let body = frame["text"].as_str().unwrap_or_default().to_owned();
                    break (self.visitor.clone(), body);
                }
            },
        };
        assert_eq!(found, text, "by {channel}");
        let own = self.addresses();
        let (_, _, address) = own
            .iter()
            .find(|(_, own, _)| *own == channel)
            .expect("ours");
        assert_eq!(&to, address, "by {channel}");
    }
}

fn words(rounds: &[&str]) -> Vec<String> {
    let round = |round: &&str| ["sms", "wa", "mail", "chat"].map(|by| format!("{by} {round}"));
    rounds.iter().flat_map(round).collect()
}

#[tokio::test]
async fn four_channels_become_one_timeline_and_four_again() {
    let mut ada = Ada::new().await;
    ada.write("one").await;
    let before = ada.contacts().await;
    let mut different = before.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 4, "nobody is merged by themselves");

    let keep = before[0].clone();
    let api = ada.stage.daemon.api();
    for other in &before[1..] {
        let path = format!("/api/v1/contacts/{keep}/merge");
        let merged = api.post(&path, &json!({ "contact": other })).await;
        assert_eq!(merged.status, 200, "{}", merged.reply.text());
    }
    ada.write("two").await;
    assert!(ada.contacts().await.iter().all(|contact| *contact == keep));
    let expected = [vec!["hello".to_owned()], words(&["one", "two"])].concat();
    assert_eq!(ada.texts(&keep).await, expected);
    let shown = ada.timeline(&keep).await;
    let times: Vec<&str> = shown
        .iter()
        .map(|message| message["created_at"].as_str().expect("a time"))
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let thread = shown.last().expect("messages")["thread"].clone();
    let of_round_two = &shown[shown.len() - 4..];
    assert!(
        of_round_two.iter().all(|own| own["thread"] == thread),
        "one conversation: {of_round_two:?}"
    );

    for (_, channel, to) in ada.addresses() {
        let text = format!("to {channel}");
        let sent = ada
            .send(json!({"channel": channel, "to": to, "content": {"text": text}}))
            .await;
        assert_eq!(sent["thread"], thread, "{sent}");
        ada.arrived(channel, &text).await;
        let text = format!("in the thread by {channel}");
        ada.send(json!({"channel": channel, "thread": thread, "content": {"text": text}}))
            .await;
        ada.arrived(channel, &text).await;
    }
    assert_eq!(ada.texts(&keep).await.len(), 9 + 8);
    let mut chat = ["hello", "chat one", "chat two", "to web"]
        .map(str::to_owned)
        .to_vec();
    chat.push("in the thread by web".to_owned());
    assert_eq!(ada.shown().await, chat, "the page shows the chat alone");

    let api = ada.stage.daemon.api();
    for other in &before[1..] {
        let path = format!("/api/v1/contacts/{keep}/unmerge");
        let parted = api.post(&path, &json!({ "contact": other })).await;
        assert_eq!(parted.status, 200, "{}", parted.reply.text());
    }
    assert_eq!(ada.contacts().await, before);
    ada.write("three").await;
    let by = ["sms", "wa", "mail", "chat"];
    for ((contact, by), (_, channel, _)) in before.iter().zip(by).zip(ada.addresses()) {
        let mut expected: Vec<String> = ["one", "two"].map(|round| format!("{by} {round}")).into();
        if by == "chat" {
            expected.insert(0, "hello".to_owned());
        }
        expected.push(format!("to {channel}"));
        expected.push(format!("in the thread by {channel}"));
        expected.push(format!("{by} three"));
        assert_eq!(ada.texts(contact).await, expected, "{by}");
    }
    chat.push("chat three".to_owned());
    assert_eq!(ada.shown().await, chat);
}

/// Two addresses of one kind: an answer in the thread goes to the one that wrote last.
#[tokio::test]
async fn an_answer_in_a_merged_thread_goes_to_whoever_wrote_last() {
    const OTHER: &str = "+15005550102";
    let stage = Stage::sms().await;
    let api = stage.daemon.api();
    let mut contacts = Vec::new();
    for from in [NUMBER, OTHER] {
        assert_eq!(stage.deliver(SMS, &Sms::new(from, "hello")).await, 200);
        let found = api.contacts(from).await;
        contacts.push(found[0]["id"].as_str().expect("an id").to_owned());
    }
    let path = format!("/api/v1/contacts/{}/merge", contacts[0]);
    let merged = api.post(&path, &json!({ "contact": contacts[1] })).await;
    assert_eq!(merged.status, 200, "{}", merged.reply.text());
    for from in [OTHER, NUMBER, OTHER] {
        let text = format!("from {from}");
        assert_eq!(stage.deliver(SMS, &Sms::new(from, &text)).await, 200);
        let timeline = api.timeline(from).await;
        let thread = &timeline[0]["thread"];
        let body = json!({"channel": SMS, "thread": thread, "content": {"text": text}});
        let answer = api.post("/api/v1/messages", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.reply.text());
        let id = answer.json["id"].as_str().expect("an id");
        let sent = api.wait_status(id, "sent").await;
        assert_eq!(sent["peer"]["identifier"], from, "{sent}");
    }
}
