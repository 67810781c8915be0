//! Which requests reach a channel at all: tokens, methods, sizes, aliases, addresses.

use trunkline_tests::config::{Channel, Config};
use trunkline_tests::http::{Reply, Request};
use trunkline_tests::twilio::{Hook, Sms};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";

/// Everything of an answer that a stranger may compare.
fn comparable(reply: &Reply) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let mut headers = reply.headers.clone();
    headers.retain(|(name, _)| name != "date" && name != "x-request-id");
    headers.sort();
    (reply.status, headers, reply.body.clone())
}

#[tokio::test]
async fn a_wrong_token_and_an_unknown_channel_are_the_same_404() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .set("server.body_bytes_max", 4_000)
            .channel(twilio(SMS, simulator))
            .channel(twilio("plain", simulator).without("webhook_token"))
    })
    .await;
    let right = stage.daemon.path(SMS);
    let wrong = format!("{}x", &right[..right.len() - 1]);
    let form = "application/x-www-form-urlencoded";
    let small = |method, path: &str| Request::new(method, path).body(form, "Body=hi");
    let large = |path: &str| Request::new("POST", path).body(form, vec![b'x'; 20_000]);
    let unknown = "/webhooks/nobody/0123456789abcdef0123456789abcdef";
    let plain = format!("/webhooks/{SMS}");
    let expected = comparable(&stage.post(&small("POST", unknown)).await);
    assert_eq!(expected.0, 404);
    let cases = [
        ("wrong token", small("POST", &wrong)),
        ("half a token", small("POST", &right[..right.len() - 8])),
        ("longer token", small("POST", &format!("{right}0"))),
        ("no token", small("POST", &plain)),
        (
            "token where none is due",
            small("POST", &format!("{}/token", stage.daemon.path("plain"))),
        ),
        ("wrong token, too large", large(&wrong)),
        ("unknown channel, too large", large(unknown)),
        ("wrong token by GET", Request::new("GET", wrong.clone())),
        ("wrong token by PUT", small("PUT", &wrong)),
        ("unknown channel by GET", Request::new("GET", unknown)),
        ("unknown channel by DELETE", small("DELETE", unknown)),
        (
            "not a channel's name",
            small("POST", "/webhooks/../etc/passwd"),
        ),
        ("an escaped name", small("POST", "/webhooks/%73ms%00/x")),
        ("no channel", small("POST", "/webhooks/")),
    ];
    for (name, request) in cases {
        let reply = stage.post(&request).await;
        assert_eq!(comparable(&reply), expected, "{name}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_and_one_under_it_is_not() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .set("server.body_bytes_max", 4_000)
            .channel(twilio(SMS, simulator))
    })
    .await;
    let long = |chars: usize| Sms::new(ADA, &"x".repeat(chars));
    assert_eq!(stage.deliver(SMS, &long(5_000)).await, 413);
    assert_eq!(stage.deliver(SMS, &long(1_600)).await, 200);
    let hook = stage.hook(SMS);
    // A body in chunks has no announced length: the limit must hold all the same.
    let chunk = "x".repeat(2_000);
    let chunked = format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\n\
         7d0\r\n{chunk}\r\n7d0\r\n{chunk}\r\n7d0\r\n{chunk}\r\n0\r\n\r\n",
        hook.target()
    );
    let mut connection = trunkline_tests::http::Connection::open(stage.daemon.public())
        .await
        .unwrap();
    assert_eq!(
        connection.send(chunked.as_bytes()).await.unwrap().status,
        413
    );
}

#[tokio::test]
async fn methods_are_those_of_the_adapter() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .channel(twilio(SMS, simulator))
            .channel(Channel::webhook("hook").config("secret", "0123456789abcdef0123456789abcdef"))
    })
    .await;
    let get = stage.hook(SMS).get(&Sms::new(ADA, "by GET"));
    assert_eq!(stage.post(&get).await.status, 200);
    assert_eq!(stage.only_message(ADA).await["content"]["text"], "by GET");
    for (channel, method) in [
        (SMS, "PUT"),
        (SMS, "DELETE"),
        (SMS, "PATCH"),
        ("hook", "GET"),
        ("hook", "PUT"),
    ] {
        let request = Request::new(method, stage.daemon.path(channel));
        assert_eq!(stage.post(&request).await.status, 405, "{method} {channel}");
    }
}

