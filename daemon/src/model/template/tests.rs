use serde_json::json;

use super::*;

fn template(name: &str, language: &str, status: &str, variables: &[&str]) -> CatalogueEntry {
    CatalogueEntry {
        template: Template {
            id: format!("{name}/{language}"),
            name: name.into(),
            language: Some(language.into()),
            status: status.into(),
            variables: variables.iter().map(|name| (*name).to_owned()).collect(),
            ..Template::default()
        },
        changed_at_ms: 0,
    }
}

fn catalogue() -> Catalogue {
    let entries = vec![
        template("order", "en", "APPROVED", &["1", "2"]),
        template("order", "de", "REJECTED", &["1", "2"]),
        template("note", "en", "approved", &["text"]),
        template("both", "en", "approved", &[]),
        template("both", "de", "approved", &[]),
        template("menu", "en", "unsubmitted", &[]),
        template("poor", "en", "PAUSED", &[]),
    ];
    Catalogue::new(1, entries)
}

fn call(name: &str, language: Option<&str>, variables: &Value) -> TemplateCall {
    TemplateCall {
        name: name.into(),
        language: language.map(String::from),
        variables: variables.as_object().cloned().unwrap_or_default(),
        ..TemplateCall::default()
    }
}

#[test]
fn a_call_is_known_approved_and_complete() {
    use Approval::{Needed, None as Unasked, OrNeverAsked};
    let two = json!({"1": "Ada", "2": 7});
    let rows = [
        ("order", None, &two, Needed, Ok("order/en")),
        ("order/en", None, &two, Needed, Ok("order/en")),
        (
            "order",
            Some("de"),
            &two,
            Needed,
            Err("template_not_approved"),
        ),
        ("order", Some("de"), &two, Unasked, Ok("order/de")),
        ("order", Some("fr"), &two, Needed, Err("template_unknown")),
        ("nothing", None, &two, Needed, Err("template_unknown")),
        ("both", None, &json!({}), Needed, Err("template_unknown")),
        ("both", Some("de"), &json!({}), Needed, Ok("both/de")),
        ("menu", None, &json!({}), OrNeverAsked, Ok("menu/en")),
        (
            "menu",
            None,
            &json!({}),
            Needed,
            Err("template_not_approved"),
        ),
        (
            "poor",
            None,
            &json!({}),
            OrNeverAsked,
            Err("template_not_approved"),
        ),
        (
            "order",
            None,
            &json!({"1": "Ada"}),
            Needed,
            Err("template_variables"),
        ),
        (
            "order",
            None,
            &json!({"1": "a", "2": ""}),
            Needed,
            Err("template_variables"),
        ),
        (
            "order",
            None,
            &json!({"1": "a", "2": []}),
            Needed,
            Err("template_variables"),
        ),
        (
            "order",
            None,
            &json!({"1": "a", "2": "b", "3": "c"}),
            Needed,
            Err("template_variables"),
        ),
    ];
    for (name, language, variables, approval, want) in rows {
        let checked = catalogue().check(&call(name, language, variables), approval);
        let found = checked
            .as_ref()
            .map(|call| call.id.as_deref().unwrap_or_default());
        assert_eq!(
            found.map_err(TemplateError::code),
            want,
            "{name} {language:?} {variables}"
        );
        if let Ok(call) = checked {
            assert!(call.language.is_some(), "{call:?}");
        }
    }
}

#[test]
fn words_list_what_is_missing_and_what_is_too_much() {
    let error = catalogue()
        .check(
            &call("order", None, &json!({"1": "a", "x": "b"})),
            Approval::Needed,
        )
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "template \"order\" needs a value for \"2\"; it has no variable \"x\""
    );
    let error = catalogue()
        .find(&call("both", None, &json!({})))
        .unwrap_err();
    assert!(error.to_string().ends_with("give one of de, en"), "{error}");
}

#[test]
fn the_providers_own_components_are_not_looked_into() {
    let call = TemplateCall {
        components: json!([{"type": "header"}]),
        ..call("order", None, &json!({}))
    };
    assert!(catalogue().check(&call, Approval::Needed).is_ok());
}

#[test]
fn a_text_is_carried_by_a_template_with_one_variable() {
    let carried = catalogue().carry("note", " Hello\n\tAda   there ").unwrap();
    assert_eq!(
        carried.variables,
        *json!({"text": "Hello Ada there"}).as_object().unwrap()
    );
    assert_eq!(
        (carried.name.as_str(), carried.language.as_deref()),
        ("note", Some("en"))
    );
    let long = "a".repeat(VARIABLE_CHARS_MAX + 1);
    for (name, text, code) in [
        ("order", "x", "template_variables"),
        ("note", long.as_str(), "template_variables"),
        ("note", " ", "template_variables"),
        ("poor", "x", "template_not_approved"),
        ("nothing", "x", "template_unknown"),
    ] {
        assert_eq!(
            catalogue().carry(name, text).unwrap_err().code(),
            code,
            "{name}"
        );
    }
}

#[test]
fn updates_find_their_template_by_id_or_name() {
    let update = |id: &str, name: &str, language: Option<&str>| TemplateUpdate {
        id: id.into(),
        name: name.into(),
        language: language.map(String::from),
        status: "PAUSED".into(),
        reason: None,
    };
    let catalogue = catalogue();
    let found = |update| {
        catalogue
            .position(&update)
            .map(|at| &*catalogue.entries[at].template.id)
    };
    assert_eq!(found(update("note/en", "renamed", None)), Some("note/en"));
    assert_eq!(found(update("", "order", Some("de"))), Some("order/de"));
    assert_eq!(found(update("77", "order", None)), None);
}

#[test]
fn values_take_their_places() {
    let values = json!({"1": "Ada", "n": 3, "empty": null});
    let values = values.as_object().unwrap();
    for (body, want) in [
        ("Hi {{1}}, {{ n }} left", "Hi Ada, 3 left"),
        ("{{2}} {{empty}} {{", "{{2}} {{empty}} {{"),
        ("", ""),
        ("{{1}}{{1}}", "AdaAda"),
    ] {
        assert_eq!(rendered(body, values), want);
    }
}
