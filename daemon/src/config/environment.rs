//! The process environment, and the layer of the configuration that it makes.
//!
//! `TRUNKLINE__SERVER__LISTEN` is `listen` in `[server]`: two underscores part the steps, case
//! does not matter. A value takes the type that its key wants. Where that is not known (in an
//! adapter's section) it stays a string if the files give one; else what reads as a TOML value
//! other than a bare word is one (`480`, `true`, `["a"]`, `"480"` in quotes), and the rest is a
//! string: `+15550100` stays a string.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

use super::{
    finding::{Finding, Place, child},
    layer::{Layer, Places},
    schema,
};

/// What every variable begins with.
const PREFIX: &str = "TRUNKLINE__";
/// Most steps of one variable's path.
const STEPS_MAX: usize = 16;

/// Variables by name. Passed in, so that loading a configuration depends on nothing else.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process. What is not UTF-8 counts as not set.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// One variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The layer that the variables make on top of the files.
    pub(super) fn layer(
        &self,
        schema: &Value,
        files: &[Layer],
        root: &Place,
    ) -> (Layer, Vec<Finding>) {
        let mut layer = Layer {
            tree: Map::new(),
            places: Places::new(root.clone()),
        };
        let mut findings = Vec::new();
        for (name, text) in self.0.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
            let place = Place::Environment(name.as_str().into());
            let added = steps(name).and_then(|steps| {
                let pointer = steps
                    .iter()
                    .fold(String::new(), |to, step| child(&to, step));
                let below = files.iter().rev().find_map(|file| find(&file.tree, &steps));
                let value = typed(text, schema::at_instance(schema, &steps), below)?;
                insert(&mut layer, &steps, value, &place)
                    .map_err(|()| format!("another variable gives a part of {pointer}"))
            });
            if let Err(message) = added {
                findings.push(Finding {
                    place,
                    key: String::new(),
                    message,
                });
            }
        }
        (layer, findings)
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

fn steps(name: &str) -> Result<Vec<String>, String> {
    let path = name.strip_prefix(PREFIX).unwrap_or(name);
    let steps: Vec<_> = path.split("__").map(str::to_ascii_lowercase).collect();
    if steps.len() < 2 || steps.len() > STEPS_MAX || steps.iter().any(String::is_empty) {
        return Err("must have the form TRUNKLINE__SECTION__KEY".into());
    }
    Ok(steps)
}

fn find<'a>(tree: &'a Map<String, Value>, steps: &[String]) -> Option<&'a Value> {
    let (first, rest) = steps.split_first()?;
    rest.iter()
        .try_fold(tree.get(first)?, |value, step| value.get(step))
}

fn insert(layer: &mut Layer, steps: &[String], value: Value, place: &Place) -> Result<(), ()> {
    let (last, tables) = steps.split_last().ok_or(())?;
    let mut pointer = String::new();
    let mut tree = &mut layer.tree;
    for step in tables {
        pointer = child(&pointer, step);
        if !layer.places.has(&pointer) {
            layer.places.set(&pointer, place.clone(), true);
        }
        let below = tree
            .entry(step.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        tree = below.as_object_mut().ok_or(())?;
    }
    if tree.contains_key(last) {
        return Err(());
    }
    pointer = child(&pointer, last);
    layer.places.set(&pointer, place.clone(), value.is_object());
    tree.insert(last.clone(), value);
    Ok(())
}

/// The value that a text means, where `schema` is what the key wants and `below` what it had.
fn typed(text: &str, schema: Option<&Value>, below: Option<&Value>) -> Result<Value, String> {
    let types = schema.map(schema::types).unwrap_or_default();
    let wants = |name: &str| types.contains(&name);
    if types.is_empty() {
        let keeps_string = below.is_some_and(Value::is_string);
        return Ok(if keeps_string {
            text.into()
        } else {
            guess(text)
        });
    }
    if (wants("array") && text.starts_with('[')) || (wants("object") && text.starts_with('{')) {
        return toml_value(text).ok_or_else(|| "is not a TOML array or inline table".into());
    }
    if wants("integer") || wants("boolean") {
        let value = guess(text);
        if value.is_i64() || value.is_boolean() {
            return Ok(value);
        }
    }
    if wants("array") && !wants("string") {
        return Ok(vec![text].into());
    }
    Ok(text.into())
}

/// A TOML value where the text is one and says so by its first character, else the text.
fn guess(text: &str) -> Value {
    // A sign or a leading zero belongs to a phone number rather than to an integer.
    let canonical = text
        .parse::<i64>()
        .is_ok_and(|number| number.to_string() == text);
    if canonical || matches!(text, "true" | "false") || text.starts_with(['[', '{', '"']) {
        return toml_value(text).unwrap_or_else(|| text.into());
    }
    text.into()
}

fn toml_value(text: &str) -> Option<Value> {
    let nowhere: Arc<std::path::Path> = std::path::Path::new("").into();
    // A line break would let a variable add keys beside the value.
    if text.contains('\n') {
        return None;
    }
    let layer = Layer::parse(&nowhere, &format!("value = {text}")).ok()?;
    let failed = layer.places.failures().next().is_some();
    layer
        .tree
        .into_iter()
        .next()
        .map(|(_, value)| value)
        .filter(|_| !failed)
}
