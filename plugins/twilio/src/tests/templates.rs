//! Templates: listed over all pages, with approval and variables; called by SID.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Content, ErrorClass, HttpRequest, Identity, OutboundMessage, Request, Template, TemplateCall,
    testkit::{self, Run},
};

use super::{ADA, get, kit, kit_with};

const CONTENT: &str = "https://content.twilio.com/v1/ContentAndApprovals";

fn sid(number: u32) -> String {
    format!("HX{number:032}")
}

/// An entry of the list as Twilio gives it.
fn content(number: u32, name: &str, body: &str, approval: &Value) -> Value {
    json!({
        "sid": sid(number), "account_sid": "AC1", "friendly_name": name, "language": "en",
        "variables": {"1": "Ada"},
        "types": {"twilio/text": {"body": body}},
        "approval_requests": approval,
        "date_created": "2026-01-01T12:00:00Z", "url": format!("https://content.twilio.com/v1/Content/{}", sid(number)),
    })
}

fn page(contents: &[Value], next: Option<&str>) -> Value {
    json!({"contents": contents, "meta": {"page": 0, "page_size": 100, "key": "contents", "next_page_url": next}})
}

fn listed(pages: &[Value]) -> Run<Vec<Template>> {
    kit().templates(pages.iter().map(|page| testkit::json_reply(200, page)))
}

fn first() -> HttpRequest {
    get(&format!("{CONTENT}?PageSize=100"))
}

#[test]
fn each_entry_has_its_approval_and_variables() {
    let approved = json!({
        "name": "order", "category": "UTILITY", "content_type": "twilio/text", "status": "approved",
        "rejection_reason": "", "allow_category_change": true,
    });
    let nested = json!({"whatsapp": {"status": "rejected", "category": "MARKETING", "rejection_reason": "promotional"}});
    let card = json!({
        "sid": sid(3), "friendly_name": "card", "language": "de", "variables": {},
        "types": {
            "twilio/card": {"title": "Hallo {{ name }}", "actions": [{"url": "https://x/{{path}}", "title": "{{name}}"}]},
            "whatsapp/card": {"body": "Hallo {{name}}"},
        },
        "approval_requests": null,
    });
    let run = listed(&[page(
        &[
            content(1, "order", "Hi {{1}}, {{2}}", &approved),
            content(2, "sale", "{{ not a name! }} {{open", &nested),
            card,
            json!({"friendly_name": "without a SID"}),
        ],
        None,
    )]);
    assert_eq!(run.requests, [Request::Http(first())]);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let want = vec![
        Template {
            id: sid(1),
            name: "order".into(),
            language: Some("en".into()),
            status: "approved".into(),
            body: Some("Hi {{1}}, {{2}}".into()),
            variables: names(&["1", "2"]),
            category: Some("UTILITY".into()),
            reason: None,
        },
        Template {
            id: sid(2),
            name: "sale".into(),
            language: Some("en".into()),
            status: "rejected".into(),
            body: Some("{{ not a name! }} {{open".into()),
            variables: names(&["1"]),
            category: Some("MARKETING".into()),
            reason: Some("promotional".into()),
        },
        Template {
            id: sid(3),
            name: "card".into(),
            language: Some("de".into()),
            status: "unsubmitted".into(),
            body: Some("Hallo {{ name }}".into()),
            variables: names(&["path", "name"]),
            ..Template::default()
        },
    ];
    let mut found = run.outcome.expect("listed");
    let mut variables = found[2].variables.clone();
    variables.sort();
    assert_eq!(variables, ["name", "path"]);
    found[2].variables.clone_from(&want[2].variables);
    assert_eq!(found, want);
}

