//! The visitor's chat: live both ways, and caught up.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::daemon::Daemon;
use trunkline_tests::http::Request;
use trunkline_tests::visitor::{Visitor, messages};
use trunkline_tests::wait::{SOON, eventually};

pub(crate) const WEB: &str = "web";
pub(crate) const SITE: &str = "https://www.example.org";

/// A chat channel that one other site may show.
pub(crate) fn chat(id: &str) -> Channel {
    Channel::new(id, "chat")
        .without("webhook_token")
        .config("title", "Help")
        .config("allowed_origins", vec![SITE])
}

pub(crate) async fn daemon() -> Daemon {
    Daemon::start(Config::new().channel(chat(WEB))).await
}

pub(crate) async fn visitor(daemon: &Daemon) -> Visitor {
    Visitor::new(daemon.public(), WEB).await
}

/// The identifier of whoever wrote a text, and the thread.
pub(crate) async fn author_of(daemon: &Daemon, text: &str) -> (String, String) {
    eventually(&format!("the author of {text:?}"), SOON, || async {
        for contact in daemon.api().all("/api/v1/contacts").await {
            let identifier = contact["identities"][0]["identifier"].as_str()?.to_owned();
            for message in daemon.api().timeline(&identifier).await {
                if message["content"]["text"] == text {
                    return Some((identifier, message["thread"].as_str()?.to_owned()));
                }
            }
        }
        None
    })
    .await
}

#[tokio::test]
async fn it_is_live_in_both_directions() {
    let daemon = daemon().await;
    let api = daemon.api();
    let visitor = visitor(&daemon).await;
    let (mut socket, missed) = visitor.arrive(None).await;
    assert_eq!(messages(&missed).len(), 0, "{missed:?}");
    let said = json!({"type": "message", "client": "c1", "text": " hi there\n", "name": "Ada", "email": "ada@example.org"});
    socket.send(&said).await.unwrap();
    let accepted = socket.expect("accepted").await;
    // What was acknowledged is in the timeline at once.
    let stored = api.message(accepted["id"].as_str().unwrap()).await;
    assert_eq!(stored["content"]["text"], " hi there\n");
    assert_eq!(
        (&stored["medium"], &stored["direction"]),
        (&json!("chat"), &json!("inbound"))
    );
    assert_eq!(stored["metadata"]["email"], "ada@example.org");
    let (who, thread) = author_of(&daemon, " hi there\n").await;
    assert!(
        !visitor.token.contains(&who),
        "the identifier is not the token"
    );
    let contact = &api.contacts(&who).await[0];
    assert_eq!(contact["identities"][0]["space"], "chat");
    assert_eq!(contact["name"], "Ada");

    let body = json!({"channel": WEB, "thread": thread, "content": {"text": "hello <Ada> & all"}});
    let sent = api.post("/api/v1/messages", &body).await;
    let id = sent.json["id"].as_str().unwrap().to_owned();
    let frame = loop {
        let frame = socket.expect("message").await;
        if frame["direction"] == "out" {
            break frame;
        }
    };
    assert_eq!(
        (&frame["text"], &frame["id"]),
        (&json!("hello <Ada> & all"), &json!(id))
    );
    api.wait_status(&id, "sent").await;
    socket
        .send(&json!({"type": "delivered", "messages": [id]}))
        .await
        .unwrap();
    api.wait_status(&id, "delivered").await;
    socket
        .send(&json!({"type": "read", "messages": [id]}))
        .await
        .unwrap();
    let read = api.wait_status(&id, "read").await;
    assert!(
        read["history"]
            .as_array()
            .unwrap()
            .iter()
            .any(|entry| entry["source"] == "callback"),
        "{read}"
    );
    assert_eq!(
        api.wait_health(WEB, "healthy").await["chat_url"]
            .as_str()
            .unwrap()
            .rsplit_once('/')
            .unwrap()
            .1,
        WEB
    );
}

