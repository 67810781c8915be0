//! Faults: each leaves the ledger exactly as the provider's own would be.

use super::client::{Client, error};
use std::error::Error;
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use trunkline_simulator::{Behaviour, Endpoint, Simulator};

/// The operating system's word for a broken connection, somewhere among the causes.
fn io_kind(error: &reqwest::Error) -> Option<ErrorKind> {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        cause = inner.source();
    }
    None
}

#[actix_web::test]
async fn a_status_is_answered_and_nothing_is_accepted() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let client = Client::new(twilio);
    twilio.set_behaviour(Behaviour::Status {
        code: 429,
        twilio_code: Some(20429),
        message: "Too Many Requests".to_owned(),
        times: Some(1),
        retry_after: Some(7),
    });
    let answer = client.create(&[]).await;
    assert_eq!(error(&answer), (429, 20429));
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert_eq!(twilio.message_count(), 0);
    assert_eq!(client.create(&[]).await.status, 201);
    twilio.set_behaviour(Behaviour::status(502));
    let answer = client.create(&[]).await;
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (502, b"".as_slice())
    );
    assert_eq!(twilio.message_count(), 1);
}

#[actix_web::test]
async fn a_wrong_request_is_refused_whatever_the_behaviour() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let client = Client::new(twilio);
    twilio.set_behaviour(Behaviour::status(503));
    let path = client.path("/Messages.json");
    let answer = client.post(&path, &[("To", "+15005550101")]).await;
    assert_eq!(error(&answer), (400, 21603));
}

#[actix_web::test]
async fn a_reset_is_a_reset() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let client = Client::new(twilio);
    assert_eq!(client.create(&[]).await.status, 201);
    twilio.behave_once(Behaviour::ResetAfterRead);
    let failed = client.try_create(&[]).await.unwrap_err();
    assert_eq!(
        io_kind(&failed),
        Some(ErrorKind::ConnectionReset),
        "{failed:?}"
    );
    assert_eq!(twilio.message_count(), 1);
    assert_eq!(twilio.request_count(), 2, "it was read");
    assert_eq!(client.create(&[]).await.status, 201);
}

#[actix_web::test]
async fn a_hang_takes_its_time_and_accepts_nothing() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let client = Client::new(twilio);
    let hang = Duration::from_millis(150);
    twilio.behave_once(Behaviour::Hang(hang));
    let started = Instant::now();
    assert!(client.try_create(&[]).await.is_err());
    assert!(started.elapsed() >= hang);
    assert_eq!(twilio.message_count(), 0);
}

#[actix_web::test]
async fn a_slow_answer_and_a_lost_one_are_accepted_before() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio().clone();
    let client = Client::new(&twilio);
    twilio.behave_once(Behaviour::Slow(Duration::from_secs(30)));
    let patience = Duration::from_millis(300);
    let waited = actix_web::rt::time::timeout(patience, client.create(&[])).await;
    assert!(waited.is_err(), "the answer is slow");
    assert_eq!(twilio.message_count(), 1);
    twilio.behave_once(Behaviour::ResetAfterRead.after_accepting());
    assert!(client.try_create(&[]).await.is_err());
    assert_eq!(twilio.message_count(), 2);
    twilio.behave_once(Behaviour::status(502).after_accepting());
    assert_eq!(client.create(&[]).await.status, 502);
    assert_eq!(twilio.message_count(), 3);
}

#[actix_web::test]
async fn other_calls_fail_on_their_own() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let client = Client::new(twilio);
    let fault = Behaviour::error(503, 20503, "Service Unavailable");
    twilio.set_behaviour_of(Endpoint::Account, fault.times(1));
    let path = client.path(".json");
    assert_eq!(error(&client.get(&path).await), (503, 20503));
    assert_eq!(client.get(&path).await.status, 200);
    assert_eq!(client.create(&[]).await.status, 201);
}

/// 2,000 calls on 32 connections under a mix of faults: the ledger holds exactly what was answered
/// with 201 plus what was accepted before its answer was lost.
#[actix_web::test]
async fn the_ledger_is_exact_under_load_and_faults() {
    const TASKS: usize = 32;
    const CALLS: usize = 2048;
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio().clone();
    twilio.set_behaviour(Behaviour::Mix {
        seed: 11,
        shares: vec![
            (0.10, Behaviour::error(500, 20500, "Internal Server Error")),
            (0.05, Behaviour::error(429, 20429, "Too Many Requests")),
            (0.02, Behaviour::ResetAfterRead),
            (0.02, Behaviour::status(502).after_accepting()),
        ],
    });
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let client = Client::new(&twilio);
            actix_web::rt::spawn(async move {
                let mut statuses = Vec::new();
                for call in 0..CALLS / TASKS {
                    let body = format!("{task}/{call}");
                    let to = ("To", "+15005550101");
                    let form = [to, ("From", "+15550101"), ("Body", &body)];
                    let path = client.path("/Messages.json");
                    let outcome = client.try_post(&path, &form).await;
                    statuses.push(outcome.map_or(0, |answer| answer.status));
                }
                statuses
            })
        })
        .collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.extend(task.await.unwrap());
    }
    let count = |status| statuses.iter().filter(|seen| **seen == status).count();
    assert_eq!(statuses.len(), CALLS);
    for status in [0, 429, 500, 502, 201] {
        assert!(count(status) > 0, "{status} never came");
    }
    assert_eq!(twilio.message_count(), count(201) + count(502));
    assert_eq!(twilio.request_count(), CALLS as u64);
    let mut bodies: Vec<String> = twilio.messages().into_iter().map(|m| m.body).collect();
    bodies.sort_unstable();
    bodies.dedup();
    assert_eq!(bodies.len(), twilio.message_count(), "no message twice");
}
