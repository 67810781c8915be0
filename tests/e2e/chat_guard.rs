//! What the chat's door keeps out: forged tokens, other sites, other visitors, floods, nonsense.

use serde_json::{Value, json};
use trunkline_tests::config::Config;
use trunkline_tests::daemon::Daemon;
use trunkline_tests::http::Request;
use trunkline_tests::visitor::{Socket, Visitor, messages};

use crate::chat::{SITE, WEB, author_of, chat, daemon, visitor};

#[tokio::test]
async fn a_forged_token_opens_nothing() {
    let daemon = Daemon::start(Config::new().channel(chat(WEB)).channel(chat("shop"))).await;
    let real = visitor(&daemon).await;
    let (mut socket, _) = real.arrive(None).await;
    socket.say("c1", "mine").await;
    let (secret, tag) = real.token.split_once('.').unwrap();
    let flipped = if tag.starts_with('A') { "B" } else { "A" };
    let elsewhere = Visitor::new(daemon.public(), "shop").await.token;
    for token in [
        format!("{secret}.{flipped}{}", &tag[1..]),
        format!("{secret}.{secret}"),
        secret.to_owned(),
        elsewhere,
        String::new(),
    ] {
        let forged = Visitor::with_token(daemon.public(), WEB, &token);
        let mut socket = forged.connect(None).await.unwrap();
        let told = socket.end().await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0]["code"], "token");
        let frame = json!({"type": "message", "client": "f", "text": "forged"});
        assert_eq!(forged.post(&frame).await.0, 401, "{token}");
        let reply = forged
            .request("POST", "session", &[], &json!({"token": token}))
            .await;
        assert_eq!(reply.status, 401);
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        assert_eq!(
            forged
                .request("GET", "events", &headers, &Value::Null)
                .await
                .status,
            401
        );
    }
    assert_eq!(daemon.api().all("/api/v1/contacts").await.len(), 1);
}

#[tokio::test]
async fn other_sites_are_refused_unless_they_are_named() {
    let daemon = daemon().await;
    let visitor = visitor(&daemon).await;
    for (origin, socket_status, status) in [
        ("https://evil.example", 403, 403),
        ("null", 403, 403),
        ("http://www.example.org", 403, 403),
        (SITE, 101, 200),
        ("http://localhost", 101, 200),
    ] {
        let headers = [("origin", origin)];
        let opened = Socket::open(daemon.public(), "/chat/web/ws", &headers)
            .await
            .unwrap();
        assert_eq!(opened.err().unwrap_or(101), socket_status, "{origin}");
        let reply = visitor
            .request("POST", "session", &headers, &json!({}))
            .await;
        assert_eq!(reply.status, status, "{origin}");
        let form = Request::new("POST", "/chat/web")
            .header("origin", origin)
            .body("application/x-www-form-urlencoded", "client=x&text=hi");
        let posted = form.send(daemon.public()).await.unwrap().status;
        assert_eq!(posted, if status == 200 { 303 } else { 403 }, "{origin}");
    }
}

#[tokio::test]
async fn one_visitor_never_sees_anothers_messages() {
    let config = Config::new().channel(chat(WEB)).channel(chat("shop"));
    let daemon = Daemon::start(config).await;
    let api = daemon.api();
    let (ada, bob) = (visitor(&daemon).await, visitor(&daemon).await);
    let (mut at_ada, _) = ada.arrive(None).await;
    let (mut at_bob, _) = bob.arrive(None).await;
    at_ada.say("c1", "from ada").await;
    at_bob.say("c1", "from bob").await;
    let (who, _) = author_of(&daemon, "from ada").await;
    let id = api.send_text(WEB, &who, "for ada alone").await;
    while at_ada.expect("message").await["text"] != "for ada alone" {}
    // Bob knows the id, and it does him no good.
    at_bob
        .send(&json!({"type": "read", "messages": [id, "nonsense", ""]}))
        .await
        .unwrap();
    let own = at_bob.say("c2", "still here").await;
    assert_eq!(api.message(&id).await["status"], "sent");
    drop(at_bob);
    let (_, frames) = bob.arrive(None).await;
    let shown: Vec<&Value> = messages(&frames)
        .iter()
        .map(|frame| &frame["text"])
        .collect();
    assert_eq!(shown, ["from bob", "still here"]);
    assert!(own["id"].is_string());
    // The same person's messages by another channel are not the page's to show either.
    api.send_text("shop", &who, "by another channel").await;
    drop(at_ada);
    let (_, frames) = ada.arrive(None).await;
    let shown: Vec<&Value> = messages(&frames)
        .iter()
        .map(|frame| &frame["text"])
        .collect();
    assert_eq!(shown, ["from ada", "for ada alone"]);
}

