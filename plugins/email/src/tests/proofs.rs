//! Who may hand mail in.

use serde_json::json;
use trunkline_plugin_api::{
    Verdict, WebhookRequest, sign,
    testkit::{self, NOW_MS},
};

use super::{HOOK, SECRET, kit, mails::mail, resend, signed, smtp, with};

fn posted(headers: &[(&str, &str)]) -> WebhookRequest {
    let mut request = testkit::post(HOOK, "message/rfc822", mail("plain"));
    let own = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    request.headers.extend(own);
    request
}

#[test]
fn a_secret_in_any_of_three_places() {
    let basic = |login: &str| format!("Basic {}", sign::base64(login.as_bytes()));
    let right = basic(&format!("postfix:{SECRET}"));
    let wrong = basic("postfix:no");
    let bearer = format!("bearer  {SECRET}");
    let rows: [(&[(&str, &str)], Verdict); 11] = [
        (&[("authorization", &bearer)], Verdict::Authentic),
        (&[("x-webhook-secret", SECRET)], Verdict::Authentic),
        (&[("authorization", &right)], Verdict::Authentic),
        (&[], Verdict::Unsigned),
        (&[("authorization", "Digest x")], Verdict::Unsigned),
        (&[("authorization", "Bearer")], Verdict::Unsigned),
        (&[("authorization", "Bearer no")], Verdict::Mismatch),
        (&[("authorization", "Basic ???")], Verdict::Mismatch),
        (&[("authorization", &wrong)], Verdict::Mismatch),
        (&[("x-webhook-secret", "")], Verdict::Mismatch),
        (
            &[("x-webhook-secret", SECRET), ("authorization", &wrong)],
            Verdict::Mismatch,
        ),
    ];
    for (headers, verdict) in rows {
        let received = kit(smtp()).receive(&posted(headers));
        assert_eq!(received.verdict, verdict, "{headers:?}");
        let status = if verdict == Verdict::Authentic {
            200
        } else {
            401
        };
        assert_eq!(received.response.status, status, "{headers:?}");
    }
}

#[test]
fn without_secrets_nothing_is_taken() {
    let kit = kit(with(smtp(), &json!({"inbound_secret": null})));
    assert!(!kit.facts.can_receive && kit.facts.can_send);
    let received = kit.receive(&posted(&[("x-webhook-secret", "")]));
    assert_eq!(received.verdict, Verdict::NoSecret);
    assert_eq!(received.response.status, 401);
}

#[test]
fn svix_signatures() {
    let kit = kit(with(resend(), &json!({"inbound_secret": SECRET})));
    let body = json!({"type": "email.sent", "created_at": "2026-01-01T00:00:00Z", "data": {"email_id": "e1"}});
    let genuine = signed(&body);
    assert_eq!(kit.receive(&genuine).verdict, Verdict::Authentic);
    let changed = |name: &str, value: &str| {
        let mut request = genuine.clone();
        for header in &mut request.headers {
            if header.0 == name {
                header.1 = value.into();
            }
        }
        kit.receive(&request).verdict
    };
    assert_eq!(changed("svix-id", "msg_2"), Verdict::Mismatch);
    assert_eq!(changed("svix-id", "a.b"), Verdict::Mismatch);
    assert_eq!(changed("svix-timestamp", "soon"), Verdict::Mismatch);
    assert_eq!(changed("svix-signature", "v1,"), Verdict::Mismatch);
    assert_eq!(changed("svix-signature", "v2,AAAA"), Verdict::Mismatch);
    for off_ms in [300_001, -300_999] {
        let mut late = genuine.clone();
        late.received_at_ms = NOW_MS + off_ms;
        assert_eq!(kit.receive(&late).verdict, Verdict::Expired, "{off_ms}");
        late.received_at_ms = NOW_MS + off_ms / 2;
        assert_eq!(kit.receive(&late).verdict, Verdict::Authentic);
    }
    let mut both = signed(&body);
    both.body.to_mut()[2] ^= 1;
    both.headers
        .push(("x-webhook-secret".into(), SECRET.into()));
    assert_eq!(
        kit.receive(&both).verdict,
        Verdict::Mismatch,
        "a secret does not excuse a wrong signature"
    );
}
