//! The rules of a template call: the template exists in that language, is approved, and gets the parameters
//! that it has.

use super::account::Account;
use super::kinds::only;
use super::refusal::Refusal;
use serde_json::Value;
use std::collections::BTreeSet;

/// Checks the `template` of a message.
pub(super) fn check(account: &Account, call: &Value) -> Result<(), Refusal> {
    only(call, &["name", "language", "components"])?;
    let name = call["name"]
        .as_str()
        .ok_or_else(|| Refusal::missing("template.name"))?;
    let language = call["language"]["code"]
        .as_str()
        .ok_or_else(|| Refusal::missing("template.language.code"))?;
    let found = account
        .templates
        .iter()
        .find(|known| known["name"] == name && known["language"] == language);
    let found = found.ok_or_else(|| {
        let words = format!("template name ({name}) does not exist in {language}");
        Refusal::bad(
            132_001,
            "Template name does not exist in the translation",
            words,
        )
    })?;
    match found["status"].as_str().unwrap_or_default() {
        "APPROVED" => {}
        "PAUSED" => return Err(Refusal::bad(132_015, "Template is paused", name)),
        "DISABLED" => return Err(Refusal::bad(132_016, "Template is disabled", name)),
        other => return Err(Refusal::bad(132_001, "Template is not approved", other)),
    }
    let components = call["components"].as_array();
    for part in ["header", "body"] {
        let given = components
            .into_iter()
            .flatten()
            .find(|component| component["type"] == part);
        check_part(found, part, given)?;
    }
    Ok(())
}

fn check_part(template: &Value, part: &str, given: Option<&Value>) -> Result<(), Refusal> {
    let wanted = variables(template, part);
    let given: Vec<&Value> = given
        .and_then(|component| component["parameters"].as_array())
        .into_iter()
        .flatten()
        .collect();
    let is_media = |parameter: &&Value| {
        ["image", "video", "document", "location"]
            .iter()
            .any(|kind| parameter["type"] == *kind)
    };
    let texts: Vec<&Value> = given.into_iter().filter(|one| !is_media(one)).collect();
    if texts.len() != wanted.len() {
        let words = format!(
            "{part}: number of localizable_params ({}) does not match the expected number of params ({})",
            texts.len(),
            wanted.len()
        );
        return Err(Refusal::bad(
            132_000,
            "Number of parameters does not match the expected number of params",
            words,
        ));
    }
    let is_named = wanted.iter().any(|name| name.parse::<u32>().is_err());
    let mut names = BTreeSet::new();
    for parameter in texts {
        let kind = parameter["type"].as_str().unwrap_or_default();
        let is_filled = kind != "text"
            || parameter["text"]
                .as_str()
                .is_some_and(|text| !text.is_empty());
        if kind.is_empty() || !is_filled {
            return Err(Refusal::missing(format!(
                "{part}: a parameter without type or text"
            )));
        }
        names.extend(parameter["parameter_name"].as_str().map(str::to_owned));
    }
    if is_named && names != wanted {
        let words = format!("{part}: parameter names {names:?} are not {wanted:?}");
        return Err(Refusal::bad(
            132_012,
            "Parameter format does not match",
            words,
        ));
    }
    if !is_named && !names.is_empty() {
        let words = format!("{part}: numbered parameters have names");
        return Err(Refusal::bad(
            132_012,
            "Parameter format does not match",
            words,
        ));
    }
    Ok(())
}

/// The names or numbers in double braces.
fn variables(template: &Value, part: &str) -> BTreeSet<String> {
    let components = template["components"].as_array();
    let text = components
        .into_iter()
        .flatten()
        .find(|component| {
            let kind = component["type"].as_str().unwrap_or_default();
            kind.eq_ignore_ascii_case(part)
        })
        .and_then(|component| component["text"].as_str())
        .unwrap_or_default();
    let pieces = text.split("{{").skip(1);
    pieces
        .filter_map(|rest| Some(rest.split_once("}}")?.0.trim().to_owned()))
        .collect()
}
