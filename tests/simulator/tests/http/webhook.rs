//! The generic webhook peer.

use super::client::http;
use super::gateway::Gateway;
use trunkline_simulator::{
    Behaviour, InboundHook, Proof, Simulator, batch, hub_signature, message, standard_signature,
};

/// Posts to the sink as the gateway would.
async fn post(simulator: &Simulator, secret: &str, id: &str, body: &str) -> Option<u16> {
    let now_s = jiff::Timestamp::now().as_second();
    let signature = standard_signature(secret, id, now_s, body.as_bytes()).unwrap();
    let request = http()
        .post(simulator.webhook().sink_url())
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", now_s.to_string())
        .header("webhook-signature", signature)
        .body(body.to_owned());
    let response = request.send().await.ok()?;
    Some(response.status().as_u16())
}

#[actix_web::test]
async fn the_sink_takes_what_is_signed_and_knows_duplicates() {
    let simulator = Simulator::start().unwrap();
    let webhook = simulator.webhook();
    let secret = webhook.url_secret();
    let wrong = webhook.rotate_url_secret();
    assert_ne!(secret, wrong);
    let secret = wrong;
    assert_eq!(
        post(&simulator, &secret, "msg_1", r#"{"text":"Hi"}"#).await,
        Some(200)
    );
    assert_eq!(
        post(&simulator, &secret, "msg_1", r#"{"text":"Hi"}"#).await,
        Some(200)
    );
    assert_eq!(
        post(&simulator, &secret, "msg_1", r#"{"text":"Ho"}"#).await,
        Some(401)
    );
    assert_eq!(
        post(&simulator, "whsec_AAAA", "msg_2", "{}").await,
        Some(401)
    );
    let received = webhook.received();
    let flags: Vec<(bool, bool)> = received.iter().map(|r| (r.valid, r.duplicate)).collect();
    assert_eq!(
        flags,
        [(true, false), (true, true), (false, false), (false, false)]
    );
    assert_eq!(received[0].json()["text"], "Hi");
    assert_eq!(webhook.taken().len(), 1);
    let problems: Vec<_> = webhook
        .requests()
        .into_iter()
        .filter_map(|r| r.problem)
        .collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    let head = http().head(webhook.sink_url()).send().await.unwrap();
    assert_eq!(head.status().as_u16(), 200);
}

#[actix_web::test]
async fn the_sink_fails_as_told() {
    let simulator = Simulator::start().unwrap();
    let webhook = simulator.webhook();
    let secret = webhook.url_secret();
    webhook.set_behaviour(Behaviour::status(503).times(1));
    webhook.behave_once(Behaviour::ResetAfterRead);
    webhook.behave_once(Behaviour::status(500).after_accepting());
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(post(&simulator, &secret, "msg_1", "{}").await);
    }
    assert_eq!(statuses, [None, Some(500), Some(503), Some(200)]);
    let received = webhook.received();
    let flags: Vec<(bool, bool)> = received.iter().map(|r| (r.accepted, r.duplicate)).collect();
    assert_eq!(
        flags,
        [(false, false), (true, false), (false, true), (true, true)]
    );
    assert_eq!(webhook.taken().len(), 1);
}

#[actix_web::test]
async fn every_proof_arrives() {
    let simulator = Simulator::start().unwrap();
    let webhook = simulator.webhook();
    let gateway = Gateway::start();
    let secret = webhook.url_secret();
    let json = batch(vec![
        message("m1", "ada", "Hi"),
        message("m2", "bob", "é😀 "),
    ]);
    let proofs = [Proof::Secret, Proof::Bearer, Proof::Standard, Proof::Hub];
    for proof in proofs.into_iter().chain([Proof::None, Proof::Wrong]) {
        let answer = webhook
            .inbound(&gateway.origin, proof, &secret, &json)
            .await;
        assert_eq!(answer.unwrap().status, 200);
    }
    let seen = gateway.seen();
    assert!(
        seen.iter()
            .all(|seen| seen.body == json.to_string().as_bytes())
    );
    let bearer = format!("Bearer {secret}");
    let hub = hub_signature(&secret, &seen[3].body);
    assert_eq!(seen[0].header("x-webhook-secret"), Some(secret.as_str()));
    assert_eq!(seen[1].header("authorization"), Some(bearer.as_str()));
    assert_eq!(seen[3].header("x-hub-signature-256"), Some(hub.as_str()));
    let id = seen[2].header("webhook-id").unwrap();
    let time = seen[2]
        .header("webhook-timestamp")
        .unwrap()
        .parse()
        .unwrap();
    let signature = standard_signature(&secret, id, time, &seen[2].body).unwrap();
    assert_eq!(
        seen[2].header("webhook-signature"),
        Some(signature.as_str())
    );
    assert!(seen[4].header("webhook-id").is_none() && seen[4].header("authorization").is_none());
    assert_ne!(seen[5].header("x-webhook-secret"), Some(secret.as_str()));
    assert_ne!(seen[5].header("x-webhook-secret"), None);
}

#[actix_web::test]
async fn a_retry_keeps_its_id() {
    let simulator = Simulator::start().unwrap();
    let gateway = Gateway::start();
    let secret = simulator.webhook().url_secret();
    let hook = InboundHook::new(Proof::Standard, &secret, &message("m1", "ada", "Hi"));
    let old = hook.clone().at(1).with_id("msg_old").with_body("not JSON");
    for hook in [&hook, &hook, &old] {
        simulator
            .webhook()
            .deliver(&gateway.origin, hook)
            .await
            .unwrap();
    }
    let seen = gateway.seen();
    assert_eq!(seen[0].header("webhook-id"), Some(hook.id.as_str()));
    assert_eq!(seen[1].header("webhook-id"), Some(hook.id.as_str()));
    assert_eq!(seen[2].header("webhook-id"), Some("msg_old"));
    assert_eq!(seen[2].header("webhook-timestamp"), Some("1"));
    assert_eq!(seen[2].body, b"not JSON");
}