#[tokio::test]
async fn a_closed_page_catches_up() {
    let daemon = daemon().await;
    let api = daemon.api();
    let visitor = visitor(&daemon).await;
    let (mut socket, _) = visitor.arrive(None).await;
    let first = socket.say("c1", "first").await;
    let (who, _) = author_of(&daemon, "first").await;
    drop(socket);
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        let id = api.send_text(WEB, &who, text).await;
        // Nobody is there, and it is sent all the same.
        api.wait_status(&id, "sent").await;
        ids.push(id);
    }
    let after = first["id"].as_str();
    let (mut socket, missed) = visitor.arrive(after).await;
    let shown: Vec<&Value> = messages(&missed)
        .iter()
        .map(|frame| &frame["text"])
        .collect();
    assert_eq!(shown, ["one", "two", "three"]);
    socket
        .send(&json!({"type": "read", "messages": ids}))
        .await
        .unwrap();
    for id in &ids {
        api.wait_status(id, "read").await;
    }
    drop(socket);
    let (_, again) = visitor.arrive(ids.last().map(String::as_str)).await;
    assert_eq!(messages(&again).len(), 0, "{again:?}");
    let (_, all) = visitor.arrive(None).await;
    let all: Vec<&Value> = messages(&all).iter().map(|frame| &frame["text"]).collect();
    assert_eq!(all, ["first", "one", "two", "three"]);
}

/// A page opens at the moment at which an answer goes out: pushed before the page is there, and not yet
/// written down as sent when the page reads what it missed.
#[tokio::test]
async fn an_answer_that_goes_out_while_the_page_opens_is_shown() {
    let daemon = daemon().await;
    let api = daemon.api();
    let visitor = visitor(&daemon).await;
    let (mut socket, _) = visitor.arrive(None).await;
    let mut last = socket.say("c1", "first").await["id"].clone();
    let (who, _) = author_of(&daemon, "first").await;
    drop(socket);
    for round in 0..200 {
        let sent = api.send_text(WEB, &who, "an answer").await;
        // A little later each time, over what a send takes; sleep knows whole milliseconds alone.
        let opens = Instant::now() + Duration::from_micros(round * 25);
        while Instant::now() < opens {
            tokio::task::yield_now().await;
        }
        let (mut socket, missed) = visitor.arrive(last.as_str()).await;
        let is_it = |frame: &Value| frame["id"] == sent;
        if !missed.iter().any(is_it) {
            assert!(is_it(&socket.expect("message").await), "round {round}");
        }
        last = sent.into();
    }
}

#[tokio::test]
async fn what_was_queued_before_and_sent_later_is_not_missed() {
    let daemon = daemon().await;
    let api = daemon.api();
    let visitor = visitor(&daemon).await;
    let (mut socket, _) = visitor.arrive(None).await;
    socket.say("c1", "first").await;
    let (who, _) = author_of(&daemon, "first").await;
    api.post(&format!("/api/v1/channels/{WEB}/disable"), &json!({}))
        .await;
    let held = api.send_text(WEB, &who, "held back").await;
    // The page moves on past the message that waits.
    let last = socket.say("c2", "switched off, and still heard").await;
    drop(socket);
    api.post(&format!("/api/v1/channels/{WEB}/enable"), &json!({}))
        .await;
    api.wait_status(&held, "sent").await;
    let (_, missed) = visitor.arrive(last["id"].as_str()).await;
    let shown: Vec<&Value> = messages(&missed)
        .iter()
        .map(|frame| &frame["text"])
        .collect();
    assert_eq!(shown, ["held back"]);
}

#[tokio::test]
async fn a_message_sent_again_is_one_message() {
    let daemon = daemon().await;
    let visitor = visitor(&daemon).await;
    let (mut socket, _) = visitor.arrive(None).await;
    let first = socket.say("same", "once").await;
    let second = socket.say("same", "once").await;
    assert_eq!(first["id"], second["id"]);
    let (status, third) = visitor
        .post(&json!({"type": "message", "client": "same", "text": "once"}))
        .await;
    assert_eq!((status, &third["id"]), (200, &first["id"]));
    let (who, _) = author_of(&daemon, "once").await;
    assert_eq!(daemon.api().timeline(&who).await.len(), 1);
    // Another visitor's id of the same name is another message.
    let other = Visitor::new(daemon.public(), WEB).await;
    let (mut socket, _) = other.arrive(None).await;
    let theirs = socket.say("same", "twice").await;
    assert_ne!(theirs["id"], first["id"]);
}

