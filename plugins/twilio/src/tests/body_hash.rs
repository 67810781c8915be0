//! JSON bodies, which the signature covers by a hash in the URL.

use serde_json::json;
use trunkline_plugin_api::{
    Event, Note, Verdict, WebhookRequest, sign,
    testkit::{self, Kit},
};

use super::{HOOK, TOKEN, kit, signature, with_signature};
use crate::Twilio;

/// A JSON body is covered by its hash in the URL (published vector).
#[test]
fn json_is_bound_by_its_hash() {
    const HASH: &str = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let url = format!("https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256={HASH}");
    let body = r#"{"property": "value", "boolean": true}"#;
    let kit = Kit::<Twilio>::open(json!({"auth_token": "12345"}));
    let request = testkit::post(&url, "Application/JSON; charset=utf-8", body);
    let request = with_signature(request, "a9nBmqA0ju/hNViExpshrM61xv4=");
    let received = kit.receive(&request);
    assert_eq!(
        received.verdict,
        Verdict::Authentic,
        "{:?}",
        received.reason
    );
    let data = json!({"property": "value", "boolean": true});
    let note = Note {
        kind: "json".into(),
        data,
    };
    assert_eq!(received.events, [Event::Note(note)]);
    kit.tamper(&request);
    kit.fuzz(&request);

    let changed = |change: fn(&mut WebhookRequest)| {
        let mut copy = request.clone();
        change(&mut copy);
        kit.receive(&copy).verdict
    };
    let forged = [
        ("one byte", changed(|copy| copy.body.to_mut()[2] ^= 1)),
        ("no body", changed(|copy| copy.body = b"".into())),
        (
            "a form",
            changed(|copy| {
                copy.headers[0].1 = "application/x-www-form-urlencoded".into();
                copy.body = b"&".into();
            }),
        ),
        (
            "no content type",
            changed(|copy| {
                copy.headers.remove(0);
                copy.body = b"=".into();
            }),
        ),
        (
            "other content type",
            changed(|copy| copy.headers[0].1 = "text/plain".into()),
        ),
        ("no hash", changed(|copy| copy.url.truncate(43))),
    ];
    for (what, verdict) in forged {
        assert_eq!(verdict, Verdict::Mismatch, "{what}");
    }
}

/// The URL itself may carry a `bodySHA256`; Twilio's own comes last.
#[test]
fn the_last_body_hash_counts() {
    let hash = sign::hex(&sign::sha256(b"{}"));
    let kit = kit();
    for (query, verdict) in [
        (
            format!("bodySHA256=00&bodySHA256={hash}"),
            Verdict::Authentic,
        ),
        (
            format!("bodySHA256={hash}&bodySHA256=00"),
            Verdict::Mismatch,
        ),
        (
            format!("bodySHA256={}", hash.to_uppercase()),
            Verdict::Mismatch,
        ),
        ("bodySHA256=".into(), Verdict::Mismatch),
        ("bodySHA256".into(), Verdict::Mismatch),
        (String::new(), Verdict::Mismatch),
    ] {
        let url = format!("{HOOK}?{query}");
        let request = testkit::post(&url, "application/json", "{}");
        let request = with_signature(request, &signature(TOKEN, &url, &[]));
        assert_eq!(kit.receive(&request).verdict, verdict, "{query}");
    }
}
