//! What refusals mean.

use serde_json::json;
use trunkline_plugin_api::{ErrorClass, HttpReply, Reply, TransportKind, testkit};

use super::{ADA, kit, message, resend, ses, smtp, smtp::answered};

#[test]
fn smtp_replies() {
    use ErrorClass::{Bug, Config, Content, Credentials, Recipient, Throttled, Transient};
    let rows = [
        (421, None, Transient),
        (450, Some("4.2.0"), Transient),
        (451, Some("4.7.1"), Transient),
        (452, Some("4.5.3"), Transient),
        (452, Some("4.2.2"), Transient),
        (454, Some("4.7.0"), Transient),
        (421, Some("4.7.28"), Throttled),
        (550, Some("5.7.28"), Throttled),
        (530, Some("5.7.0"), Credentials),
        (535, None, Credentials),
        (535, Some("5.7.8"), Credentials),
        (534, Some("5.7.9"), Credentials),
        (550, Some("5.1.1"), Recipient),
        (550, None, Recipient),
        (551, None, Recipient),
        (553, Some("5.1.3"), Recipient),
        (550, Some("5.2.1"), Recipient),
        (552, Some("5.2.2"), Recipient),
        (550, Some("5.4.1"), Recipient),
        (553, Some("5.1.7"), Config),
        (550, Some("5.1.8"), Config),
        (552, None, Content),
        (552, Some("5.3.4"), Content),
        (552, Some("5.2.3"), Content),
        (554, None, Content),
        (554, Some("5.6.0"), Content),
        (550, Some("5.7.1"), Content),
        (554, Some("5.7.26"), Content),
        (500, None, Bug),
        (503, Some("5.5.1"), Bug),
        (999, Some("nonsense"), Bug),
        (0, Some("5"), Bug),
    ];
    for (code, enhanced, class) in rows {
        let error = kit(smtp())
            .send(&message("Hi"), [answered(code, enhanced)])
            .outcome;
        let error = error.expect_err("refused");
        assert_eq!(error.class, class, "{code} {enhanced:?}: {error}");
        assert!(
            !error.message.contains(ADA),
            "the server's words repeat what was sent"
        );
    }
}

#[test]
fn resend_errors() {
    use ErrorClass::{Ambiguous, Bug, Config, Content, Credentials, Throttled, Transient};
    let rows = [
        (401, "missing_api_key", Credentials),
        (403, "invalid_api_key", Credentials),
        (401, "restricted_api_key", Credentials),
        (403, "validation_error", Config),
        (422, "invalid_from_address", Config),
        (422, "validation_error", Content),
        (422, "missing_required_field", Content),
        (409, "invalid_idempotent_request", Content),
        (409, "concurrent_idempotent_requests", Transient),
        (429, "rate_limit_exceeded", Throttled),
        (429, "daily_quota_exceeded", Throttled),
        (500, "application_error", Transient),
        (500, "something_new", Transient),
        (503, "", Transient),
        (500, "", Ambiguous),
        (502, "application_error", Ambiguous),
        (504, "", Ambiguous),
        (404, "not_found", Config),
        (302, "", Config),
        (418, "", Bug),
    ];
    for (status, name, class) in rows {
        let body = if name.is_empty() {
            json!("?")
        } else {
            json!({"statusCode": status, "name": name, "message": ADA})
        };
        let error = kit(resend())
            .send(&message("Hi"), [testkit::json_reply(status, &body)])
            .outcome;
        let error = error.expect_err("refused");
        assert_eq!(error.class, class, "{status} {name}");
        assert!(!error.message.contains(ADA));
        let named = error.provider_code.as_deref().unwrap_or_default();
        assert_eq!(named, name, "{status}");
    }
}

#[test]
fn ses_errors() {
    use ErrorClass::{Ambiguous, Content, Credentials, Throttled, Transient};
    let rows = [
        (429, "TooManyRequestsException", Throttled),
        (400, "LimitExceededException", Throttled),
        (400, "SendingPausedException", Credentials),
        (400, "AccountSuspendedException", Credentials),
        (400, "MailFromDomainNotVerifiedException", Credentials),
        (403, "SignatureDoesNotMatch", Credentials),
        (403, "UnrecognizedClientException", Credentials),
        (403, "", Credentials),
        (400, "MessageRejected", Content),
        (400, "BadRequestException", Content),
        (500, "InternalServiceErrorException", Transient),
        (503, "", Transient),
        (500, "", Ambiguous),
        (504, "", Ambiguous),
    ];
    for (status, name, class) in rows {
        let in_header = Reply::Http(HttpReply {
            status,
            headers: vec![(
                "x-amzn-errortype".into(),
                format!("{name}:http://internal.example/"),
            )],
            ..HttpReply::default()
        });
        let in_body = testkit::json_reply(
            status,
            &json!({"__type": format!("com.amazonaws#{name}"), "message": ADA}),
        );
        for reply in [in_header, in_body] {
            let error = kit(ses())
                .send(&message("Hi"), [reply])
                .outcome
                .expect_err("refused");
            assert_eq!(error.class, class, "{status} {name}: {error}");
        }
    }
}

/// Only what surely never arrived may be sent again; with Resend's key the daemon repeats what is unclear.
#[test]
fn no_answer_at_all() {
    for config in [smtp(), resend(), ses()] {
        for (kind, class) in [
            (TransportKind::Dns, ErrorClass::Transient),
            (TransportKind::Connect, ErrorClass::Transient),
            (TransportKind::Tls, ErrorClass::Transient),
            (TransportKind::TimeoutBeforeSend, ErrorClass::Transient),
            (TransportKind::TimeoutAfterSend, ErrorClass::Ambiguous),
            (TransportKind::Forbidden, ErrorClass::Config),
        ] {
            let error = kit(config.clone())
                .send(&message("Hi"), [testkit::transport(kind)])
                .outcome;
            assert_eq!(error.expect_err("none").class, class, "{kind:?}");
        }
    }
}
