//! Mails as they go to SES, and the signature.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Body, DigestRequest, ErrorClass, FileReply, Reply, Request, sign, testkit,
};
use url::Url;

use super::{ADA, FILE, ID, kit, message, resend::put_together, ses, smtp::file, with};
use crate::sigv4::Signer;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn taken() -> Reply {
    testkit::json_reply(200, &json!({"MessageId": "0102018-000000"}))
}

/// AWS's published example (AWS: "Create a signed AWS API request").
#[test]
fn published_signature() {
    let signer = Signer::new("AKIDEXAMPLE", SECRET, "us-east-1", "iam");
    assert_eq!(
        sign::hex(&signer.key("20150830")),
        "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
    );
    let headers = [
        (
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        ),
        ("host", "iam.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
    ];
    let empty = sign::hex(&sign::sha256(b""));
    let authorization = signer.authorization(
        "GET",
        "/",
        "Action=ListUsers&Version=2010-05-08",
        &headers,
        &empty,
    );
    assert_eq!(
        authorization,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date, \
         Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    );
}

/// Computed by another implementation for this adapter's own call.
#[test]
fn signature_of_a_mail() {
    let signer = Signer::new("AKIDEXAMPLE", SECRET, "eu-west-1", "ses");
    let url = Url::parse("https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails")
        .expect("a URL");
    let payload = "c7f8393df1ed6e339cd910ac598c60aee806ce2f3af0394bc52a0908e9ed2acd";
    let noon = testkit::NOW_MS + 12 * 60 * 60 * 1_000;
    let request = signer.sign("POST", &url, Some("application/json"), payload, noon);
    let authorization = request
        .headers
        .iter()
        .find(|header| header.name == "authorization")
        .expect("signed");
    assert!(authorization.sensitive);
    assert!(
        authorization.value.ends_with(
            "Signature=2de48aed62b67271f99944cc3a99814efa580d0fbc753792cd814b1927f02bc6"
        ),
        "{}",
        authorization.value
    );
}

#[test]
fn the_call() {
    let mut message = message("Hi");
    message.content.html = Some("<p>Hi</p>".into());
    message.reply_to = Some("q@example.org support@example.com".into());
    let run =
        kit(with(ses(), &json!({"bounce_address": "b@in.example.com"}))).send(&message, [taken()]);
    let [Request::Http(request)] = run.requests.as_slice() else {
        panic!("{:?}", run.requests);
    };
    assert_eq!(
        request.url,
        "https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails"
    );
    let Body::Bytes { bytes } = &request.body else {
        panic!("{:?}", request.body);
    };
    let body: Value = serde_json::from_slice(bytes).expect("JSON");
    let part = |text: &str| json!({"Data": text, "Charset": "UTF-8"});
    let want = json!({
        "FromEmailAddress": "\"Support\" <support@example.com>",
        "Destination": {"ToAddresses": [ADA]},
        "FeedbackForwardingEmailAddress": format!("b+{ID}@in.example.com"),
        "EmailTags": [{"Name": "trunkline_message", "Value": ID}],
        "Content": {"Simple": {
            "Subject": part("Your order"),
            "Body": {"Text": part("Hi"), "Html": part("<p>Hi</p>")},
            "Headers": [
                {"Name": "In-Reply-To", "Value": "<q@example.org>"},
                {"Name": "References", "Value": "<q@example.org>"},
                {"Name": "X-Trunkline-Message", "Value": ID},
            ],
        }},
    });
    assert_eq!(body, want);
    assert_eq!(
        run.outcome.map(|receipt| receipt.external_id),
        Ok("0102018-000000".into())
    );
}

#[test]
fn a_body_with_files_is_digested_first() {
    let mut message = message("Hi");
    message.content.media = vec![file("a.pdf")];
    let digest = Reply::Digest(FileReply {
        sha256: FILE.into(),
        size: 9,
    });
    let run = kit(ses()).send(&message, [digest, taken()]);
    let [
        Request::Digest(DigestRequest { body }),
        Request::Http(request),
    ] = run.requests.as_slice()
    else {
        panic!("{:?}", run.requests);
    };
    assert_eq!(*body, request.body, "what was digested is what is sent");
    let json = put_together(body);
    let want = json!([{
        "FileName": "a.pdf", "ContentType": "application/pdf", "ContentDisposition": "ATTACHMENT",
        "ContentTransferEncoding": "BASE64", "RawContent": "BASE64",
    }]);
    assert_eq!(json["Content"]["Simple"]["Attachments"], want);
    assert!(run.outcome.is_ok());
}

/// A digest may be asked for again, a send may not.
#[test]
fn restarts() {
    let kit = kit(ses());
    let interrupted = kit.send_from(&message("Hi"), json!("send"), []);
    assert_eq!(
        interrupted.outcome.expect_err("unknown").class,
        ErrorClass::Ambiguous
    );
    let mut with_file = message("Hi");
    with_file.content.media = vec![file("a.pdf")];
    let digest = Reply::Digest(FileReply {
        sha256: FILE.into(),
        size: 9,
    });
    assert!(
        kit.send_from(&with_file, json!("digest"), [digest, taken()])
            .outcome
            .is_ok()
    );
    let error = kit.send(
        &with_file,
        [testkit::transport(
            trunkline_plugin_api::TransportKind::Forbidden,
        )],
    );
    assert!(error.outcome.is_err());
}
