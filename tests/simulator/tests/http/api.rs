//! The REST API: credentials, resources, lists, media, opt-outs.

use super::client::{Client, basic, error, json};
use trunkline_simulator::{AccountStatus, InboundSms, Simulator, StatusWord};

#[actix_web::test]
async fn a_message_is_created_fetched_and_listed() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let client = Client::new(twilio);
    let body = "Grüße & 100% 😀 ";
    let form = [
        ("To", "+15005550101"),
        ("From", "+15550100"),
        ("Body", body),
        ("MediaUrl", "https://files.example.org/a.png"),
        ("MediaUrl", "https://files.example.org/b.png"),
    ];
    let created = client.post(&client.path("/Messages.json"), &form).await;
    assert_eq!(created.status, 201);
    let resource = json(&created);
    let sid = resource["sid"].as_str().unwrap();
    assert!(sid.starts_with("MM") && sid.len() == 34);
    assert_eq!(resource["account_sid"], twilio.account_sid());
    assert_eq!(resource["body"], body);
    assert_eq!(resource["status"], "queued");
    assert_eq!(resource["direction"], "outbound-api");
    assert_eq!(resource["num_media"], "2");
    assert_eq!(resource["error_code"], serde_json::Value::Null);
    assert_eq!(resource["date_sent"], serde_json::Value::Null);

    let fetched = client.get(resource["uri"].as_str().unwrap()).await;
    assert_eq!((fetched.status, json(&fetched)), (200, resource.clone()));
    let listed = client
        .get(&client.path("/Messages.json?To=%2B15005550101"))
        .await;
    assert_eq!(json(&listed)["messages"], serde_json::json!([resource]));

    let ledger = twilio.messages();
    assert_eq!(ledger.len(), 1);
    assert_eq!(
        (ledger[0].sid.as_str(), ledger[0].body.as_str()),
        (sid, body)
    );
    assert_eq!(ledger[0].media.len(), 2);
    assert_eq!(ledger[0].status, "queued");
    assert_eq!(twilio.problems(), Vec::<String>::new());
    assert_eq!(twilio.request_count(), 3);
}

#[actix_web::test]
async fn credentials_and_paths_are_checked() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let (key, secret) = twilio.api_key();
    let account = twilio.account_sid();
    let token = twilio.auth_token();
    let own = format!("/2010-04-01/Accounts/{account}");
    let foreign = "/2010-04-01/Accounts/AC00000000000000000000000000000001";
    let good = Some(basic(&account, &token));
    let by_key = Some(basic(&key, &secret));
    let wrong = Some(basic(&account, "wrong"));
    let ok = (200, 0);
    for (authorization, path, expected) in [
        (&good, format!("{own}.json"), ok),
        (&good, format!("{own}/Balance.json"), ok),
        (&good, format!("{own}/Messages.json?PageSize=1"), ok),
        (&by_key, format!("{own}/Messages.json?PageSize=1"), ok),
        (&by_key, format!("{own}.json"), (401, 20003)),
        (&wrong, format!("{own}.json"), (401, 20003)),
        (&None, format!("{own}.json"), (401, 20003)),
        (
            &Some(format!("Bearer {token}")),
            format!("{own}.json"),
            (401, 20003),
        ),
        (&good, format!("{foreign}.json"), (404, 20404)),
        (&good, format!("{foreign}/Messages.json"), (404, 20404)),
        (&good, format!("{own}/Messages/SM0.json"), (404, 20404)),
        (&good, format!("{own}/Message.json"), (404, 20404)),
        (
            &good,
            format!("{own}/Messages.json?PageSize=x"),
            (400, 20001),
        ),
    ] {
        let client = Client::new(twilio).with_authorization(authorization.clone());
        let answer = client.get(&path).await;
        let outcome = if answer.status == 200 {
            ok
        } else {
            error(&answer)
        };
        assert_eq!(outcome, expected, "{path}");
    }
    let client = Client::new(twilio);
    let answer = client.post(&client.path("/Balance.json"), &[]).await;
    assert_eq!(error(&answer), (405, 20004));
    assert_eq!(twilio.problems().len(), 10);

    let renewed = twilio.rotate_auth_token();
    assert_eq!(client.get(&format!("{own}.json")).await.status, 401);
    let client = Client::new(twilio).with_authorization(Some(basic(&account, &renewed)));
    assert_eq!(client.get(&format!("{own}.json")).await.status, 200);
}

#[actix_web::test]
async fn a_suspended_account_still_shows_itself() {
    let simulator = Simulator::start().unwrap();
    let client = Client::new(simulator.twilio());
    simulator
        .twilio()
        .set_account_status(AccountStatus::Suspended);
    let account = client.get(&client.path(".json")).await;
    assert_eq!(
        (account.status, json(&account)["status"].as_str()),
        (200, Some("suspended"))
    );
    assert_eq!(error(&client.create(&[]).await), (401, 20005));
}

