//! Which requests are genuine.

use serde_json::json;
use trunkline_plugin_api::{
    Verdict::{self, Authentic, Expired, Mismatch, NoSecret, Unsigned},
    WebhookRequest,
};

use super::{
    HUB_SECRET, OTHER_WHSEC, SECRET, WHSEC, hub, kit, request, signed, v1, with, with_secret,
};

const BODY: &str = r#"{"id":"m1","from":"ada","text":"hi"}"#;
const WHPK: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
const ED25519_SIGNATURE: &str =
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";

fn verdicts(config: &serde_json::Value, table: Vec<(&str, WebhookRequest, Verdict)>) {
    let kit = kit(config.clone());
    for (name, request, want) in table {
        let received = kit.receive(&request);
        assert_eq!(received.verdict, want, "{name}: {:?}", received.reason);
        let status = match want {
            Authentic => 200,
            NoSecret => 404,
            _ => 401,
        };
        assert_eq!(received.response.status, status, "{name}");
    }
}

/// A Standard Webhooks request exactly as given, received `off_s` seconds after it was signed.
fn vector(id: &str, time_s: i64, body: &str, signature: &str, off_s: i64) -> WebhookRequest {
    let mut request = with(request(body), "webhook-id", id);
    request = with(request, "webhook-timestamp", time_s.to_string());
    request = with(request, "webhook-signature", signature);
    request.received_at_ms = (time_s + off_s) * 1_000;
    request
}

/// The reference libraries' vector, one of the same scheme, and Svix's for Ed25519.
#[test]
fn published_vectors_of_standard_webhooks() {
    let table = [
        (
            OTHER_WHSEC,
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            r#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        (
            WHSEC,
            "msg_example0001",
            1_767_225_600,
            r#"{"type":"message.created","timestamp":"2026-01-01T00:00:00Z","data":{"id":"m1"}}"#,
            "v1,ZJ5i5QSd0jgUQMLtFTdaxebdVpciR6aWFQJdmmDX0cI=",
        ),
        (
            WHPK,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            ED25519_SIGNATURE,
        ),
    ];
    for (secret, id, time_s, body, signature) in table {
        let case = |id: &str, time_s, body: &str, signature: &str, off_s| {
            vector(id, time_s, body, signature, off_s)
        };
        let cut = &signature[..signature.len() - 4];
        let (version, rest) = signature.split_once(',').unwrap();
        let unknown = format!("v9,{rest} {version},AAAA {version}, nonsense {signature}");
        let swapped = format!("{},{rest}", if version == "v1" { "v1a" } else { "v1" });
        verdicts(
            &json!({"signing_secret": [WHSEC, secret]}),
            vec![
                ("genuine", case(id, time_s, body, signature, 0), Authentic),
                ("late", case(id, time_s, body, signature, 300), Authentic),
                ("early", case(id, time_s, body, signature, -300), Authentic),
                ("too late", case(id, time_s, body, signature, 301), Expired),
                (
                    "too early",
                    case(id, time_s, body, signature, -301),
                    Expired,
                ),
                (
                    "several entries",
                    case(id, time_s, body, &unknown, 0),
                    Authentic,
                ),
                (
                    "other version",
                    case(id, time_s, body, &swapped, 0),
                    Mismatch,
                ),
                ("cut", case(id, time_s, body, cut, 0), Mismatch),
                (
                    "empty",
                    case(id, time_s, body, &format!("{version},"), 0),
                    Mismatch,
                ),
                ("nothing", case(id, time_s, body, "", 0), Mismatch),
                (
                    "other id",
                    case("msg_2", time_s, body, signature, 0),
                    Mismatch,
                ),
                ("no id", case("", time_s, body, signature, 0), Mismatch),
                (
                    "other time",
                    case(id, time_s + 1, body, signature, 0),
                    Mismatch,
                ),
                ("other body", case(id, time_s, "{}", signature, 0), Mismatch),
            ],
        );
        if secret != WHSEC {
            let foreign = case(id, time_s, body, signature, 0);
            verdicts(
                &json!({"signing_secret": WHSEC}),
                vec![("foreign", foreign, Mismatch)],
            );
        }
    }
}

