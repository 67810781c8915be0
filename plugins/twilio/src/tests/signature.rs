//! The signature: published vectors, own ones, and everything that must not pass.

use serde_json::json;
use trunkline_plugin_api::{
    Verdict, WebhookRequest,
    testkit::{self, Kit},
};

use super::{
    ACCOUNT, HOOK, Pairs, TOKEN, config, encoded, kit, kit_with, message, signature, signed,
    with_signature,
};
use crate::{Twilio, signature::url_forms};

const CALL: Pairs<'_> = &[
    ("CallSid", "CA1234567890ABCDE"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
    ("Caller", "+14158675309"),
];

/// A form by POST under this token.
fn verdict(token: &str, url: &str, params: Pairs<'_>, signature: &str) -> Verdict {
    let kit = Kit::<Twilio>::open(json!({"auth_token": token}));
    let request = with_signature(testkit::form(url, &encoded(params)), signature);
    kit.receive(&request).verdict
}

/// The example on Twilio's page, and those of its Python library's tests.
#[test]
fn published_vectors() {
    let page: Pairs<'_> = &[
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675310"),
        ("Digits", "1234"),
        ("From", "+14158675310"),
        ("To", "+18005551212"),
    ];
    let repeated: Pairs<'_> = &[
        ("Sid", "CA123"),
        ("SidAccount", "AC123"),
        ("Digits", "5678"),
        ("Digits", "1234"),
        ("Digits", "1234"),
    ];
    let rows = [
        (
            "https://example.com/myapp.php",
            page,
            "L/OH5YylLD5NRKLltdqwSvS0BnU=",
        ),
        (
            "https://mycompany.com/myapp.php",
            CALL,
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        ),
        (
            "https://mycompany.com:443/myapp.php",
            CALL,
            "kvajT1Ptam85bY51eRf/AJRuM3w=",
        ),
        (
            "http://mycompany.com:80/myapp.php",
            CALL,
            "0ZXoZLH/DfblKGATFgpif+LLRf4=",
        ),
        (
            "http://mycompany.com:1234/myapp.php",
            CALL,
            "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=",
        ),
        (
            "https://mycompany.com/myapp.php",
            repeated,
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        ),
    ];
    for (url, params, signature) in rows {
        let url = format!("{url}?foo=1&bar=2");
        let authentic = verdict("12345", &url, params, signature);
        assert_eq!(authentic, Verdict::Authentic, "{url}");
        let other_token = verdict("12346", &url, params, signature);
        assert_eq!(other_token, Verdict::Mismatch, "{url}");
    }
}

/// The port may be signed or not, whichever of the two the configured URL has.
#[test]
fn ports_count_either_way() {
    let rows = [
        (
            "https://mycompany.com/myapp.php",
            "kvajT1Ptam85bY51eRf/AJRuM3w=",
        ),
        (
            "https://mycompany.com:443/myapp.php",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        ),
        (
            "http://mycompany.com/myapp.php",
            "0ZXoZLH/DfblKGATFgpif+LLRf4=",
        ),
        (
            "https://ada:pw@mycompany.com/myapp.php",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        ),
    ];
    for (url, signature) in rows {
        let url = format!("{url}?foo=1&bar=2");
        assert_eq!(
            verdict("12345", &url, CALL, signature),
            Verdict::Authentic,
            "{url}"
        );
        let fragment = format!("{url}#rc=3&rp=all");
        assert_eq!(
            verdict("12345", &fragment, CALL, signature),
            Verdict::Authentic,
            "{fragment}"
        );
    }
    let other_port = "https://mycompany.com:8443/myapp.php?foo=1&bar=2";
    let signature = "kvajT1Ptam85bY51eRf/AJRuM3w=";
    assert_eq!(
        verdict("12345", other_port, CALL, signature),
        Verdict::Mismatch
    );
}

#[test]
fn url_forms_are_without_and_with_port() {
    let rows: &[(&str, &[&str])] = &[
        ("https://h/p?q#f", &["https://h/p?q", "https://h:443/p?q"]),
        ("http://h", &["http://h", "http://h:80"]),
        (
            "https://h?q=a:1/@",
            &["https://h?q=a:1/@", "https://h:443?q=a:1/@"],
        ),
        (
            "https://h:8443/a:b",
            &["https://h/a:b", "https://h:8443/a:b"],
        ),
        ("https://u:p@h:1/@x", &["https://h/@x", "https://h:1/@x"]),
        ("https://u@p@h/", &["https://h/", "https://h:443/"]),
        (
            "https://[2001:db8::1]/x",
            &["https://[2001:db8::1]/x", "https://[2001:db8::1]:443/x"],
        ),
        (
            "https://u:p@[::1]:8443/x",
            &["https://[::1]/x", "https://[::1]:8443/x"],
        ),
        ("https://h:/x", &["https://h/x", "https://h:443/x"]),
        ("gopher://h/x", &["gopher://h/x"]),
        ("no url", &["no url"]),
        ("", &[""]),
    ];
    for (url, forms) in rows {
        assert_eq!(&url_forms(url), forms, "{url}");
    }
}

