//! What a configuration makes possible.

use serde_json::{Value, json};
use trunkline_plugin_api::{ErrorClass, Front, testkit::Kit};

use super::{kit, resend, ses, smtp, with};
use crate::Email;

#[test]
fn facts() {
    for (config, receives, idempotent) in [
        (smtp(), true, false),
        (resend(), true, true),
        (ses(), false, false),
    ] {
        let facts = kit(config).facts;
        assert_eq!((facts.can_receive, facts.can_send), (receives, true));
        assert_eq!(facts.idempotent_send, idempotent);
        assert_eq!(facts.addresses, ["support@example.com"]);
        assert_eq!(facts.fronts, [Front::Mail]);
        assert_eq!(facts.body_bytes_max, Some(26 * 1024 * 1024));
        assert_eq!(facts.space, "email");
        assert!(facts.notes.is_empty(), "{:?}", facts.notes);
    }
    let bounce = with(smtp(), &json!({"bounce_address": "Bounce@in.example.com"}));
    assert_eq!(
        kit(bounce).facts.addresses,
        ["support@example.com", "bounce@in.example.com"]
    );
}

#[test]
fn half_a_configuration_is_one() {
    let rows = [
        json!({}),
        json!({"inbound_secret": "only-receives-0123456789"}),
        json!({"provider": "smtp", "from": "a@example.com"}),
        json!({"provider": "ses", "from": "a@example.com", "region": "eu-west-1"}),
        json!({"provider": "resend", "from": "a@example.com"}),
        with(smtp(), &json!({"from": null})),
    ];
    for config in rows {
        assert!(!kit(config.clone()).facts.can_send, "{config}");
    }
}

#[test]
fn what_can_never_work_is_refused() {
    let rows: [Value; 12] = [
        with(smtp(), &json!({"from": "nobody"})),
        with(smtp(), &json!({"from": "a@b@c"})),
        with(
            smtp(),
            &json!({"from": "a@example.com\r\nBcc: b@example.com"}),
        ),
        with(smtp(), &json!({"bounce_address": "bounce"})),
        with(smtp(), &json!({"password": null})),
        with(smtp(), &json!({"username": null})),
        with(smtp(), &json!({"inbound_secret": ""})),
        with(smtp(), &json!({"unsubscribe": "http://example.com"})),
        with(ses(), &json!({"region": "eu west"})),
        with(resend(), &json!({"webhook_secret": "whsec_???"})),
        with(resend(), &json!({"api_base": "ftp://example.com"})),
        with(resend(), &json!({"api_base": "https://a:b@example.com"})),
    ];
    for config in rows {
        assert_eq!(
            Kit::<Email>::refused(config.clone()).class,
            ErrorClass::Config,
            "{config}"
        );
    }
}

#[test]
fn notes() {
    let notes = |config| kit(config).facts.notes.join("; ");
    assert!(notes(with(smtp(), &json!({"tls": "none"}))).contains("tls is none"));
    assert!(notes(with(smtp(), &json!({"tls": "none", "host": "127.0.0.1"}))).is_empty());
    assert!(
        notes(with(resend(), &json!({"api_base": "http://example.com"}))).contains("plain http")
    );
    assert!(notes(with(resend(), &json!({"api_key": null}))).contains("can't be fetched"));
    assert!(notes(with(ses(), &json!({"from": null}))).contains("without from"));
}
