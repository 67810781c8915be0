//! Incoming messages: signed over the exact address, retried as the address asks.

use super::gateway::Gateway;
use std::net::TcpListener;
use trunkline_simulator::{InboundSms, Simulator, SimulatorError, sign_form};

fn sms() -> InboundSms {
    InboundSms::text(
        "+15005550101",
        "+15550100",
        "Hello & welcome: 50% off? é😀 ",
    )
}

#[actix_web::test]
async fn a_message_arrives_signed_and_byte_for_byte() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let gateway = Gateway::start();
    let url = format!("{}/webhooks/sms/t0k?a=b%20c#rc=2", gateway.origin);
    let sms = sms()
        .with_param("Empty", "")
        .with_param("Tag", "b")
        .with_param("Tag", "a");
    let answer = twilio.inbound(&url, &sms).await.unwrap();
    assert_eq!((answer.status, answer.attempts), (200, 1));
    let seen = gateway.seen().remove(0);
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("POST", "/webhooks/sms/t0k?a=b%20c")
    );
    assert!(seen.is_signed(&twilio.auth_token(), &gateway.origin));
    assert_eq!(seen.param("Body").as_deref(), Some(sms.body.as_str()));
    assert_eq!(
        seen.param("MessageSid").as_deref(),
        Some(sms.message_sid.as_str())
    );
    assert_eq!(seen.param("AccountSid"), Some(twilio.account_sid()));
    assert_eq!(seen.param("Empty").as_deref(), Some(""));
    assert_eq!(twilio.complaints(), []);

    twilio.inbound(&url, &sms).await.unwrap();
    assert_eq!(
        twilio.inbound_messages().len(),
        1,
        "a duplicate is one message"
    );
    assert_eq!(gateway.seen().len(), 2);
}

#[actix_web::test]
async fn retries_happen_only_where_asked_for() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let gateway = Gateway::start();
    gateway.answer_next(&[500]);
    let answer = twilio.inbound(&gateway.origin, &sms()).await.unwrap();
    assert_eq!((answer.status, answer.attempts), (500, 1));
    gateway.answer_next(&[500, 503, 404]);
    let url = format!("{}/x#rc=3&rp=all", gateway.origin);
    let answer = twilio.inbound(&url, &sms()).await.unwrap();
    assert_eq!((answer.status, answer.attempts), (200, 4));
    let seen = gateway.seen();
    let token = |index: usize| seen[index].header("i-twilio-idempotency-token").unwrap();
    assert!(token(1) == token(4) && token(0) != token(1));
    gateway.answer_next(&[500, 500]);
    let url = format!("{}/x#rc=1&rp=5xx", gateway.origin);
    let answer = twilio.inbound(&url, &sms()).await.unwrap();
    assert_eq!((answer.status, answer.attempts), (500, 2));
}

#[actix_web::test]
async fn a_gateway_that_is_away_is_no_answer() {
    let simulator = Simulator::start().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let failed = simulator.twilio().inbound(&url, &sms()).await.unwrap_err();
    assert!(
        matches!(failed, SimulatorError::NoAnswer { connect: true, .. }),
        "{failed}"
    );
    assert_eq!(
        simulator.twilio().inbound_messages().len(),
        1,
        "the provider has it all the same"
    );
}

#[actix_web::test]
async fn a_public_origin_is_carried_to_the_listener() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let gateway = Gateway::start();
    let url = "https://hooks.example.org/webhooks/sms";
    let failed = twilio.inbound(url, &sms()).await.unwrap_err();
    assert!(matches!(failed, SimulatorError::BadUrl { .. }), "{failed}");
    simulator.route("https://hooks.example.org", &gateway.origin);
    assert_eq!(twilio.inbound(url, &sms()).await.unwrap().status, 200);
    let seen = gateway.seen().remove(0);
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    assert!(seen.is_signed(&twilio.auth_token(), "https://hooks.example.org"));
    assert!(!seen.is_signed(&twilio.auth_token(), &gateway.origin));
    let other = "https://hooks.example.org.evil/webhooks/sms";
    assert!(twilio.inbound(other, &sms()).await.is_err());
}

#[actix_web::test]
async fn a_get_carries_its_parameters_in_the_signed_address() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let gateway = Gateway::start();
    let url = format!("{}/in?a=b", gateway.origin);
    twilio.inbound(&url, &sms().by_get()).await.unwrap();
    let seen = gateway.seen().remove(0);
    assert_eq!(seen.method, "GET");
    assert!(seen.target.starts_with("/in?a=b&") && seen.body.is_empty());
    let address = format!("{}{}", gateway.origin, seen.target);
    let expected = sign_form(&twilio.auth_token(), &address, &[]);
    assert_eq!(seen.header("x-twilio-signature"), Some(expected.as_str()));
}

#[actix_web::test]
async fn raw_bytes_go_out_as_they_are() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let gateway = Gateway::start();
    let bytes = b"Body=%ff&\x00".to_vec();
    twilio
        .inbound_raw(&gateway.origin, bytes.clone(), None)
        .await
        .unwrap();
    twilio
        .inbound_raw(&gateway.origin, bytes.clone(), Some("AAAA"))
        .await
        .unwrap();
    let seen = gateway.seen();
    assert_eq!(
        (seen[0].body.as_slice(), seen[1].body.as_slice()),
        (bytes.as_slice(), bytes.as_slice())
    );
    assert_eq!(seen[0].header("x-twilio-signature"), None);
    assert_eq!(seen[1].header("x-twilio-signature"), Some("AAAA"));
}

#[actix_web::test]
async fn a_shared_key_signs_with_its_own_header() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let gateway = Gateway::start();
    twilio.set_shared_key(Some(("SK1".to_owned(), "secret".to_owned())));
    twilio.inbound(&gateway.origin, &sms()).await.unwrap();
    let seen = gateway.seen().remove(0);
    let settings = seen.header("x-twilio-webhooks-signature-settings");
    assert_eq!(settings, Some("key=SK1,algorithm=HMAC_SHA256"));
    let signature = seen.header("x-twilio-signature").unwrap();
    assert_eq!(signature.len(), 44, "base64 of 32 bytes");
}

#[actix_web::test]
async fn a_prepared_request_is_what_would_be_sent() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let gateway = Gateway::start();
    let url = format!("{}/in", gateway.origin);
    let sms = sms();
    let prepared = twilio.prepare(&format!("{url}#rc=1"), &sms);
    assert_eq!(prepared.url, url);
    assert!(twilio.inbound_messages().is_empty());
    twilio.inbound(&url, &sms).await.unwrap();
    let seen = gateway.seen().remove(0);
    assert_eq!(seen.body, prepared.body);
    let named = prepared
        .headers
        .iter()
        .find(|(name, _)| name == "x-twilio-signature");
    assert_eq!(
        seen.header("x-twilio-signature"),
        named.map(|(_, value)| value.as_str())
    );
}