#[tokio::test]
async fn aliases_reach_their_channel_and_need_the_signature() {
    let stage = Stage::new(|simulator| {
        let paths = vec!["/webhooks/sms", "/api/sms/inbound"];
        Config::new().channel(twilio(SMS, simulator).key("webhook_paths", paths))
    })
    .await;
    let hook = stage.hook(SMS);
    let origin = hook
        .url
        .trim_end_matches(&stage.daemon.path(SMS))
        .to_owned();
    for (number, path) in ["/webhooks/sms", "/api/sms/inbound"].iter().enumerate() {
        let alias = Hook {
            url: format!("{origin}{path}"),
            ..hook.clone()
        };
        let from = format!("+1500555040{number}");
        let sms = Sms::new(&from, "by another path");
        assert_eq!(stage.post(&alias.request(&sms)).await.status, 200, "{path}");
        stage.only_message(&from).await;
        let unsigned = alias.unsigned(&Sms::new(&from, "forged").params(&alias.account_sid));
        assert_eq!(stage.post(&unsigned).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn two_channels_of_one_adapter_keep_apart() {
    let stage = Stage::new(|simulator| {
        let marketing = twilio("sms_marketing", simulator)
            .config("from", "+15550101")
            .config("auth_token", "ffffffffffffffffffffffffffffffff");
        Config::new()
            .channel(twilio(SMS, simulator))
            .channel(marketing)
    })
    .await;
    let (support, marketing) = (stage.hook(SMS), stage.hook("sms_marketing"));
    assert_ne!(support.url, marketing.url);
    assert_eq!(
        stage
            .post(&support.request(&Sms::new(ADA, "to support")))
            .await
            .status,
        200
    );
    let mut sms = Sms::new("+15005550102", "to marketing");
    sms.to = "+15550101".to_owned();
    assert_eq!(stage.post(&marketing.request(&sms)).await.status, 200);
    assert_eq!(stage.only_message(ADA).await["channel"], SMS);
    assert_eq!(
        stage.only_message("+15005550102").await["channel"],
        "sms_marketing"
    );
    // One channel's key opens nothing at the other.
    let crossed = Hook {
        auth_token: support.auth_token.clone(),
        ..marketing
    };
    assert_eq!(
        stage
            .post(&crossed.request(&Sms::new(ADA, "crossed")))
            .await
            .status,
        401
    );
    let foreign_token = stage.daemon.path(SMS).replacen(SMS, "sms_marketing", 1);
    let foreign = Request::new("POST", foreign_token).body("text/plain", "x");
    assert_eq!(stage.post(&foreign).await.status, 404);
}

#[tokio::test]
async fn a_message_goes_to_the_channel_that_has_its_address() {
    let stage = Stage::new(|simulator| {
        let second = twilio("second", simulator).config("from", "+15550101");
        Config::new()
            .channel(twilio(SMS, simulator))
            .channel(second)
    })
    .await;
    let mut sms = Sms::new(ADA, "for the second number");
    sms.to = "+15550101".to_owned();
    assert_eq!(stage.deliver(SMS, &sms).await, 200);
    assert_eq!(stage.only_message(ADA).await["channel"], "second");
    // The same message by the other way round is the same message.
    assert_eq!(stage.deliver("second", &sms).await, 200);
    stage.only_message(ADA).await;
    let mut unknown = Sms::new("+15005550102", "for nobody's number");
    unknown.to = "+15559999".to_owned();
    assert_eq!(stage.deliver(SMS, &unknown).await, 200);
    assert_eq!(stage.only_message("+15005550102").await["channel"], SMS);
}

#[tokio::test]
async fn a_send_only_channel_has_no_route_and_sends() {
    let stage = Stage::new(|simulator| {
        let sink = Channel::webhook("out")
            .config("url", simulator.webhook().sink_url())
            .config("url_secret", simulator.webhook().url_secret());
        Config::new().channel(sink)
    })
    .await;
    let request = Request::new("POST", stage.daemon.path("out")).body("application/json", "{}");
    assert_eq!(stage.post(&request).await.status, 404);
    let check = stage.daemon.cli_ok(&["check"]).await;
    assert!(
        check.all().contains("out"),
        "check says nothing of the missing route: {check:?}"
    );
    let api = stage.daemon.api();
    let id = api.send_text("out", "someone", "one way").await;
    api.wait_status(&id, "sent").await;
}

#[tokio::test]
async fn a_receive_only_channel_is_down_for_sending_and_takes_inbound() {
    let stage = Stage::new(|_| {
        Config::new()
            .channel(Channel::webhook("in").config("secret", "0123456789abcdef0123456789abcdef"))
    })
    .await;
    let api = stage.daemon.api();
    let channel = api.wait_health("in", "down").await;
    let why = channel["health"]["last_error"].as_str().unwrap_or_default();
    assert!(why.contains("No credentials configured"), "{channel}");
    let body = serde_json::json!({"channel": "in", "to": "someone", "content": {"text": "hi"}});
    let answer = api.post("/api/v1/messages", &body).await;
    assert_eq!(answer.status, 422, "{}", answer.reply.text());
    assert!(answer.json["code"].is_string(), "{}", answer.json);
    let request = Request::new("POST", stage.daemon.path("in"))
        .header("x-webhook-secret", "0123456789abcdef0123456789abcdef")
        .body(
            "application/json",
            r#"{"id":"m1","from":"ada","text":"hello"}"#,
        );
    assert_eq!(stage.post(&request).await.status, 200);
    assert_eq!(stage.only_message("ada").await["content"]["text"], "hello");
}