#[tokio::test]
async fn an_event_stream_and_posts_do_the_same() {
    let daemon = daemon().await;
    let api = daemon.api();
    let visitor = visitor(&daemon).await;
    let mut events = visitor.events(None).await.unwrap();
    events.until("caught_up").await;
    let (status, accepted) = visitor
        .post(&json!({"type": "message", "client": "c1", "text": "by post"}))
        .await;
    assert_eq!((status, &accepted["type"]), (200, &json!("accepted")));
    // Every open page of the visitor shows it, this one too.
    let shown = events.until("message").await;
    assert_eq!(shown.last().unwrap()["text"], "by post");
    let (who, _) = author_of(&daemon, "by post").await;
    let id = api.send_text(WEB, &who, "by stream\n\ndata: {}").await;
    let shown = events.until("message").await;
    assert_eq!(shown.last().unwrap()["text"], "by stream\n\ndata: {}");
    assert_eq!(
        visitor
            .post(&json!({"type": "read", "messages": [id]}))
            .await
            .0,
        200
    );
    api.wait_status(&id, "read").await;
    drop(events);
    let mut again = visitor.events(Some(&id)).await.unwrap();
    assert_eq!(messages(&again.until("caught_up").await).len(), 0);
}

#[tokio::test]
async fn the_visitor_sees_that_somebody_read_and_writes() {
    let daemon = daemon().await;
    let api = daemon.api();
    let visitor = visitor(&daemon).await;
    let (mut socket, _) = visitor.arrive(None).await;
    socket.say("c1", "one").await;
    let last = socket.say("c2", "two").await;
    let (_, thread) = author_of(&daemon, "two").await;
    let of_thread = |what: &str| format!("/api/v1/threads/{thread}/{what}");
    assert_eq!(
        api.get(&of_thread("presence")).await,
        json!({"online": true, "typing": false})
    );
    socket
        .send(&json!({"type": "typing", "on": true}))
        .await
        .unwrap();
    eventually("the visitor writes", SOON, || async {
        (api.get(&of_thread("presence")).await["typing"] == true).then_some(())
    })
    .await;
    let marked = api.post(&of_thread("typing"), &json!({})).await;
    assert_eq!((marked.status, &marked.json["message"]), (200, &last["id"]));
    let frame = socket.expect("read").await;
    assert_eq!(
        (&frame["client"], &frame["typing"]),
        (&json!("c2"), &json!(true))
    );
    assert_eq!(api.post(&of_thread("read"), &json!({})).await.status, 200);
    assert_eq!(socket.expect("read").await["typing"], json!(false));
    // It is noted once, and covers what was written before.
    let history = api.message(last["id"].as_str().unwrap()).await["history"].clone();
    assert_eq!(history.as_array().unwrap().len(), 1, "{history}");
    drop(socket);
    let (_, frames) = visitor.arrive(None).await;
    let states: Vec<&Value> = messages(&frames)
        .iter()
        .map(|frame| &frame["state"])
        .collect();
    assert_eq!(states, ["read", "read"]);
    eventually("the visitor has gone", SOON, || async {
        (api.get(&of_thread("presence")).await["online"] == false).then_some(())
    })
    .await;
    let nowhere = "/api/v1/threads/01a1ff82-484b-7355-8000-000000400001/read";
    assert_eq!(api.post(nowhere, &json!({})).await.status, 404);
    let member = api.with_token(&daemon.create_token("member").await);
    assert_eq!(
        member.post(&of_thread("read"), &json!({})).await.status,
        403
    );
}

#[tokio::test]
async fn a_page_outlives_a_reload() {
    let mut daemon = daemon().await;
    let visitor = visitor(&daemon).await;
    let (mut socket, _) = visitor.arrive(None).await;
    socket.say("c1", "before").await;
    daemon.rewrite(|config| config.put(chat(WEB).config("title", "Other")));
    daemon.cli_ok(&["reload"]).await;
    socket.say("c2", "after").await;
    let (who, _) = author_of(&daemon, "after").await;
    daemon.api().send_text(WEB, &who, "and back").await;
    while socket.expect("message").await["text"] != "and back" {}
    let page = Request::new("GET", "/chat/web")
        .send(daemon.public())
        .await
        .unwrap();
    assert!(page.text().contains("<title>Other</title>"));
}

#[tokio::test]
async fn a_channel_without_read_marks_says_so() {
    let stage = crate::stage::Stage::sms().await;
    let sms = trunkline_tests::twilio::Sms::new("+15550111", "hi");
    assert_eq!(stage.deliver(crate::stage::SMS, &sms).await, 200);
    let thread = stage.only_message("+15550111").await["thread"].clone();
    let path = format!("/api/v1/threads/{}/read", thread.as_str().unwrap());
    let answer = stage.daemon.api().post(&path, &json!({})).await;
    assert_eq!(
        (answer.status, &answer.json["code"]),
        (422, &json!("unsupported"))
    );
}