#[test]
fn headers_of_standard_webhooks() {
    let time_s = super::NOW_MS / 1_000;
    let dotted = v1(WHSEC, "msg.1", time_s, BODY.as_bytes());
    let mut lost = signed("webhook", "msg_1", 0, BODY);
    lost.headers.retain(|(name, _)| name != "webhook-timestamp");
    let mut odd = signed("webhook", "msg_1", 0, BODY);
    odd.headers[2].1 = "soon".into();
    let mut one_of_two = signed("svix", "msg_1", 0, BODY);
    one_of_two
        .headers
        .extend(signed("webhook", "msg_2", 0, "{}").headers);
    let mut both = signed("svix", "msg_1", 0, BODY);
    both.headers
        .extend(signed("webhook", "msg_2", 0, BODY).headers);
    let unsigned = with(request(BODY), "webhook-id", "msg_1");
    verdicts(
        &json!({"signing_secret": WHSEC}),
        vec![
            ("webhook", signed("webhook", "msg_1", 0, BODY), Authentic),
            ("svix", signed("svix", "msg_1", 0, BODY), Authentic),
            ("both", both, Authentic),
            ("one of two", one_of_two, Mismatch),
            ("dot", vector("msg.1", time_s, BODY, &dotted, 0), Mismatch),
            ("no timestamp", lost, Mismatch),
            ("odd timestamp", odd, Mismatch),
            ("no signature", unsigned, Unsigned),
            (
                "hub is not configured",
                with(request(BODY), "x-hub-signature-256", hub(BODY.as_bytes())),
                Unsigned,
            ),
            ("secret is not configured", with_secret(BODY), Unsigned),
        ],
    );
}

/// GitHub's documented vector, and one with text that is not ASCII.
#[test]
fn hub_signatures() {
    let github = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let accented = "sha256=ea09e53e346db425dfdddea3aa12f44fe420ea8f83117ed2e07a9900565453bb";
    let accented_body = r#"{"event":"message","text":"café"}"#;
    let case = |body: &str, value: &str| with(request(body), "x-hub-signature-256", value);
    verdicts(
        &json!({"hub_secret": ["It's a Secret to Everybody", HUB_SECRET]}),
        vec![
            ("GitHub", case("Hello, World!", github), Authentic),
            ("UTF-8", case(accented_body, accented), Authentic),
            ("swapped", case(accented_body, github), Mismatch),
            ("other body", case("Hello, World?", github), Mismatch),
            ("bare", case("Hello, World!", &github[7..]), Mismatch),
            (
                "upper",
                case("Hello, World!", &github.to_uppercase()),
                Mismatch,
            ),
            ("cut", case("Hello, World!", &github[..70]), Mismatch),
            ("empty", case("Hello, World!", ""), Mismatch),
            ("no digits", case("Hello, World!", "sha256="), Mismatch),
            (
                "SHA-1 only",
                with(request("Hello, World!"), "x-hub-signature", "sha1=00"),
                Unsigned,
            ),
            ("none", request("Hello, World!"), Unsigned),
        ],
    );
}