#[tokio::test]
async fn who_asks_too_much_is_told_to_slow_down() {
    let daemon = daemon().await;
    let visitor = visitor(&daemon).await;
    let (mut socket, _) = visitor.arrive(None).await;
    for number in 0..200 {
        let frame = json!({"type": "message", "client": format!("c{number}"), "text": "flood"});
        socket.send(&frame).await.unwrap();
    }
    let mut refused = Vec::new();
    for _ in 0..200 {
        let frame = loop {
            let frame = socket.soon().await;
            if frame["type"] != "message" {
                break frame;
            }
        };
        if frame["type"] == "refused" {
            assert_eq!(frame["code"], "slow_down");
            refused.push(frame["client"].as_str().unwrap().to_owned());
        }
    }
    assert!(
        (50..=150).contains(&refused.len()),
        "{} refused",
        refused.len()
    );
    // What was refused was refused, and nothing else.
    let (who, _) = author_of(&daemon, "flood").await;
    assert_eq!(daemon.api().timeline(&who).await.len(), 200 - refused.len());
    let other = Visitor::new(daemon.public(), WEB).await;
    let (mut socket, _) = other.arrive(None).await;
    socket.say("c1", "not my fault").await;
}

#[tokio::test]
async fn nonsense_ends_at_its_sender() {
    let daemon = daemon().await;
    let visitor = visitor(&daemon).await;
    let (mut socket, _) = visitor.arrive(None).await;
    for text in [
        "",
        "{}",
        "[]",
        "nonsense",
        r#"{"type":"hello","token":""}"#,
        r#"{"type":"message","client":"a:b","text":"x"}"#,
    ] {
        socket.send_raw(text).await.unwrap();
    }
    socket.say("c1", "and goes on").await;
    // Attachments are only those that were uploaded.
    let sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let frame =
        json!({"type": "message", "client": "c2", "text": "x", "media": [{"sha256": sha256}]});
    assert_eq!(visitor.post(&frame).await.0, 422);
    let stranger = visitor.request("POST", "uploads", &[], &json!({})).await;
    assert_eq!(stranger.status, 401, "files are taken of visitors alone");
    let huge = json!({"type": "message", "client": "c3", "text": "x".repeat(70_000)});
    assert_eq!(visitor.post(&huge).await.0, 413);
    socket.send(&huge).await.unwrap();
    socket.end().await;
    let (mut silent, _) = visitor.arrive(None).await;
    for _ in 0..30 {
        // The daemon may have hung up by then, which is the point.
        let _ = silent.send_raw("nonsense").await;
    }
    silent.end().await;
    let (mut socket, _) = visitor.arrive(None).await;
    socket.say("c4", "the daemon lives").await;
}

#[tokio::test]
async fn there_is_no_webhook_and_a_stop_waits_for_no_page() {
    let config = Config::new().set("server.drain", "20s");
    let mut daemon = Daemon::start(config.channel(chat(WEB))).await;
    let nowhere = Request::new("POST", "/webhooks/nobody").body("text/plain", "x");
    let nowhere = nowhere.send(daemon.public()).await.unwrap();
    for path in [
        "/webhooks/web",
        "/webhooks/web/0123456789abcdef0123456789abcdef",
        "/chat/nobody",
    ] {
        let request = Request::new("POST", path)
            .header("x-chat-visitor", "someone")
            .body("text/plain", "x");
        let reply = request.send(daemon.public()).await.unwrap();
        assert_eq!(
            (reply.status, &reply.body),
            (nowhere.status, &nowhere.body),
            "{path}"
        );
    }
    assert!(daemon.api().channel(WEB).await["webhook_url"].is_null());
    let visitor = visitor(&daemon).await;
    let (mut socket, _) = visitor.arrive(None).await;
    let mut events = visitor.events(None).await.unwrap();
    events.until("caught_up").await;
    let began = std::time::Instant::now();
    assert!(daemon.terminate().await.success());
    // The drain time is 20 s.
    assert!(began.elapsed().as_secs() < 8, "{:?}", began.elapsed());
    socket.end().await;
}