fn assert_refused(what: &str, request: &WebhookRequest, verdict: Verdict) {
    let received = kit().receive(request);
    assert_eq!(received.verdict, verdict, "{what}");
    assert_eq!(received.response.status, 401, "{what}");
    assert!(received.response.body.is_empty(), "{what}");
    assert!(received.reason.is_some(), "{what}");
    assert!(received.events.is_empty(), "{what}");
    assert_eq!(received.unparsed, None, "{what}");
}

#[test]
fn other_signatures_are_refused() {
    let params = message(&[("Body", "Hi")]);
    let mut request = signed(HOOK, &params);
    assert_eq!(kit().receive(&request).verdict, Verdict::Authentic);
    let right = request.headers[1].1.clone();
    let rows = [
        ("empty", String::new()),
        ("not base64", "***".into()),
        ("truncated", right[..24].into()),
        ("without padding", right.trim_end_matches('=').into()),
        ("longer", format!("{right}AAAA")),
        ("all zero", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=".into()),
        ("of another token", signature("other-token", HOOK, &params)),
        (
            "of another URL",
            signature(TOKEN, "https://gw.example.com/", &params),
        ),
        ("of other parameters", signature(TOKEN, HOOK, &message(&[]))),
    ];
    for (what, signature) in rows {
        request.headers[1].1 = signature;
        assert_refused(what, &request, Verdict::Mismatch);
    }
    request.headers.remove(1);
    assert_refused("unsigned", &request, Verdict::Unsigned);
}

/// A name, and what somebody did to a genuine webhook.
type Change = (&'static str, fn(&mut WebhookRequest));

#[test]
fn changed_webhooks_are_refused() {
    let genuine = signed(HOOK, &message(&[("Body", "Hi")]));
    let rows: [Change; 11] = [
        ("one byte", |copy| copy.body.to_mut()[0] ^= 1),
        ("added parameter", |copy| copy.body.to_mut().extend(b"&A=1")),
        ("second value", |copy| {
            copy.body.to_mut().extend(b"&Body=Ho");
        }),
        ("trailing space", |copy| copy.body.to_mut().extend(b"+")),
        ("cut body", |copy| copy.body.to_mut().truncate(40)),
        ("lost body", |copy| copy.body.to_mut().clear()),
        ("other path", |copy| copy.url.push('/')),
        ("added query", |copy| copy.url.push_str("?a=1")),
        ("other scheme", |copy| copy.url.replace_range(..5, "http")),
        ("as GET", |copy| copy.method = "GET".into()),
        ("multipart", |copy| {
            copy.headers[0].1 = "multipart/form-data".into();
        }),
    ];
    for (what, change) in rows {
        let mut copy = genuine.clone();
        change(&mut copy);
        assert_refused(what, &copy, Verdict::Mismatch);
    }
}

/// A value that comes twice is signed once.
#[test]
fn repeated_values_are_signed_once() {
    let genuine = signed(HOOK, &message(&[("Body", "Hi")]));
    let mut twice = genuine.clone();
    twice.body.to_mut().extend(b"&Body=Hi");
    assert_eq!(kit().receive(&twice), kit().receive(&genuine));
}

#[test]
fn another_account_is_refused() {
    let params = message(&[("AccountSid", "AC00000000000000000000000000000009")]);
    let request = signed(HOOK, &params);
    let received = kit().receive(&request);
    assert_eq!(received.verdict, Verdict::Mismatch);
    assert_eq!(
        received.reason.as_deref(),
        Some("AccountSid is not the channel's account_sid")
    );
    let open = kit_with(&json!({"account_sid": null})).receive(&request);
    assert_eq!(open.verdict, Verdict::Authentic);
    let get = super::signed_get(&format!("{HOOK}?{}", encoded(&params)));
    assert_eq!(kit().receive(&get).verdict, Verdict::Mismatch);
    let unnamed = signed(HOOK, &[("MessageSid", "SM1"), ("From", "+1")]);
    assert_eq!(kit().receive(&unnamed).verdict, Verdict::Authentic);
    assert_eq!(config()["account_sid"], ACCOUNT);
}

/// While a token is rotated any of the list verifies.
#[test]
fn rotated_tokens_verify() {
    let params = message(&[("Body", "Hi")]);
    let kit = kit_with(&json!({"auth_token": ["the-new-token", TOKEN]}));
    for (token, verdict) in [
        ("the-new-token", Verdict::Authentic),
        (TOKEN, Verdict::Authentic),
        ("an-older-token", Verdict::Mismatch),
    ] {
        let request = testkit::form(HOOK, &encoded(&params));
        let request = with_signature(request, &signature(token, HOOK, &params));
        assert_eq!(kit.receive(&request).verdict, verdict, "{token}");
    }
}

#[test]
fn without_a_secret_nothing_is_proved() {
    let kit = kit_with(&json!({"auth_token": null}));
    let received = kit.receive(&signed(HOOK, &message(&[])));
    assert_eq!(received.verdict, Verdict::NoSecret);
    assert!(received.events.is_empty());
    assert!(!kit.facts.can_receive);
}