#[test]
fn shared_secrets() {
    let header = |name: &str, value: &str| with(request(BODY), name, value);
    let both = |bearer: &str| with(with_secret(BODY), "authorization", bearer);
    let bearer = format!("Bearer {SECRET}");
    verdicts(
        &json!({"secret": ["an older secret", SECRET]}),
        vec![
            ("header", with_secret(BODY), Authentic),
            (
                "older",
                header("x-webhook-secret", "an older secret"),
                Authentic,
            ),
            ("bearer", header("authorization", &bearer), Authentic),
            (
                "lower case",
                header("authorization", &format!("bearer {SECRET}")),
                Authentic,
            ),
            ("both", both(&bearer), Authentic),
            (
                "basic belongs to someone else",
                both("Basic eDp5"),
                Authentic,
            ),
            ("one is wrong", both("Bearer wrong"), Mismatch),
            (
                "twice, one wrong",
                with(with_secret(BODY), "x-webhook-secret", "wrong"),
                Mismatch,
            ),
            ("cut", header("x-webhook-secret", &SECRET[1..]), Mismatch),
            (
                "longer",
                header("x-webhook-secret", &format!("{SECRET}!")),
                Mismatch,
            ),
            ("empty", header("x-webhook-secret", ""), Mismatch),
            ("empty bearer", header("authorization", "Bearer"), Mismatch),
            ("basic", header("authorization", "Basic eDp5"), Unsigned),
            ("none", request(BODY), Unsigned),
        ],
    );
}

/// A wrong or expired proof can't be talked away by a right one of another kind.
#[test]
fn every_proof_that_is_there_must_be_right() {
    let good_hub = hub(BODY.as_bytes());
    let standard = || signed("webhook", "msg_1", 0, BODY);
    let old = || signed("webhook", "msg_1", -301, BODY);
    let forged = || {
        let mut request = standard();
        request.headers.last_mut().unwrap().1 =
            v1(OTHER_WHSEC, "msg_1", super::NOW_MS / 1_000, BODY.as_bytes());
        request
    };
    let secret = |request, value: &str| with(request, "x-webhook-secret", value);
    let hubbed = |request, value: &str| with(request, "x-hub-signature-256", value);
    let all = hubbed(secret(standard(), SECRET), &good_hub);
    verdicts(
        &json!({"secret": SECRET, "hub_secret": HUB_SECRET, "signing_secret": WHSEC}),
        vec![
            ("standard alone", standard(), Authentic),
            ("hub alone", hubbed(request(BODY), &good_hub), Authentic),
            ("secret alone", with_secret(BODY), Authentic),
            ("all", all, Authentic),
            ("forged and secret", secret(forged(), SECRET), Mismatch),
            ("old and secret", secret(old(), SECRET), Expired),
            ("old and hub", hubbed(old(), &good_hub), Expired),
            (
                "standard and wrong hub",
                hubbed(standard(), "sha256=00"),
                Mismatch,
            ),
            (
                "standard and wrong secret",
                secret(standard(), "wrong"),
                Mismatch,
            ),
            (
                "hub and wrong secret",
                secret(hubbed(request(BODY), &good_hub), "wrong"),
                Mismatch,
            ),
            ("nothing", request(BODY), Unsigned),
        ],
    );
}

#[test]
fn without_a_secret_nothing_is_genuine() {
    verdicts(
        &json!({"url": "https://example.org/in"}),
        vec![
            ("any", with_secret(BODY), NoSecret),
            ("none", request(BODY), NoSecret),
        ],
    );
}

/// A hub signature covers the body alone: sent again under another header, it is the same message.
#[test]
fn a_captured_body_is_not_new_under_another_header() {
    let kit = kit(json!({"hub_secret": HUB_SECRET, "secret": SECRET}));
    let id_of = |request: WebhookRequest| {
        let received = kit.receive(&request);
        let event = received.events.into_iter().next();
        let Some(trunkline_plugin_api::Event::Message(message)) = event else {
            panic!("no message: {event:?}");
        };
        message.id
    };
    let hubbed = |id: &str| {
        let signed = with(request(BODY), "x-hub-signature-256", hub(BODY.as_bytes()));
        with(signed, "webhook-id", id)
    };
    assert_eq!(id_of(hubbed("a")), "m1");
    assert_eq!(id_of(hubbed("b")), "m1");
    assert_eq!(id_of(with(with_secret(BODY), "webhook-id", "c")), "c");
}