#[actix_web::test]
async fn what_is_no_form_carries_no_parameters() {
    let simulator = Simulator::start().unwrap();
    let client = Client::new(simulator.twilio());
    let body = r#"{"To":"+15005550101","From":"+15550100","Body":"Hi"}"#;
    let answer = client.post_json(&client.path("/Messages.json"), body).await;
    assert_eq!(error(&answer), (400, 21604));
    let problems = simulator.twilio().problems();
    assert!(problems[0].contains("application/json"), "{problems:?}");
    assert_eq!(simulator.twilio().message_count(), 0);
}

#[actix_web::test]
async fn careless_parameters_are_found_though_accepted() {
    let simulator = Simulator::start().unwrap();
    let client = Client::new(simulator.twilio());
    assert_eq!(
        client
            .create(&[("Statuscallback", "https://x.org/")])
            .await
            .status,
        201
    );
    assert_eq!(client.create(&[("Body", "again")]).await.status, 201);
    let problems = simulator.twilio().problems();
    assert!(
        problems[0].contains("unknown parameter `Statuscallback`"),
        "{problems:?}"
    );
    assert!(
        problems[1].contains("`Body` comes more than once"),
        "{problems:?}"
    );
}

#[actix_web::test]
async fn media_needs_credentials_and_a_redirect_must_not_get_them() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let client = Client::new(twilio);
    let url = twilio.host_media(
        "MM00000000000000000000000000000001",
        "image/png",
        vec![1, 2, 3],
    );
    let answer = client.get(&url).await;
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, [1, 2, 3].as_slice())
    );
    assert_eq!(answer.header("content-type"), Some("image/png"));
    let anonymous = Client::new(twilio).with_authorization(None);
    assert_eq!(error(&anonymous.get(&url).await), (401, 20003));
    let other = url.replace("MM0", "MM1");
    assert_eq!(error(&client.get(&other).await), (404, 20404));

    twilio.set_media_redirect(true);
    let redirect = client.get(&url).await;
    assert_eq!(redirect.status, 307);
    let target = redirect.header("location").unwrap();
    assert!(!target.starts_with(&twilio.api_base()), "another origin");
    assert_eq!(anonymous.get(target).await.body, [1, 2, 3]);
    assert_eq!(client.get(target).await.status, 400);
    let problems = twilio.problems();
    assert!(
        problems.last().unwrap().contains("carried over"),
        "{problems:?}"
    );
}

#[actix_web::test]
async fn stop_and_start_change_the_opt_out() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let client = Client::new(twilio);
    twilio.inbound_missed(&InboundSms::text("+15005550101", "+15550100", " stop "));
    assert_eq!(error(&client.create(&[]).await), (400, 21610));
    twilio.inbound_missed(&InboundSms::text("+15005550101", "+15550100", "START"));
    assert_eq!(client.create(&[]).await.status, 201);
    twilio.opt_out("+15005550101");
    assert_eq!(error(&client.create(&[]).await), (400, 21610));
    assert_eq!(twilio.message_count(), 1);
    assert_eq!(twilio.inbound_messages().len(), 2);
}

#[actix_web::test]
async fn only_a_scheduled_message_can_be_taken_back() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let client = Client::new(twilio);
    let at = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)).to_string();
    let service = twilio.messaging_service_sid();
    let form = [
        ("To", "+15005550101"),
        ("MessagingServiceSid", service.as_str()),
        ("Body", "Later"),
        ("ScheduleType", "fixed"),
        ("SendAt", at.as_str()),
    ];
    let created = json(&client.post(&client.path("/Messages.json"), &form).await);
    assert_eq!(created["status"], "scheduled");
    assert_eq!(created["from"], serde_json::Value::Null);
    let path = created["uri"].as_str().unwrap();
    let wrong = client.post(path, &[("Status", "gone")]).await;
    assert_eq!(error(&wrong), (400, 20001));
    let canceled = client.post(path, &[("Status", "canceled")]).await;
    assert_eq!(json(&canceled)["status"], "canceled");
    let again = client.post(path, &[("Status", "canceled")]).await;
    assert_eq!(error(&again), (400, 30409));
}

#[actix_web::test]
async fn polling_shows_what_no_callback_told() {
    let simulator = Simulator::start().unwrap();
    let twilio = simulator.twilio();
    let client = Client::new(twilio);
    let created = json(&client.create(&[]).await);
    let sid = created["sid"].as_str().unwrap();
    twilio
        .settle(sid, StatusWord::Undelivered, Some(30003))
        .unwrap();
    let fetched = json(&client.get(created["uri"].as_str().unwrap()).await);
    assert_eq!(fetched["status"], "undelivered");
    assert_eq!(fetched["error_code"], 30003);
    assert!(fetched["date_sent"].is_string());
}
