//! The configuration section.

use serde_json::json;
use trunkline_plugin_api::{ErrorClass, Medium, testkit::Kit};

use super::*;

#[test]
fn a_whole_channel_can_do_everything() {
    let facts = kit().facts;
    assert_eq!(facts.addresses, [NUMBER]);
    assert_eq!(
        (facts.media.as_slice(), facts.space.as_str()),
        (&[Medium::Whatsapp][..], "whatsapp")
    );
    assert!(facts.can_receive && facts.can_send && facts.accepts_get);
    assert!(!facts.idempotent_send && facts.fronts.is_empty());
    assert_eq!(facts.max_len, Some(4_096));
    assert_eq!(facts.body_bytes_max, Some(4 * 1024 * 1024));
    assert_eq!(facts.reply_window_ms, Some(86_400_000));
    assert!(facts.notes.is_empty(), "{:?}", facts.notes);
}

#[test]
fn halves_are_channels_too() {
    for (changes, receives, sends, gets, note) in [
        (
            json!({"app_secret": null}),
            false,
            true,
            true,
            "without app_secret",
        ),
        (
            json!({"verify_token": null}),
            true,
            true,
            false,
            "without verify_token",
        ),
        (json!({"access_token": null}), true, false, true, ""),
        (
            json!({"phone_number_id": null}),
            true,
            false,
            true,
            "without phone_number_id",
        ),
        (
            json!({"waba_id": null}),
            true,
            true,
            true,
            "without waba_id",
        ),
        (
            json!({"phone_number_id": "not_digits"}),
            true,
            true,
            true,
            "phone_number_id does not look",
        ),
        (
            json!({"api_base": "http://proxy.example"}),
            true,
            true,
            true,
            "plain http",
        ),
    ] {
        let facts = kit_with(&changes).facts;
        assert_eq!(
            (facts.can_receive, facts.can_send, facts.accepts_get),
            (receives, sends, gets),
            "{changes}"
        );
        assert_eq!(
            facts.notes.len(),
            usize::from(!note.is_empty()),
            "{changes}: {:?}",
            facts.notes
        );
        assert!(
            facts.notes.join("").contains(note),
            "{changes}: {:?}",
            facts.notes
        );
    }
    let nothing = Kit::<WhatsApp>::open(json!({})).facts;
    assert!(!nothing.can_receive && !nothing.can_send && nothing.addresses.is_empty());
}

#[test]
fn what_can_never_work_is_refused() {
    for (changes, word) in [
        (json!({"phone_number_id": "+1 555"}), "phone_number_id"),
        (json!({"phone_number_id": "1/../2"}), "phone_number_id"),
        (json!({"waba_id": ""}), "waba_id"),
        (json!({"app_secret": ""}), "app_secret"),
        (
            json!({"app_secret": ["good-secret-here", ""]}),
            "app_secret",
        ),
        (json!({"verify_token": ""}), "verify_token"),
        (json!({"access_token": "with blank\n"}), "access_token"),
        (json!({"graph_version": "25.0"}), "graph_version"),
        (json!({"graph_version": "v25.0/me"}), "graph_version"),
        (json!({"api_base": "ftp://x"}), "api_base"),
        (json!({"api_base": "https://user:password@x"}), "api_base"),
        (json!({"api_base": "nonsense"}), "api_base"),
    ] {
        let error = Kit::<WhatsApp>::refused(config_with(&changes));
        assert_eq!(error.class, ErrorClass::Config, "{changes}");
        assert!(error.message.contains(word), "{changes}: {}", error.message);
    }
    Kit::<WhatsApp>::refused(config_with(&json!({"acess_token": "x"})));
}

#[test]
fn the_version_and_the_base_are_in_every_address() {
    let kit =
        kit_with(&json!({"graph_version": "v26.0", "api_base": "http://127.0.0.1:8080/meta/"}));
    let run = kit.probe([testkit::reply(503, "")]);
    let trunkline_plugin_api::Request::Http(request) = &run.requests[0] else {
        panic!("{run:?}");
    };
    let start = format!("http://127.0.0.1:8080/meta/v26.0/{NUMBER}?");
    assert!(request.url.starts_with(&start), "{}", request.url);
    assert!(request.headers[0].sensitive);
    assert_eq!(request.redirects_max, 0);
}
