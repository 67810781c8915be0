//! TLS on the public listener: certificates from files, exchanged while connections live.

use serde_json::json;
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::daemon::Daemon;
use trunkline_tests::http::{Connection, Request};
use trunkline_tests::tls::Authority;
use trunkline_tests::twilio::Sms;
use trunkline_tests::visitor::Socket;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";

/// A stage whose daemon speaks TLS, the authority, and the folder of the certificate.
async fn stage(until: Option<(i32, u8, u8)>) -> (Stage, Authority, tempfile::TempDir) {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    authority.issue(folder.path(), until);
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let stage = Stage::new(|simulator| {
        Config::new()
            .set("server.tls.certificate", path("cert.pem"))
            .set("server.tls.key", path("key.pem"))
            .set("server.tls.refresh", "100ms")
            .channel(twilio(SMS, simulator))
            .channel(Channel::new("web_chat", "chat").without("webhook_token"))
    })
    .await;
    (stage, authority, folder)
}

#[tokio::test]
async fn webhooks_and_chats_come_by_tls_and_plain_text_does_not() {
    let (stage, authority, _folder) = stage(None).await;
    let to = stage.daemon.public();
    let request = stage.hook(SMS).request(&Sms::new(ADA, "sealed"));
    let (mut connection, _) = authority.open(to).await.unwrap();
    assert_eq!(connection.status_of(&request.bytes()).await.unwrap(), 200);
    let message = stage.only_message(ADA).await;
    assert_eq!(message["content"]["text"], "sealed");

    let (mut asking, _) = authority.open(to).await.unwrap();
    let session = Request::new("POST", "/chat/web_chat/session").body("application/json", "{}");
    let reply = asking.send(&session.bytes()).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let given: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    let stream = authority.connect(to).await.unwrap();
    let opened = Socket::over(stream, "/chat/web_chat/ws", &[])
        .await
        .unwrap();
    let mut socket = opened.expect("the socket opens over TLS");
    let hello = json!({"type": "hello", "token": given["token"], "after": null});
    socket.send(&hello).await.unwrap();
    socket.until("caught_up").await;
    socket.say("one", "hello over TLS").await;

    let plain = Request::new("GET", "/healthz").send(to).await;
    assert!(plain.is_err(), "{plain:?}");
    let eve = Authority::new();
    assert!(
        eve.connect(to).await.is_err(),
        "a client that trusts others"
    );
}

#[tokio::test]
async fn a_new_certificate_is_taken_and_a_broken_one_is_not() {
    let (stage, authority, folder) = stage(None).await;
    let (to, api) = (stage.daemon.public(), stage.daemon.api());
    let hook = stage.hook(SMS);
    let (mut old, first) = authority.open(to).await.unwrap();
    let request = hook.request(&Sms::new(ADA, "before")).bytes();
    assert_eq!(old.status_of(&request).await.unwrap(), 200);

    let issued = authority.issue(folder.path(), None);
    assert_ne!(issued, first);
    let shown = || async { authority.open(to).await.map(|(_, shown)| shown).ok() };
    eventually("the new certificate is shown", SOON, || async {
        (shown().await? == issued).then_some(())
    })
    .await;
    let request = hook.request(&Sms::new(ADA, "after")).bytes();
    let still = old.status_of(&request).await;
    assert_eq!(still.unwrap(), 200, "the old connection lives");

    std::fs::write(folder.path().join("cert.pem"), "no certificate").unwrap();
    let notice = api
        .wait_notification("certificate", |one| {
            one["words"]
                .as_str()
                .is_some_and(|words| words.contains("cert.pem"))
        })
        .await;
    let words = notice["words"].as_str().unwrap();
    assert!(words.contains("still used"), "{words}");
    assert_eq!(shown().await, Some(issued.clone()));
    let reload = stage.daemon.cli(&["reload"]).await;
    assert_ne!(reload.code, 0, "{reload:?}");
    assert!(
        reload.all().contains("server.tls.certificate"),
        "{reload:?}"
    );
    assert_eq!(shown().await, Some(issued));

    let again = authority.issue(folder.path(), None);
    stage.daemon.cli_ok(&["reload"]).await;
    assert_eq!(shown().await, Some(again), "a reload takes it at once");
}

#[tokio::test]
async fn an_end_that_is_near_is_told_everywhere() {
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 5);
    let soon = soon.to_zoned(jiff::tz::TimeZone::UTC).date();
    let day = |number: i8| u8::try_from(number).unwrap();
    let until = (i32::from(soon.year()), day(soon.month()), day(soon.day()));
    let (stage, _authority, _folder) = stage(Some(until)).await;
    let api = stage.daemon.api();
    api.wait_notification("certificate", |one| {
        one["words"]
            .as_str()
            .is_some_and(|words| words.contains("expires in"))
    })
    .await;
    let midnight = soon.to_zoned(jiff::tz::TimeZone::UTC).unwrap();
    let expected = midnight.timestamp().as_second().cast_unsigned();
    assert_eq!(
        api.metric("trunkline_certificate_expires_seconds").await,
        expected
    );
    let check = stage.daemon.cli_ok(&["check"]).await;
    assert!(check.stderr.contains("expires in"), "{check:?}");
}

#[tokio::test]
async fn files_that_do_not_fit_are_configuration_errors_with_their_place() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    authority.issue(folder.path(), None);
    std::fs::rename(path("key.pem"), path("other.pem")).unwrap();
    authority.issue(folder.path(), None);
    let config = |certificate: &str, key: &str| {
        Config::new()
            .set("server.tls.certificate", path(certificate))
            .set("server.tls.key", path(key))
    };
    for (certificate, key, said) in [
        ("cert.pem", "other.pem", "is not the key of the certificate"),
        ("gone.pem", "key.pem", "can't be read"),
        ("key.pem", "key.pem", "holds no certificate"),
        ("cert.pem", "cert.pem", "holds no private key"),
    ] {
        let daemon = Daemon::prepare(config(certificate, key));
        for verb in ["check", "run"] {
            let output = daemon.cli(&[verb]).await;
            assert_eq!(output.code, 78, "{output:?}");
            assert!(output.stderr.contains(said), "{output:?}");
            assert!(output.stderr.contains("trunkline.toml:"), "{output:?}");
        }
    }
    let daemon = Daemon::prepare(config("cert.pem", "key.pem"));
    let quiet = daemon.cli_ok(&["check"]).await;
    assert!(!quiet.stderr.contains("key.pem"), "{quiet:?}");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(path("key.pem"), mode).unwrap();
    let open = daemon.cli_ok(&["check"]).await;
    assert!(
        open.stderr.contains("every user of this machine"),
        "{open:?}"
    );
}

#[tokio::test]
async fn tls_is_switched_on_by_a_reload() {
    let mut stage = Stage::sms().await;
    let to = stage.daemon.public();
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    authority.issue(folder.path(), None);
    let mut plain = Connection::open(to).await.unwrap();
    let request = Request::new("GET", "/healthz").bytes();
    assert_eq!(plain.status_of(&request).await.unwrap(), 200);
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    stage.daemon.rewrite(|config| {
        *config = std::mem::take(config)
            .set("server.tls.certificate", path("cert.pem"))
            .set("server.tls.key", path("key.pem"));
    });
    stage.daemon.cli_ok(&["reload"]).await;
    let (mut sealed, _) = authority.open(to).await.unwrap();
    assert_eq!(sealed.status_of(&request).await.unwrap(), 200);
    assert_eq!(plain.status_of(&request).await.unwrap(), 200, "open before");
}