#[test]
fn pages_are_followed_on_the_same_host_alone() {
    let next = format!("{CONTENT}?PageSize=100&Page=1&PageToken=DN1");
    let none = json!({"status": "pending"});
    let run = listed(&[
        page(&[content(1, "a", "x", &none)], Some(&next)),
        page(&[content(2, "b", "y", &none)], None),
    ]);
    let want = [first(), get(&next)].map(Request::Http);
    assert_eq!(run.requests, want);
    let found: Vec<_> = run
        .outcome
        .expect("listed")
        .into_iter()
        .map(|one| one.id)
        .collect();
    assert_eq!(found, [sid(1), sid(2)]);

    for elsewhere in [
        "https://evil.example.org/v1/ContentAndApprovals",
        "/v1/relative",
        "http://content.twilio.com/",
    ] {
        let run = listed(&[page(&[], Some(elsewhere))]);
        assert_eq!(run.requests.len(), 1, "{elsewhere}");
        assert_eq!(
            run.outcome.unwrap_err().code,
            "unreadable_answer",
            "{elsewhere}"
        );
    }
}

#[test]
fn an_endless_list_ends() {
    let next = format!("{CONTENT}?PageSize=100&Page=1");
    let pages = vec![page(&[content(1, "a", "x", &json!({}))], Some(&next)); 15];
    assert_eq!(listed(&pages).outcome.expect("listed").len(), 15);
}

#[test]
fn another_base_serves_templates_itself() {
    for (base, url) in [
        (
            "http://127.0.0.1:9999",
            "http://127.0.0.1:9999/v1/ContentAndApprovals?PageSize=100",
        ),
        (
            "https://api.dublin.ie1.twilio.com",
            "https://content.dublin.ie1.twilio.com/v1/ContentAndApprovals?PageSize=100",
        ),
        (
            "https://api.example.org/twilio/",
            "https://api.example.org/twilio/v1/ContentAndApprovals?PageSize=100",
        ),
    ] {
        let run = kit_with(&json!({"api_base": base}))
            .templates([testkit::json_reply(200, &page(&[], None))]);
        assert_eq!(run.requests, [Request::Http(get(url))]);
        assert_eq!(run.outcome, Ok(vec![]));
    }
}

#[test]
fn refusals_and_nonsense() {
    let refused = json!({"code": 20003, "message": "Authenticate", "status": 401});
    for (status, body, class) in [
        (401, refused, ErrorClass::Credentials),
        (200, json!({"messages": []}), ErrorClass::Bug),
        (503, json!({}), ErrorClass::Transient),
    ] {
        let run = kit().templates([testkit::json_reply(status, &body)]);
        assert_eq!(run.outcome.unwrap_err().class, class, "{status}");
    }
    let silent = kit_with(&json!({"account_sid": null}));
    assert_eq!(
        silent.templates([]).outcome.unwrap_err().code,
        "no_credentials"
    );
}

#[test]
fn a_template_goes_by_its_sid_with_texts_as_values() {
    let from = json!({"from": "whatsapp:+15005550102"});
    let call = |id: Option<String>| TemplateCall {
        name: "order".into(),
        id,
        variables: json!({"1": "Ada", "2": 7})
            .as_object()
            .cloned()
            .unwrap_or_default(),
        ..TemplateCall::default()
    };
    for (id, want) in [(Some(sid(1)), sid(1)), (None, "order".into())] {
        let message = OutboundMessage {
            id: "m".into(),
            to: Identity::new("whatsapp", ADA),
            content: Content {
                text: Some("what was written".into()),
                template: Some(call(id)),
                ..Content::default()
            },
            ..OutboundMessage::default()
        };
        let sent = json!({"sid": "SM1", "status": "queued"});
        let run = kit_with(&from).send(&message, [testkit::json_reply(201, &sent)]);
        let Request::Http(request) = &run.requests[0] else {
            panic!("{run:?}");
        };
        let body = format!("{request:?}");
        let form: Vec<(String, String)> = match &request.body {
            trunkline_plugin_api::Body::Bytes { bytes } => {
                form_urlencoded::parse(bytes).into_owned().collect()
            }
            other => panic!("{other:?}"),
        };
        let value = |name: &str| {
            form.iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(value("ContentSid"), Some(want.as_str()), "{body}");
        assert_eq!(value("ContentVariables"), Some(r#"{"1":"Ada","2":"7"}"#));
        assert_eq!(value("Body"), None, "the template stands alone");
    }
}
