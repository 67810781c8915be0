//! A template call: `template {name, language {code}, components}`.
//!
//! Variables fill in the body: numbered ones (`"1"`, `"2"`) by their place, named ones by `parameter_name` (Meta:
//! Templates, parameter formats). A value is a text or a number, or one of Meta's parameter objects (`{"type":
//! "currency", ...}`). Headers, buttons and the like need `components`, which are handed on as they are.

use serde_json::{Map, Value, json};
use trunkline_plugin_api::{AdapterError, TemplateCall};

use crate::content::refused;

/// Parameters of one body that are taken; Meta's bodies have at most 1,024 characters.
const VARIABLES_MAX: usize = 200;

/// The object of a template message.
pub(crate) fn object(call: &TemplateCall) -> Result<Value, AdapterError> {
    let Some(language) = call.language.as_deref().filter(|code| !code.is_empty()) else {
        return Err(refused(
            "template_language",
            "the template needs a language, such as \"en_US\": Meta knows each translation by it",
        ));
    };
    let mut object = json!({"name": call.name, "language": {"code": language}});
    let components = match &call.components {
        Value::Null => body_of(&call.variables)?,
        Value::Array(given) => given.clone(),
        _ => {
            return Err(refused(
                "template_components",
                "template.components must be a list of Meta's components",
            ));
        }
    };
    if !components.is_empty() {
        object["components"] = components.into();
    }
    Ok(object)
}

/// The body's parameters; no component where there are none.
fn body_of(variables: &Map<String, Value>) -> Result<Vec<Value>, AdapterError> {
    if variables.is_empty() {
        return Ok(Vec::new());
    }
    if variables.len() > VARIABLES_MAX {
        return Err(refused(
            "template_variables",
            "the template has too many variables",
        ));
    }
    let numbered: Option<Vec<(usize, &Value)>> = variables
        .iter()
        .map(|(name, value)| Some((name.parse().ok()?, value)))
        .collect();
    let parameters = match numbered {
        Some(numbered) => by_place(numbered)?,
        None => by_name(variables)?,
    };
    Ok(vec![json!({"type": "body", "parameters": parameters})])
}

fn by_place(mut numbered: Vec<(usize, &Value)>) -> Result<Vec<Value>, AdapterError> {
    numbered.sort_by_key(|(place, _)| *place);
    let is_gapless = numbered
        .iter()
        .enumerate()
        .all(|(index, (place, _))| *place == index + 1);
    if !is_gapless {
        return Err(refused(
            "template_variables",
            "numbered variables must count from 1 without a gap",
        ));
    }
    numbered
        .into_iter()
        .map(|(_, value)| parameter(value))
        .collect()
}

fn by_name(variables: &Map<String, Value>) -> Result<Vec<Value>, AdapterError> {
    variables
        .iter()
        .map(|(name, value)| {
            let mut parameter = parameter(value)?;
            parameter["parameter_name"] = name.as_str().into();
            Ok(parameter)
        })
        .collect()
}

fn parameter(value: &Value) -> Result<Value, AdapterError> {
    match value {
        Value::String(text) => Ok(json!({"type": "text", "text": text})),
        Value::Number(number) => Ok(json!({"type": "text", "text": number.to_string()})),
        Value::Object(given) if given.contains_key("type") => Ok(value.clone()),
        _ => Err(refused(
            "template_variables",
            "a variable must be a text, a number, or one of Meta's parameter objects",
        )),
    }
}
