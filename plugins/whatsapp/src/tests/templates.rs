//! The list of templates.

use serde_json::json;
use trunkline_plugin_api::{ErrorClass, Request, Template, testkit};

use super::*;

fn page(items: &Value, after: Option<&str>) -> Value {
    let mut page = json!({"data": items, "paging": {"cursors": {"before": "b", "after": after.unwrap_or("end")}}});
    if after.is_some() {
        page["paging"]["next"] = "https://graph.facebook.com/next".into();
    }
    page
}

fn ask(after: &str) -> Request {
    let fields = "id%2Cname%2Clanguage%2Cstatus%2Ccategory%2Ccomponents%2Crejected_reason";
    Request::Http(get(format!(
        "{GRAPH}/{ACCOUNT}/message_templates?fields={fields}&limit=100{after}"
    )))
}

#[test]
fn pages_are_read_to_the_end() {
    let first = json!([{
        "id": "1", "name": "welcome", "language": "en_US", "status": "APPROVED", "category": "UTILITY",
        "rejected_reason": "NONE",
        "components": [{"type": "HEADER", "format": "IMAGE"}, {"type": "BODY", "text": "Hi {{1}}, {{2}} and {{1}} {{ 3 }} {{}} {{x"}],
    }]);
    let second = json!([
        {"id": 2, "name": "sale", "status": "REJECTED", "rejected_reason": "PROMOTIONAL",
         "components": [{"type": "body", "text": "For {{first_name}}"}]},
        {"name": "without id"}, 7,
    ]);
    let run = kit().templates([
        testkit::json_reply(200, &page(&first, Some("two&x"))),
        testkit::json_reply(200, &page(&second, None)),
    ]);
    assert_eq!(run.requests, [ask(""), ask("&after=two%26x")]);
    let want = [
        Template {
            id: "1".into(),
            name: "welcome".into(),
            language: Some("en_US".into()),
            status: "APPROVED".into(),
            body: Some("Hi {{1}}, {{2}} and {{1}} {{ 3 }} {{}} {{x".into()),
            variables: ["1", "2", "3"].map(String::from).to_vec(),
            category: Some("UTILITY".into()),
            reason: None,
        },
        Template {
            id: "2".into(),
            name: "sale".into(),
            status: "REJECTED".into(),
            body: Some("For {{first_name}}".into()),
            variables: vec!["first_name".into()],
            reason: Some("PROMOTIONAL".into()),
            ..Template::default()
        },
    ];
    assert_eq!(run.outcome.unwrap(), want);
}

/// A list without end ends.
#[test]
fn pages_are_bounded() {
    let item = json!([{"id": "1", "name": "a", "status": "APPROVED"}]);
    let endless = testkit::json_reply(200, &page(&item, Some("again")));
    let run = kit().templates(vec![endless; 15]);
    assert_eq!(run.outcome.unwrap().len(), 15);
}

#[test]
fn faults_have_their_class() {
    let error = kit_with(&json!({"waba_id": null}))
        .templates([])
        .outcome
        .unwrap_err();
    assert_eq!(
        (error.class, error.code.as_str()),
        (ErrorClass::Config, "no_account")
    );
    let run = kit().templates([testkit::json_reply(401, &super::error(190, "expired"))]);
    assert_eq!(run.outcome.unwrap_err().class, ErrorClass::Credentials);
    let run = kit().templates([testkit::reply(500, "")]);
    assert_eq!(run.outcome.unwrap_err().class, ErrorClass::Transient);
}
